"""What every room works with: one request on its way, the connection that sent it, how an outcome is told."""
from typing import Any, Protocol

from flashq.errors import BY_STATUS, INTERNAL_ERROR, Refused
from flashq.server.replies import Raw

Body = dict[str, object]


class Connection(Protocol):
    """What the cold commands ask of the connection that sent them."""

    authenticated: bool

    def send_event(self, frame: bytes) -> bool: ...
    def answer(self, reply: bytes, in_order: bool, synced: int = 0) -> None: ...
    def hello(self, session: str | None, push: bool) -> int | None: ...


class Call:
    """One request on its way through a handler. `req_id` is as the reply has it, None without one."""

    __slots__ = ("connection", "msgpack", "req_id", "values")

    def __init__(
        self, connection: Connection, msgpack: bool, values: dict[str, Any], req_id: bytes | None = None
    ) -> None:
        self.connection = connection
        self.msgpack = msgpack
        self.values = values
        self.req_id = req_id


def require(status: int, number: int = 0) -> Body:
    """The body of a bare success, or Refused with the error of this Status."""
    if status:
        raise Refused(BY_STATUS.get(status, INTERNAL_ERROR), number=number)
    return {}


def raw(value: bytes | None) -> Raw | None:
    """What the engine encoded, as it goes into the reply."""
    return None if value is None else Raw(value)
