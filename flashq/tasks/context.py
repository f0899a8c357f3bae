"""The job that a handler works on: `current_job()`, or a parameter annotated with CurrentJob."""
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Protocol

from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.calls import management
from flashq.tasks.errors import JobStopped

if TYPE_CHECKING:
    import asyncio

    from flashq.client.shapes import Job

StopReason = Literal["cancelled", "lost", "timeout", "shutdown"]


class Reporter(Protocol):
    """Carries what a handler tells of its job to the server, without making it wait. May be called in any thread."""

    def report(self, current: "CurrentJob", call: Call[Any]) -> None:
        """Send it soon, in order. A refusal that says that the job is lost stops it."""
        ...


class CurrentJob:
    """A delivered job, while its handler runs. Its methods never wait, and may be used in any thread."""

    __slots__ = (
        "_interrupt", "_reporter", "_stopped", "job", "on_overrun", "overdue", "runs_in", "started", "stop_reason",
    )

    def __init__(self, job: "Job", reporter: Reporter) -> None:
        self.job = job
        self.stop_reason: StopReason | None = None
        self.started = 0.0                                      # monotonic seconds
        self.runs_in: asyncio.Task[Any] | None = None           # unset: the one that is current when it begins
        self.on_overrun: Callable[[CurrentJob], object] | None = None   # its time is over, and its thread goes on
        self.overdue = False                                    # that was told
        self._reporter = reporter
        self._stopped: threading.Event | None = None
        self._interrupt: Callable[[], object] | None = None     # breaks the handler's wait, in its loop

    @property
    def id(self) -> int:
        """Of the job."""
        return self.job.id

    @property
    def queue(self) -> str:
        """Its queue."""
        return self.job.queue

    @property
    def name(self) -> str | None:
        """Of the task, as the job says it."""
        return self.job.name

    @property
    def attempt(self) -> int:
        """Which attempt this is: 1 is the first."""
        return self.job.attempts + 1

    @property
    def last_attempt(self) -> bool:
        """Whether a failure now is final."""
        return 0 < self.job.max_attempts <= self.attempt

    def progress(self, percent: float, message: str | None = None) -> None:
        """Note how far it is, 0 to 100. It renews the reservation."""
        if not 0 <= percent <= 100:
            raise ValueError(f"progress must be from 0 to 100, not {percent}")
        self._reporter.report(self, calls.progress(self.job, percent, message))

    def log(self, message: str, level: str = "info") -> None:
        """Add a line to the job's log, of which the server keeps the newest 100."""
        self._reporter.report(self, management.log(self.job, message, level))

    def heartbeat(self) -> None:
        """Renew the reservation. A worker does that by itself."""
        self._reporter.report(self, calls.heartbeat(self.job))

    @property
    def cancelled(self) -> bool:
        """Whether its work is for nothing: it was cancelled, ran out of time, or is another worker's by now."""
        return self.stop_reason is not None

    def check_cancelled(self) -> None:
        """JobStopped if so. For sync handlers, between steps; async ones are interrupted by themselves."""
        if self.stop_reason is not None:
            raise JobStopped(self.stop_reason)

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleep, in a sync handler, but no longer than until it is cancelled; whether it is."""
        if self._stopped is None:
            self._stopped = threading.Event()
        if self.stop_reason is not None:
            return True
        return self._stopped.wait(seconds)

    # -- for what runs it ---------------------------------------------------------------------------------------------

    def interruptible(self, interrupt: Callable[[], object] | None) -> None:
        """What `stop` calls from now on; at once if it was stopped before."""
        self._interrupt = interrupt
        if interrupt is not None and self.stop_reason is not None:
            interrupt()

    def stop(self, reason: StopReason) -> None:
        """Its work is for nothing: interrupt an async handler, let a sync one know. Only the first time counts.

        In the thread of the loop that runs it.
        """
        if self.stop_reason is not None:
            return
        self.stop_reason = reason
        if self._stopped is not None:
            self._stopped.set()
        if self._interrupt is not None:
            self._interrupt()


_current: ContextVar[CurrentJob] = ContextVar("flashq-job")


def current_job() -> CurrentJob:
    """The job that this code works on. LookupError outside of a handler."""
    try:
        return _current.get()
    except LookupError:
        raise LookupError("no job runs here: current_job() is for handlers") from None
