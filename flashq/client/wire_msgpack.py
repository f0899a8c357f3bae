"""Frames of MessagePack."""
import msgpack  # type: ignore[import-untyped]

from flashq.client.wire import MAX_REPLY, BrokenStream, Message, Packed, decoded


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
            messages.append(decoded(msgpack.unpackb, data[at + 4:at + 4 + size]))
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
