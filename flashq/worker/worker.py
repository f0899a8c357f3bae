"""The Worker: pulls jobs of an app's tasks, runs their handlers, tells how they ended, drains when it is to stop."""
import asyncio
import contextlib
import logging
import math
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flashq.client.aio import AsyncFlashQ
from flashq.client.errors import DeadlineExceeded
from flashq.client.streams import Cancelled, Told
from flashq.queue_names import check_queue_name
from flashq.tasks.app import App
from flashq.tasks.context import CurrentJob
from flashq.tasks.outcome import Outcome
from flashq.tasks.reporter import ClientReporter
from flashq.tasks.run import run_job, timed_out
from flashq.worker.feed import PULL_MS, Feed
from flashq.worker.lanes import Lanes
from flashq.worker.pulse import Pulse
from flashq.worker.settle import RELEASED, Settler
from flashq.worker.threads import Threads

if TYPE_CHECKING:
    from flashq.worker.isolate import Isolation

CONCURRENCY = 10
DRAIN_SECONDS = 30.0
INTERRUPT_SECONDS = 2.0     # for handlers that were interrupted, to clean up
FLUSH_SECONDS = 10.0        # for the server to answer the last of what it is told
MAX_NAMES = 100             # that a pull can ask for
MAX_QUEUES = 100
SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG = logging.getLogger("flashq.worker")

OnOutcome = Callable[[CurrentJob, Outcome], object]


