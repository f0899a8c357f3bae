"""The connection of a client: made when it is needed, made again when it breaks, until the client is closed."""
import asyncio
import contextlib
import logging
import math
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, cast

from flashq.client.core import Core, Request
from flashq.client.endpoint import Endpoint
from flashq.client.errors import UntrustedServer
from flashq.client.wire import BrokenStream

FIRST_WAIT = 0.05       # seconds before the second attempt; then twice as long each time
LONGEST_WAIT = 2.0      # below the server's disconnect_grace, so that a session comes back in time
CONNECT_SECONDS = 5.0   # for one attempt, the greeting included
CLOSE_SECONDS = 1.0
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Pipe(asyncio.Protocol):
    """One connection; bytes go to the core."""

    def __init__(self, link: "Link") -> None:
        self._link = link
        self.transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = link.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The greeting goes out."""
        self.transport = cast(asyncio.Transport, transport)     # uvloop's are none by name
        _keep_alive(transport.get_extra_info("socket"))
        self._link.core.opened()
        self._link.flush_soon()

    def data_received(self, data: bytes) -> None:
        """Replies, and what is told unasked."""
        core = self._link.core
        try:
            core.received(data)
        except BrokenStream as error:
            self._link.cause = f"the server sent {error}"
            self.abort()
        if core.failed is not None:
            self.abort()
        elif core.ready:
            self._link.greeted()
        if core.held.changed:
            self._link.keep_sessions()
        if core.outgoing:
            self._link.flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """The link makes another."""
        if exc is not None:
            self._link.cause = str(exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Hang up at once."""
        if self.transport is not None:
            self.transport.abort()


