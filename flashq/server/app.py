"""The running server: start-up in order, then waiting for a signal, then the drain."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from dataclasses import asdict
from typing import Any

import uvloop

from flashq import __version__, commands
from flashq._core import fieldtable
from flashq._core.connection import Connection
from flashq._core.engine import Engine
from flashq.config import Settings, is_loopback
from flashq.server import listeners, logs, tls
from flashq.server.banner import Place, banner
from flashq.server.errors import StartError
from flashq.server.wiring import Wired, wire
from flashq.storage.base import Store, StoreState
from flashq.storage.memory import MemoryStore

EPOCH_START = 1_704_067_200  # 2024-01-01 UTC, in seconds since 1970
EPOCH_BITS = 21  # a delivery token is epoch << 32 | number, and must stay below 2^53
DRAIN_STEP_SECONDS = 0.01


def run(settings: Settings) -> int:
    """Serve until a signal ends it; the exit status. A start that fails is told in one line on stderr."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings))
    except StartError as error:
        print(f"flashq: {error}", file=sys.stderr)
        return 1


async def serve(settings: Settings, store: Store | None = None) -> int:
    """Start a server with these settings and run it until a signal; the exit status."""
    server = Server(settings, store)
    try:
        await server.start()
        return await server.run()
    finally:
        server.close()


def boot_epoch(seconds: float) -> int:
    """A number for this start of the process, different from that of any start within the last 24 days."""
    return (int(seconds) - EPOCH_START) % (1 << EPOCH_BITS) or 1


class Server:
    """One server process: owns the engine, the hub of its connections, the store and the listeners."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Without a store jobs live in memory only, and the engine need not write records at all."""
        self.settings = settings
        self.log = logs.configure(settings.log_format, settings.log_level)
        self.store: Store = store or MemoryStore()
        self.unhandled = 0  # exceptions that reached the loop: each is a bug
        self._tcp: asyncio.Server | None = None
        self._unix: listeners.UnixListener | None = None
        self._signals = 0
        self._woken = asyncio.Event()
        wired = self._wire(store)
        self.hub, self._background = wired.hub, wired.background
        self.store.open(self._on_commit, self._on_state, asyncio.get_running_loop())

    def _wire(self, store: Store | None) -> Wired:
        settings = self.settings
        fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
        seed = int.from_bytes(os.urandom(8), "little") or 1
        engine = Engine(settings.engine_limits(), seed, boot_epoch(time.time()))
        return wire(engine, settings, asyncio.get_running_loop(), self._on_hub_event, store)

    async def start(self) -> None:
        """Listen, and say so. StartError when something is in the way; `close` then takes back what was done."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_unhandled)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        files = listeners.raise_file_limit(settings.max_connections)
        context = tls.server_context(settings.tls_cert, settings.tls_key)
        if not settings.no_tcp:
            self._tcp = await listeners.open_tcp(self._connection, settings.host, settings.port, context)
        if settings.unix_socket:
            self._unix = listeners.UnixListener(settings.unix_socket)
            await self._unix.open(self._connection)
        self._announce(context is not None)
        self._warn(files, context is not None)

    def _on_commit(self, position: int, _synced: int) -> None:
        self.hub.committed(position)

    def _on_state(self, state: StoreState) -> None:
        self.log.warning("store", **asdict(state))

    def _connection(self) -> Connection:
        return Connection(self.hub)

    def _announce(self, secure: bool) -> None:
        place = Place(unix=self._unix.path if self._unix is not None else None, tls=secure)
        if self._tcp is not None:
            place.host, place.port = listeners.address(self._tcp)
        if self.settings.log_format != "json":
            # Stdout carries nothing else; a server whose stdout was closed runs all the same.
            with contextlib.suppress(OSError, ValueError):
                print(banner(place, bool(self.settings.auth_tokens), self.store.promise), flush=True)
        self.log.info("ready", **asdict(place), durability=self.store.durability, pid=os.getpid(), version=__version__)

    def _warn(self, files: int, secure: bool) -> None:
        """What is served all the same, but is not as it should be; below the banner, which is what people look for."""
        settings = self.settings
        wanted = settings.max_connections + listeners.SPARE_FILES
        if files < wanted:
            self.log.warning("few_files", limit=files, wanted=wanted, remedy="ulimit -Hn, or --max-connections")
        if settings.auth_tokens and self._tcp is not None and not (secure or is_loopback(settings.host)):
            remedy = "--tls-cert and --tls-key, or --host 127.0.0.1"
            self.log.warning("tokens_in_clear", host=settings.host, remedy=remedy)

    async def run(self) -> int:
        """Wait for the first signal, then drain; the exit status."""
        await self._woken.wait()
        await self._drain()
        return 0

    async def _drain(self) -> None:
        """Take no more connections, answer what is parked, and let the replies leave: at most `drain_timeout`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.settings.drain_timeout / 1000
        self.log.info("draining", connections=self.hub.connections)
        self._close_listeners()
        self.hub.begin_drain()
        while self.hub.close_idle() and self._signals < 2 and loop.time() < deadline:
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        self.log.info("stopped", cut=self.hub.connections, unhandled=self.unhandled)

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
        self.store.close()

    def _on_hub_event(self, event: str, /, **fields: object) -> None:
        self.log.info(event, **fields)

    def _on_signal(self, number: int) -> None:
        self._signals += 1
        self.log.info("signal", signal=signal.Signals(number).name, hurry=self._signals > 1)
        self._woken.set()

    def _on_unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.unhandled += 1
        error = context.get("exception")
        self.log.error("unhandled", message=context.get("message"), exc_info=error)
