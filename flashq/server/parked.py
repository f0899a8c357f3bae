"""Requests that wait for something: by connection, each of which may have so many, and by when they give up."""
import heapq
import itertools
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from flashq.errors import TOO_MANY_PENDING, Refused
from flashq.server.handlers.call import Call, Connection

_SPARE_ENTRIES = 64     # of waits that are over, which the heap of deadlines may hold beside as many as there are


class Waiting(Protocol):
    """One request."""

    call: Call
    deadline: int       # monotonic ms
    over: bool


Wait = TypeVar("Wait", bound=Waiting)


class Parked(Generic[Wait]):
    """All requests that wait for one kind of thing."""

    def __init__(self, per_connection: int) -> None:
        self._limit = per_connection
        self._held: dict[Connection, dict[Wait, None]] = {}
        self._deadlines: list[tuple[int, int, Wait]] = []       # a heap; those that are over go when they come up
        self._order = itertools.count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def check(self, connection: Connection) -> None:
        """Refused when one more would be too many."""
        if len(self._held.get(connection, ())) >= self._limit:
            raise Refused(TOO_MANY_PENDING)

    def add(self, wait: Wait) -> bool:
        """Whether it is now the first to give up, so that the timer must be set anew."""
        self._held.setdefault(wait.call.connection, {})[wait] = None
        self._count += 1
        heapq.heappush(self._deadlines, (wait.deadline, next(self._order), wait))
        return self._deadlines[0][2] is wait

    def drop(self, wait: Wait) -> None:
        """It waits no more."""
        wait.over = True
        waits = self._held[wait.call.connection]
        del waits[wait]
        if not waits:
            del self._held[wait.call.connection]
        self._count -= 1
        if len(self._deadlines) > 2 * self._count + _SPARE_ENTRIES:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].over]
            heapq.heapify(self._deadlines)

    def first(self) -> Wait | None:
        """The first that gives up."""
        while self._deadlines and self._deadlines[0][2].over:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][2] if self._deadlines else None

    def due_in(self, now: int) -> int | None:
        """ms until the first gives up."""
        first = self.first()
        return None if first is None else first.deadline - now

    def late(self, now: int) -> Wait | None:
        """One whose time is up; it stays until it is dropped."""
        first = self.first()
        return None if first is None or first.deadline > now else first

    def of(self, connection: Connection) -> Iterable[Wait]:
        """Those of a connection, in order of arrival."""
        return tuple(self._held.get(connection, ()))

    def all(self) -> Iterable[Wait]:
        """Every one."""
        return [wait for waits in self._held.values() for wait in waits]
