"""Copying a data directory, also under a running server: the newest checkpoint and the log behind it, as one moment."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flashq.storage.base import StorageError
from flashq.storage.journal.files import (
    DIRECTORY_MODE,
    create,
    lock_directory,
    make_directory,
    storage_errors,
    sync_directory,
    sync_file,
    write_all,
)
from flashq.storage.journal.format import END_MARK, GROUP_HEAD, HEAD_BYTES, LOCK_NAME, SegmentHead, segment_name
from flashq.storage.journal.live import Part, Reads, read_live, steadily
from flashq.storage.journal.logscan import group_head
from flashq.storage.journal.reader import RawFile
from flashq.storage.journal.reading import Nothing, Progress, Reading

PIECE = 4 << 20  # bytes copied at a time
SUFFIX = ".tmp"  # of files that are not all there yet

Advance = Callable[[str, int, int], None]  # what is being done, bytes done, bytes in all


@dataclass(frozen=True)
class Copied:
    """What was copied."""

    checkpoint: str | None
    segments: int
    size: int  # bytes
    position: int  # of the last record


def backup(source: Path, target: Path, advance: Advance) -> Copied:
    """Everything that was durable in `source` when this was called, into the new or empty directory `target`, which is
    read once more at the end. StorageError; then nothing is left there."""
    if target.resolve().is_relative_to(source.resolve()):
        raise StorageError(f"{target} lies in the data directory {source}: take a place outside it")
    existed = target.exists()
    with storage_errors(f"cannot use {target}"):
        if existed and any(target.iterdir()):
            raise FileExistsError(errno.EEXIST, "it is not empty")
        make_directory(target)
        os.chmod(target, DIRECTORY_MODE)
    lock = lock_directory(target)
    try:
        copied = steadily(source, lambda: _copy(source, target, advance))
        check = Reading(target, Nothing(), _telling(advance, "verifying")).run()
        if check.position != copied.position or check.cut_bytes:
            raise StorageError(f"the copy in {target} ends with record {check.position}, not {copied.position}")
    except BaseException:
        _clear(target)
        (target / LOCK_NAME).unlink(missing_ok=True)
        if not existed:
            target.rmdir()
        raise
    finally:
        os.close(lock)
    return copied


def _telling(advance: Advance, doing: str) -> Callable[[Progress], None]:
    return lambda progress: advance(doing, progress.bytes_done, progress.bytes_total)


def _clear(target: Path) -> None:
    for path in target.iterdir():
        if path.name != LOCK_NAME:
            path.unlink()


def _copy(source: Path, target: Path, advance: Advance) -> Copied:
    reads = read_live(source, Nothing, _telling(advance, "reading"))
    found, parts = reads.found, reads.parts
    if found.checkpoint is None and not parts:
        raise StorageError(f"there is no journal in {source}")
    _clear(target)      # what an earlier try left
    copy = _Copy(target, advance, found.checkpoint_bytes + sum(part.end for part in parts))
    if found.checkpoint is not None:
        copy.whole(source / found.checkpoint, found.checkpoint_bytes)
    if parts:
        for number in range(found.needed, parts[0].head.number):    # numbers have no gap; these hold nothing of use
            copy.empty(SegmentHead(parts[0].head.epoch, number, 0, parts[0].head.salt), parts[0].base)
    for part in parts:
        copy.segment(part)
    with storage_errors(f"cannot write the backup into {target}"):
        copy.publish()
    return _copied(reads, copy.done)


def _copied(reads: Reads, size: int) -> Copied:
    return Copied(reads.found.checkpoint, len(reads.parts), size, reads.found.position)


class _Copy:
    """Files on their way into a directory. None has its name before all are there."""

    def __init__(self, target: Path, advance: Advance, total: int) -> None:
        self.done = 0   # bytes
        self._target = target
        self._advance = advance
        self._total = total
        self._names: list[str] = []

    def whole(self, path: Path, size: int) -> None:
        """A file that was read with this size: one that is taken away meanwhile becomes shorter."""
        file = RawFile(path)
        try:
            fd = self._create(path.name)
            try:
                self._bytes(file, fd, 0, size)
                self._sync(fd)
            finally:
                os.close(fd)
        finally:
            file.close()

    def segment(self, part: Part) -> None:
        """A segment up to the last group that was read of it; it ends there."""
        file = RawFile(part.path)
        try:
            fd = self._create(part.path.name)
            try:
                self._bytes(file, fd, HEAD_BYTES, part.end)
                if not part.path.exists():
                    raise StorageError(f"{part.path} was taken away while it was copied")
                self._finish(fd, part.head, part.end, part.position, part.ended)
            finally:
                os.close(fd)
        finally:
            file.close()

    def empty(self, head: SegmentHead, position: int) -> None:
        """A segment without records."""
        fd = self._create(segment_name(head.number))
        try:
            self._finish(fd, head, HEAD_BYTES, position, False)
        finally:
            os.close(fd)

    def publish(self) -> None:
        """Give the files their names: the log from behind, then the checkpoint. What a crash leaves half-named has no
        beginning, and is refused."""
        sync_directory(self._target)
        for name in reversed(self._names):
            os.rename(self._target / (name + SUFFIX), self._target / name)
        sync_directory(self._target)

    def _create(self, name: str) -> int:
        self._names.append(name)
        with storage_errors(f"cannot write the backup into {self._target}"):
            return create(self._target / (name + SUFFIX))

    def _bytes(self, file: RawFile, fd: int, start: int, end: int) -> None:
        buffer = memoryview(bytearray(PIECE))
        at = start
        while at < end:
            size = file.read_into(buffer[: min(PIECE, end - at)], at)
            if size == 0:
                raise StorageError(f"{file.path} ends at byte {at}, and {end} bytes were there")
            with storage_errors(f"cannot write the backup into {self._target}"):
                write_all(fd, buffer[:size], at)
            at += size
            self.done += size
            self._advance("copying", min(self.done, self._total), self._total)

    def _finish(self, fd: int, head: SegmentHead, end: int, position: int, ended: bool) -> None:
        with storage_errors(f"cannot write the backup into {self._target}"):
            write_end(fd, head, end, position, ended)
            self._sync(fd)

    def _sync(self, fd: int) -> None:
        with storage_errors(f"cannot write the backup into {self._target}"):
            sync_file(fd)


def write_end(fd: int, head: SegmentHead, end: int, position: int, ended: bool) -> None:
    """Header and end mark of a segment that nothing is added to any more: it is as long as what it holds. OSError."""
    size = end if ended else end + GROUP_HEAD.size
    if not ended:
        mark = group_head(END_MARK, 0, head.number, position, position, position, head.salt, head.salt)
        write_all(fd, mark, end)
    write_all(fd, SegmentHead(head.epoch, head.number, size, head.salt).pack(), 0)


def write_empty(directory: Path, epoch: int, number: int, position: int) -> Path:
    """A segment that holds nothing and says that the log reaches up to there; on disk when this returns. OSError."""
    path = directory / segment_name(number)
    unnamed = directory / f"spare-{os.urandom(8).hex()}{SUFFIX}"    # what a crash leaves of it is used or removed
    fd = create(unnamed)
    try:
        head = SegmentHead(epoch, number, 0, int.from_bytes(os.urandom(4)))
        write_end(fd, head, HEAD_BYTES, position, ended=False)
        sync_file(fd)
    finally:
        os.close(fd)
    os.rename(unnamed, path)
    sync_directory(directory)
    return path
