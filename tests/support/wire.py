"""Raw clients of the command port: frames by json and msgpack over plain sockets, blocking and asyncio.

They know the framing and nothing else, so that what a test sends and what it sees is what goes over the wire.
"""

import asyncio
import json
import socket
import ssl
import struct
from typing import Any, Protocol

import msgpack

Message = dict[str, Any]
Address = tuple[str, int] | str  # host and port, or the path of a Unix socket
TIMEOUT = 20.0  # seconds: long enough for a sanitizer build on a busy machine


class Codec(Protocol):
    """One of the two formats: messages to frames, and frames out of a growing buffer."""

    name: str

    def encode(self, message: Any) -> bytes:
        """A whole frame."""
        ...

    def frame(self, payload: bytes) -> bytes:
        """A payload as it is, framed."""
        ...

    def take(self, buffer: bytearray) -> Message | None:
        """The first whole message, removed from `buffer`; None when there is none yet."""
        ...


class JsonCodec:
    """A line of JSON each."""

    name = "json"

    def encode(self, message: Any) -> bytes:
        return self.frame(json.dumps(message, ensure_ascii=False).encode())

    def frame(self, payload: bytes) -> bytes:
        return payload + b"\n"

    def take(self, buffer: bytearray) -> Message | None:
        end = buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return _as_message(json.loads(line))


class MsgpackCodec:
    """A big-endian length of four bytes, then one MessagePack value."""

    name = "msgpack"

    def encode(self, message: Any) -> bytes:
        return self.frame(msgpack.packb(message))

    def frame(self, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload)) + payload

    def take(self, buffer: bytearray) -> Message | None:
        if len(buffer) < 4:
            return None
        end = 4 + int.from_bytes(buffer[:4], "big")
        if len(buffer) < end:
            return None
        payload = bytes(buffer[4:end])
        del buffer[:end]
        return _as_message(msgpack.unpackb(payload, strict_map_key=True))


JSON = JsonCodec()
MSGPACK = MsgpackCodec()
CODECS: dict[str, Codec] = {"json": JSON, "msgpack": MSGPACK}


def _as_message(value: Any) -> Message:
    assert isinstance(value, dict), f"a reply is an object, not {value!r}"
    return value


class Closed(Exception):
    """The server closed the connection; `rest` is what came after the last whole reply."""

    def __init__(self, rest: bytes) -> None:
        super().__init__(f"connection closed with {len(rest)} bytes left over: {rest[:80]!r}")
        self.rest = rest


class Client:
    """A blocking client. Replies come back in the order in which they arrive, whatever was asked."""

    def __init__(
        self, address: Address, codec: Codec = JSON, *, tls: ssl.SSLContext | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.codec = codec
        self.buffer = bytearray()
        self.socket = _connect(address, timeout)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, cmd: str, **fields: Any) -> None:
        """Send a request and wait for nothing."""
        self.socket.sendall(self.codec.encode({"cmd": cmd, **fields}))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def receive(self) -> Message:
        """The next reply. Closed when the server hung up before it was whole."""
        while (message := self.codec.take(self.buffer)) is None:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed(bytes(self.buffer))
            self.buffer += data
        return message

    def call(self, cmd: str, **fields: Any) -> Message:
        """Send a request and return the next reply."""
        self.send(cmd, **fields)
        return self.receive()

    def ok(self, cmd: str, **fields: Any) -> Message:
        """As `call`; the reply must say ok."""
        reply = self.call(cmd, **fields)
        assert reply.get("ok") is True, f"{cmd} {fields}: {reply}"
        return reply

    def error(self, cmd: str, **fields: Any) -> str:
        """As `call`; the reply must be an error, of which the text comes back."""
        reply = self.call(cmd, **fields)
        assert reply.get("ok") is False, f"{cmd} {fields}: {reply}"
        text = reply["error"]
        assert isinstance(text, str)
        return text

    def finish(self) -> None:
        """Half-close: nothing more will be sent, replies are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def is_closed(self) -> bool:
        """Whether the server hangs up without another whole reply; waits for the one or the other."""
        try:
            self.receive()
        except Closed:
            return True
        return False

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(address: Address, timeout: float) -> socket.socket:
    if isinstance(address, tuple):
        connected = socket.create_connection(address, timeout=timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(timeout)
    connected.connect(address)
    return connected


class AsyncClient:
    """The same over asyncio streams; make one with `await AsyncClient.open(...)`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, codec: Codec) -> None:
        self.reader = reader
        self.writer = writer
        self.codec = codec
        self.buffer = bytearray()

    @classmethod
    async def open(cls, address: Address, codec: Codec = JSON, *, tls: ssl.SSLContext | None = None) -> "AsyncClient":
        """Connect to a host and port, or to the path of a Unix socket."""
        name = "localhost" if tls is not None else None
        if isinstance(address, tuple):
            streams = await asyncio.open_connection(*address, ssl=tls, server_hostname=name)
        else:
            streams = await asyncio.open_unix_connection(address, ssl=tls, server_hostname=name)
        return cls(*streams, codec)

    async def send(self, cmd: str, **fields: Any) -> None:
        """Send a request and wait for nothing but room in the socket."""
        await self.send_raw(self.codec.encode({"cmd": cmd, **fields}))

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self.writer.is_closing():
            raise Closed(bytes(self.buffer))
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Message:
        """The next reply. Closed when the server hung up before it was whole."""
        async with asyncio.timeout(TIMEOUT):
            while (message := self.codec.take(self.buffer)) is None:
                try:
                    data = await self.reader.read(1 << 16)
                except ConnectionError:
                    data = b""
                if not data:
                    raise Closed(bytes(self.buffer))
                self.buffer += data
        return message

    async def call(self, cmd: str, **fields: Any) -> Message:
        """Send a request and return the next reply."""
        await self.send(cmd, **fields)
        return await self.receive()

    async def ok(self, cmd: str, **fields: Any) -> Message:
        """As `call`; the reply must say ok."""
        reply = await self.call(cmd, **fields)
        assert reply.get("ok") is True, f"{cmd} {fields}: {reply}"
        return reply

    async def close(self) -> None:
        """Hang up and wait until it is done."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
