"""What `flashq top` knows: readings of the server, and what becomes visible only from one to the next."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flashq.cli.queues import limits

if TYPE_CHECKING:
    from flashq.client.results import Metrics, QueueInfo, QueueMetrics, Times, WorkerInfo

KEPT = 6    # readings that a rate is taken over: one alone jumps


@dataclass(frozen=True)
class Reading:
    """One look at the server; `at` is in monotonic seconds, `oldest_ms` the age of the oldest waiting job by queue,
    `workers` those that were asked for."""

    at: float
    metrics: "Metrics"
    queues: "list[QueueInfo]"
    oldest_ms: dict[str, int]
    workers: "tuple[WorkerInfo, ...]" = ()


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
    workers: int
    busy_workers: int
    waiting_pulls: int
    wait_ms: "Times"
    processing_ms: "Times"


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
    connections: int
    workers: int
    busy_workers: int
    waiting_pulls: int
    wait_ms: "Times"
    processing_ms: "Times"
    rows: tuple[Row, ...]
    worker_list: "tuple[WorkerInfo, ...]"


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
        gauges = {one.name: one for one in metrics.queues}
        rows = tuple(self._row(one, gauges[one.name], reading, done_before.get(one.name, 0))
                     for one in queues if one.name in gauges)
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
            connections=metrics.connections,
            workers=metrics.workers,
            busy_workers=metrics.busy_workers,
            waiting_pulls=metrics.waiting_pulls,
            wait_ms=metrics.wait_ms,
            processing_ms=metrics.processing_ms,
            rows=rows,
            worker_list=reading.workers,
        )

    def _row(self, one: "QueueInfo", gauges: "QueueMetrics", reading: Reading, done_before: int) -> Row:
        return Row(
            name=one.name, waiting=max(one.pending - one.delayed, 0), delayed=one.delayed, active=one.processing,
            dead=one.dlq, completed=one.completed, done_rate=self._rate(one.completed, done_before),
            oldest_ms=reading.oldest_ms.get(one.name), paused=one.paused, limits=limits(one),
            workers=gauges.workers, busy_workers=gauges.busy_workers, waiting_pulls=gauges.waiting_pulls,
            wait_ms=gauges.wait_ms, processing_ms=gauges.processing_ms,
        )

    def _rate(self, now: int, before: int) -> float | None:
        seconds = self._readings[-1].at - self._readings[0].at
        return None if seconds <= 0 else max(now - before, 0) / seconds
