"""Looking at every file of a data directory, also where it is damaged: each damage is noted, and the reading goes on
behind it. What a start would make of it is another question, which `live.py` answers."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from flashq._core.recordforms import heads
from flashq.storage.base import DamageError, FormatError, StorageError
from flashq.storage.journal import logscan
from flashq.storage.journal.facts import CheckpointFacts, Damage, SegmentFacts, Survey
from flashq.storage.journal.files import storage_errors
from flashq.storage.journal.format import (
    END_MARK,
    GROUP_HEAD,
    HEAD_BYTES,
    MARK,
    SPARE_GLOB,
    UNFINISHED_GLOB,
    checkpoint_name,
    checkpoints_in,
    segments_in,
)
from flashq.storage.journal.logscan import checksum
from flashq.storage.journal.reader import WINDOW, Checkpoint, RawFile, Segment

# Sees the frames of a group of the log or of a block of a checkpoint: (file, offset of the first in it, the frames). A
# ValueError with `offset` and `reason` says that they cannot be right.
Look = Callable[[Path, int, memoryview], None]
_MARKS = tuple(mark.to_bytes(4, "little") for mark in (MARK, END_MARK))


def survey(directory: Path, look: Look, advance: Callable[[int, int], None]) -> Survey:
    """Look at all files, the checkpoints first. `advance(done, total)` tells how far this is, in bytes. StorageError
    when a file cannot be read at all, or when newer ones took the place of all before this was done."""
    found = Survey()
    with storage_errors(f"cannot look at the data directory {directory}"):
        checkpoints, segments = checkpoints_in(directory), segments_in(directory)
        others = sorted(path for glob in (SPARE_GLOB, UNFINISHED_GLOB) for path in directory.glob(glob))
    paths = (*checkpoints.values(), *segments.values())
    sizes = {path: _size(path) for path in paths}
    done = 0
    before: SegmentLook | None = None
    for path in paths:
        try:
            if path in segments.values():
                before = _next_segment(found, path, look, before)
            else:
                found.checkpoints.append(_look_at_checkpoint(path, found.damages, look))
        except StorageError:
            if path.exists():
                raise
            found.gone += 1
        done += sizes[path]
        advance(done, sum(sizes.values()))
    found.damages += before.damages if before is not None else []
    if paths and _is_past(found, paths, list(segments.values())):
        raise StorageError(f"the files in {directory} were replaced before they were read")
    found.others = [(path, _used(path)) for path in others if path.exists()]
    return found


def _is_past(found: Survey, paths: Sequence[Path], segments: Sequence[Path]) -> bool:
    """Whether a newer checkpoint has made all of it superfluous, or the log where no checkpoint stands before it."""
    return not any(path.exists() for path in paths) or bool(
        not found.checkpoints and segments and not segments[0].exists())


def _next_segment(found: Survey, path: Path, look: Look, before: "SegmentLook | None") -> "SegmentLook":
    """Look at a segment behind the one before it, if that was still there."""
    segment = SegmentLook(path, look)
    if before is not None and not before.facts.path.exists():
        before = None       # how it ended cannot be told any more
    if segment.begun and before is not None:
        try:
            before.run()    # what was written to it until this one was begun
        except StorageError:
            if before.facts.path.exists():
                raise
            before = None
    segment.run()
    if before is not None:
        segment.follow(before)
        found.damages += before.damages
    found.segments.append(segment.facts)
    return segment


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _used(path: Path) -> int:
    with storage_errors(f"cannot look at {path}"):
        return os.stat(path).st_blocks * 512


def _look_at_checkpoint(path: Path, damages: list[Damage], look: Look) -> CheckpointFacts:
    facts = CheckpointFacts(path, _size(path), _used(path))
    try:
        checkpoint = Checkpoint(path)
    except (DamageError, FormatError) as error:
        _still_there(path)
        damages.append(_damage(path, error, "the whole checkpoint"))
        return facts
    try:
        head = checkpoint.head
        facts.epoch, facts.begin = head.epoch, head.begin
        if path.name != checkpoint_name(head.begin):
            raise DamageError(path, 0, 0, f"its header is that of {checkpoint_name(head.begin)}")
        for block in checkpoint.blocks():
            _show(look, path, checkpoint.block_at, facts.blocks, block)
            facts.blocks += 1
        facts.end, facts.jobs, facts.whole = checkpoint.end, checkpoint.jobs, True
    except DamageError as error:
        _still_there(path)
        damages.append(_damage(path, error, "all jobs of the checkpoint that the log behind it does not tell anew"))
    finally:
        checkpoint.close()
    return facts


def _still_there(path: Path) -> None:
    """A file that was taken away is no damage: it is made shorter then. StorageError when it was."""
    if not path.exists():
        raise StorageError(f"{path} was taken away while it was read")


def _show(look: Look, path: Path, offset: int, record: int, frames: memoryview) -> None:
    try:
        look(path, offset, frames)
    except ValueError as error:
        at = getattr(error, "offset", None)
        if at is None:
            raise
        raise DamageError(path, offset + at, record, error.reason) from error  # type: ignore[attr-defined]


def _damage(path: Path, error: StorageError, lost: str) -> Damage:
    if isinstance(error, DamageError):
        return Damage(path, error.offset, error.record, error.reason, lost)
    return Damage(path, 0, 0, str(error), lost)


class SegmentLook:
    """One segment, walked over from good group to good group."""

    def __init__(self, path: Path, look: Look) -> None:
        self.facts = SegmentFacts(path, _size(path), _used(path))
        self.damages: list[Damage] = []
        self._path = path
        self._look = look
        self._window = bytearray(WINDOW)
        self.begun = self._has_begun()  # else what comes later is not looked at, so that all comes in its order

    def _has_begun(self) -> bool:
        """Whether there is anything in it."""
        try:
            segment = Segment(self._path)
        except (DamageError, FormatError) as error:
            _still_there(self._path)
            self.damages.append(_damage(self._path, error, "all records of the segment"))
            return False
        try:
            self.facts.number, self.facts.epoch = segment.head.number, segment.head.epoch
            return find_head(segment, HEAD_BYTES) is not None
        finally:
            segment.close()

    def run(self) -> None:
        """All of it; or, when called again, what has come since."""
        if not self.begun:
            return
        segment = Segment(self._path)
        try:
            segment.at = self.facts.end
            self._walk_all(segment)
        finally:
            segment.close()
        _still_there(self._path)

    def follow(self, before: "SegmentLook") -> None:
        """Whether it goes on where the one before it ends."""
        facts, last = self.facts, before.facts
        if facts.base is None or last.last is None:
            facts.last = last.last if facts.last is None and not self.damages else facts.last
            return
        if facts.base == last.last:
            return
        lost = f"records {last.last + 1} to {facts.base}"
        if facts.base < last.last:
            lost = "nothing that is known, but which of the records are right is not"
        if last.number != facts.number - 1:
            reason = f"the segments between {last.path.name} and this one are missing"
            self.damages.append(Damage(self._path, 0, 0, reason, lost))
        else:
            reason = f"{self._path.name} does not go on from there"
            before.damages.append(Damage(last.path, last.end, last.frames, reason, lost))

    def _walk_all(self, segment: Segment) -> None:
        """From good group to good group; where one is not, on with the next that is."""
        facts = self.facts
        seen_twice = -1
        while True:
            walk = self._walk(segment)
            if segment.stop == logscan.END:
                facts.ended, facts.torn = True, 0
                return
            found = find_head(segment, segment.at + 1)
            if segment.stop == logscan.BROKEN:
                here = find_head(segment, segment.at)
                found = here if here is not None and here[1] != facts.last else found
            elif found is None:
                facts.torn = walk.torn
                return
            elif seen_twice != segment.at:      # it may have been in the middle of being written
                seen_twice = segment.at
                continue
            if not self._pass_over(segment, walk.reason or "there is no group", found):
                return

    def _walk(self, segment: Segment) -> logscan.Walk:
        facts = self.facts
        walk = segment.walk(facts.last)
        frames_before = facts.frames
        for frames in segment.chunks(walk, self._window, limit=1):
            if frames:
                self._show(segment, frames)
            facts.frames = frames_before + walk.frames
        facts.groups += walk.groups
        facts.stated = max(facts.stated, walk.stated)
        if walk.groups:
            facts.base = segment.base if facts.base is None else facts.base
            facts.last, facts.end = walk.position, segment.at
        return walk

    def _show(self, segment: Segment, frames: memoryview) -> None:
        offset = segment.chunk_at + GROUP_HEAD.size
        try:
            _show(self._look, self._path, offset, self.facts.frames, frames)
        except DamageError as error:
            good, position = next((good, position) for good, (at, size, position) in enumerate(heads(frames))
                                  if error.offset - offset < at + size)
            self.damages.append(Damage(self._path, error.offset, self.facts.frames + good, error.reason,
                                       f"what the frame that ends with record {position} says"))

    def _pass_over(self, segment: Segment, reason: str, found: tuple[int, int, int] | None) -> bool:
        """Note what is wrong where the walk ended. False when there is nothing to go on with."""
        facts = self.facts
        last = facts.last if facts.last is not None else segment.base
        if found is None:
            lost = f"all behind record {last or 0}"
        elif last is not None and found[1] > last:
            lost = f"records {last + 1} to {found[1]}, {found[0] - segment.at} bytes"
        else:
            lost = f"{found[0] - segment.at} bytes"
        self.damages.append(Damage(self._path, segment.at, facts.frames, reason, lost))
        facts.base = segment.base if facts.base is None else facts.base
        if found is None:
            return False
        segment.at, facts.last, durable = found
        facts.stated = max(facts.stated, durable)
        return True


def find_head(segment: Segment, start: int) -> tuple[int, int, int] | None:
    """The first head of a group of the segment at or behind a byte: (its offset, base, what it states as durable)."""
    file = RawFile(segment.path)
    head = segment.head
    try:
        at = start
        while data := file.read(WINDOW, at):
            for offset in _marked(data):
                raw = data[offset : offset + GROUP_HEAD.size]
                if len(raw) == GROUP_HEAD.size and checksum(raw[:-4], head.salt) == int.from_bytes(raw[-4:], "little"):
                    _magic, _size, number, base, _last, durable, *_crcs = GROUP_HEAD.unpack(raw)
                    if number == head.number:
                        return at + offset, base, durable
            if len(data) < WINDOW:
                break
            at += len(data) - GROUP_HEAD.size + 1
    finally:
        file.close()
    return None


def _marked(data: bytes) -> Iterable[int]:
    """Where a group may begin."""
    found = []
    for mark in _MARKS:
        at = data.find(mark)
        while at >= 0:
            found.append(at)
            at = data.find(mark, at + 1)
    return sorted(found)
