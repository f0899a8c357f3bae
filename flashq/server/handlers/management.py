"""Changing jobs from outside."""
from typing import Protocol

from flashq.server.handlers.call import Body, Call, require


class Engine(Protocol):
    """What is asked of the engine here. An `int` that stands for an outcome is a Status: 0 is OK."""

    def cancel(self, id: int) -> int: ...


class ManagementHandlers:
    """One job at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cancel(self, call: Call) -> Body:
        """Remove a job that has not ended."""
        return require(self._engine.cancel(call.values["id"]), call.values["id"])
