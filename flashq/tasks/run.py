"""Runs one delivered job through the handler of its task: the Worker does it, and so may a test.

What happens stands here alone: which task it is, middleware, arguments read by type hints, the time it may take, the
result, and what becomes of a failure.
"""
import asyncio
import inspect
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from flashq.client.shapes import Job
from flashq.tasks import tracing
from flashq.tasks.context import CurrentJob, Reporter, _current
from flashq.tasks.errors import (
    Discard,
    JobStopped,
    NamelessJob,
    PredecessorLost,
    PredecessorPending,
    Retry,
    UnknownTask,
    WrongData,
    WrongResult,
)
from flashq.tasks.inputs import data_of
from flashq.tasks.options import milliseconds
from flashq.tasks.outcome import DONE, Outcome, error_text

UNKNOWN_MS = 10_000     # until a job is delivered again whose task this worker does not know
_FINAL = (Discard, NamelessJob, PredecessorLost, WrongData, WrongResult)      # another attempt would only repeat them

if TYPE_CHECKING:
    from flashq.tasks.app import App
    from flashq.tasks.task import Task


async def run_job(
    app: "App", job: Job, *, reporter: Reporter | None = None, executor: Executor | None = None,
    current: CurrentJob | None = None,
) -> Outcome:
    """How an attempt at this delivered job ends. The server is told nothing: `outcome.call(job)` is the call for that.

    It runs the handler of `app.task_of(job)` as a Worker does: hooks before and after, arguments read by the type
    hints, `current_job()` set, interrupted when the job's `timeout` is over or `current.stop(…)` is called. Sync
    handlers run in a thread of `executor`, or of the loop's own. `reporter` carries what the handler tells of its
    progress; without one, the app's client of this loop does. It raises nothing but CancelledError, when the task
    that awaits it is cancelled; whatever a handler raises, SystemExit too, is an outcome.
    """
    if current is None:
        current = CurrentJob(job, reporter or app.reporter())
    mark = _current.set(current)
    timer = None
    if job.timeout:
        timer = asyncio.get_running_loop().call_later(job.timeout / 1000, current.stop, "timeout")
    current.started = time.monotonic()
    task = None
    try:
        task = app.task_of(job)
        if app.hooks.any or tracing.wanted(job, current.started):
            return await _surrounded(app, task, current, executor)
        return _done(task, await _handle(app, task, current, executor))
    except (Exception, SystemExit) as error:
        return _decide(task, current, error)
    except asyncio.CancelledError as error:
        if current.stop_reason is None and _cancelled_from_outside():
            raise
        return _decide(task, current, error)
    finally:
        if timer is not None:
            timer.cancel()
        current.interruptible(None)
        _current.reset(mark)


def _done(task: "Task[..., Any]", value: Any) -> Outcome:
    result = task.parameters.write_result(value)
    return DONE if result is None else Outcome("done", result)


async def _surrounded(app: "App", task: "Task[..., Any]", current: CurrentJob, executor: Executor | None) -> Outcome:
    """With hooks and a span of the trace around it."""
    with tracing.attempt(task.name, current):
        try:
            await app.hooks.before(current)
            outcome = _done(task, await _handle(app, task, current, executor))
            await app.hooks.after(current, outcome.result)
            return outcome
        except PredecessorPending:      # nothing went wrong: it comes again
            raise
        except (Exception, SystemExit) as error:
            await app.hooks.on_error(current, error)
            raise


async def _handle(app: "App", task: "Task[..., Any]", current: CurrentJob, executor: Executor | None) -> Any:
    data = current.job.data
    if data:
        data = await data_of(app, current.job)
    placed, named = task.parameters.unpack(data)
    if task.parameters.injected is not None:
        named[task.parameters.injected] = current
    if task.is_async:
        _interrupt_this(current)
        return await task.function(*placed, **named)
    loop = asyncio.get_running_loop()
    work = partial(_in_thread, partial(copy_context().run, task.function, *placed, **named))
    future = loop.run_in_executor(executor, work)
    current.interruptible(partial(_overran, current))
    failed, value = await future
    if current.stop_reason not in (None, "shutdown"):       # what it did after that counts no more
        raise JobStopped(current.stop_reason) from (value if failed else None)
    if failed:
        raise value
    if inspect.iscoroutine(value):      # of an async function that a decorator has wrapped
        _interrupt_this(current)
        return await value
    return value


def _interrupt_this(current: CurrentJob) -> None:
    task = current.runs_in or asyncio.current_task()
    assert task is not None
    current.interruptible(task.cancel)


def _overran(current: CurrentJob) -> None:
    """A thread cannot be interrupted, but whoever wants to know hears it now."""
    if current.stop_reason == "timeout" and current.on_overrun is not None:
        current.on_overrun(current)


def timed_out(current: CurrentJob, error: BaseException | None = None) -> Outcome:
    """How an attempt ends whose time is over."""
    return Outcome("failed", error=f"timed out after {current.job.timeout / 1000:g} s", exception=error)


def _in_thread(work: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether it failed, and with what: a future takes no StopIteration, and hands on no SystemExit quietly."""
    try:
        return False, work()
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        return True, error
    except BaseException as error:      # a KeyboardInterrupt, which in a thread nobody's Ctrl-C has caused
        return True, RuntimeError(f"the handler raised {error!r}")


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _decide(task: "Task[..., Any] | None", current: CurrentJob, error: BaseException) -> Outcome:
    """What becomes of a job whose handler ended so."""
    stopped = current.stop_reason
    if isinstance(error, asyncio.CancelledError | JobStopped) and stopped is not None:
        _forget_cancel()
        if stopped == "timeout":
            return timed_out(current, error)
        return Outcome("released" if stopped == "shutdown" else "lost", exception=error)
    text = error_text(error)
    if isinstance(error, Retry):
        after = None if error.in_ is None else milliseconds(error.in_, "in_")
        return Outcome("failed" if error.count else "released", error=text, retry_after=after, exception=error)
    if isinstance(error, UnknownTask):
        return Outcome("released", error=text, retry_after=UNKNOWN_MS, exception=error)
    if isinstance(error, PredecessorPending):
        return Outcome("released", error=text, retry_after=error.delay_ms, exception=error)
    final = isinstance(error, _FINAL) or (task is not None and isinstance(error, task.no_retry))
    return Outcome("dead" if final else "failed", error=text, exception=error)


def _forget_cancel() -> None:
    """The cancellation was for the job alone; what runs jobs one after the other goes on."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
