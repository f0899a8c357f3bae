"""Reading a data directory back at a start, and closing the log behind what was read."""

import os
from collections.abc import Callable
from pathlib import Path

from flashq.storage.journal.diskio import give_back
from flashq.storage.journal.files import storage_errors, sync_directory, sync_file, write_all
from flashq.storage.journal.format import END_MARK, GROUP_HEAD, UNFINISHED_GLOB
from flashq.storage.journal.logscan import group_head
from flashq.storage.journal.reading import Place, Progress, Reading, Recovered, Replay

BLOCK_BYTES = 4096  # of a file system, or a multiple
LEAST_BYTES = 1 << 16  # worth a call


def recover(directory: Path, replay: Replay, progress: Callable[[Progress], None]) -> Recovered:
    """Everything that is there into the replay; then the log ends for good where it was found to end. StorageError."""
    with storage_errors(f"cannot prepare {directory}"):
        for path in directory.glob(UNFINISHED_GLOB):
            path.unlink()
        sync_directory(directory)   # a name that was given just before a crash is there after a power loss, too
    found = Reading(directory, replay, progress).run()
    with storage_errors(f"cannot end the log in {directory}"):
        _seal(found)
        for path, end in found.rests:
            _give_back(path, end)
    return found


def _seal(found: Recovered) -> None:
    """Nothing behind the end that was found will ever count. In this order: what was read, and may be shown from now
    on, must be durable before anything says so; and segments behind the last are closed before the last is."""
    if found.last_file is not None:
        fd = os.open(found.last_file, os.O_RDWR | os.O_CLOEXEC)
        try:
            sync_file(fd)
        finally:
            os.close(fd)
    for place in reversed(found.open_ends):
        _end(place, found.position)


def _end(place: Place, position: int) -> None:
    head = group_head(END_MARK, 0, place.number, position, position, position, place.salt, place.salt)
    fd = os.open(place.segment, os.O_RDWR | os.O_CLOEXEC)
    try:
        write_all(fd, head, place.offset)
        sync_file(fd)
    finally:
        os.close(fd)


def _give_back(path: Path, end: int) -> None:
    """What a segment had reserved and will not use; of many starts in a row none keeps much of the disk."""
    start = (end + GROUP_HEAD.size + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES    # behind an end that was put there
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        if size - start >= LEAST_BYTES:
            give_back(fd, start, size - start)
    finally:
        os.close(fd)
