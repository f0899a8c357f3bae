"""A pushed job, as its producer sees it: wait for the result, look at its state, cancel it."""
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flashq.client.call import Call
from flashq.client.calls import management, reading
from flashq.client.refusals import CannotCancel, JobCancelled, JobExpired, JobFailed, JobNotFound, Timeout
from flashq.client.shapes import Job, State
from flashq.tasks.errors import ResultNotKept, ResultNotReady, TaskFailed
from flashq.tasks.plan import Plan
from flashq.tasks.waiting import NOT_KEPT, wait_job

if TYPE_CHECKING:
    from flashq.tasks.task import Task

R = TypeVar("R")
T = TypeVar("T")
OTHER_NAMES = {"get": "result", "wait": "result", "ready": "state", "status": "state", "failed": "state",
               "successful": "state", "traceback": "error", "info": "job", "revoke": "cancel"}
WAIT_MS = 30_000        # of one request; the handle asks again until its own time is over


class Handle(Generic[R]):
    """Of one job. `await handle` is the same as `await handle.result_async()`."""

    __slots__ = ("id", "task")

    def __init__(self, task: "Task[..., R]", id: int) -> None:
        self.task = task
        self.id = id

    def __repr__(self) -> str:
        return f"<Handle {self.id} of {self.task.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other.id == self.id and other.task.app is self.task.app

    def __hash__(self) -> int:
        return hash(self.id)

    def result(self, timeout: float | None = None) -> R:
        """What the handler returned, once it has; `timeout` in seconds, None waits for ever.

        ResultNotReady after that; TaskFailed, which is a refusals.JobFailed, or JobCancelled or JobExpired when there
        will be none; ResultNotKept, which is a refusals.JobNotFound, when the server remembers no more than that the
        job is completed, and JobNotFound when it does not know the job any more.
        """
        return self.task.app.carry_out(self.plan_result(timeout), "result")

    async def result_async(self, timeout: float | None = None) -> R:
        """The same in an event loop."""
        return await self.task.app.carry_out_async(self.plan_result(timeout))

    def __await__(self) -> Generator[Any, None, R]:
        return self.result_async().__await__()

    def state(self) -> State:
        """Of the job, now."""
        return self.task.app.carry_out(one(reading.get_state(self.id)), "state")

    async def state_async(self) -> State:
        """The same in an event loop."""
        return await self.task.app.carry_out_async(one(reading.get_state(self.id)))

    def job(self) -> Job | None:
        """The job as the server shows it, with progress and history; None once it is not kept any more."""
        return self.task.app.carry_out(one(reading.get_job(self.id)), "job")

    async def job_async(self) -> Job | None:
        """The same in an event loop."""
        return await self.task.app.carry_out_async(one(reading.get_job(self.id)))

    def error(self) -> str | None:
        """The text of the job's last failure, as of now; None when no attempt has failed, or the job is not kept."""
        return self.task.app.carry_out(self._error(), "error")

    async def error_async(self) -> str | None:
        """The same in an event loop."""
        return await self.task.app.carry_out_async(self._error())

    def cancel(self) -> None:
        """Remove the job; a handler that runs is interrupted. refusals.JobNotFound or CannotCancel when it ended."""
        self.task.app.carry_out(self._named(one(management.cancel(self.id))), "cancel")

    async def cancel_async(self) -> None:
        """The same in an event loop."""
        await self.task.app.carry_out_async(self._named(one(management.cancel(self.id))))

    if not TYPE_CHECKING:       # type checkers say it by themselves
        def __getattr__(self, name):
            raise no_attribute(self, name, OTHER_NAMES)

    def plan_result(self, timeout: float | None) -> Plan[R]:
        """The calls of `result`."""
        try:
            plain = yield from self._named(self._wait(timeout))
        except JobFailed as error:
            job = yield reading.get_job(self.id)
            raise TaskFailed(self.id, self.task.name, _error_of(job), job and job.reason) from error
        if plain is NOT_KEPT:
            raise ResultNotKept(self.id, self.task.name)
        result: R = self.task.parameters.read_result(plain)
        return result

    def _error(self) -> Plan[str | None]:
        return _error_of((yield reading.get_job(self.id)))

    def _named(self, plan: Plan[T]) -> Plan[T]:
        """A refusal names the job."""
        try:
            return (yield from plan)
        except (JobNotFound, JobCancelled, JobExpired, CannotCancel) as error:
            text = f"job {self.id} of {self.task.name}: {error}"
            raise type(error)(text, error.command, sent_again=error.sent_again) from None

    def _wait(self, timeout: float | None) -> Plan[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = WAIT_MS if end is None else max(0, min(WAIT_MS, int((end - time.monotonic()) * 1000)))
            try:
                return (yield wait_job(self.id, left))
            except Timeout:
                if end is not None and time.monotonic() >= end:
                    raise ResultNotReady(f"job {self.id} of {self.task.name} has not ended within {timeout:g} s"
                                         ) from None


def one(call: Call[T]) -> Plan[T]:
    """A plan of one call."""
    reply: T = yield call
    return reply


def _error_of(job: Job | None) -> str | None:
    """Of a dead letter its whole text, of another job what the history keeps of it."""
    if job is None:
        return None
    if job.state == "failed" and job.progress_msg:
        return job.progress_msg
    return job.history[-1].error if job.history else None


def no_attribute(thing: object, name: str, others: Mapping[str, str]) -> AttributeError:
    """As Python says it, with the name that it has here."""
    ours = f"; what you look for is called '{others[name]}' here" if name in others else ""
    return AttributeError(f"'{type(thing).__name__}' object has no attribute '{name}'{ours}", name=name, obj=thing)
