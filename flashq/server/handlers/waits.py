"""WAITJOB: requests that wait for the end of a job."""
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import structlog

from flashq._core.bus import Bus
from flashq.config import Settings
from flashq.errors import (
    INTERNAL_ERROR,
    SHUTTING_DOWN,
    WAIT_CANCELLED,
    WAIT_CLOSED,
    WAIT_EXPIRED,
    WAIT_FAILED,
    WAIT_TIMEOUT,
    WAIT_UNKNOWN,
    ErrorCode,
    Refused,
)
from flashq.events import CANCELLED, COMPLETED, EXPIRED, FAILED, REMOVED
from flashq.server.alarm import Alarm
from flashq.server.handlers.call import Body, Call, Connection, raw
from flashq.server.parked import Parked
from flashq.server.replies import Refuser, encode_ok, in_format

_SLICE = 500            # endings, or waits that time out, between two looks at the clock or the sockets
_ENDS: dict[int, ErrorCode | None] = {
    COMPLETED.number: None,
    FAILED.number: WAIT_FAILED,
    CANCELLED.number: WAIT_CANCELLED,
    REMOVED.number: WAIT_CANCELLED,
    EXPIRED.number: WAIT_EXPIRED,
}


class Engine(Protocol):
    """What is asked of the engine here."""

    def get_state(self, id: int) -> str: ...
    def get_result(self, id: int, msgpack: bool) -> bytes | None: ...
    def get_progress(self, id: int) -> tuple[int, str | None] | None: ...
    @property
    def mono(self) -> int: ...


class Wait:
    """One request that waits."""

    __slots__ = ("call", "deadline", "id", "over")

    def __init__(self, call: Call, deadline: int) -> None:
        self.call = call
        self.id: int = call.values["id"]
        self.deadline = deadline    # monotonic ms
        self.over = False


class WaitHandlers:
    """Owns the requests that wait, by job and by connection. As a background task it ends those whose time is up."""

    def __init__(self, engine: Engine, bus: Bus, settings: Settings, refuse: Refuser, alarm: Alarm) -> None:
        self._engine = engine
        self._bus = bus
        self._refuse = refuse
        self._alarm = alarm
        self._jobs: dict[int, dict[Wait, None]] = {}            # in order of arrival
        self._parked = Parked[Wait](settings.max_parked)
        self._draining = False
        self._log = structlog.get_logger()

    # -- the command --------------------------------------------------------------------------------------------------

    def wait_job(self, call: Call) -> Body | None:
        """At once when the job has ended, or when there is no waiting; else None."""
        id, timeout = call.values["id"], call.values["timeout"]
        state = self._engine.get_state(id)
        if state == "completed":
            return self._kept(id, call.msgpack)
        if state in ("unknown", "failed"):
            raise Refused(WAIT_FAILED if state == "failed" else WAIT_UNKNOWN)
        if timeout == 0:
            raise _timed_out(call)
        if self._draining:
            raise Refused(SHUTTING_DOWN)
        self._parked.check(call.connection)
        self._park(Wait(call, self._engine.mono + timeout))
        return None

    def _kept(self, id: int, msgpack: bool) -> Body:
        """What is still there of a completed job; a job that is not kept whole has no progress either."""
        result = self._engine.get_result(id, msgpack)
        if result is None and self._engine.get_progress(id) is None:
            return {"kept": False}
        return _body(result)

    def _park(self, wait: Wait) -> None:
        self._bus.watching = True
        self._bus.watch(wait.id)
        self._jobs.setdefault(wait.id, {})[wait] = None
        if self._parked.add(wait):
            self._alarm.ring()

    def __len__(self) -> int:
        return len(self._parked)

    # -- how a wait ends ----------------------------------------------------------------------------------------------

    def endings(self) -> None:
        """Answer those whose jobs have ended."""
        while taken := self._bus.take_endings(_SLICE):
            for id, kind, result, in_msgpack in taken:
                for wait in tuple(self._jobs.get(id, ())):
                    self._ended(wait, _ENDS[kind], result, in_msgpack)
        if self._bus.endings_lost():
            self._look()

    def _look(self) -> None:
        """Something was not told, for want of memory: ask for each job."""
        for id in tuple(self._jobs):
            state = self._engine.get_state(id)
            if state not in ("completed", "failed", "unknown"):
                continue
            for wait in tuple(self._jobs[id]):
                error = {"completed": None, "failed": WAIT_FAILED, "unknown": WAIT_UNKNOWN}[state]
                self._end(wait, error, partial(self._kept, id, wait.call.msgpack))

    def _ended(self, wait: Wait, error: ErrorCode | None, result: bytes | None, in_msgpack: bool) -> None:
        self._end(wait, error, lambda: _body(
            None if result is None else in_format(result, in_msgpack, wait.call.msgpack)))

    def _end(self, wait: Wait, error: ErrorCode | None, body: Callable[[], Body]) -> None:
        call = wait.call
        if error is not None:
            self._refused(wait, Refused(error))
            return
        try:
            reply = encode_ok(call.msgpack, call.req_id, body())
        except Exception:
            self._log.error("command_failed", command="WAITJOB", exception=traceback.format_exc())
            reply = self._refuse.reply(call.msgpack, call.req_id, INTERNAL_ERROR)
        self._answer(wait, reply)

    def _refused(self, wait: Wait, refused: Refused) -> None:
        self._answer(wait, self._refuse.refused(wait.call.msgpack, wait.call.req_id, refused))

    def _answer(self, wait: Wait, reply: bytes) -> None:
        self._drop(wait)
        wait.call.connection.answer(reply, wait.call.req_id is None)

    def _drop(self, wait: Wait) -> None:
        self._parked.drop(wait)
        waits = self._jobs[wait.id]
        del waits[wait]
        if not waits:
            del self._jobs[wait.id]
        if not self._parked:
            self._bus.watching = False

    # -- time ---------------------------------------------------------------------------------------------------------

    def due_in(self) -> int | None:
        """Until the first timeout."""
        return self._parked.due_in(self._engine.mono)

    def run(self) -> None:
        """Those whose time is up."""
        for _ in range(_SLICE):
            wait = self._parked.late(self._engine.mono)
            if wait is None:
                return
            self._refused(wait, _timed_out(wait.call))

    # -- connections --------------------------------------------------------------------------------------------------

    def at_eof(self, connection: Connection) -> None:
        """It asks no more, and must not be kept open for its waits."""
        self._refuse_all(self._parked.of(connection), WAIT_CLOSED)

    def draining(self) -> None:
        """Nobody can wait any more."""
        self._draining = True
        self._refuse_all(self._parked.all(), SHUTTING_DOWN)

    def _refuse_all(self, waits: Iterable[Wait], error: ErrorCode) -> None:
        for wait in waits:
            self._refused(wait, Refused(error))

    def disconnected(self, connection: Connection) -> None:
        """Nobody is there to answer."""
        for wait in self._parked.of(connection):
            self._drop(wait)


def _body(result: bytes | None) -> Body:
    return {} if result is None else {"result": raw(result)}


def _timed_out(call: Call) -> Refused:
    return Refused(WAIT_TIMEOUT, number=call.values["id"], text=str(call.values["timeout"]).encode())
