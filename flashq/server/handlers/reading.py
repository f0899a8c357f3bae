"""Looking at jobs."""
from typing import Protocol

from flashq.errors import JOB_NOT_FOUND, Refused
from flashq.server.handlers.call import Body, Call, raw


class Engine(Protocol):
    """What is asked of the engine here."""

    def get_job(self, id: int, msgpack: bool) -> tuple[bytes | None, str]: ...
    def get_state(self, id: int) -> str: ...
    def get_result(self, id: int, msgpack: bool) -> bytes | None: ...
    def get_progress(self, id: int) -> tuple[int, str | None] | None: ...


class ReadingHandlers:
    """Changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get_job(self, call: Call) -> Body:
        """The Job as the core writes it, and its state."""
        job, state = self._engine.get_job(call.values["id"], call.msgpack)
        return {"job": raw(job), "state": state}

    def get_state(self, call: Call) -> Body:
        """The state alone."""
        return {"id": call.values["id"], "state": self._engine.get_state(call.values["id"])}

    def get_result(self, call: Call) -> Body:
        """What ACK gave."""
        return {"id": call.values["id"], "result": raw(self._engine.get_result(call.values["id"], call.msgpack))}

    def get_progress(self, call: Call) -> Body:
        """An object, and its message once more where other clients look for it."""
        found = self._engine.get_progress(call.values["id"])
        if found is None:
            raise Refused(JOB_NOT_FOUND, number=call.values["id"])
        progress, message = found
        return {"progress": {"id": call.values["id"], "progress": progress, "message": message}, "message": message}
