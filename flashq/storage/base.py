"""What a store promises to the server that feeds it."""

from collections.abc import Callable
from typing import Protocol


class StorageError(Exception):
    """What is wrong with a data directory, in one sentence for the person who starts the server."""


# Called on the loop's thread with a log position: every record up to it, itself included, is durable now.
OnCommit = Callable[[int], None]


class Store(Protocol):
    """Takes the records of the engine in order and reports how far they are safe.

    Replies wait for the position of what they show, so a store that commits late makes clients wait and nothing
    else. Positions only grow, in `append` as in `on_commit`; several appends may be reported by one commit, which
    is what makes group commit possible. All calls come from the loop's thread, and none of them may block on a disk.
    """

    @property
    def durability(self) -> str:
        """One of the names of the setting `durability`: what the log and the banner say."""
        ...

    @property
    def promise(self) -> str:
        """A sentence for the person who starts the server: what a crash can lose."""
        ...

    def open(self, on_commit: OnCommit) -> None:
        """Make ready for `append`. `on_commit` may be called from within `append` or at any time later."""
        ...

    def append(self, records: bytes, position: int) -> None:
        """Take whole records, the last of which ends the log at `position`. The bytes are the store's from here on."""
        ...

    def close(self) -> None:
        """Make durable what was appended, report it, and let go of everything. `on_commit` is not called afterwards."""
        ...