def _keep_alive(sock: Any) -> None:
    """A peer that is gone without a word is found within half a minute."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Link:
    """Owns the connection of a core, in the thread of its loop."""

    def __init__(
        self, core: Core, endpoint: Endpoint, tls: ssl.SSLContext | None, connect_timeout: float = math.inf,
        on_connection: Callable[[bool, str], object] | None = None,
    ) -> None:
        """`connect_timeout`: seconds that calls without a deadline of their own wait for the first connection.

        `on_connection` hears that there is one, or that there is none and why; once each, in the loop.
        """
        self.core = core
        self.loop = asyncio.get_running_loop()
        self.cause = ""         # why there is no connection, for those whose deadline comes meanwhile
        self._endpoint = endpoint
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._on_connection = on_connection
        self._up: bool | None = None        # what it has heard
        self._pipe: Pipe | None = None
        self._flushing = False
        self._wanted = asyncio.Event()
        self._greeted = asyncio.Event()
        self._task = self.loop.create_task(self._run(), name="flashq-link")
        self._keepers: dict[str, Link] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def ask(self, request: Request, seconds: float) -> asyncio.TimerHandle:
        """Take a request. The timer ends it, and is to be cancelled when it is answered."""
        return self.ask_all((request,), seconds)

    def ask_all(self, requests: Sequence[Request], seconds: float) -> asyncio.TimerHandle:
        """Take several, with one timer."""
        for request in requests:
            self.core.submit(request)
        self._wanted.set()
        if self.core.outgoing:
            self.flush_soon()
        if self.core.server is None and self._connect_timeout < seconds:
            self.loop.call_later(self._connect_timeout, self._not_connected, requests)
        return self.loop.call_later(seconds, self._expire, requests, seconds)

    def _not_connected(self, requests: Sequence[Request]) -> None:
        """There never was a connection: most likely the address is wrong, or no server runs. Waiting hides that."""
        for request in requests:
            if self.core.server is None and request.call.deadline is None:
                self.core.expire(request, self._connect_timeout, self.cause)

    def _expire(self, requests: Sequence[Request], seconds: float) -> None:
        silent = [self.core.expire(request, seconds, self.cause) for request in requests]
        if any(silent):
            self.drop("the connection was silent")

    def flush_soon(self) -> None:
        """Send what is there at the end of this turn of the loop: one write for many requests."""
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        outgoing = self.core.outgoing
        transport = None if self._pipe is None else self._pipe.transport
        if outgoing and transport is not None and not transport.is_closing():
            data = outgoing[0] if len(outgoing) == 1 else b"".join(outgoing)
            outgoing.clear()
            transport.write(data)

    def drop(self, cause: str) -> None:
        """Give the connection up, and make another."""
        self.cause = cause
        if self._pipe is not None:
            self._pipe.abort()

    def greeted(self) -> None:
        """The server has answered HELLO."""
        if not self._greeted.is_set():
            self.cause = ""
            self._greeted.set()
            self._tell(True)

    def _tell(self, up: bool) -> None:
        before, self._up = self._up, up
        if up is before or self._on_connection is None:
            return
        try:
            self._on_connection(up, self.cause)
        except Exception:       # of the user's; the connection goes on
            logging.getLogger("flashq").exception("on_connection failed")

    def keep_sessions(self) -> None:
        """A connection for each earlier session that has jobs, and none for others."""
        self.core.held.changed = False
        wanted = self.core.held.sessions
        for session in wanted:
            if session not in self._keepers:
                self._keepers[session] = Link(self.core.keeper(session), self._endpoint, self._tls)
                self._keepers[session]._wanted.set()
        for session in set(self._keepers) - set(wanted):
            ending = self.loop.create_task(self._keepers.pop(session).close())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """All that wait are told; what was written still leaves, and nothing is left behind."""
        self.core.close()
        await asyncio.gather(*(keeper.close() for keeper in self._keepers.values()), *self._ending)
        if self._pipe is not None and self._pipe.transport is not None:
            self._flush()
            self._pipe.transport.close()
            await asyncio.wait((self._pipe.closed,), timeout=CLOSE_SECONDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        """Connection after connection."""
        wait = FIRST_WAIT
        try:
            while True:
                await self._wanted.wait()
                if await self._connection():
                    wait = FIRST_WAIT
                if self.core.failed is not None:
                    # Asking again would change nothing: all are told, and the next call tries anew.
                    self._wanted.clear()
                    self.core.fail_all(self.core.failed)
                    self.core.failed = None
                    continue
                if not self.core.closed:
                    self._tell(False)
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))
                wait = min(2 * wait, LONGEST_WAIT)
        finally:
            if self._pipe is not None:
                self._pipe.abort()

    async def _connection(self) -> bool:
        """One connection, from its attempt to its end. Whether it was greeted."""
        self._greeted.clear()
        pipe = Pipe(self)
        self._pipe = pipe
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connect(pipe)
                await self._first(pipe.closed, self._greeted)
            await pipe.closed
        except ssl.SSLCertVerificationError as error:
            self.core.failed = UntrustedServer(f"{self._endpoint}: {error}")
        except TimeoutError:
            self.cause = f"{self._endpoint} did not answer in time"
        except (OSError, UnicodeError) as error:    # the second of a host name that cannot be one
            self.cause = f"{self._endpoint}: {error}"
        finally:
            pipe.abort()
            self._pipe = None
            self.core.lost()
            if self.core.held.changed:
                self.keep_sessions()
        return self._greeted.is_set()

    async def _first(self, closed: "asyncio.Future[None]", greeted: asyncio.Event) -> None:
        """Until the server has answered, or hung up."""
        waiter = self.loop.create_task(greeted.wait())
        try:
            await asyncio.wait((closed, waiter), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()

    async def _connect(self, pipe: Pipe) -> None:
        there = self._endpoint
        if there.path:
            await self.loop.create_unix_connection(lambda: pipe, there.path)
            return
        name = there.host if self._tls is not None else None
        await self.loop.create_connection(lambda: pipe, there.host, there.port, ssl=self._tls, server_hostname=name)
