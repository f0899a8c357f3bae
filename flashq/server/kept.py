"""What rooms of the server layer keep beside the jobs: entries of a space of their own, in the journal as well."""

from collections.abc import Callable, Iterable
from typing import Protocol

# Part of the journal's format.
KV_SPACE, CRON_SPACE, SERVER_SPACE = 1, 2, 3

# What a snapshot asks of a room: its space, the keys there are now, and what reads one later.
Kept = tuple[int, Iterable[bytes], Callable[[bytes], bytes | None]]


class Recorder(Protocol):
    """What such a room asks of the engine."""

    @property
    def full(self) -> bool: ...
    def record_entry(self, space: int, key: bytes, value: bytes | None, close: bool = True) -> None: ...


class KeepingRoom(Protocol):
    """A room whose entries outlive the process."""

    space: int

    def kept_keys(self) -> Iterable[bytes]:
        """Those of all its entries."""
        ...

    def kept(self, key: bytes) -> bytes | None:
        """An entry as it is recorded; None when there is none."""
        ...

    def restore(self, key: bytes, value: bytes) -> None:
        """Take back what `kept` gave to an earlier start."""
        ...
