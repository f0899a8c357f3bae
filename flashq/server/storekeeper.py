"""Between the server and its journal: what commits, fullness and failures of the one mean to the other."""

import asyncio
from typing import Any

from flashq._core.snapshot import Snapshot
from flashq.config import Settings
from flashq.server.checkpoints import Checkpoints
from flashq.server.durable import DURABILITY_KEY, Beginning, Entries, Journal
from flashq.server.handlers.call import Body
from flashq.server.handlers.statistics import store_body
from flashq.server.kept import SERVER_SPACE
from flashq.server.wiring import Wired
from flashq.storage.base import StoreState


class StoreKeeper:
    """Owns the open journal of one server, which it closes, and writes its checkpoints."""

    def __init__(self, journal: Journal, wired: Wired, settings: Settings, log: Any) -> None:
        self._journal = journal
        self._hub = wired.hub
        self._rooms = wired.dispatcher.rooms
        self._log = log
        self._data_dir = settings.data_dir
        self._durability = journal.durability.encode()
        self._settled: asyncio.Future[None] | None = None
        self._checkpoints = Checkpoints(journal, self._snapshot, wired.hub.engine, settings, log)
        wired.background.add(self._checkpoints)
        self._rooms.statistics.store = self.status

    def open(self, beginning: Beginning, loop: Any) -> None:
        """What the rooms kept is given back to them, and from now on changes are written. StorageError."""
        entries = beginning.entries
        self._rooms.restore({name: value for name, value in entries.items() if name != DURABILITY_KEY})
        self._checkpoints.read_back(beginning.segments)
        self._journal.open(self._on_commit, self._on_state, loop)
        self._hub.turn(lambda: self._begin(entries))
        self._rooms.alarm.ring()    # perhaps much was read back that a checkpoint would make short

    def _begin(self, entries: Entries) -> None:
        """What the end of the recovery itself has changed goes to the journal, too, and how durable this start is."""
        engine = self._hub.engine
        if entries.get(DURABILITY_KEY) != self._durability:
            engine.record_entry(*DURABILITY_KEY, self._durability)
        if engine.position > engine.synced:
            engine.hurry()

    async def settle(self) -> None:
        """What `open` said is on disk, or the journal has failed."""
        if self._hub.engine.synced < self._hub.engine.position and self._hub.failure is None:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def leave(self) -> None:
        """The server begins to stop."""
        self._checkpoints.leave()
        self._rooms.alarm.ring()

    @property
    def at_work(self) -> bool:
        """Whether the server should not have stopped yet."""
        return self._hub.failure is None and self._checkpoints.at_work

    def close(self) -> None:
        """Everything is written and on disk."""
        self._checkpoints.abort()
        self._hub.keep()
        self._journal.close()

    def _snapshot(self) -> Snapshot:
        own = (SERVER_SPACE, [DURABILITY_KEY[1]], lambda _key: self._durability)
        return Snapshot(self._hub.engine, [*self._rooms.kept(), own])

    def status(self) -> Body:
        """How the journal is, as METRICS tells it."""
        journal, engine = self._journal, self._hub.engine
        health = "failed" if self._hub.failure is not None else "full" if engine.full else "ok"
        return store_body(
            journal.durability, health, engine.position, engine.synced, journal.pending_bytes,
            journal.log_bytes_since_checkpoint, journal.checkpoint_bytes)

    def _on_commit(self, position: int, synced: int) -> None:
        self._hub.committed(position, synced)
        if self._settled is not None and synced >= self._hub.engine.position:
            self._end_settling()
        if self._checkpoints.overdue:
            self._rooms.alarm.ring()

    def _end_settling(self) -> None:
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._settled = None

    def _on_state(self, state: StoreState) -> None:
        engine = self._hub.engine
        if state.failed is not None:
            self._hub.fail(state.failed)
            self._end_settling()
        elif state.full and not engine.full:
            engine.full = True
            self._log.warning("disk_full", data_dir=self._data_dir, refused="what adds jobs or data")
            self._rooms.alarm.ring()        # a checkpoint may make room
        elif engine.full and not state.full:
            engine.full = False
            self._log.info("disk_has_space", data_dir=self._data_dir)