class Worker:
    """Runs jobs of the app's tasks. `queues`: all of its tasks', or these in their order, or `{queue: weight}`.

    `concurrency`: jobs at once. `prefetch`: jobs that wait here besides; unset, as many as are done in 50 ms.
    `drain_timeout`: seconds for what runs when it is to stop; the rest goes back to its queue, uncounted. `max_jobs`:
    after which it stops by itself. `isolation`: each job runs in a process of its own. `on_ready` is called
    when it is connected, `on_outcome` hears how each attempt ended.
    """

    def __init__(
        self, app: App, *, queues: Sequence[str] | Mapping[str, int] | None = None, concurrency: int = CONCURRENCY,
        prefetch: int | None = None, drain_timeout: float = DRAIN_SECONDS, max_jobs: int | None = None,
        isolation: "Isolation | None" = None, on_ready: Callable[[], object] | None = None,
        on_outcome: OnOutcome | None = None,
    ) -> None:
        for name, value, least in (
                ("concurrency", concurrency, 1), ("prefetch", prefetch, 0), ("drain_timeout", drain_timeout, 0)):
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}")
        self.app = app
        self.queues = _queues(app, queues)
        app.check()
        self.concurrency = concurrency
        self.finished = 0
        self._weights = list(queues.values()) if isinstance(queues, Mapping) else None
        self._prefetch = prefetch
        self._drain_timeout = drain_timeout
        self._max_jobs = max_jobs
        self._isolation = isolation
        self._on_ready = on_ready
        self._on_outcome = on_outcome
        self._met = self._missed = False        # there was a connection; there is none now
        self._running: Mapping[int, CurrentJob] = {}
        self._all_ended = True
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._threads = Threads(concurrency)

    # -- from outside -------------------------------------------------------------------------------------------------

    def run_forever(self) -> None:
        """Run in this thread until SIGTERM or SIGINT, on uvloop. A second signal does not wait for what runs."""
        import uvloop  # here: who runs it in a loop of their own may do without

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            runner.run(self._with_signals())
        finally:
            if self._all_ended:     # else closing would wait for a handler that does not heed its cancellation
                runner.close()

    async def run(self) -> None:
        """Run in this loop until `stop`, or until cancelled; then what runs may end within `drain_timeout`.

        It tries to reach the server until that answers, or `stop`. FlashQError when that refuses the token, or what
        pulls ask for.
        """
        client = self.app.new_async_client(
            on_told=self._told, on_connection=self._on_connection, connect_timeout=math.inf)
        try:
            if not await self._connect(client):
                return
            self._warn()
            with self.app.adopted(client):
                await self._work(client)
        finally:
            await client.close()
            self._threads.shutdown()

    def stop(self, hurry: bool = False) -> None:
        """Pull no more, and end when what runs has ended; `hurry`: do not wait for it. In the worker's loop."""
        self._stopping.set()
        if hurry:
            self._hurrying.set()

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    # -- a run --------------------------------------------------------------------------------------------------------

    async def _with_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        await self.run()

    def _signalled(self) -> None:
        if not self._stopping.is_set() and self.running:
            _LOG.info("stopping: %s, up to %g s; a second signal stops at once",
                      _jobs(self.running, "runs", "run"), self._drain_timeout)
        self.stop(hurry=self._stopping.is_set())

    async def _connect(self, client: AsyncFlashQ) -> bool:
        """Whether the server has answered; not when it was stopped meanwhile."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                connecting = asyncio.ensure_future(client.connect())
                await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
                if not connecting.done():
                    connecting.cancel()
                    await asyncio.gather(connecting, return_exceptions=True)
                    return False
                with contextlib.suppress(DeadlineExceeded):
                    connecting.result()
                    return True
            return False
        finally:
            stopping.cancel()

    def _on_connection(self, up: bool, cause: str) -> None:
        server = self.app.endpoint
        cause = cause.removeprefix(f"{server}: ")
        if not up and self._met:
            _LOG.warning("lost the connection to %s, trying again", server)
        elif not up:
            _LOG.warning("no server at %s, trying again%s", server, f" ({cause})" if cause else "")
        elif self._missed:
            _LOG.info("connected %sto %s", "again " if self._met else "", server)
        self._met, self._missed = self._met or up, not up

    def _warn(self) -> None:
        used = {task.queue for task in self.app.tasks.values()}
        for queue in (one for one in self.queues if one not in used):
            _LOG.warning("no task of the app has queue '%s': only jobs named as one of its tasks run from there", queue)

    async def _work(self, client: AsyncFlashQ) -> None:
        self._reporter = ClientReporter(client.call)
        self._settler = Settler(client)
        isolated = None if self._isolation is None else self._isolation.begin(self._reporter)
        self._lanes = Lanes(self.concurrency, self._reporter, isolated.execute if isolated else self._execute,
                            self._ended)
        self._running = self._lanes.running
        pulse = Pulse(self._lanes, self._reporter, lambda: client.connected)
        self._feed = Feed(client, self._lanes, pulse, self._settler, self.concurrency, self._prefetch, self.queues,
                          self._weights, *self._kinds(), max_jobs=self._max_jobs)
        works: tuple[Coroutine[Any, Any, Any], ...] = (
            self._feed.run(), self._stopping.wait(), pulse.run())
        tasks = [asyncio.ensure_future(work) for work in works]
        if self._on_ready is not None:
            self._on_ready()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self._end(tasks)
            if isolated is not None:
                await isolated.close()

    async def _end(self, tasks: "list[asyncio.Task[Any]]") -> None:
        """What waits goes back, what runs may end, and the server hears of all of it."""
        feeding, stopping, pulse = tasks
        stopping.cancel()
        self._feed.stop()
        self._settler.release(self._lanes.take_waiting())
        await self._drain(feeding)
        for task in (feeding, pulse):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._reporter.flush()
                await self._settler.flush()
        self._all_ended = await self._lanes.close()

    async def _drain(self, feeding: "asyncio.Task[Any]") -> None:
        ended = asyncio.gather(self._lanes.empty(), asyncio.wait((feeding,), timeout=2 * PULL_MS / 1000))
        await self._first(ended, self._hurrying.wait(), seconds=self._drain_timeout)
        if self._lanes.running:
            _LOG.warning("%s: %s", _jobs(self.running, "still runs", "still run"),
                         "it is interrupted, and goes back to its queue" if self.running == 1 else
                         "they are interrupted, and go back to their queues")
            self._lanes.stop("shutdown")
            await self._first(self._lanes.empty(), seconds=INTERRUPT_SECONDS)
        # A pull that still waits at the server gets what was just given back, and gives it back once more.
        await asyncio.wait((feeding,), timeout=2 * PULL_MS / 1000)
        for current in self._lanes.running.values():        # threads that heed no one
            self._settler.settle(current.job, RELEASED)
            if self._on_outcome is not None:
                self._on_outcome(current, RELEASED)
        self._lanes.running.clear()

    async def _first(self, *works: Awaitable[object], seconds: float) -> None:
        tasks = [asyncio.ensure_future(work) for work in works]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- a job --------------------------------------------------------------------------------------------------------

    def _execute(self, current: CurrentJob) -> Coroutine[Any, Any, Outcome]:
        current.on_overrun = self._overran
        return run_job(self.app, current.job, executor=self._threads, current=current)

    def _overran(self, current: CurrentJob) -> None:
        """The server has its attempt failed by now; its line does not wait for a thread that may go on for long."""
        current.overdue = True
        if self._on_outcome is not None:
            self._on_outcome(current, timed_out(current))

    def _ended(self, current: CurrentJob, outcome: Outcome) -> None:
        self._settler.settle(current.job, outcome)
        self.finished += 1
        self._feed.room()
        if self._on_outcome is not None and not current.overdue:
            self._on_outcome(current, outcome)
        if self._max_jobs is not None and self.finished >= self._max_jobs:
            self.stop()

    def _told(self, one: Told) -> None:
        if not isinstance(one, Cancelled):
            return
        current = self._lanes.find(one.id)
        if current is None:
            self._lanes.drop(one.id)
        elif current.job.token == one.token:
            current.stop("cancelled")

    def _kinds(self) -> tuple[list[str] | None, list[int] | None]:
        """Names and versions of the jobs to ask for; of more than a pull can name, any, and unknown ones go back."""
        tasks = list(self.app.tasks.values())
        if len(tasks) > MAX_NAMES:
            return None, None
        versions = [task.version for task in tasks]
        named = any(version is not None for version in versions)
        return [task.name for task in tasks], [version or 0 for version in versions] if named else None


def _queues(app: App, given: Iterable[str] | None) -> list[str]:
    """Those given, or those of the app's tasks. ValueError when there are none, too many, or a name cannot be one."""
    queues = list(given or dict.fromkeys(task.queue for task in app.tasks.values()))
    if not queues:
        raise ValueError("the app has no tasks, and so no queues to pull from")
    for queue in queues:
        check_queue_name(queue)
    if len(queues) > MAX_QUEUES:
        raise ValueError(f"a worker pulls from at most {MAX_QUEUES} queues, not {len(queues)}")
    return queues


def _jobs(count: int, runs: str, run: str) -> str:
    return f"1 job {runs}" if count == 1 else f"{count} jobs {run}"
