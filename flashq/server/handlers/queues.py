"""Steering whole queues."""
from collections.abc import Callable
from typing import Any, Protocol

from flashq._core.control import Control
from flashq.errors import INVALID_STATE, Refused
from flashq.server.handlers.call import Body, Call, require

_CLEANED = ("waiting", "delayed", "completed", "failed")


class Engine(Protocol):
    """What is asked of the engine here. An `int` that stands for an outcome is a Status: 0 is OK."""

    def pause(self, queue: str) -> int: ...
    def resume(self, queue: str) -> int: ...
    def is_paused(self, queue: str) -> bool: ...
    def count(self, queue: str) -> int: ...
    def queues(self) -> list[dict[str, Any]]: ...


class QueueHandlers:
    """One queue at a time, or the list of them.

    `on_obliterate` holds what else must let go of a queue's name: called with it, once its jobs are gone.
    """

    def __init__(self, engine: Engine, control: Control) -> None:
        self._engine = engine
        self._control = control
        self.on_obliterate: list[Callable[[str], object]] = []

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

    def limit_rate(self, call: Call) -> Body:
        """Deliveries a second."""
        return require(self._control.set_rate(call.values["queue"], call.values["limit"]))

    def clear_rate(self, call: Call) -> Body:
        """As many as there are."""
        return require(self._control.set_rate(call.values["queue"], None))

    def limit_concurrency(self, call: Call) -> Body:
        """Active jobs."""
        return require(self._control.set_concurrency(call.values["queue"], call.values["limit"]))

    def clear_concurrency(self, call: Call) -> Body:
        """As many as there are workers for."""
        return require(self._control.set_concurrency(call.values["queue"], None))

    def set_groups(self, call: Call) -> Body:
        """All three settings at once."""
        values = call.values
        return require(self._control.set_groups(
            values["queue"], values["group_concurrency"], values["group_rate"], values["fair"]))

    def drain(self, call: Call) -> Body:
        """Waiting and delayed jobs go."""
        return {"count": self._control.drain(self._named(call))}

    def obliterate(self, call: Call) -> Body:
        """All goes but what completed."""
        queue = self._named(call)
        count = self._control.obliterate(queue)
        for forget in self.on_obliterate:
            forget(queue)
        return {"count": count}

    def clean(self, call: Call) -> Body:
        """Old jobs of one state go. One published client sends limit 0 for none, and may leave the state out."""
        queue = self._named(call)
        state = (call.values["state"] or "").lower()
        if state not in _CLEANED:
            raise Refused(INVALID_STATE)
        return {"count": self._control.clean(queue, call.values["grace"], state, call.values["limit"] or None)}

    def _named(self, call: Call) -> str:
        queue: str = call.values["queue"]
        require(self._control.check_name(queue))
        return queue


def _queue_info(queue: dict[str, Any]) -> Body:
    groups = {"groups": queue["groups"]} if queue["groups"] else {}
    return {
        "name": queue["name"],
        "pending": queue["waiting"] + queue["delayed"],
        "processing": queue["active"],
        "dlq": queue["failed"],
        "paused": queue["paused"],
        "rate_limit": queue["rate_limit"],
        "concurrency_limit": queue["concurrency_limit"],
        "completed": queue["completed"],
        "delayed": queue["delayed"],
        **groups,
    }
