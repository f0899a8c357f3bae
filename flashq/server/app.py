"""The running server: start-up in order, then waiting for a signal, then the drain."""

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import asdict
from typing import Any

import uvloop

from flashq import __version__
from flashq._core.connection import Connection
from flashq.config import Settings, is_loopback
from flashq.server import listeners, logs, tls
from flashq.server.banner import Place, banner
from flashq.server.clock import Clock
from flashq.server.durable import Beginning, begin
from flashq.server.storekeeper import StoreKeeper
from flashq.server.wiring import wire

DRAIN_STEP_SECONDS = 0.01
FAILED_SECONDS = 5.0    # for clients to take their errors, once the storage has failed
LINGER_SECONDS = 0.25   # for requests that are on their way then
INTERRUPTED = 128 + signal.SIGINT   # as shells have it


def run(settings: Settings, as_json: bool = False) -> int:
    """Serve until a signal ends it; the exit status. `as_json`: where it listens is told as an object, not as a banner.

    StartError, StorageError when it could not begin.
    """
    log = logs.configure(settings.log_format, settings.log_level)
    try:
        # Before there is a loop: it may take long, and a signal then ends the process as it ends any other.
        beginning = begin(settings, log)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings, beginning, log, as_json))
    except KeyboardInterrupt:
        return INTERRUPTED


async def serve(settings: Settings, beginning: Beginning, log: Any, as_json: bool) -> int:
    """Start a server with these settings and run it until a signal; the exit status."""
    server = Server(settings, beginning, log)
    try:
        await server.start(as_json)
        await server.run()
    finally:
        server.close()
    return server.status        # the end of the journal may have failed, too


