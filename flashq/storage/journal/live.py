"""Reading a data directory that a server may be using: it is never written to, and what goes on meanwhile is no damage.

Such a server does two things under the reader's eyes. It appends: where the log seemed to end there may be a group a
moment later, and behind it others; so a group that is not whole is looked at again before others behind it make it
damage. And it lets go of files once a checkpoint makes them superfluous, or uses them again for later segments: a name
that is gone tells, for it goes before the bytes change, and then the reading begins anew with that checkpoint.
"""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from flashq.storage.base import DamageError, StorageError
from flashq.storage.journal import logscan
from flashq.storage.journal.files import storage_errors
from flashq.storage.journal.format import LOCK_NAME, SegmentHead, checkpoints_in, segments_in
from flashq.storage.journal.logscan import Walk
from flashq.storage.journal.reader import WINDOW, Segment
from flashq.storage.journal.reading import Place, Progress, Reading, Recovered, Replay

T = TypeVar("T")

TRIES = 20  # readings that a server's own tidying up may bring to nothing


class MovedError(StorageError):
    """A file went while it was read."""


@dataclass(frozen=True)
class Part:
    """A segment as far as the log stands in it."""

    path: Path
    head: SegmentHead
    base: int  # position before its first record
    end: int  # byte behind its last group
    ended: bool  # that group is the end mark
    position: int  # of the last record up to there


@dataclass
class Reads:
    """One reading: what it found, what it was read into, and the segments of the log."""

    found: Recovered
    replay: Replay
    parts: list[Part] = field(default_factory=list)


def owner(directory: Path) -> str | None:
    """The process that has the lock of the directory, as it says itself; None when nobody has it. StorageError."""
    with storage_errors(f"cannot look at the lock of {directory}"):
        try:
            fd = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)   # let go of at once, by closing
        except BlockingIOError:
            return os.read(fd, 32).decode("ascii", "replace").strip() or "?"
        finally:
            os.close(fd)
    return None


def read_live(directory: Path, begin: Callable[[], Replay], progress: Callable[[Progress], None]) -> Reads:
    """Everything that was durable when this was called, and perhaps some of what came since, into what `begin` makes
    (anew for each try). StorageError."""
    return steadily(directory, lambda: _read(directory, begin(), progress))


def steadily(directory: Path, work: Callable[[], T]) -> T:
    """What `work` returns. It is done again when it fails and files of the journal were taken away meanwhile."""
    for _try in range(TRIES):
        before = _names(directory)
        try:
            return work()
        except StorageError:
            if not before - _names(directory):
                raise
    raise StorageError(f"the files in {directory} were replaced faster than they could be read, {TRIES} times in a row")


def _names(directory: Path) -> set[str]:
    with storage_errors(f"cannot read the data directory {directory}"):
        return {path.name for path in (*checkpoints_in(directory).values(), *segments_in(directory).values())}


def _read(directory: Path, replay: Replay, progress: Callable[[Progress], None]) -> Reads:
    reading = LiveReading(directory, replay, progress)
    return Reads(reading.run(), replay, reading.parts)


class LiveReading(Reading):
    """A Reading that ends at the first group that is not whole yet."""

    def __init__(self, directory: Path, replay: Replay, progress: Callable[[Progress], None]) -> None:
        super().__init__(directory, replay, progress)
        self.parts: list[Part] = []
        self._over = False

    def _note(self, segment: Segment, walk: Walk) -> None:
        if not segment.path.exists():
            raise MovedError(f"{segment.path} was taken away while it was read")
        if self._over:
            return      # nothing of it follows what was read, so nothing was given to the replay
        try:
            super()._note(segment, walk)
        except DamageError:
            if walk.groups or not self._has_grown():
                raise
            self._over = True
            return
        ended = segment.stop == logscan.END
        position = self._found.position
        base = position if segment.base is None else segment.base
        self.parts.append(Part(segment.path, segment.head, base, segment.at, ended, position))

    def _judge(self) -> None:
        if self._over:
            return
        try:
            super()._judge()
        except DamageError:
            if not self._has_grown():
                raise
            self._found.cut_bytes, self._found.cut_file = 0, None

    def _has_grown(self) -> bool:
        """Whether the log goes on now where it seemed to end. What made it seem damaged was written later than that."""
        return any(_goes_on(place, self._found.position) for place in self._found.open_ends)


def _goes_on(place: Place, position: int) -> bool:
    """Whether a whole group stands there now that follows that position."""
    segment = Segment(place.segment)
    try:
        segment.at = place.offset
        walk = segment.walk(position)
        next(iter(segment.chunks(walk, bytearray(WINDOW), limit=1)), None)
        return walk.groups > 0
    finally:
        segment.close()
