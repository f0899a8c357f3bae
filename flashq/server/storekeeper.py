"""Between the server and its journal: what commits, fullness and failures of the one mean to the other."""

from typing import Any

from flashq.config import Settings
from flashq.server.durable import Entries, Journal
from flashq.server.wiring import Wired


class StoreKeeper:
    """Owns the open journal of one server, which it closes."""

    def __init__(self, journal: Journal, wired: Wired, settings: Settings, log: Any) -> None:
        self._journal = journal
        self._hub = wired.hub
        self._rooms = wired.dispatcher.rooms
        self._log = log

    def open(self, entries: Entries, loop: Any) -> None:
        """What the rooms kept is given back to them, and from now on changes are written. StorageError."""
        self._rooms.restore(entries)
        self._journal.open(self._on_commit, self._on_state, loop)

    def close(self) -> None:
        """Everything is written and on disk."""
        self._journal.close()

    def _on_commit(self, position: int, synced: int) -> None:
        self._hub.committed(position, synced)

    def _on_state(self, _state: object) -> None:
        """It is full, or no longer; or it has failed."""
