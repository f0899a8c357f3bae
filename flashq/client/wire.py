"""Frames of both formats, from fields and to messages; no socket.

A request is packed in two steps: its fields, by the thread that asks and before anything is sent (what cannot be
packed fails there), then the frame around them, once the request has its id.
"""
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Message = dict[str, Any]
MAX_REPLY = 64 * 1024 * 1024    # bytes; four times the largest frame that a server may be set to


class Packed(NamedTuple):
    """Fields of a request, without what goes around them."""

    keys: int
    raw: bytes


class BrokenStream(Exception):
    """What came is no frame: the connection is of no more use."""


class Wire(Protocol):
    """One format, and what came of a message that is not whole yet."""

    def pack(self, fields: Message) -> Packed:
        """TypeError, ValueError or OverflowError when a value has no form in this format."""
        ...

    def frame(self, command: str, req_id: str, packed: Packed) -> bytes:
        """A whole request."""
        ...

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole with these bytes. BrokenStream when they are none."""
        ...

    def reset(self) -> None:
        """Forget what came: there is another connection."""
        ...


def decoded(decode: Callable[[bytes], Any], payload: bytes) -> Message:
    """The object that is a payload. BrokenStream when it is none."""
    try:
        message = decode(payload)
    except ValueError as error:
        raise BrokenStream(f"a reply that cannot be read: {error}") from error
    if not isinstance(message, dict):
        raise BrokenStream("a reply that is no object")
    return message


def wire_of(format: str) -> Wire:
    """A new one of this format; the library of the other is never loaded."""
    if format == "json":
        from flashq.client.wire_json import JsonWire

        return JsonWire()
    from flashq.client.wire_msgpack import MsgpackWire

    return MsgpackWire()
