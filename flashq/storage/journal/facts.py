"""What was found in a data directory: its files, and what is wrong with them."""

from dataclasses import dataclass, field
from pathlib import Path

from flashq.storage.journal.format import HEAD_BYTES


@dataclass(frozen=True)
class Damage:
    """What is wrong at a place, and what it costs."""

    file: Path
    offset: int
    record: int  # whole frames (of a checkpoint: blocks) of the file before it
    reason: str
    lost: str


@dataclass
class CheckpointFacts:
    """A checkpoint that was looked at. `whole`: it counts."""

    path: Path
    size: int
    used: int = 0  # bytes of the disk
    epoch: int = 0
    begin: int = 0
    end: int = 0
    jobs: int = 0
    blocks: int = 0
    whole: bool = False


@dataclass
class SegmentFacts:
    """A segment that was looked at."""

    path: Path
    size: int
    used: int = 0  # bytes of the disk
    number: int = 0
    epoch: int = 0
    base: int | None = None  # position before its first group
    last: int | None = None  # and in its last
    groups: int = 0
    frames: int = 0
    stated: int = 0  # highest position stated as durable
    end: int = HEAD_BYTES  # byte behind its last whole group
    ended: bool = False  # for good
    torn: int = 0  # bytes at `end` of a group that is not whole, with nothing behind it


@dataclass
class Survey:
    """All that lies there."""

    checkpoints: list[CheckpointFacts] = field(default_factory=list)
    segments: list[SegmentFacts] = field(default_factory=list)
    others: list[tuple[Path, int]] = field(default_factory=list)  # spares and unfinished checkpoints, bytes of the disk
    damages: list[Damage] = field(default_factory=list)
    gone: int = 0  # files that a running server took away before they were read: a newer checkpoint has what they had

    @property
    def checkpoint(self) -> CheckpointFacts | None:
        """The one that a start begins with."""
        return self.checkpoints[-1] if self.checkpoints else None

    @property
    def used(self) -> int:
        """Bytes of the disk."""
        used = [one.used for one in self.checkpoints] + [one.used for one in self.segments]
        return sum(used) + sum(size for _path, size in self.others)

    @property
    def epoch(self) -> int:
        """Of the last start of a server."""
        return max([one.epoch for one in self.checkpoints] + [one.epoch for one in self.segments], default=0)

    @property
    def stated(self) -> int:
        """Highest position that is stated as durable."""
        return max((one.stated for one in self.segments), default=0)

    @property
    def position(self) -> int:
        """Of the last record that can be read."""
        return max((one.last or 0 for one in self.segments), default=0)
