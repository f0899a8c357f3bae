"""What `flashq top` knows: readings of the server, and what becomes visible only from one to the next."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flashq.cli.queues import limits

if TYPE_CHECKING:
    from flashq.client.results import Metrics, QueueInfo

KEPT = 6    # readings that a rate is taken over: one alone jumps


@dataclass(frozen=True)
class Reading:
    """One look at the server; `at` is in monotonic seconds, `oldest_ms` the age of the oldest waiting job by queue."""

    at: float
    metrics: "Metrics"
    queues: "list[QueueInfo]"
    oldest_ms: dict[str, int]


@dataclass(frozen=True)
class Row:
    """A queue. Rates are a second's, None as long as there is only one reading."""

    name: str
    waiting: int
    delayed: int
    active: int
    dead: int
    completed: int
    done_rate: float | None
    oldest_ms: int | None
    paused: bool
    limits: str


@dataclass(frozen=True)
class View:
    """The server as of the last reading."""

    pushed_rate: float | None
    done_rate: float | None
    dead_rate: float | None
    latency_ms: float
    waiting: int
    delayed: int
    active: int
    dead: int
    durability: str
    health: str
    unwritten_bytes: int
    rows: tuple[Row, ...]


class History:
    """The last readings, and the view that they make."""

    def __init__(self) -> None:
        self._readings: deque[Reading] = deque(maxlen=KEPT)

    def add(self, reading: Reading) -> View:
        """With this one. After a start of the server, whose counts begin at 0, those before it count no more."""
        if self._readings and reading.metrics.total_pushed < self._readings[-1].metrics.total_pushed:
            self._readings.clear()
        self._readings.append(reading)
        metrics, queues = reading.metrics, reading.queues
        first = self._readings[0]
        done_before = {one.name: one.completed for one in first.queues}
        rows = tuple(self._row(one, reading, done_before.get(one.name, 0)) for one in queues)
        return View(
            pushed_rate=self._rate(metrics.total_pushed, first.metrics.total_pushed),
            done_rate=self._rate(metrics.total_completed, first.metrics.total_completed),
            dead_rate=self._rate(metrics.total_failed, first.metrics.total_failed),
            latency_ms=metrics.avg_latency_ms,
            waiting=sum(row.waiting for row in rows),
            delayed=sum(row.delayed for row in rows),
            active=sum(row.active for row in rows),
            dead=sum(row.dead for row in rows),
            durability=metrics.store.durability,
            health=metrics.store.health,
            unwritten_bytes=metrics.store.pending_bytes,
            rows=rows,
        )

    def _row(self, one: "QueueInfo", reading: Reading, done_before: int) -> Row:
        return Row(
            name=one.name, waiting=max(one.pending - one.delayed, 0), delayed=one.delayed, active=one.processing,
            dead=one.dlq, completed=one.completed, done_rate=self._rate(one.completed, done_before),
            oldest_ms=reading.oldest_ms.get(one.name), paused=one.paused, limits=limits(one),
        )

    def _rate(self, now: int, before: int) -> float | None:
        seconds = self._readings[-1].at - self._readings[0].at
        return None if seconds <= 0 else max(now - before, 0) / seconds
