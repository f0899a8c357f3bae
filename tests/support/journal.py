"""A journal in a test's hands: frames made by hand, a replay that only collects, and a loop that waits for commits."""

import asyncio
import contextlib
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flashq.storage.base import StorageError, StoreState
from flashq.storage.journal import Journal, Progress, Recovered
from flashq.storage.journal.format import segment_name
from flashq.storage.journal.reader import Group, Segment

SEGMENT = 1 << 16


def frame(position: int, payload: bytes = b"records") -> bytes:
    """One frame of records that end at `position`."""
    return struct.pack("<IQ", 8 + len(payload), position) + payload


def positions(frames: bytes) -> list[int]:
    """Of each frame."""
    found, at = [], 0
    while at < len(frames):
        size, position = struct.unpack_from("<IQ", frames, at)
        found.append(position)
        at += 4 + size
    assert at == len(frames)
    return found


class Kept:
    """A replay that keeps the bytes it is given."""

    def __init__(self) -> None:
        self.state = bytearray()
        self.frames = bytearray()
        self.jobs = 0

    def checkpoint(self, frames: memoryview) -> None:
        self.state += frames

    def log(self, frames: memoryview) -> None:
        self.frames += frames

    @property
    def positions(self) -> list[int]:
        return positions(bytes(self.frames))


class Opened:
    """A journal from its lock to its end, with all that it says."""

    def __init__(self, directory: Path, durability: str = "commit", sync_interval_ms: int = 50,
                 segment_size: int = SEGMENT, journal: type[Journal] = Journal) -> None:
        self.directory = directory
        self.kept = Kept()
        self.commits: list[tuple[int, int]] = []
        self.states: list[StoreState] = []
        self.progress: list[Progress] = []
        self.on_commit: Callable[[int, int], object] = lambda position, synced: None
        self.loop = asyncio.new_event_loop()
        self.journal = journal(directory, durability=durability, sync_interval_ms=sync_interval_ms,
                               segment_size=segment_size)
        try:
            self.journal.lock()
            self.found: Recovered = self.journal.load(self.kept, self.progress.append)
            self.journal.open(self._on_commit, self.states.append, self.loop)
        except BaseException:
            self.close()
            raise

    def _on_commit(self, position: int, synced: int) -> None:
        self.commits.append((position, synced))
        self.on_commit(position, synced)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *_details: Any) -> None:
        self.close()

    def close(self) -> None:
        self.journal.close()
        self.loop.close()

    @property
    def position(self) -> int:
        return self.journal.position

    def put(self, count: int = 1, payload: bytes = b"records") -> int:
        """Frames of one record each, in one call; the position of the last."""
        first = self.position + 1
        frames = b"".join(frame(position, payload) for position in range(first, first + count))
        self.journal.append(frames, first + count - 1)
        return first + count - 1

    def until(self, done: Callable[[], bool]) -> None:
        """Run the loop until it is so."""

        async def watch() -> None:
            while not done():
                await asyncio.sleep(0.0005)

        self.loop.run_until_complete(asyncio.wait_for(watch(), 30))

    def committed(self, count: int = 1, payload: bytes = b"records") -> int:
        """Put frames and wait until they are committed; the position of the last."""
        position = self.put(count, payload)
        self.reach(position)
        return position

    def reach(self, position: int) -> None:
        """Wait until everything up to there is committed."""
        self.until(lambda: bool(self.commits) and self.commits[-1][0] >= position)

    def killed(self, to: Path) -> Path:
        """A copy of the directory as it would be if the process had died now."""
        while True:     # the spares change at any moment
            try:
                return Path(shutil.copytree(self.directory, to))
            except shutil.Error:
                shutil.rmtree(to)

    def marked(self) -> None:
        """Wait until the log states that all of it is durable: it may have done so before this was called."""
        self.until(lambda: self._stated() >= self.position)

    def _stated(self) -> int:
        paths = self.directory.glob("segment-*.log")
        return max((group.durable for path in paths for group in groups(path)), default=0)

    def checkpoint(self, state: bytes, begin: int | None = None, end: int | None = None) -> str | None:
        """A checkpoint with this state, begun and ended at the present position; None, or why it came to nothing."""
        done: list[str | None] = []
        self.journal.checkpoint_begin(self.position if begin is None else begin, len(positions(state)))
        try:
            self.until(lambda: self.journal.checkpoint_write(state))
            self.journal.checkpoint_end(self.position if end is None else end, done.append)
        except StorageError as error:
            self.journal.checkpoint_abort()
            return str(error)
        self.until(lambda: bool(done))
        return done[0]

    def stats(self, pattern: str) -> list[os.stat_result]:
        """Of the files of that name; one that goes meanwhile is left out."""
        found = []
        for path in self.directory.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                found.append(path.stat())
        return found

    def spares(self) -> int:
        """Files that are reserved whole, and no segments yet."""
        return sum(stat.st_size == SEGMENT for stat in self.stats("spare-*"))

    def ready(self) -> None:
        """Wait until the next segment has its name and a spare lies beside it."""
        following = segment(self.directory, self.journal.segment[0] + 1)
        self.until(lambda: following.exists() and self.spares() > 0)

    def disk_use(self) -> int:
        """Bytes of all files."""
        return sum(stat.st_size for stat in self.stats("*"))

    def files(self) -> list[str]:
        """Names of the segments and checkpoints."""
        return sorted(p.name for p in self.directory.iterdir() if p.suffix in (".log", ".ckpt"))


def segment(directory: Path, number: int) -> Path:
    return directory / segment_name(number)


def descriptors(path: Path) -> list[int]:
    """Those of this process on that file."""
    wanted, found = os.path.realpath(path), []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/self/fd/{fd}") == wanted:
                found.append(int(fd))
    return found


def groups(path: Path) -> list[Group]:
    """Those that a segment holds."""
    one = Segment(path)
    try:
        return list(one.groups(one.walk()))
    finally:
        one.close()


def flip(path: Path, at: int, bits: int = 0x40) -> None:
    """Change one byte of a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ bits]))


def read(directory: Path) -> tuple[Recovered, Kept]:
    """What a start would find there, and then leave."""
    kept = Kept()
    journal = Journal(directory, durability="commit", sync_interval_ms=50, segment_size=SEGMENT)
    journal.lock()
    try:
        return journal.load(kept, lambda progress: None), kept
    finally:
        journal.close()
