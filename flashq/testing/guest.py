"""A real server as a guest in a running event loop, by a clock that is set forward step by step."""
import asyncio
import logging
import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flashq import config
from flashq.server.app import Server
from flashq.server.durable import begin
from flashq.testing.clock import VirtualClock

_LAST = datetime(9000, 1, 1, tzinfo=UTC)    # cron and datetime end soon after
_LOG = logging.getLogger("flashq.testing.server")


class Log:
    """The server's log as records of the standard library, which test runners show with a failure."""

    def info(self, event: str, /, **fields: Any) -> None:
        """What is as it should be."""
        self._say(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """What is not."""
        self._say(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """What must not be."""
        self._say(logging.ERROR, event, fields)

    def _say(self, level: int, event: str, fields: dict[str, Any]) -> None:
        raised = fields.pop("exc_info", None)
        _LOG.log(level, "%s %s", event, fields, exc_info=raised)


def settings_of(data_dir: str | os.PathLike[str] | None, given: dict[str, Any]) -> config.Settings:
    """Those of a test server: a free port, memory unless there is a directory, and nothing from the environment.

    SettingError names the one that is wrong.
    """
    kept = {"durability": "memory"} if data_dir is None else {"data_dir": str(Path(data_dir)), "segment_size": "1MB"}
    # Nobody has to finish anything at the end of a test.
    return config.load({"host": "127.0.0.1", "port": 0, "drain_timeout": 0, **kept, **given}, {})


def moment(now: datetime | None) -> int:
    """ms since 1970. ValueError for a time without a zone."""
    if now is None:
        now = datetime.now(UTC)
    if now.tzinfo is None:
        raise ValueError("a time without a zone says nothing: write datetime(2030, 1, 1, tzinfo=timezone.utc)")
    return int(now.timestamp() * 1000)


def passing(delta: timedelta | None, parts: dict[str, float]) -> int:
    """The ms of `advance`. ValueError when that is nothing, or negative."""
    whole = (delta or timedelta()) + timedelta(**parts)
    if whole <= timedelta():
        raise ValueError(f"time only goes forward: advance by more than {whole}")
    return max(round(whole / timedelta(milliseconds=1)), 1)


class Guest:
    """One server, between `start` and `stop`, both of which run in the loop that was running when it was made."""

    def __init__(self, settings: config.Settings, now: int, frozen: bool) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), now, frozen)
        self._settings = settings
        self._server: Server | None = None
        self._advancing = asyncio.Lock()
        self.url = ""

    async def start(self, own_loop: bool) -> None:
        """Serve. StartError or StorageError when something is in the way."""
        log = Log()
        self._server = Server(self._settings, begin(self._settings, log, self.clock.read), log, self.clock)
        if own_loop:
            asyncio.get_running_loop().set_exception_handler(self._server.on_unhandled)
        try:
            await self._server.listen()
        except BaseException:
            self._close()
            raise
        self.url = _url(self._settings, self._server.address)

    async def stop(self) -> None:
        """Answer what waits, hang up, and let go of the data directory."""
        if self._server is not None:
            try:
                await self._server.drain()
            finally:
                self._close()

    def _close(self) -> None:
        server, self._server = self._server, None
        self.clock.close()
        if server is not None:
            server.close()

    @property
    def server(self) -> Server:
        """RuntimeError when it was stopped."""
        if self._server is None:
            raise RuntimeError("the test server does not run")
        return self._server

    async def advance(self, ms: int) -> None:
        """Let so much time pass, stopping wherever something is due on the way."""
        async with self._advancing:
            await self._advance_to(self.end_of(ms))

    async def advance_to(self, now: int) -> None:
        """Likewise, up to a time on the wall clock. ValueError when that has passed."""
        async with self._advancing:
            ms = now - self.clock.now
            if ms < 0:
                raise ValueError(f"time only goes forward: that was {timedelta(milliseconds=-ms)} ago")
            await self._advance_to(self.end_of(ms))

    def end_of(self, ms: int) -> int:
        """Monotonic ms in so many. ValueError when that is beyond all time."""
        if self.clock.now + ms > _LAST.timestamp() * 1000:
            raise ValueError(f"time ends here in the year {_LAST.year}")
        return self.clock.mono + ms

    async def step(self, end: int) -> bool:
        """Let time pass until the next thing is due, at most to this monotonic time; whether it came that far."""
        async with self._advancing:
            await self._advance_to(end, steps=1)
            return self.clock.mono >= end

    async def _advance_to(self, end: int, steps: float = math.inf) -> None:
        server = self.server
        self.clock.hold()
        try:
            await self._run_until(self.clock.mono)
            while steps > 0 and (step := self._next_step(server)) is not None and step <= end:
                steps -= 1
                await self._run_until(step)
            if steps > 0:
                await self._run_until(end)
        finally:
            self.clock.release()
        await server.settle()
        if server.hub.failure is not None:
            raise RuntimeError(f"the storage of the test server has failed: {server.hub.failure}")

    def _next_step(self, server: Server) -> int | None:
        """When something comes due that somebody would notice; what tidies up is passed over."""
        step: int | None = server.hub.turn(lambda: _due(server))
        if step is not None and step <= self.clock.mono:
            return self.clock.next_due()    # it has failed, and is tried again then
        return step

    async def _run_until(self, mono: int) -> None:
        self.clock.hold(mono)
        while self.clock.run_due():
            await asyncio.sleep(0)          # connections have their turn


def _url(settings: config.Settings, address: tuple[str, int] | None) -> str:
    """What a client is given to come in."""
    token = f"{quote(settings.auth_tokens[0], safe='')}@" if settings.auth_tokens else ""
    if address is None:
        return f"flashq+unix://{token}{settings.unix_socket}"
    trust = f"?tls=1&ca={quote(settings.tls_cert)}" if settings.tls_cert else ""
    return f"flashq://{token}{address[0]}:{address[1]}{trust}"


def _due(server: Server) -> int | None:
    engine = server.hub.engine
    waits = [wait for task in server.rooms.punctual if (wait := task.due_in()) is not None]
    times = [engine.mono + wait for wait in waits]
    return min(times if engine.next_punctual is None else [*times, engine.next_punctual], default=None)


