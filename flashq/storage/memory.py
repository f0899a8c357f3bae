"""The store that keeps nothing: every record counts as durable the moment it comes."""

from asyncio import AbstractEventLoop

from flashq.storage.base import OnCommit, OnState


class MemoryStore:
    """Durability `memory`. The server gives the engine no store at all then, so that no record is even written."""

    durability = "memory"
    promise = "memory: jobs live in this process only and are lost when it stops"

    def __init__(self) -> None:
        self._on_commit: OnCommit | None = None

    def open(self, on_commit: OnCommit, on_state: OnState, loop: AbstractEventLoop) -> None:
        """Nothing to open; `append` answers through `on_commit` at once."""
        self._on_commit = on_commit

    def append(self, records: bytes, position: int) -> None:
        """Forget the records and report them as durable."""
        if self._on_commit is not None:
            self._on_commit(position, position)

    def close(self) -> None:
        """Nothing to write."""
        self._on_commit = None
