"""SYNC: requests that wait until changes are on disk."""
import heapq
import itertools
from typing import Protocol

from flashq.config import Settings
from flashq.errors import NOTHING_SYNCED, POSITION_UNKNOWN, SYNC_TIMEOUT, Refused
from flashq.server.alarm import Alarm
from flashq.server.handlers.call import Body, Call, Connection
from flashq.server.parked import Parked
from flashq.server.replies import Refuser, encode_ok

_SLICE = 500            # waits that time out between two looks at the sockets
_SPARE_ENTRIES = 64     # of waits that timed out, which the heap of positions may hold beside as many as there are


class Engine(Protocol):
    """What is asked of the engine here."""

    @property
    def recording(self) -> bool: ...
    @property
    def position(self) -> int: ...
    @property
    def synced(self) -> int: ...
    @property
    def mono(self) -> int: ...
    def hurry(self) -> None: ...


class SyncWait:
    """One request that waits."""

    __slots__ = ("call", "deadline", "over", "position")

    def __init__(self, call: Call, deadline: int, position: int) -> None:
        self.call = call
        self.deadline = deadline    # monotonic ms
        self.over = False
        self.position = position


class SyncHandlers:
    """Owns the requests that wait. As a background task it ends those whose time is up."""

    def __init__(self, engine: Engine, settings: Settings, refuse: Refuser, alarm: Alarm) -> None:
        self._engine = engine
        self._refuse = refuse
        self._alarm = alarm
        self._parked = Parked[SyncWait](settings.max_parked)
        self._positions: list[tuple[int, int, SyncWait]] = []   # a heap; those that are over go when they come up
        self._order = itertools.count()

    def sync(self, call: Call) -> Body | None:
        """At once when all of it is on disk; else None."""
        engine = self._engine
        if not engine.recording:
            raise Refused(NOTHING_SYNCED)
        position = engine.position if call.values["position"] is None else call.values["position"]
        if position > engine.position:
            raise Refused(POSITION_UNKNOWN, number=position, text=str(engine.position).encode())
        if position <= engine.synced:
            return {"position": engine.synced}
        wait = SyncWait(call, engine.mono + call.values["timeout"], position)
        if call.values["timeout"] == 0:
            raise _timed_out(wait)
        self._parked.check(call.connection)
        engine.hurry()
        heapq.heappush(self._positions, (position, next(self._order), wait))
        if self._parked.add(wait):
            self._alarm.ring()
        return None

    def __len__(self) -> int:
        return len(self._parked)

    def committed(self) -> None:
        """Answer those whose changes are on disk now."""
        synced = self._engine.synced
        while self._positions and self._positions[0][0] <= synced:
            wait = heapq.heappop(self._positions)[2]
            if not wait.over:
                self._parked.drop(wait)
                wait.call.connection.answer(_reply(wait.call, synced), wait.call.req_id is None)

    def due_in(self) -> int | None:
        """Until the first timeout."""
        return self._parked.due_in(self._engine.mono)

    def run(self) -> None:
        """Those whose time is up."""
        for _ in range(_SLICE):
            wait = self._parked.late(self._engine.mono)
            if wait is None:
                return
            call = wait.call
            self._drop(wait)
            call.connection.answer(self._refuse.refused(call.msgpack, call.req_id, _timed_out(wait)),
                                   call.req_id is None)

    def at_eof(self, connection: Connection) -> None:
        """It asks no more: it is closed behind the answers, which are written now and leave at their time."""
        for wait in self._parked.of(connection):
            self._answer_later(wait)

    def draining(self) -> None:
        """Likewise of all."""
        for wait in self._parked.all():
            self._answer_later(wait)

    def disconnected(self, connection: Connection) -> None:
        """Nobody is there to answer."""
        for wait in self._parked.of(connection):
            self._drop(wait)

    def _answer_later(self, wait: SyncWait) -> None:
        self._drop(wait)
        wait.call.connection.answer(_reply(wait.call, wait.position), wait.call.req_id is None, wait.position)

    def _drop(self, wait: SyncWait) -> None:
        self._parked.drop(wait)
        if len(self._positions) > 2 * len(self._parked) + _SPARE_ENTRIES:
            self._positions = [entry for entry in self._positions if not entry[2].over]
            heapq.heapify(self._positions)


def _reply(call: Call, position: int) -> bytes:
    return encode_ok(call.msgpack, call.req_id, {"position": position})


def _timed_out(wait: SyncWait) -> Refused:
    return Refused(SYNC_TIMEOUT, number=wait.position, text=str(wait.call.values["timeout"]).encode())
