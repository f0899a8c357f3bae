"""A proxy between client and server that can swallow replies and cut connections."""

import contextlib
import socket
import threading

PIECE = 1 << 16


class Proxy:
    """Listens on a port of its own. While `deaf`, what the server says is dropped."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.deaf = False
        self.swallowed = threading.Event()      # a reply was
        self.connections = 0
        self._server = server
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"flashq://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self.connections += 1
                self._pairs.append((client, server))
                for source, target, to_client in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._copy, args=(source, target, to_client), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, to_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                if to_client and self.deaf:
                    self.swallowed.set()
                else:
                    target.sendall(data)
        _hang_up(source, target)

    def cut(self) -> None:
        """End all connections at once; the next are as before."""
        pairs, self._pairs = self._pairs, []
        self.deaf = False
        self.swallowed.clear()
        for pair in pairs:
            _hang_up(*pair)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        _hang_up(self._listener)
        self.cut()


def _hang_up(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
