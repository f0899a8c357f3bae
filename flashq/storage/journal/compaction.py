"""Putting one checkpoint in the place of everything that a directory holds, while no server uses it."""

from collections.abc import Iterable
from pathlib import Path

from flashq.storage.journal.backup import write_empty
from flashq.storage.journal.checkpoint import CheckpointFile
from flashq.storage.journal.files import storage_errors, sync_directory
from flashq.storage.journal.format import (
    SPARE_GLOB,
    UNFINISHED_GLOB,
    CheckpointHead,
    checkpoints_in,
    segments_in,
)
from flashq.storage.journal.reading import Recovered


def replace(directory: Path, found: Recovered, slices: Iterable[bytes], jobs: int) -> Path:
    """A checkpoint of what was found, told by `slices`, and nothing else; it can be used after each step of this. The
    directory must be locked, and have been recovered. StorageError."""
    with storage_errors(f"cannot compact {directory}"):
        number = found.number + 1
        write_empty(directory, found.epoch, number, found.position)     # so that numbers go on
        file = CheckpointFile(directory, CheckpointHead(found.epoch, found.position, number), lambda: False)
        try:
            for frames in slices:
                file.write(frames)
            file.finish(found.position, jobs)
            file.publish()
        finally:
            file.discard()
        _remove_older(directory, found.position, number)
    return file.path


def _remove_older(directory: Path, begin: int, number: int) -> None:
    superfluous = [path for at, path in checkpoints_in(directory).items() if at < begin]
    superfluous += [path for at, path in segments_in(directory).items() if at < number]
    superfluous += [path for glob in (SPARE_GLOB, UNFINISHED_GLOB) for path in directory.glob(glob)]
    for path in superfluous:
        path.unlink()
    sync_directory(directory)
