"""Reading a data directory, without changing it: the newest checkpoint, then the log up to where it is whole.

What ends the log is either torn, when nothing that is there states that the log was durable beyond it; or damaged, when
something does: then what was acknowledged is lost, and nobody may serve from it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flashq.storage.base import DamageError
from flashq.storage.journal import logscan
from flashq.storage.journal.format import (
    GROUP_HEAD,
    HEAD_BYTES,
    checkpoint_name,
    checkpoints_in,
    segment_name,
    segments_in,
)
from flashq.storage.journal.logscan import Walk
from flashq.storage.journal.reader import WINDOW, Checkpoint, RawFile, Segment


class Replay(Protocol):
    """What takes back what was kept: whole frames, in the order in which they were written. A ValueError with `offset`
    (within the frames given) and `reason` says that they cannot be right."""

    @property
    def jobs(self) -> int: ...
    def checkpoint(self, frames: memoryview) -> object: ...
    def log(self, frames: memoryview) -> object: ...


class Nothing:
    """A replay that only lets the reading check what it reads."""

    jobs = 0

    def checkpoint(self, frames: memoryview) -> None:
        """Fine."""

    def log(self, frames: memoryview) -> None:
        """Fine."""


@dataclass(frozen=True)
class Progress:
    """How far the reading is."""

    bytes_done: int
    bytes_total: int
    jobs: int


@dataclass(frozen=True)
class Place:
    """A place in a segment behind which nothing of the log stands."""

    segment: Path
    number: int
    salt: int
    offset: int
    torn: int  # bytes of a group there that is not whole
    frames: int  # before it, in this file
    reason: str | None  # why what stands there is not whole; None: nothing stands there


@dataclass
class Recovered:
    """What the reading found."""

    position: int = 0  # of the last record
    epoch: int = 0  # highest so far; the next start takes the one after it
    checkpoint: str | None = None  # name of the file
    checkpoint_bytes: int = 0
    begin: int = 0  # position behind which the log counts
    needed: int = 1  # number of the segment from which on it does
    segments: int = 0  # that were read
    frames: int = 0  # of the log that were replayed
    records: int = 0  # likewise
    log_bytes: int = 0  # of the log that was read
    cut_bytes: int = 0  # at the end, not written whole: none of it was acknowledged
    cut_file: str | None = None
    seconds: float = 0.0
    number: int = 0  # of the last segment that is there
    last_file: Path | None = None  # the last segment that holds a part of the log
    rests: list[tuple[Path, int]] = field(default_factory=list)  # segments, and where what they hold ends
    open_ends: list[Place] = field(default_factory=list)  # where segments end without saying so, from the log's end on


@dataclass(frozen=True)
class _Listed:
    path: Path
    base: int | None
    size: int


class Reading:
    """One reading of a directory."""

    def __init__(self, directory: Path, replay: Replay, progress: Callable[[Progress], None]) -> None:
        self._directory = directory
        self._replay = replay
        self._tell = progress
        self._done = 0  # bytes
        self._total = 0  # bytes
        self._stated = 0  # highest position that is stated as durable
        self._named = 0  # number of the segment that the checkpoint needs; 0 = none
        self._window = bytearray()
        self._found = Recovered()

    def run(self) -> Recovered:
        """Everything into the replay. DamageError, FormatError, StorageError."""
        started = time.monotonic()
        found = self._found
        checkpoints = checkpoints_in(self._directory)
        listed = self._list()
        first = max(checkpoints) if checkpoints else None
        self._total = sum(one.size for one in listed.values())
        self._window = bytearray(min(WINDOW, max((one.size for one in listed.values()), default=0)))
        if first is not None:
            self._read_checkpoint(checkpoints[first])
        found.position = found.begin
        for number in self._choose(listed):
            self._read_segment(listed[number])
        self._judge()
        found.records = found.position - found.begin
        found.seconds = time.monotonic() - started
        return found

    def _list(self) -> dict[int, _Listed]:
        """All segments, each with a good header."""
        found = {}
        for number, path in segments_in(self._directory).items():
            segment = Segment(path)
            segment.close()
            if segment.head.number != number:
                raise DamageError(path, 0, 0, f"its header is that of segment {segment.head.number}")
            self._found.epoch = max(self._found.epoch, segment.head.epoch)
            self._found.number = number
            found[number] = _Listed(path, segment.base, segment.head.size)
        return found

    def _read_checkpoint(self, path: Path) -> None:
        found = self._found
        checkpoint = Checkpoint(path)
        try:
            self._total += checkpoint.size
            if path.name != checkpoint_name(checkpoint.head.begin):
                raise DamageError(path, 0, 0, f"its header is that of {checkpoint_name(checkpoint.head.begin)}")
            before = self._done
            for count, block in enumerate(checkpoint.blocks()):
                try:
                    self._replay.checkpoint(block)
                except ValueError as error:
                    offset, reason = _damaged(error)
                    raise DamageError(path, checkpoint.block_at + offset, count, reason) from error
                self._advance(before + checkpoint.block_at + len(block))
            self._advance(before + checkpoint.size)
            self._stated = checkpoint.end
            self._named = checkpoint.head.segment
            found.needed = max(self._named, 1)
            found.epoch = max(found.epoch, checkpoint.head.epoch)
            found.checkpoint, found.checkpoint_bytes, found.begin = path.name, checkpoint.size, checkpoint.head.begin
        finally:
            checkpoint.close()

    def _choose(self, listed: dict[int, _Listed]) -> list[int]:
        """The segments to read. All must be there from the one that was written to when the checkpoint was begun; those
        at the beginning are left out that hold nothing that it does not."""
        found = self._found
        for number in range(found.needed, max(found.number, self._named) + 1):
            if number not in listed:
                path = self._directory / segment_name(number)
                raise DamageError(path, 0, 0, f"it is missing, and the log is needed from record {found.begin + 1} on")
        chosen: list[int] = []
        for number, one in listed.items():
            if one.base is not None and one.base <= found.begin:
                chosen.clear()
            if number >= found.needed:
                chosen.append(number)
        self._total -= sum(one.size for number, one in listed.items() if number not in chosen)
        return chosen

    def _read_segment(self, listed: _Listed) -> None:
        found = self._found
        segment = Segment(listed.path)
        try:
            base = segment.base
            first = found.segments == 0 and base is not None and base <= found.begin
            walk = segment.walk(base if first else found.position, found.begin)
            before, given = self._done, 0
            for frames in segment.chunks(walk, self._window):
                try:
                    self._replay.log(frames)
                except ValueError as error:
                    offset, reason = _damaged(error)
                    raise self._locate(segment, given + offset, reason) from error
                given += len(frames)
                self._advance(before + segment.at)
            self._advance(before + listed.size)
            self._note(segment, walk)
        finally:
            segment.close()

    def _advance(self, done: int) -> None:
        self._done = done
        self._tell(Progress(done, self._total, self._replay.jobs))

    def _note(self, segment: Segment, walk: Walk) -> None:
        """What a segment says of the log, once it was read."""
        found = self._found
        if segment.stop == logscan.BROKEN:
            raise self._broken(segment, walk)
        if walk.groups:
            found.open_ends.clear()     # the log goes on from where they are
            found.position, found.last_file = walk.position or 0, segment.path
        found.segments += 1
        found.frames += walk.given
        found.log_bytes += segment.at - HEAD_BYTES
        found.rests.append((segment.path, segment.at))
        self._stated = max(self._stated, walk.stated)
        if segment.stop != logscan.END:
            head = segment.head
            place = Place(segment.path, head.number, head.salt, segment.at, walk.torn, walk.frames, walk.reason)
            found.open_ends.append(place)

    def _broken(self, segment: Segment, walk: Walk) -> DamageError:
        """Of a segment with a group that is whole and cannot be right; perhaps for want of those before it."""
        found = self._found
        if walk.groups == 0 and found.open_ends:
            return self._damage(found.open_ends[0], f"and {segment.path.name} does not go on from there")
        return DamageError(segment.path, segment.at, walk.frames, walk.reason or "")

    def _locate(self, segment: Segment, target: int, reason: str) -> DamageError:
        """Where in the file the byte stands that is number `target` of all frames given of it."""
        again = Segment(segment.path)
        try:
            walk = again.walk(again.base, self._found.begin)
            passed = frames = 0
            for group in again.groups(walk):
                if target < passed + len(group.frames):
                    offset = group.offset + group.size - len(group.frames) + target - passed
                    within = sum(at + size <= offset for at, size, _position in group.positions())
                    return DamageError(segment.path, offset, frames + within, reason)
                passed, frames = passed + len(group.frames), walk.frames
            return DamageError(segment.path, again.at, walk.frames, reason)
        finally:
            again.close()

    def _judge(self) -> None:
        """Whether what stands behind the end of the log is torn, or what is there was durable and is lost."""
        found = self._found
        for place in found.open_ends:
            heads, durable, end = look_behind(place)
            self._stated = max(self._stated, durable)
            traces = max(end if heads else 0, place.torn)
            if traces and found.cut_file is None:
                found.cut_file = place.segment.name
            found.cut_bytes += traces
        if self._stated <= found.position:
            return
        reason = f"and the log is stated to be durable up to record {self._stated}"
        if found.open_ends:
            raise self._damage(found.open_ends[0], reason)
        path = found.last_file or self._directory / segment_name(found.number + 1)
        raise DamageError(path, 0, 0, f"the log ends with record {found.position}, {reason}")

    def _damage(self, place: Place, more: str) -> DamageError:
        reason = place.reason or "there is no group"
        return DamageError(place.segment, place.offset, place.frames, f"{reason}, {more}")


def look_behind(place: Place) -> tuple[int, int, int]:
    """Heads of groups from there on to the end of the segment: (how many, highest position that they state as durable,
    bytes from there to the end of the last)."""
    file = RawFile(place.segment)
    window = memoryview(bytearray(min(WINDOW, max(file.size - place.offset, 0))))
    heads = durable = end = 0
    at = place.offset
    try:
        while (size := file.read_into(window, at)) >= GROUP_HEAD.size:
            more, states, last = logscan.find_heads(window[:size], place.number, place.salt)
            heads, durable = heads + more, max(durable, states)
            end = max(end, at + last - place.offset if more else 0)
            at += size - GROUP_HEAD.size + 1    # one that begins at the end of this window is seen in the next
    finally:
        file.close()
    return heads, durable, end


def _damaged(error: ValueError) -> tuple[int, str]:
    """What a replay says of frames that cannot be right; any other ValueError is a bug, and stays one."""
    try:
        return error.offset, error.reason  # type: ignore[attr-defined]
    except AttributeError:
        raise error from None
