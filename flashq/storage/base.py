"""What a store promises to the server that feeds it, and how it says that it cannot."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Called on the loop's thread with two log positions: replies that the store's own durability allows may leave when
# they show no more than the first; those that are to survive a crash of the machine, no more than the second.
OnCommit = Callable[[int, int], None]


@dataclass(frozen=True)
class StoreState:
    """What is wrong with a store, if anything."""

    full: bool = False  # no space to go on in: what makes it grow should be refused; it becomes False again
    failed: str | None = None  # a write or a sync failed: nothing is committed any more, for good


OnState = Callable[[StoreState], None]  # called on the loop's thread whenever the state has changed


class StorageError(Exception):
    """A store cannot do what it is asked; one line for the person who runs the server."""


class LockedError(StorageError):
    """Another process uses the same files."""


class SpaceError(StorageError):
    """The disk is full."""


class FormatError(StorageError):
    """The files are of a newer version."""


class DamageError(StorageError):
    """What was durable cannot be read any more. `record` counts the frames (or blocks) of the file before it."""

    def __init__(self, file: Path, offset: int, record: int, reason: str) -> None:
        command = f"flashq journal verify {file.parent}"
        super().__init__(f"{file} is damaged at byte {offset}, after {record} good records: {reason}; see: {command}")
        self.file = file
        self.offset = offset
        self.record = record
        self.reason = reason


class Store(Protocol):
    """Takes the records of the engine in order and reports how far they are safe.

    Replies wait for the position of what they show, so a store that commits late makes clients wait and nothing
    else. Positions only grow, in `append` as in `on_commit`; several appends may be reported by one commit, which
    is what makes group commit possible. All calls come from the loop's thread, and none of them may block on a disk.
    A store that is a Sink (flashq/_core/sink.pxd) gets the records without an object.
    """

    @property
    def durability(self) -> str:
        """One of the names of the setting `durability`: what the log and the banner say."""
        ...

    @property
    def promise(self) -> str:
        """A sentence for the person who starts the server: what a crash can lose."""
        ...

    def open(self, on_commit: OnCommit, on_state: OnState, loop: AbstractEventLoop) -> None:
        """Make ready for `append`. `on_commit` may be called from within `append` or at any time later."""
        ...

    def append(self, records: bytes, position: int) -> None:
        """Take whole records, the last of which ends the log at `position`. The bytes are the store's from here on."""
        ...

    def close(self) -> None:
        """Make durable what was appended, report it, and let go of everything. `on_commit` is not called afterwards."""
        ...
