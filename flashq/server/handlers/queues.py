"""Steering whole queues."""
from typing import Any, Protocol

from flashq.server.handlers.call import Body, Call, require


class Engine(Protocol):
    """What is asked of the engine here. An `int` that stands for an outcome is a Status: 0 is OK."""

    def pause(self, queue: str) -> int: ...
    def resume(self, queue: str) -> int: ...
    def is_paused(self, queue: str) -> bool: ...
    def count(self, queue: str) -> int: ...
    def queues(self) -> list[dict[str, Any]]: ...


class QueueHandlers:
    """One queue at a time, or the list of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pause(self, call: Call) -> Body:
        """Deliver nothing from it."""
        return require(self._engine.pause(call.values["queue"]))

    def resume(self, call: Call) -> Body:
        """Deliver again."""
        return require(self._engine.resume(call.values["queue"]))

    def is_paused(self, call: Call) -> Body:
        """Also of a queue that nobody has used."""
        return {"paused": self._engine.is_paused(call.values["queue"])}

    def list_queues(self, _call: Call) -> Body:
        """Every queue, by name."""
        return {"queues": [_queue_info(queue) for queue in self._engine.queues()]}

    def count(self, call: Call) -> Body:
        """Waiting and delayed."""
        return {"count": self._engine.count(call.values["queue"])}


def _queue_info(queue: dict[str, Any]) -> Body:
    return {
        "name": queue["name"],
        "pending": queue["waiting"] + queue["delayed"],
        "processing": queue["active"],
        "dlq": queue["failed"],
        "paused": queue["paused"],
        "rate_limit": None,
        "concurrency_limit": None,
        "completed": queue["completed"],
        "delayed": queue["delayed"],
    }
