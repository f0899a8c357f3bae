"""What handlers may do and say: failures, retries, cancellation, progress, hooks, context, traces."""

import asyncio
import contextvars
import functools
import os
import sys
import threading
import time
from typing import Any

import pytest

from flashq import App, Backoff, CurrentJob, Discard, Middleware, Retry, current_job
from flashq.client import AsyncFlashQ, FlashQ, Job, refusals
from flashq.tasks import run_job
from flashq.tasks.reporter import ClientReporter
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import eventually, reason_after_discard, working


@pytest.fixture
def app(server: ServerProcess, queue_name: str) -> App:
    return App(url_of(server), queue=queue_name)


async def ended(handle: Any) -> Job:
    """The job of a handle, once it is dead."""
    with pytest.raises(refusals.JobFailed):
        await handle.result_async(20)
    job = await handle.job_async()
    assert job is not None
    return job


async def test_a_failure_is_told_with_the_frames_of_the_handler(app: App) -> None:
    @app.task(retries=0)
    def broken(n: int) -> float:
        return n / 0

    async with working(app):
        job = await ended(await broken.push_async(1))
    lines = (job.progress_msg or "").splitlines()
    assert lines[0] == "ZeroDivisionError: division by zero"
    assert "in broken" in lines[1] and "return n / 0" in lines[2] and len(lines) == 3 + ("^" in lines[-1])


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_whatever_a_handler_raises_is_an_attempt_that_failed(app: App, kind: str) -> None:
    def do(what: str) -> None:
        if what == "exit":
            sys.exit(3)
        if what == "stop":
            raise StopIteration(1)
        if what == "interrupt":
            raise KeyboardInterrupt
        raise asyncio.CancelledError

    async def do_async(what: str) -> None:
        do(what)

    task = app.task(retries=0, name="do")(do if kind == "sync" else do_async)
    kinds = [("exit", "SystemExit: 3"), ("stop", "StopIteration"), ("cancel", "CancelledError")]
    kinds += [("interrupt", "KeyboardInterrupt")] if kind == "sync" else []
    async with working(app, concurrency=1) as worker:
        for what, said in kinds:
            job = await ended(await task.push_async(what))
            assert said in (job.progress_msg or ""), (what, job.progress_msg)
        assert worker.finished == len(kinds)


async def test_retry_and_discard_and_what_no_retry_can_mend(app: App) -> None:
    attempts: list[int] = []

    @app.task(backoff=Backoff(60))
    async def again(job: CurrentJob, what: str) -> str:
        attempts.append(job.attempt)
        if len(attempts) < 3:
            raise Retry("not yet", in_=0.05, count=what == "counted")
        return what

    @app.task(no_retry=[KeyError])
    async def hopeless(why: str) -> None:
        if why == "key":
            raise KeyError(why)
        raise Discard("of no use")

    async with working(app):
        assert await (await again.push_async("counted")).result_async(20) == "counted"
        assert attempts == [1, 2, 3]
        attempts.clear()
        assert await (await again.push_async("free")).result_async(20) == "free"
        assert attempts == [1, 1, 1]
        for why, said in (("key", "KeyError"), ("", "Discard: of no use")):
            job = await ended(await hopeless.push_async(why))
            assert said in (job.progress_msg or "") and len(job.history) == 1


async def test_retries_wait_exactly_as_documented(app: App) -> None:
    due: dict[str, list[int]] = {"doubling": [], "linear": [], "jittered": []}

    def task_of(name: str, backoff: Backoff) -> Any:
        @app.task(name=name, retries=3, backoff=backoff)
        async def fails(job: CurrentJob) -> None:
            due[name].append(job.job.run_at)
            raise ValueError

        return fails

    tasks = {"doubling": task_of("doubling", Backoff(0.1, jitter=0)), "jittered": task_of("jittered", Backoff(0.1)),
             "linear": task_of("linear", Backoff(0.1, jitter=0, type="linear", max=0.25))}
    async with working(app):
        handles = {name: await task.push_async() for name, task in tasks.items()}
        waits = {}
        for name, handle in handles.items():
            history = (await ended(handle)).history
            waits[name] = [at - one.ended_at for at, one in zip(due[name][1:], history, strict=False)]
    assert waits["doubling"] == [100, 200, 400] and waits["linear"] == [100, 200, 250]
    assert all(full / 2 <= wait <= full for full, wait in zip((100, 200, 400), waits["jittered"], strict=True)), waits


