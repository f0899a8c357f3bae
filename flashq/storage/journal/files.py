"""The data directory: made, locked, and its files written so that a power loss finds them as they were meant."""

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flashq.storage.base import LockedError, SpaceError, StorageError
from flashq.storage.journal.format import LOCK_NAME

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_ZEROS = 1 << 20


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """An OSError becomes a StorageError that says what was being done, in one line."""
    try:
        yield
    except OSError as error:
        kind = SpaceError if error.errno in NO_SPACE else StorageError
        raise kind(f"{doing}: {error.strerror or error}") from None


def make_directory(directory: Path) -> None:
    """The directory is there, and will be after a power loss. StorageError says what is in the way."""
    with storage_errors(f"cannot use the data directory {directory}"):
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            sync_directory(path.parent)
        if not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is no directory")
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "this user may not read and write it")


def lock_directory(directory: Path) -> int:
    """The descriptor that holds the lock until it is closed. LockedError names the process that has it."""
    with storage_errors(f"cannot lock the data directory {directory}"):
        fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise LockedError(f"the data directory {directory} is in use by another flashq, process {owner}: "
                              "stop it, or take another one with --data-dir") from None
        except BaseException:
            os.close(fd)
            raise
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            if error.errno not in NO_SPACE:     # the number is for people only: a full disk is no reason not to start
                os.close(fd)
                raise
        return fd


def sync_file(fd: int) -> None:
    """Contents and size are on the medium. Never asked again after it failed."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_directory(directory: Path) -> None:
    """Its entries are on the medium: names given, changed and taken away."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def create(path: Path) -> int:
    """A new file, or an old one as it was, for reading and writing."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)


def reserve(fd: int, size: int) -> None:
    """The file has this size, and the disk has room for all of it. OSError."""
    room = os.fstatvfs(fd)
    have = os.fstat(fd)
    # Asked first: an attempt that fails half-way takes all there is for a while, also from a checkpoint.
    if room.f_blocks and have.st_blocks * 512 + room.f_bavail * room.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if have.st_size > size:
        os.ftruncate(fd, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    at = have.st_size
    while at < size:
        at += os.pwrite(fd, bytes(min(_ZEROS, size - at)), at)


def fill(fd: int, size: int, wanted: Callable[[], bool]) -> None:
    """Write the whole of a reserved file once, piece by piece, as long as that is wanted. OSError.

    The first write to reserved space changes what the file system says of it, which the next sync has to bring to the
    disk, too: a sync of 20 kB took 2.5 times as long there (ext4). Each piece is synced, so that the log's own syncs
    wait for no more than one.
    """
    zeros = bytes(_ZEROS)
    for at in range(0, size, _ZEROS):
        if not wanted():
            return
        write_all(fd, zeros[: size - at], at)
        sync_file(fd)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """All of it at that place. OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
