"""Tasks as producers use them: what push refuses, what it sends, how results come back."""

import asyncio
import dataclasses
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flashq import App, Backoff
from flashq.client import FlashQ, refusals
from flashq.client.results import CronEntry
from flashq.tasks import ResultNotReady, TaskFailed, WrongArgument
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import soon, working


@pytest.fixture
def app(server: ServerProcess, queue_name: str) -> App:
    return App(url_of(server), queue=queue_name)


@dataclasses.dataclass
class Order:
    number: int
    when: datetime
    lines: list[str] = dataclasses.field(default_factory=list)


async def test_sync_and_async_handlers_give_results(app: App) -> None:
    @app.task
    def add(a: int, b: int = 2) -> int:
        return a + b

    @app.task
    async def later(order: Order, days: int) -> Order:
        return dataclasses.replace(order, when=order.when + timedelta(days=days))

    order = Order(7, datetime(2026, 5, 1, tzinfo=UTC), ["tea"])
    async with working(app):
        assert await (await add.push_async(1)) == 3
        assert await (await add.push_async(1, b=5)).result_async(10) == 6
        handle = await later.push_async(order, days=2)
        assert await later.result_async(handle.id, 10) == Order(7, datetime(2026, 5, 3, tzinfo=UTC), ["tea"])
    assert add(1) == 3 and await later(order, 0) == order


async def test_methods_for_threads(app: App) -> None:
    @app.task
    def double(n: int) -> int:
        return 2 * n

    def produce() -> list[int]:
        first = double.push(1)
        many = double.push_many([(2,), {"n": 3}])
        assert many.refused == []
        at = double.push_at(datetime.now() + timedelta(milliseconds=50), 4)
        soon = double.push_in(0.05, 5)
        assert double.result(first, 10) == 2
        results = [one.result(10) for one in (first, *many.handles, at, soon)]
        assert first.state() == "completed" and (job := first.job()) and job.data == {"n": 1}
        return results

    async with working(app):
        assert await asyncio.to_thread(produce) == [2, 4, 6, 8, 10]
    app.close()


async def test_a_blocking_push_in_a_loop_is_refused_and_says_what_to_use(app: App) -> None:
    @app.task
    def nothing() -> None: ...

    for call in (nothing.push, lambda: nothing.push_many([]), lambda: nothing.schedule(every=5)):
        with pytest.raises(RuntimeError, match=r"_async\(\)"):
            call()