async def test_data_and_results_that_do_not_fit_are_dead_at_once(app: App, server: ServerProcess) -> None:
    @app.task
    async def typed(n: int) -> int:
        return "five" if n == 5 else object() if n == 6 else n      # type: ignore[return-value]

    @app.task
    async def large() -> str:
        return "x" * 2_000_000

    @app.task
    def unhinted(n):
        return threading.Lock()

    async with working(app):
        async with AsyncFlashQ(url_of(server)) as client:
            strange = await client.push(app.queue, {"n": "1"}, name="typed")
            extra = await client.push(app.queue, {"n": 1, "m": 2}, name="typed")
            naked = await client.push(app.queue, [1], name="typed")
        for handle, said in (
            (typed.handle(strange), "argument 'n' must be int, not str '1'"),
            (typed.handle(extra), "unexpected argument 'm'"), (typed.handle(naked), "must be an object"),
            (await typed.push_async(5), "the result must be int, not str 'five'"),
            (await typed.push_async(6), "the result must be int, not object"),
            (await large.push_async(), "the result was refused"), (await unhinted.push_async(1), "the result is lock"),
        ):
            job = await ended(handle)
            assert said in (job.progress_msg or ""), job.progress_msg
            assert len(job.history) == 1 and job.max_attempts != 1


async def test_jobs_without_a_name(server: ServerProcess, queue_name: str) -> None:
    app = App(url_of(server), queue=queue_name)

    @app.task
    async def only(n: int) -> int:
        return n

    @app.task(queue=f"{queue_name}-2")
    async def one() -> None: ...

    @app.task(queue=f"{queue_name}-2")
    async def two() -> None: ...

    async with working(app), AsyncFlashQ(url_of(server)) as client:
        assert await client.wait_job(await client.push(queue_name, {"n": 4})) == 4
        job = await ended(one.handle(await client.push(f"{queue_name}-2", {})))
        assert "has no name" in (job.progress_msg or "")


async def test_jobs_of_unknown_tasks_are_left_to_others(server: ServerProcess, queue_name: str) -> None:
    small, large = App(url_of(server), queue=queue_name), App(url_of(server), queue=queue_name)
    for n in range(101):        # more than a pull can name
        large.task(name=f"task-{n}")(lambda: None)
    small.task(name="task-0")(lambda: None)
    async with AsyncFlashQ(url_of(server)) as client:
        id = await client.push(queue_name, {}, name="newer")
        async with working(small) as worker:
            assert await (await small.tasks["task-0"].push_async()) is None
            assert await client.get_state(id) == "waiting"
        async with working(large) as worker:
            await eventually(lambda: worker.finished == 1)
        job = await client.get_job(id)
    assert job is not None and (job.state, job.attempts) == ("delayed", 0)
    assert 0 < job.run_at - time.time() * 1000 <= 10_000


async def test_a_cancellation_reaches_the_handler_at_once(app: App) -> None:
    seen: list[str] = []

    @app.task
    async def waits() -> None:
        try:
            seen.append("began")
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("interrupted")
            raise

    @app.task
    def polls(job: CurrentJob) -> None:
        seen.append("polling")
        while not job.wait_cancelled(0.01):
            pass
        seen.append(str(current_job().stop_reason))
        job.check_cancelled()

    @app.task
    async def after() -> str:
        current = asyncio.current_task()
        return f"{current.cancelling() if current else None}"

    async with working(app, concurrency=1):
        handle = await waits.push_async()
        await eventually(lambda: seen == ["began"])
        await handle.cancel_async()
        await eventually(lambda: seen == ["began", "interrupted"], 5)
        handle = await polls.push_async()
        await eventually(lambda: seen[2:] == ["polling"])
        await handle.cancel_async()
        await eventually(lambda: seen[2:] == ["polling", "cancelled"], 5)
        assert await (await after.push_async()).result_async(10) == "0"     # nothing is left for the next job
        assert await handle.state_async() == "unknown"


