"""The sockets the server listens on: TCP, with or without TLS, and a Unix socket."""

import asyncio
import errno
import os
import resource
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from flashq.server.errors import StartError

BACKLOG = 4096  # the kernel takes the smaller of this and net.core.somaxconn
UNIX_MODE = 0o660
SPARE_FILES = 64  # beside the connections: listeners, the loop's own, logs

Factory = Callable[[], asyncio.Protocol]


async def open_tcp(factory: Factory, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
    """A TCP listener; port 0 takes a free one. StartError says what is in the way."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, host, port, backlog=BACKLOG, reuse_address=True, ssl=tls)
    except socket.gaierror as error:
        raise StartError(f"--host: {host!r} is no address of this machine: {error.strerror}") from None
    except OSError as error:
        raise StartError(_tcp_reason(error, host, port)) from None


def _tcp_reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop the other server, or take another port with --port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights than this user has: take one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is no address of this machine"
    return f"cannot listen on {host} port {port}: {error}"


def address(server: asyncio.Server) -> tuple[str, int]:
    """Host and port that a TCP listener really has."""
    name = server.sockets[0].getsockname()
    return str(name[0]), int(name[1])


class UnixListener:
    """A listener on a socket file, which it makes and removes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self, factory: Factory) -> None:
        """Listen. A socket file that nobody answers on is taken over; anything else there is a StartError."""
        remove_stale(self.path)
        listening = self._bind()
        self._inode = os.stat(self.path).st_ino
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(factory, sock=listening, backlog=BACKLOG)

    def _bind(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The mode must hold from the first moment: a chmod after the bind would leave a gap.
        before = os.umask(0o777 & ~UNIX_MODE)
        try:
            listening.bind(self.path)
        except OSError as error:
            listening.close()
            raise StartError(f"--unix-socket: cannot listen on {self.path}: {error.strerror or error}") from None
        finally:
            os.umask(before)
        listening.setblocking(False)
        return listening

    def close(self) -> None:
        """Stop listening; the file goes unless another server has put its own there since."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        try:
            if os.stat(self.path).st_ino == self._inode:
                os.unlink(self.path)
        except FileNotFoundError:
            return


def remove_stale(path: str) -> None:
    """Remove a socket file that nobody answers on. StartError when it is answered, or is something else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError(f"--unix-socket: {path}: {error.strerror}") from None
    if not stat.S_ISSOCK(mode):
        raise StartError(f"--unix-socket: {path} exists and is no socket; it was left as it is")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            raise StartError(f"--unix-socket: {path} is in use, or not ours to take: {error.strerror}") from None
    raise StartError(f"--unix-socket: another server answers on {path}")


def raise_file_limit(connections: int) -> int:
    """Lift the limit of open files as far as this user may; what it is now. A connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE_FILES if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft if soft != resource.RLIM_INFINITY else connections + SPARE_FILES
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted
