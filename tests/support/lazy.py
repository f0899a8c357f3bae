"""A client that does not read, and one that is not read from."""

import select
import socket

from support.server import ServerProcess
from support.wire import JSON, Client, Codec

PAYLOAD = "x" * 500_000  # of a job whose reply soon fills the buffers on the way


def lazy_client(server: ServerProcess, codec: Codec = JSON) -> Client:
    """A client with so little room for replies that the server soon feels it when they are not read."""
    client = server.client(codec)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    return client


def send_until_blocked(client: Client, data: bytes, most: int, may_close: bool = False) -> int:
    """Send `data` over and over until the server takes no more; the bytes sent.

    Fails past `most`, and on a close unless `may_close`: a slow sender may come to its end.
    """
    sent = 0
    client.socket.setblocking(False)
    while select.select([], [client.socket], [], 0.2)[1]:
        try:
            sent += client.socket.send(data[sent % len(data) :])
        except (BrokenPipeError, ConnectionResetError):
            if not may_close:
                raise
            break
        assert sent < most, "the server reads on and on"
    client.socket.settimeout(20.0)
    return sent