async def test_a_lost_reservation_interrupts(app: App, server: ServerProcess) -> None:
    """The server says so at the next thing that the handler tells."""
    async def tells(job: CurrentJob) -> None:
        while True:
            job.progress(5)
            await asyncio.sleep(0.02)

    assert await reason_after_discard(app, server, tells) == "lost"


async def test_a_timeout_interrupts_and_counts(app: App) -> None:
    @app.task(timeout=0.1, retries=0)
    async def slow() -> None:
        await asyncio.sleep(100)

    @app.task(timeout=0.1, retries=0)
    def stubborn(job: CurrentJob) -> None:
        while not job.cancelled:
            time.sleep(0.01)
        job.check_cancelled()

    async with working(app):
        for task in (slow, stubborn):
            job = await ended(await task.push_async())
            assert job.reason in ("failed", "timeout")


async def test_progress_log_and_the_job_itself(app: App, server: ServerProcess) -> None:
    @app.task
    def steps(job: CurrentJob, n: int) -> dict[str, Any]:
        for step in range(n):
            job.log(f"step {step}")
        job.progress(40, "page 4 of 10")
        inner = current_job()
        with pytest.raises(ValueError, match="0 to 100"):
            job.progress(101)
        return {"same": inner is job, "id": job.id, "queue": job.queue, "attempt": job.attempt,
                "last": job.last_attempt, "name": job.name}

    async with working(app):
        handle = await steps.push_async(n=3)
        assert await handle == {"same": True, "id": handle.id, "queue": app.queue, "attempt": 1, "last": False,
                                "name": "steps"}
    with FlashQ(url_of(server)) as client:
        assert [line.message for line in client.get_logs(handle.id)] == ["step 0", "step 1", "step 2"]
        shown = client.get_job(handle.id)
        assert shown is not None and shown.progress_msg == "page 4 of 10"
    with pytest.raises(LookupError, match="no job runs here"):
        current_job()


async def test_a_task_that_is_called_works_on_the_job_of_its_caller(app: App) -> None:
    @app.task
    async def inner(job: CurrentJob, n: int, m: int = 2) -> tuple[int, int, int]:
        return job.id, n, m

    @app.task
    def last(n: int, job: CurrentJob) -> tuple[int, int]:
        return job.id, n

    @app.task
    async def outer(job: CurrentJob) -> bool:
        assert last(1) == last(n=1) == (job.id, 1)
        return await inner(1) == await inner(n=1) == await inner.function(job, 1) == (job.id, 1, 2)

    async with working(app):
        assert await (await outer.push_async()) is True
    with pytest.raises(LookupError):
        await inner(n=1)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_handlers_push_jobs_themselves(app: App, kind: str) -> None:
    @app.task
    def double(n: int) -> int:
        return 2 * n

    @app.task
    def asks_sync(n: int) -> list[int]:
        many = double.push_many([(n,), (n + 1,)])
        return [one.result(20) for one in many.handles]

    @app.task
    async def asks_async(n: int) -> list[int]:
        many = await double.push_many_async([(n,), (n + 1,)])
        return [await one for one in many.handles]

    task = asks_sync if kind == "sync" else asks_async
    async with working(app):
        assert await (await task.push_async(5)) == [10, 12]
    app.close()