@pytest.mark.parametrize(
    ("args", "named", "parameter", "text"),
    [
        (("1",), {}, "a", "argument 'a' must be int, not str '1'"),
        ((True,), {}, "a", "argument 'a' must be int, not True"),
        ((1,), {"b": [1, "x"]}, "b", r"argument 'b'\[1\] must be int"),
        ((), {}, "a", "missing a required argument: 'a'"),
        ((1,), {"c": 1}, "c", "unexpected keyword argument 'c'"),
        ((1,), {"order": Order("7", datetime.now())}, "order", r"argument 'order'.number must be int"),
        ((), {"aa": 1}, "aa", "unexpected keyword argument 'aa'; it takes a, b, order, free"),     # not that 'a' lacks
        ((1,), {"free": object()}, "free", "cannot be sent, whatever the type hint|with a type hint"),
        ((1,), {"free": {"x": [float("nan")]}}, "free", r"\['x'\]\[0\] must be a finite number"),
        ((2**64,), {}, "a", "64 bits"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    args: tuple[Any, ...], named: dict[str, Any], parameter: str, text: str
) -> None:
    app = App("flashq://127.0.0.1:1")

    @app.task
    def work(a: int, b: list[int] | None = None, order: Order | None = None, free=None) -> None: ...

    with pytest.raises(WrongArgument, match=text) as caught:
        work.push(*args, **named)
    assert caught.value.parameter == parameter


def test_a_type_that_cannot_go_over_the_wire_is_refused_when_the_task_is_made() -> None:
    app = App()
    with pytest.raises(TypeError, match=r"work: parameter 'file': .*socket"):
        @app.task
        def work(file: "list[__import__('socket').socket]") -> None: ...
    with pytest.raises(TypeError, match="unknown option 'retrys'"):
        app.task(retrys=3)(lambda: None)    # type: ignore[call-arg]


def test_two_tasks_of_one_name_are_refused() -> None:
    app = App()

    @app.task(name="send")
    def one() -> None: ...

    with pytest.raises(ValueError, match="two tasks are called 'send'"):
        @app.task(name="send")
        def two() -> None: ...


def test_defaults_and_settings_arrive_at_the_server(server: ServerProcess, queue_name: str) -> None:
    app = App(url_of(server), queue=queue_name)

    @app.task
    def plain() -> None: ...

    @app.task(name="full", queue=f"{queue_name}-2", retries=2, backoff=Backoff(3, max=60, jitter=0, type="linear"),
              timeout=1.5, ttl=timedelta(minutes=1), stall_timeout=2, tags=["x"], group=lambda a: f"g{a}",
              unique=lambda a: f"u{a}", lifo=True, remove_on_complete=True, keep_result=60, version=3, priority=4)
    def full(a: int) -> None: ...

    with FlashQ(url_of(server)) as client:
        job = client.get_job(plain.push().id)
        assert job is not None and (job.name, job.max_attempts, job.timeout) == ("plain", 5, 0)
        assert job.retry == {"type": "exponential", "delay": 5000, "max": 3_600_000, "jitter": 0.5}
        job = client.get_job(full.using(priority=9, delay=100).push(7).id)
        assert job is not None and job.retry == {"type": "linear", "delay": 3000, "max": 60_000, "jitter": 0}
        told = (job.queue, job.max_attempts, job.timeout, job.ttl, job.stall_timeout, job.tags, job.group_id)
        assert told == (f"{queue_name}-2", 3, 1500, 60_000, 2000, ["x"], "g7")
        assert (job.unique_key, job.lifo, job.remove_on_complete, job.version, job.priority, job.state) == (
            "full:u7", True, True, 3, 9, "delayed")
        assert (job.keep_completed_age, job.data) == (60_000, {"a": 7})
    app.close()


def test_a_unique_job_is_there_once(app: App) -> None:
    @app.task(unique=True)
    def once(n: int) -> None: ...

    first = once.push(1)
    assert once.push(n=1) == first and once.push(2) != first
    with pytest.raises(refusals.DuplicateKey):
        once.using(on_duplicate="error").push(1)
    app.close()


def test_schedules(app: App, server: ServerProcess, queue_name: str) -> None:
    @app.task(priority=3)
    def report(day: str) -> None: ...

    report.schedule("30 2 * * *", tz="Europe/Berlin", name=queue_name, args=("monday",), overlap=False)
    with FlashQ(url_of(server)) as client:
        (entry,) = [one for one in client.list_crons() if one.name == queue_name]
        assert (entry.schedule, entry.tz, entry.queue, entry.data) == (
            "30 2 * * *", "Europe/Berlin", queue_name, {"day": "monday"})
        report.schedule(every=0.05, name=queue_name, kwargs={"day": "now"}, limit=1)
        job = client.pull(queue_name, timeout=10_000)
        assert job is not None and (job.name, job.data, job.priority, job.max_attempts) == (
            "report", {"day": "now"}, 3, 5)
    with pytest.raises(WrongArgument):
        report.schedule("* * * * *", args=(5,))
    with pytest.raises(TypeError, match="either cron or every"):
        report.schedule()
    report.schedule(every=60, name=queue_name, args=("x",))
    report.unschedule(queue_name)
    app.close()


def test_a_result_that_is_not_there_yet(app: App) -> None:
    @app.task
    def never() -> None: ...

    handle = never.push()
    begun = time.monotonic()
    with pytest.raises(ResultNotReady):
        handle.result(timeout=0.1)
    assert time.monotonic() - begun >= 0.1
    handle.cancel()
    with pytest.raises(refusals.JobNotFound):
        handle.result(timeout=5)
    app.close()


def test_a_schedule_that_is_there_already_stays_as_it_is(app: App, server: ServerProcess, queue_name: str) -> None:
    """A program says it at each start, and in each of its processes: the next slot must not move."""
    @app.task(name=queue_name, queue=queue_name, priority=2, timeout=5, tags=["a"], unique=True, retries=None, delay=0)
    def report(day: str) -> None: ...

    def entry() -> CronEntry:
        (found,) = [one for one in client.list_crons() if one.name == queue_name]
        return found

    with FlashQ(url_of(server)) as client:
        first = report.schedule(every=3600, args=("x",), overlap=False, limit=7)
        assert first.name == queue_name and first.changed and first.next_run is not None
        assert round(first.next_run.timestamp() * 1000) == entry().next_run
        assert first.next_run.utcoffset() == timedelta(0)
        soon(lambda: time.time() * 1000 > entry().next_run - 3600_000 + 5)      # written again, it would move
        assert report.schedule(every=3600, args=("x",), overlap=False, limit=7).changed is False
        assert entry().next_run == round(first.next_run.timestamp() * 1000)
        with pytest.raises(ValueError, match="has another schedule without a name"):
            report.schedule("0 8 * * *", args=("x",))
        assert entry().repeat_every == 3600_000
        second = App(url_of(server), queue=queue_name)      # the program with changed code
        later = second.task(name=queue_name)(report.function)
        for change in ({"every": 60}, {"cron": "0 8 * * *"}, {"cron": "0 8 * * *", "tz": "Europe/Berlin"}):
            second.unnamed_schedules.clear()
            assert later.schedule(args=("x",), **change).changed        # type: ignore[arg-type]
            assert not later.schedule(args=("x",), **change).changed    # type: ignore[arg-type]
        second.unnamed_schedules.clear()
        assert later.schedule("0 8 * * *", tz="Europe/Berlin", args=("y",)).changed and entry().data == {"day": "y"}
        later.unschedule()
        assert later.schedule(every=5, args=("x",)).changed
        later.unschedule()
        second.close()


async def test_a_failed_job_says_which_and_why(app: App) -> None:
    @app.task(retries=1, backoff=0.01)
    async def pay(amount: int) -> None:
        raise KeyError(f"no account for {amount}")

    @app.task(no_retry=[ValueError])
    async def fetch() -> str:
        raise ValueError("no such page")

    @app.task
    async def nap() -> None:
        await asyncio.sleep(60)

    async with working(app, drain_timeout=0):
        handle = await fetch.push_async()
        with pytest.raises(refusals.JobFailed, match=f"job {handle.id} of fetch failed: ValueError: no such") as told:
            await handle
        error = told.value
        assert isinstance(error, TaskFailed)
        assert (error.job_id, error.task, error.error_type) == (handle.id, "fetch", "ValueError")
        assert error.error is not None and "in fetch" in error.error and error.error == await handle.error_async()
        other = await pay.push_async(5)
        with pytest.raises(TaskFailed, match="KeyError: 'no account for 5'"):
            await other.result_async(20)
        sleeps = await nap.push_async()
        assert await sleeps.error_async() is None
        await sleeps.cancel_async()
        for call in (sleeps.result_async(5), sleeps.cancel_async()):
            with pytest.raises(refusals.JobNotFound, match=f"job {sleeps.id} of nap: "):
                await call


def test_the_names_of_other_libraries_lead_to_ours(app: App) -> None:
    @app.task
    def nothing() -> None: ...

    for thing, name, ours in ((nothing, "delay", "push"), (nothing, "apply_async", "push"), (nothing, "s", "step"),
                              (nothing.handle(1), "get", "result")):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'; what you look for is called '{ours}' here"):
            getattr(thing, name)
        assert hasattr(thing, ours)
    with pytest.raises(AttributeError, match=r"'Task' object has no attribute 'pusj'$"):
        nothing.pusj  # type: ignore[attr-defined]  # noqa: B018
