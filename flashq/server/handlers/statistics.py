"""Counting over the whole server."""
from typing import Any, Protocol

from flashq.server.handlers.call import Body, Call

_TOTALS = ("queued", "processing", "delayed", "dlq", "completed")
_COUNTS = ("waiting", "active", "completed", "failed", "delayed", "paused")


class Engine(Protocol):
    """What is asked of the engine here."""

    def queues(self) -> list[dict[str, Any]]: ...
    def stats(self) -> dict[str, int]: ...


class StatisticsHandlers:
    """Changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def stats(self, _call: Call) -> Body:
        """Totals, and the counts of each queue."""
        totals = self._engine.stats()
        body: Body = {name: totals[name] for name in _TOTALS}
        body["queues"] = {queue["name"]: {name: queue[name] for name in _COUNTS} for queue in self._engine.queues()}
        return body
