"""Counting over the whole server."""
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from flashq._core.gauges import Gauges
from flashq.server.handlers.call import Body, Call

_TOTALS = ("queued", "processing", "delayed", "dlq", "completed")
SAMPLE_MS = 5000
SAMPLES = 13        # a minute, with both its ends
_COUNTS = ("waiting", "active", "completed", "failed", "delayed", "paused")


class Engine(Protocol):
    """What is asked of the engine here."""

    def queues(self) -> list[dict[str, Any]]: ...
    def stats(self) -> dict[str, int]: ...
    def metrics(self) -> dict[str, Any]: ...
    @property
    def mono(self) -> int: ...
    @property
    def position(self) -> int: ...


class Crowd(Protocol):
    """What is asked of who looks over the connections."""

    def count(self) -> dict[str, int]: ...
    def workers(self, queue: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]: ...


class Nobody:
    """Of a server without connections."""

    def count(self) -> dict[str, int]:
        """None of any kind."""
        return {"connections": 0, "workers": 0, "busy_workers": 0, "waiting_pulls": 0}

    def workers(self, _queue: str | None, _limit: int) -> tuple[int, list[dict[str, Any]]]:
        """None."""
        return 0, []


class StatisticsHandlers:
    """Changes nothing. As a background task it notes now and then how many jobs are completed."""

    def __init__(self, engine: Engine, gauges: Gauges) -> None:
        self._engine = engine
        self._gauges = gauges
        self.crowd: Crowd = Nobody()                        # whoever has connections says how they are
        self.store: Callable[[], Body] = self._no_store     # whoever keeps one says how it is
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)   # (monotonic ms, completed)

    def stats(self, _call: Call) -> Body:
        """Totals, and the counts of each queue."""
        totals = self._engine.stats()
        body: Body = {name: totals[name] for name in _TOTALS}
        body["queues"] = {queue["name"]: {name: queue[name] for name in _COUNTS} for queue in self._engine.queues()}
        return body

    def _no_store(self) -> Body:
        return store_body("memory", "ok", self._engine.position)

    def metrics(self, _call: Call) -> Body:
        """Numbers for people and graphs; the numbers are there from the first moment on."""
        found, crowd = self._engine.metrics(), self.crowd.count()
        return {
            "metrics": {
                "total_pushed": found["pushed"],
                "total_completed": found["completed"],
                "total_failed": found["failed"],
                "jobs_per_second": self._per_second(found["completed"]),
                "avg_latency_ms": found["latency_ms"],
                **self._gauges.times(),
                **crowd,
                "store": self.store(),
                "queues": self._gauges.queues(),
            }
        }

    def workers(self, call: Call) -> Body:
        """Those that there are, at most as many as asked for."""
        total, workers = self.crowd.workers(call.values["queue"], call.values["limit"])
        return {"workers": workers, "total": total}

    def _per_second(self, completed: int) -> float:
        if not self._samples or self._samples[0][0] == self._engine.mono:
            return 0.0
        since, before = self._samples[0]
        return round((completed - before) * 1000 / (self._engine.mono - since), 3)

    def due_in(self) -> int | None:
        """The first sample at once."""
        return self._samples[-1][0] + SAMPLE_MS - self._engine.mono if self._samples else 0

    def run(self) -> None:
        """One sample."""
        self._samples.append((self._engine.mono, self._engine.stats()["completed"]))


def store_body(durability: str, health: str, position: int, durable: int = 0, pending_bytes: int = 0,
               log_bytes: int = 0, checkpoint_bytes: int = 0) -> Body:
    """How a store is, as METRICS tells it."""
    return {"durability": durability, "health": health, "position": position, "durable": durable,
            "pending_bytes": pending_bytes, "log_bytes": log_bytes, "checkpoint_bytes": checkpoint_bytes}