async def test_hooks_run_around_the_handler(app: App) -> None:
    seen: list[Any] = []
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")

    class Tenant(Middleware):
        async def before(self, job: CurrentJob) -> None:
            tenant.set(job.job.tags[0])
            if job.job.tags[0] == "evil":
                raise Discard("no such tenant")

        def after(self, job: CurrentJob, result: Any) -> None:
            seen.append(("after class", result))

    app.use(Tenant())

    @app.before
    def note(job: CurrentJob) -> None:
        seen.append(("before", job.attempt))

    @app.after
    async def note_after(job: CurrentJob, result: Any) -> None:
        seen.append(("after", result))

    @app.on_error
    def note_error(job: CurrentJob, error: BaseException) -> None:
        seen.append(("error", str(error)))

    @app.task(tags=["acme"], retries=0)
    def whose(fail: bool) -> str:
        if fail:
            raise ValueError("bad")
        return tenant.get()

    async with working(app):
        assert await (await whose.push_async(False)) == "acme"
        assert seen == [("before", 1), ("after", "acme"), ("after class", "acme")]
        seen.clear()
        await ended(await whose.push_async(True))
        assert seen == [("before", 1), ("error", "bad")]
        seen.clear()
        await ended(await whose.using(tags=["evil"]).push_async(False))
        assert seen == [("error", "no such tenant")]


async def test_context_variables_do_not_leak_from_job_to_job(app: App) -> None:
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)

    @app.task
    async def leaks(n: int, wait: bool) -> int:
        before = var.get()
        var.set(n)
        if wait:
            await asyncio.sleep(0)
        assert var.get() == n
        return before

    async with working(app, concurrency=2):
        many = await leaks.push_many_async([(n, n % 2 == 0) for n in range(1, 50)])
        assert [await one for one in many.handles] == [0] * 49


async def test_run_job_alone(app: App, server: ServerProcess) -> None:
    """What a test harness needs: pull, run, and tell the outcome."""
    @app.task
    async def double(job: CurrentJob, n: int) -> int:
        job.progress(50)
        return 2 * n

    async with AsyncFlashQ(url_of(server)) as client:
        handle = await double.push_async(4)
        job = await client.pull(app.queue)
        assert job is not None
        reporter = ClientReporter(client.call)
        outcome = await run_job(app, job, reporter=reporter)
        await reporter.flush()
        assert (outcome.kind, outcome.result) == ("done", 8)
        call = outcome.call(job)
        assert call is not None
        await client.call(call)
        assert await handle == 8
    await app.close_async()


async def test_a_thousand_at_once(app: App) -> None:
    top = now = 0

    @app.task
    async def together(n: int) -> int:
        nonlocal top, now
        now += 1
        top = max(top, now)
        while top < 1000:
            await asyncio.sleep(0.005)
        now -= 1
        return n

    async with working(app, concurrency=1000):
        many = await together.push_many_async([(n,) for n in range(1000)])
        assert await asyncio.gather(*(one.result_async(60) for one in many.handles)) == list(range(1000))
    assert top == 1000


async def test_functions_of_every_kind(app: App) -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **named: Any) -> Any:
            return function(*args, **named)

        return wrapper

    @app.task
    @logged
    async def decorated(n: int) -> int:
        await asyncio.sleep(0)
        return n + 1

    @app.task
    def open_ended(first: int, /, *rest: int, flag: bool = False, **named: str) -> list[Any]:
        return [first, list(rest), flag, named]

    class Shop:
        factor = 2

        def twice(self, n: int) -> int:
            return self.factor * n

    called = app.task(Shop().twice)
    with pytest.raises(TypeError, match="not of a partial"):
        app.task(functools.partial(max, 1))
    async with working(app):
        assert await (await decorated.push_async(1)) == 2
        assert await (await called.push_async(4)) == 8
        assert await (await open_ended.push_async(1, 2, 3, flag=True, a="b")) == [1, [2, 3], True, {"a": "b"}]
        assert await (await open_ended.push_async(1)) == [1, [], False, {}]


async def test_sync_handlers_run_side_by_side(app: App) -> None:
    barrier = threading.Barrier(8)

    @app.task
    def meet() -> int:
        barrier.wait(20)
        return os.getpid()

    async with working(app, concurrency=8):
        many = await meet.push_many_async([()] * 8)
        assert {await one for one in many.handles} == {os.getpid()}
