"""A client of flashQ in MessagePack, with nothing but `msgpack` and a socket: copy it, it is all there is to the wire.

Each message is a map, behind its length in four bytes. A request names its command in `cmd`; every reply has `ok`.
"""

import socket
import struct

import msgpack


class Refused(Exception):
    """The server answered, and said no. `code` is for programs, the text for people."""

    def __init__(self, cmd, reply):
        super().__init__(f"{cmd} was refused: {reply['error']}")
        self.code = reply["code"]


class Client:
    """One connection, for one thread. It is not opened again when it breaks: ConnectionError says so."""

    def __init__(self, address, token=None):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a small request leaves at once
        self.replies = self.socket.makefile("rb")
        if token:
            self.call("AUTH", token=token)

    def call(self, cmd, **fields):
        """The reply to one request."""
        return self.call_all([{"cmd": cmd, **fields}])[0]

    def call_all(self, requests):
        """The replies to all requests, sent in one go: without `reqId` they come back in the same order."""
        payloads = [msgpack.packb(request) for request in requests]
        self.socket.sendall(b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads))
        replies = [self._receive() for _ in requests]  # all of them, or the next call would read what is left
        for request, reply in zip(requests, replies, strict=True):
            if not reply["ok"]:
                raise Refused(request["cmd"], reply)
        return replies

    def _receive(self):
        (size,) = struct.unpack(">I", self._read(4))
        return msgpack.unpackb(self._read(size))

    def _read(self, size):
        data = self.replies.read(size)
        if len(data) < size:
            raise ConnectionError("the server closed the connection")
        return data

    def close(self):
        self.replies.close()
        self.socket.close()
