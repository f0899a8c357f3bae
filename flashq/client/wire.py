"""Frames of both formats, from fields and to messages; no socket.

A request is packed in two steps: its fields, by the thread that asks and before anything is sent (what cannot be
packed fails there), then the frame around them, once the request has its id.
"""
from typing import Any, NamedTuple, Protocol

import msgpack  # type: ignore[import-untyped]
import orjson

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


class MsgpackWire:
    """A big-endian length of four bytes, then a map."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._pack = msgpack.Packer().pack

    def pack(self, fields: Message) -> Packed:
        """Floats as float64, tuples as lists; a date or another object is a TypeError."""
        raw: bytes = msgpack.packb(fields)
        return Packed(len(fields), raw[_header_size(len(fields)):])

    def frame(self, command: str, req_id: str, packed: Packed) -> bytes:
        """`cmd` and `reqId` come first, so that a server that cannot read the rest knows whom to tell."""
        head = b"".join((_map_header(packed.keys + 2), b"\xa3cmd", self._pack(command), b"\xa5reqId",
                         self._pack(req_id)))
        return b"".join(((len(head) + len(packed.raw)).to_bytes(4, "big"), head, packed.raw))

    def feed(self, data: bytes) -> list[Message]:
        """Copies what is not whole, and nothing else."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer) if self._has_whole() else b""
            if not data:
                return []
            self._buffer.clear()
        messages, at, end = [], 0, len(data)
        while end - at >= 4:
            size = int.from_bytes(data[at:at + 4], "big")
            if size > MAX_REPLY:
                raise BrokenStream(f"a reply of {size} bytes")
            if end - at - 4 < size:
                break
            messages.append(_message(msgpack.unpackb, data[at + 4:at + 4 + size]))
            at += 4 + size
        self._buffer += data[at:]
        return messages

    def _has_whole(self) -> bool:
        """Whether the buffer is worth a copy: a large reply comes in many parts."""
        return len(self._buffer) >= 4 and len(self._buffer) - 4 >= int.from_bytes(self._buffer[:4], "big")

    def reset(self) -> None:
        """Drop the part of a message."""
        self._buffer.clear()


def _header_size(count: int) -> int:
    return 1 if count < 16 else 3


def _map_header(count: int) -> bytes:
    return bytes((0x80 | count,)) if count < 16 else b"\xde" + count.to_bytes(2, "big")


class JsonWire:
    """A line of JSON each."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def pack(self, fields: Message) -> Packed:
        """As orjson does: dates as text, NaN as null; integers past 64 bits are a TypeError."""
        return Packed(len(fields), orjson.dumps(fields)[1:])

    def frame(self, command: str, req_id: str, packed: Packed) -> bytes:
        """`packed` ends with the bracket."""
        between = b"," if packed.keys else b""
        return b"".join((b'{"cmd":"', command.encode(), b'","reqId":"', req_id.encode(), b'"', between, packed.raw,
                         b"\n"))

    def feed(self, data: bytes) -> list[Message]:
        """Copies what is not whole, and nothing else."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._buffer) + lines[0]
            self._buffer.clear()
        self._buffer += rest
        if len(self._buffer) > MAX_REPLY:
            raise BrokenStream(f"a reply of more than {MAX_REPLY} bytes")
        return [_message(orjson.loads, line) for line in lines if line]

    def reset(self) -> None:
        """Drop the part of a message."""
        self._buffer.clear()


def _message(decode: Any, payload: bytes) -> Message:
    try:
        message = decode(payload)
    except ValueError as error:
        raise BrokenStream(f"a reply that cannot be read: {error}") from error
    if not isinstance(message, dict):
        raise BrokenStream("a reply that is no object")
    return message


def wire_of(format: str) -> Wire:
    """A new one of this format."""
    return JsonWire() if format == "json" else MsgpackWire()
