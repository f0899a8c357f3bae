"""Frames of JSON."""
import orjson

from flashq.client.wire import MAX_REPLY, BrokenStream, Message, Packed, decoded


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
        return [decoded(orjson.loads, line) for line in lines if line]

    def reset(self) -> None:
        """Drop the part of a message."""
        self._buffer.clear()