class Server:
    """One server: owns the engine, the hub of its connections, the journal and the listeners.

    `clock` stands in for the machine's clocks and for the timers of the loop. `start` is for a process of its own,
    `listen` for a guest in somebody else's.
    """

    def __init__(self, settings: Settings, beginning: Beginning, log: Any, clock: Clock | None = None) -> None:
        self.settings = settings
        self.log = log
        self.beginning = beginning
        self.unhandled = 0  # exceptions that reached the loop: each is a bug
        self._tcp: asyncio.Server | None = None
        self._unix: listeners.UnixListener | None = None
        self._signals = 0
        self._woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        wired = wire(beginning.engine, settings, clock or loop, self._on_hub_event, beginning.journal,
                     None if clock is None else clock.read, log)
        self.hub, self.rooms, self._background = wired.hub, wired.dispatcher.rooms, wired.background
        self.hub.on_failure = self._on_failure
        self._keeper: StoreKeeper | None = None
        if beginning.journal is not None:
            self._keeper = StoreKeeper(beginning.journal, wired, settings, log)

    async def start(self, as_json: bool) -> None:
        """Take the process over, listen, and say so. StartError as `listen` says."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.on_unhandled)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        files = listeners.raise_file_limit(self.settings.max_connections)
        await self.listen()
        secure = bool(self.settings.tls_cert)
        self._announce(secure, as_json)
        self._warn(files, secure)

    async def listen(self) -> None:
        """Serve. StartError when something is in the way; `close` then takes back what was done."""
        settings = self.settings
        context = tls.server_context(settings.tls_cert, settings.tls_key)
        if self._keeper is not None:
            self._keeper.open(self.beginning, asyncio.get_running_loop())
        await self.settle()
        if not settings.no_tcp:
            self._tcp = await listeners.open_tcp(self._connection, settings.host, settings.port, context)
        if settings.unix_socket:
            self._unix = listeners.UnixListener(settings.unix_socket)
            await self._unix.open(self._connection)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of the TCP listener; None without one."""
        return None if self._tcp is None else listeners.address(self._tcp)

    async def settle(self) -> None:
        """What has happened so far is on disk, where there is one, or the storage has failed."""
        if self._keeper is not None:
            await self._keeper.settle()

    def _connection(self) -> Connection:
        return Connection(self.hub)

    def _announce(self, secure: bool, as_json: bool) -> None:
        place = Place(unix=self._unix.path if self._unix is not None else None, tls=secure)
        if self.address is not None:
            place.host, place.port = self.address
        facts = {**asdict(place), "durability": self.beginning.durability, "pid": os.getpid(), "version": __version__}
        said = ""
        if as_json:
            said = json.dumps(facts)
        elif self.settings.log_format != "json":
            said = banner(place, bool(self.settings.auth_tokens), self.beginning.promise)
        if said:
            # Stdout carries nothing else; a server whose stdout was closed runs all the same.
            with contextlib.suppress(OSError, ValueError):
                print(said, flush=True)
        self.log.info("ready", **facts)

    def _warn(self, files: int, secure: bool) -> None:
        """What is served all the same, but is not as it should be; below the banner, which is what people look for."""
        settings = self.settings
        wanted = settings.max_connections + listeners.SPARE_FILES
        if files < wanted:
            self.log.warning("few_files", limit=files, wanted=wanted, remedy="ulimit -Hn, or --max-connections")
        if settings.auth_tokens and self._tcp is not None and not (secure or is_loopback(settings.host)):
            remedy = "--tls-cert and --tls-key, or --host 127.0.0.1"
            self.log.warning("tokens_in_clear", host=settings.host, remedy=remedy)

    async def run(self) -> None:
        """Wait for the first signal or the end of the storage, then drain."""
        await self._woken.wait()
        await self.drain()

    @property
    def status(self) -> int:
        """What the process ends with."""
        return 0 if self.hub.failure is None else os.EX_IOERR

    async def drain(self) -> None:
        """Take no more connections, answer what is parked, let the replies leave, and write a checkpoint if the next
        start has less to read then: at most `drain_timeout`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.log.info("draining", connections=self.hub.connections)
        self._close_listeners()
        if self.hub.failure is None:
            self.hub.begin_drain()
            if self._keeper is not None:
                self._keeper.leave()
        else:
            # Who is still sending would be cut off by the close, and never see the errors that it was sent.
            await asyncio.sleep(LINGER_SECONDS)
        while self._is_busy() and self._signals < 2 and loop.time() - began < self._drain_seconds():
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        self.log.info("stopped", cut=self.hub.connections, unhandled=self.unhandled)

    def _is_busy(self) -> bool:
        """Whether there is a reason to wait."""
        return self._close_some() > 0 or (self._keeper is not None and self._keeper.at_work)

    def _close_some(self) -> int:
        """Connections that are done with, or have heard that nothing is to be had here; how many are left."""
        return self.hub.close_idle() if self.hub.failure is None else self.hub.close_flushed()

    def _drain_seconds(self) -> float:
        longest = self.settings.drain_timeout / 1000
        return longest if self.hub.failure is None else min(longest, FAILED_SECONDS)

    def _close_listeners(self) -> None:
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None
        if self._unix is not None:
            self._unix.close()
            self._unix = None

    def close(self) -> None:
        """Let go of everything, also after a start that failed half-way."""
        self._close_listeners()
        self._background.close()
        self.hub.close_all()
        if self._keeper is not None:
            self._keeper.close()

    def _on_hub_event(self, event: str, /, **fields: object) -> None:
        self.log.info(event, **fields)

    def _on_failure(self, reason: str) -> None:
        self.log.error("storage_failed", reason=reason)
        self._background.close()
        self._woken.set()

    def _on_signal(self, number: int) -> None:
        self._signals += 1
        self.log.info("signal", signal=signal.Signals(number).name, hurry=self._signals > 1)
        self._woken.set()

    def on_unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that reached the loop is told in the log."""
        self.unhandled += 1
        error = context.get("exception")
        self.log.error("unhandled", message=context.get("message"), exc_info=error)
