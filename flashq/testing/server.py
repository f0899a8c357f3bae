"""TestServer and AsyncTestServer: a real server inside a test, whose time the test sets forward."""
import os
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from flashq.client import AsyncFlashQ, FlashQ
from flashq.tasks import App
from flashq.testing.guest import Guest, moment, passing, settings_of
from flashq.testing.loopthread import LoopThread
from flashq.testing.pending import Failures, Ran, run_pending, run_pending_async
from flashq.testing.serving import begun, connected, ended

T = TypeVar("T")


class _Base:
    """What both kinds have in common."""

    __test__ = False    # no test, whatever pytest takes its name for

    def __init__(
        self, *, data_dir: str | os.PathLike[str] | None = None, now: datetime | None = None, frozen: bool = False,
        **settings: Any,
    ) -> None:
        self._settings = settings_of(data_dir, settings)
        self._begin = moment(now)
        self._frozen = frozen
        self._running: Guest | None = None

    @property
    def _guest(self) -> Guest:
        if self._running is None:
            raise RuntimeError("the test server does not run: use it in `with`, or call `start`")
        return self._running

    @property
    def url(self) -> str:
        """What clients, apps and workers are given to find it."""
        return self._guest.url

    @property
    def now(self) -> datetime:
        """What its clock shows, in UTC."""
        return datetime.fromtimestamp(self._guest.clock.now / 1000, UTC)

    async def _serve(self, own_loop: bool) -> Guest:
        guest = Guest(self._settings, self._begin, self._frozen)
        await guest.start(own_loop)
        return guest


class TestServer(_Base):
    """A server in a thread of its own, on a free port of 127.0.0.1, from `start` or `with` to `stop`.

    Jobs are kept in memory, or in `data_dir` as by `flashq serve`; a later server may go on with the same directory.
    Its clock begins at `now` (a datetime with a zone; that of the machine) and flows on, unless it is `frozen`.
    `settings` are those of docs/settings.md by name, in ms and bytes or as text ("30s"); the environment sets none.
    ValueError names what is wrong with any of them. Every thread may call the methods.
    """

    _thread: LoopThread | None = None

    def start(self) -> Self:
        """Serve; itself. StartError or StorageError say what is in the way."""
        if self._thread is not None:
            raise RuntimeError("the test server runs already")
        self._clients: list[FlashQ] = []
        self._apps: list[App] = []
        self._thread = LoopThread("flashq-test-server")
        try:
            self._running = self._thread.run(self._serve(own_loop=True))
        except BaseException:
            self.stop()
            raise
        begun(self.url)
        return self

    def stop(self) -> None:
        """Close its clients, and end it. A second time does nothing."""
        thread, self._thread = self._thread, None
        guest, self._running = self._running, None
        if thread is None:
            return
        try:
            if guest is not None:
                ended(guest.url)
            for client in self._clients:
                client.close()
            for app in self._apps:
                app.close()
            if guest is not None:
                thread.run(guest.stop())
        finally:
            thread.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, **options: Any) -> FlashQ:
        """A new client of it, which is closed with it. `options` as FlashQ takes them."""
        client = FlashQ(self.url, **options)
        self._clients.append(client)
        return client

    def connect(self, app: App) -> None:
        """Have the app push here, and its jobs run here. Once this server has ended, the app is refused."""
        app.close()
        app.connect_to(self.url)
        connected(app)
        self._apps.append(app)

    def advance(self, delta: timedelta | None = None, /, **parts: float) -> datetime:
        """Let time pass, by a timedelta or by its parts (`days=3`); what the clock shows then.

        All that falls due on the way has happened at its own time when this returns: delays, retries, schedules, ends
        of leases, timeouts and times to live, and pulls that wait. ValueError unless it goes forward.
        """
        return self._pass(self._guest.advance(passing(delta, parts)))

    def advance_to(self, now: datetime) -> datetime:
        """Likewise, up to a time. ValueError when that has passed, or names no zone."""
        return self._pass(self._guest.advance_to(moment(now)))

    def run(
        self, app: App, delta: timedelta | None = None, /, *, failures: Failures = "raise", **parts: float
    ) -> list[Ran]:
        """Let time pass as `advance`, and execute the app's jobs on the way, each when it is due; which.

        As `run_pending` says, at the beginning, at each time at which something falls due, and at the end.
        """
        end = self._guest.end_of(passing(delta, parts))
        ran = run_pending(app, failures=failures)
        while not self._within(self._guest.step(end)):
            ran += run_pending(app, failures=failures)
        return ran + run_pending(app, failures=failures)

    def _pass(self, work: Coroutine[Any, Any, None]) -> datetime:
        self._within(work)
        return self.now

    def _within(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._thread is not None
        return self._thread.run(work)


class AsyncTestServer(_Base):
    """The same in the event loop of the test, from `start` or `async with` to `stop`. For one loop, and its thread."""

    async def start(self) -> Self:
        """Serve; itself. StartError or StorageError say what is in the way."""
        if self._running is not None:
            raise RuntimeError("the test server runs already")
        self._clients: list[AsyncFlashQ] = []
        self._apps: list[App] = []
        self._running = await self._serve(own_loop=False)
        begun(self.url)
        return self

    async def stop(self) -> None:
        """Close its clients, and end it. A second time does nothing."""
        guest, self._running = self._running, None
        if guest is None:
            return
        ended(guest.url)
        for client in self._clients:
            await client.close()
        for app in self._apps:
            await app.close_async()
        await guest.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def client(self, **options: Any) -> AsyncFlashQ:
        """A new client of it, which is closed with it. `options` as AsyncFlashQ takes them."""
        client = AsyncFlashQ(self.url, **options)
        self._clients.append(client)
        return client

    async def connect(self, app: App) -> None:
        """As TestServer.connect."""
        await app.close_async()
        app.connect_to(self.url)
        connected(app)
        self._apps.append(app)

    async def advance(self, delta: timedelta | None = None, /, **parts: float) -> datetime:
        """As TestServer.advance."""
        await self._guest.advance(passing(delta, parts))
        return self.now

    async def advance_to(self, now: datetime) -> datetime:
        """As TestServer.advance_to."""
        await self._guest.advance_to(moment(now))
        return self.now

    async def run(
        self, app: App, delta: timedelta | None = None, /, *, failures: Failures = "raise", **parts: float
    ) -> list[Ran]:
        """As TestServer.run."""
        end = self._guest.end_of(passing(delta, parts))
        ran = await run_pending_async(app, failures=failures)
        while not await self._guest.step(end):
            ran += await run_pending_async(app, failures=failures)
        return ran + await run_pending_async(app, failures=failures)
