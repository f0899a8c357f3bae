"""Checks of the data directory: whose it is, how much room there is, and how long its disk takes to sync."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flashq._bench.disk import synced_writes
from flashq.cli.doctor.check import Check, fail, ok, warn
from flashq.cli.journal.common import size_text
from flashq.config import Settings
from flashq.storage.base import StorageError
from flashq.storage.journal.live import owner

SEGMENTS = 10               # of --segment-size: what a directory takes beside the state (docs/settings.md)
FREE_PERCENT = 10
MEASURED_BYTES, MEASURED_WRITES = 4096, 100
SLOW_MS, TOO_FAST_MS = 20.0, 0.005
IN_MEMORY = {"tmpfs", "ramfs"}
OF_CONTAINER = {"overlay", "aufs"}
OVER_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}


def checks(settings: Settings) -> Iterator[Check]:
    """All of them; nothing when nothing is written."""
    if settings.durability == "memory":
        yield ok("data directory", "none: --durability memory writes nothing")
        return
    directory = Path(settings.data_dir).absolute()
    there = directory if directory.exists() else _above(directory)
    if not os.access(there, os.W_OK | os.X_OK):
        yield fail("data directory", f"{there} cannot be written by this user", "chown it to the user of the server")
        return
    yield from _place(directory)
    yield file_system(there)
    usage = shutil.disk_usage(there)
    yield room(usage.free, usage.total, SEGMENTS * settings.segment_size)
    yield _sync(there)


def _above(directory: Path) -> Path:
    """The nearest directory that there is."""
    return next(one for one in directory.parents if one.is_dir())


def _place(directory: Path) -> Iterator[Check]:
    if not directory.exists():
        yield ok("data directory", f"{directory} is made by the first start")
        return
    if not directory.is_dir():
        yield fail("data directory", f"{directory} is no directory", "name another by --data-dir")
        return
    if os.stat(directory).st_mode & 0o007:
        yield warn("data directory", f"everybody may look into {directory}", f"chmod 700 {directory}")
    try:
        pid = owner(directory)
    except StorageError as error:
        yield fail("data directory", str(error), "see whose files these are")
        return
    yield ok("data directory", f"{directory}, {f'in use by process {pid}' if pid else 'no server uses it now'}")


def file_system(directory: Path, mounts: Path = Path("/proc/self/mounts")) -> Check:
    """What kind it is; Linux tells."""
    kind = kind_of(directory.resolve(), mounts)
    if kind in IN_MEMORY:
        return fail("file system", f"{kind}: it is memory, and gone with the machine", "put --data-dir on a disk")
    if kind in OF_CONTAINER:
        return warn("file system", f"{kind}: the container's own layer, and gone with it", "mount a volume there")
    if kind in OVER_NETWORK:
        return warn("file system", f"{kind}: over a network, locks and syncs may promise more than they keep",
                    "put --data-dir on a local disk or a block device")
    return ok("file system", kind or "unknown")


def kind_of(directory: Path, mounts: Path) -> str:
    """The type of the mount that a directory stands on; empty when that cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        _, where, found, *_ = line.split(" ")
        point = Path(where.replace("\\040", " "))
        if (point == directory or point in directory.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), found
    return kind


def room(free: int, total: int, wanted: int) -> Check:
    """Space for the journal; when it is full, pushes are refused."""
    text = f"{size_text(free)} of {size_text(total)} free"
    if free < wanted:
        return fail("disk space", f"{text}; the journal alone may take {size_text(wanted)} beside its state",
                    "make room, or take a smaller --segment-size")
    if free * 100 < total * FREE_PERCENT:
        return warn("disk space", text, "make room: without any, whatever adds data is refused")
    return ok("disk space", text)


def _sync(directory: Path) -> Check:
    try:
        return sync_time(*measure(directory))
    except OSError as error:
        return fail("disk sync", f"a file in {directory} cannot be written: {error.strerror}", "see to the disk")


def measure(directory: Path) -> tuple[float, float]:
    """ms that write and sync of 4 KB take, as the journal does it: the median, and the 99th percentile. OSError.

    In a file without a name, so that nothing is left and a server that uses the directory never sees it.
    """
    data = bytes(MEASURED_BYTES)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(data * MEASURED_WRITES)      # as the journal reserves its segments
        file.flush()
        os.fsync(file.fileno())
        spent = sorted(synced_writes(file.fileno(), data, 0, MEASURED_WRITES))
    return spent[len(spent) // 2] / 1e6, spent[len(spent) * 99 // 100] / 1e6


def sync_time(median_ms: float, p99_ms: float) -> Check:
    """What that means for pushes that wait for the disk."""
    text = f"write and sync of 4 KB: {median_ms:.2f} ms, 99th percentile {p99_ms:.2f} ms"
    if median_ms < TOO_FAST_MS:
        return warn("disk sync", f"{text}: nothing is that fast", "see that this disk, or the virtual machine's, does "
                    "not leave syncs out")
    if p99_ms > SLOW_MS:
        return warn("disk sync", f"{text}: each reply waits for it", "a faster disk, or --durability interval where a "
                    "lost moment does not matter")
    return ok("disk sync", text)
