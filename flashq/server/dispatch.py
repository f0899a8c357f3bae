"""The cold tier: a frame in, its command's handler called, the whole reply out."""
import hmac
import traceback
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from flashq import __version__
from flashq.commands import COMMANDS, MAX_BATCH
from flashq.config import Settings
from flashq.errors import BY_STATUS, INTERNAL_ERROR, INVALID_TOKEN, JOB_NOT_FOUND, Refused
from flashq.server.replies import Raw, Refuser, encode_ok, encode_req_id
from flashq.server.requests import check, decode, req_id_of

Body = dict[str, object]


class Engine(Protocol):
    """What the cold commands ask of the engine. An `int` that stands for an outcome is a Status: 0 is OK."""

    def get_job(self, id: int, msgpack: bool) -> tuple[bytes | None, str]: ...
    def get_state(self, id: int) -> str: ...
    def get_result(self, id: int, msgpack: bool) -> bytes | None: ...
    def get_progress(self, id: int) -> tuple[int, str | None] | None: ...
    def cancel(self, id: int) -> int: ...
    def pause(self, queue: str) -> int: ...
    def resume(self, queue: str) -> int: ...
    def is_paused(self, queue: str) -> bool: ...
    def count(self, queue: str) -> int: ...
    def queues(self) -> list[dict[str, Any]]: ...
    def stats(self) -> dict[str, int]: ...


class Connection(Protocol):
    """What the cold commands ask of the connection that sent them."""

    authenticated: bool

    def hello(self, session: str | None, push: bool) -> int | None: ...


class Call:
    """One request on its way through a handler."""

    __slots__ = ("connection", "msgpack", "values")

    def __init__(self, connection: Connection, msgpack: bool, values: dict[str, Any]) -> None:
        self.connection = connection
        self.msgpack = msgpack
        self.values = values


class Dispatcher:
    """Answers cold commands for the connections of one server. `refuse` makes the error replies of both tiers."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.refuse = Refuser(settings)
        self._engine = engine
        self._settings = settings
        self._tokens = tuple(token.encode() for token in settings.auth_tokens)
        self._log = structlog.get_logger()
        self._handlers: dict[str, Callable[[Call], Body]] = {
            command.name: getattr(self, command.handler) for command in COMMANDS if command.tier == "cold"
        }

    def __call__(self, connection: Connection, msgpack: bool, frame: bytes) -> bytes:
        """The whole reply to one frame (framing bytes excluded). Never raises."""
        req_id: bytes | None = None
        name = ""
        try:
            decoded = decode(msgpack, frame)
            text = req_id_of(decoded)
            req_id = None if text is None else encode_req_id(msgpack, text)
            request = check(decoded)
            name = request.command.name
            body = self._handlers[name](Call(connection, msgpack, request.values))
            return encode_ok(msgpack, req_id, body)
        except Refused as refused:
            return self.refuse.reply(
                msgpack, req_id, refused.error, refused.field, refused.number, refused.text
            )
        except Exception:
            # As text, because a renderer given the exception itself may show local variables, and frames hold secrets.
            self._log.error("command_failed", command=name, exception=traceback.format_exc())
            return self.refuse.reply(msgpack, req_id, INTERNAL_ERROR)

    dispatch = __call__

    # -- the connection ---------------------------------------------------------------------------------------

    def auth(self, call: Call) -> Body:
        """Every token is compared, each in constant time: how long it takes tells nothing about any."""
        token = call.values["token"].encode()
        matches = [hmac.compare_digest(token, known) for known in self._tokens]
        if self._tokens and not any(matches):
            raise Refused(INVALID_TOKEN)
        call.connection.authenticated = True
        return {}

    def hello(self, call: Call) -> Body:
        session, push = call.values["session"], call.values["push"]
        _require(call.connection.hello(session, push) or 0)
        return {
            "session": session,
            "server": "flashq",
            "version": __version__,
            "push": push,
            "max_batch": MAX_BATCH,
            "max_frame": self._settings.max_frame,
            "max_job_size": self._settings.max_job_size,
            "max_parked": self._settings.max_parked,
        }

    def ping(self, _call: Call) -> Body:
        return {"pong": True}

    # -- one job ----------------------------------------------------------------------------------------------

    def get_job(self, call: Call) -> Body:
        job, state = self._engine.get_job(call.values["id"], call.msgpack)
        return {"job": _raw(job), "state": state}

    def get_state(self, call: Call) -> Body:
        return {"id": call.values["id"], "state": self._engine.get_state(call.values["id"])}

    def get_result(self, call: Call) -> Body:
        return {"id": call.values["id"], "result": _raw(self._engine.get_result(call.values["id"], call.msgpack))}

    def get_progress(self, call: Call) -> Body:
        found = self._engine.get_progress(call.values["id"])
        if found is None:
            raise Refused(JOB_NOT_FOUND, number=call.values["id"])
        progress, message = found
        return {"progress": {"id": call.values["id"], "progress": progress, "message": message}, "message": message}

    def cancel(self, call: Call) -> Body:
        return _require(self._engine.cancel(call.values["id"]), call.values["id"])

    # -- queues -----------------------------------------------------------------------------------------------

    def pause(self, call: Call) -> Body:
        return _require(self._engine.pause(call.values["queue"]))

    def resume(self, call: Call) -> Body:
        return _require(self._engine.resume(call.values["queue"]))

    def is_paused(self, call: Call) -> Body:
        return {"paused": self._engine.is_paused(call.values["queue"])}

    def list_queues(self, _call: Call) -> Body:
        return {"queues": [_queue_info(queue) for queue in self._engine.queues()]}

    def count(self, call: Call) -> Body:
        return {"count": self._engine.count(call.values["queue"])}

    def stats(self, _call: Call) -> Body:
        totals = self._engine.stats()
        body: Body = {name: totals[name] for name in ("queued", "processing", "delayed", "dlq", "completed")}
        body["queues"] = {queue["name"]: _counts(queue) for queue in self._engine.queues()}
        return body


def _require(status: int, number: int = 0) -> Body:
    """The body of a bare success, or Refused with the error of this Status."""
    if status:
        raise Refused(BY_STATUS.get(status, INTERNAL_ERROR), number=number)
    return {}


def _raw(value: bytes | None) -> Raw | None:
    return None if value is None else Raw(value)


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


def _counts(queue: dict[str, Any]) -> Body:
    return {name: queue[name] for name in ("waiting", "active", "completed", "failed", "delayed", "paused")}
