"""What a worker and the process of a handler say to each other: MessagePack maps, each with its length."""
import asyncio
from typing import Any

import msgpack  # type: ignore[import-untyped]

Message = dict[str, Any]
_SIZE_BYTES = 4


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: Message) -> None:
        """Soon, in order. Nothing happens when the other end is gone."""
        raw = msgpack.packb(message)
        self._writer.write(len(raw).to_bytes(_SIZE_BYTES, "big") + raw)

    async def receive(self) -> Message | None:
        """The next one; None when the other end is gone."""
        try:
            size = int.from_bytes(await self._reader.readexactly(_SIZE_BYTES), "big")
            message: Message = msgpack.unpackb(await self._reader.readexactly(size), strict_map_key=False)
        except (asyncio.IncompleteReadError, OSError):
            return None
        return message

    async def flush(self) -> None:
        """All was taken by the system."""
        await self._writer.drain()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
