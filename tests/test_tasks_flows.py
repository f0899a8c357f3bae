"""Chains, groups and flows: the order, the results that are handed on, and what a failure does to those that wait."""

from typing import Any

import pytest

from conftest import StartServer
from flashq import App, Discard, Handle
from flashq.client import FlashQ, refusals
from flashq.tasks import TaskFailed, WrongArgument, chain, flow, group
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import eventually, working


@pytest.fixture
def app(server: ServerProcess, queue_name: str) -> App:
    app = App(url_of(server), queue=queue_name)

    @app.task
    async def add(a: int, b: int) -> int:
        return a + b

    @app.task(queue=f"{queue_name}-2")
    def square(n: int) -> int:
        return n * n

    @app.task
    def total(numbers: list[int], label: str = "sum") -> str:
        return f"{label} {sum(numbers)}"

    @app.task
    async def broken() -> int:
        raise Discard("no luck")

    return app


async def test_a_chain_hands_results_on(app: App) -> None:
    add, square, total = app.tasks["add"], app.tasks["square"], app.tasks["total"]
    async with working(app):
        first = add.using(remove_on_complete=True).step(1, 2)
        last = await chain(first, square.step(), add.step(b=5)).push_async()
        assert await last.result_async(20) == 14
        (middle,) = await _waited_for(last)
        (begun,) = await _waited_for(square.handle(middle))
        for id in (middle, begun):      # kept for those that wait, whatever else is completed meanwhile
            job = await add.handle(id).job_async()
            assert job is not None and (job.keep_completed_age, job.remove_on_complete) == (24 * 3600 * 1000, False)
        steps = chain(add.step(1, 2), group(square.step(), add.step(b=1), square.step(9)), total.step(label="all"))
        assert await (await steps.push_async()) == "all 94"
        assert await (await add.step(2, 2).push_async()) == 4
        assert await (await chain(add.step(1, 1), square.step(5)).push_async()) == 25     # nothing is missing


async def _waited_for(handle: Handle[Any]) -> list[int]:
    job = await handle.job_async()
    assert job is not None
    return job.children_ids or job.depends_on


async def test_groups_and_their_callbacks(app: App) -> None:
    add, square, total = app.tasks["add"], app.tasks["square"], app.tasks["total"]
    async with working(app, concurrency=50):
        handle = await group(square.step(2), add.step(1, 1), square.step(3)).push_async()
        assert await handle.results_async(20) == [4, 2, 9]
        assert await (await group(*(square.step(n) for n in range(200))).then(total.step()).push_async()
                      ) == f"sum {sum(n * n for n in range(200))}"
        assert await (await flow(total.step(), [add.step(1, 2), square.step(3)]).push_async()) == "sum 12"
        assert await (await flow(square.step(7), [add.step(1, 2)]).push_async()) == 49


async def test_a_failure_takes_those_along_that_wait(app: App) -> None:
    add, total, broken = app.tasks["add"], app.tasks["total"], app.tasks["broken"]
    async with working(app):
        for steps in (chain(broken.step(), add.step(b=1), total.step([1])), flow(total.step(), [broken.step()])):
            last = await steps.push_async()
            with pytest.raises(refusals.JobFailed):
                await last.result_async(20)
            job = await last.job_async()
            assert job is not None and job.reason == "dependency_failed"


async def test_what_does_not_fit_is_refused_before_anything_is_pushed(app: App, server: ServerProcess) -> None:
    add, square, total = app.tasks["add"], app.tasks["square"], app.tasks["total"]
    with pytest.raises(WrongArgument, match="missing a required argument: 'b'"):
        await chain(add.step(1)).push_async()
    with pytest.raises(WrongArgument, match="may lack one argument"):
        await chain(square.step(1), add.step()).push_async()
    with pytest.raises(WrongArgument, match="argument 'n' must be int"):
        square.step("x")
    with pytest.raises(WrongArgument, match="square: argument 'n' must be int, and the result of total is str"):
        await chain(total.step([1]), square.step()).push_async()
    with pytest.raises(WrongArgument, match="square: argument 'n' must be int, and the result of a group is list"):
        await chain(group(add.step(1, 2)), square.step()).push_async()
    with pytest.raises(ValueError, match="ends with a step"):
        chain(square.step(1), group(total.step()))
    with FlashQ(url_of(server)) as client:
        assert client.get_jobs(app.queue).total == 0
    await app.close_async()


async def test_a_part_that_the_server_refuses_takes_the_others_back(app: App, server: ServerProcess) -> None:
    add, square = app.tasks["add"], app.tasks["square"]
    bad = square.using(unique="taken", on_duplicate="error")
    await bad.push_async(1)
    with pytest.raises(refusals.DuplicateKey):
        await chain(add.step(1, 2), add.step(b=3), bad.step()).push_async()
    with FlashQ(url_of(server)) as client:
        assert client.get_jobs(app.queue).total == 0
    await app.close_async()


@pytest.mark.parametrize("form", ["chain", "group", "after"])
async def test_a_flow_whose_dead_letters_are_all_retried_waits_for_what_it_takes(
    app: App, server: ServerProcess, form: str
) -> None:
    """RETRYDLQ makes parents ready at once: none may run before what it follows."""
    add, total = app.tasks["add"], app.tasks["total"]
    healthy: list[bool] = []
    ran: list[str] = []

    @app.task(retries=0)
    async def flaky(n: int) -> int:
        if not healthy:
            raise ValueError("not yet")
        ran.append("flaky")
        return n

    @app.task
    async def late() -> str:
        ran.append("late")
        return "late"

    steps: Any = {"chain": chain(flaky.step(7), add.step(b=1), add.step(b=2)),
                  "group": group(flaky.step(7), add.step(1, 2)).then(total.step()),
                  "after": chain(flaky.step(7), late.step())}[form]
    async with working(app):
        last = await steps.push_async()
        with pytest.raises(refusals.JobFailed):
            await last.result_async(20)
    with FlashQ(url_of(server)) as client:
        (child,) = [job.id for job in client.dead_letters(app.queue) if job.name == "flaky"]
        client.retry_dead_letters(app.queue)
    only = App(url_of(server), queue=app.queue)
    only.tasks = {name: task for name, task in app.tasks.items() if name != "flaky"}    # parents are delivered alone
    outcomes: list[tuple[str, str]] = []
    failures: list[BaseException] = []
    only.on_error(lambda _job, error: failures.append(error))
    async with working(only, on_outcome=lambda _job, one: outcomes.append((one.kind, str(one.error)))):
        await eventually(lambda: len(outcomes) > 1)     # put off, and come again
    assert {kind for kind, _ in outcomes} == {"released"} and not failures
    assert any(f"job {child}, which it waits for, is waiting" in error for _, error in outcomes)
    healthy.append(True)
    async with working(app):
        assert await last.result_async(30) == {"chain": 10, "group": "sum 10", "after": "late"}[form]
    job = await last.job_async()
    assert job is not None and job.attempts <= 1        # being early was no attempt
    assert form != "after" or ran == ["flaky", "late"]
    await app.close_async()


@pytest.mark.parametrize("gone", [False, True])
async def test_a_retried_step_whose_predecessor_is_dead_or_gone_dies_and_says_so(
    app: App, server: ServerProcess, gone: bool
) -> None:
    total = app.tasks["total"]

    @app.task(queue=f"{app.queue}-fails")
    async def fails() -> int:
        raise Discard("no luck")

    async with working(app):
        last = await flow(total.step(), [fails.step()]).push_async()
        with pytest.raises(refusals.JobFailed):
            await last.result_async(20)
        (child,) = await _waited_for(last)
        with FlashQ(url_of(server)) as client:
            if gone:
                client.purge_dead_letters(fails.queue)
            client.retry_dead_letters(app.queue, last.id)
            with pytest.raises(refusals.JobFailed):
                await last.result_async(20)
            (dead,) = client.dead_letters(app.queue)
    state = "not kept any more" if gone else "a dead letter"
    assert f"job {child}, whose result it takes, is {state}" in str(dead.progress_msg)


async def test_a_result_that_is_not_kept_any_more_is_no_none(start_server: StartServer) -> None:
    """The server forgets results before it forgets that jobs were completed."""
    app = App(url_of(start_server("--keep-results", "1")), queue="q")

    @app.task(keep_result=0.05)
    async def first() -> int:
        return 1

    @app.task(queue="later")
    async def second(n: int | None) -> str:
        return f"got {n}"

    last = await chain(first.step(), second.step()).push_async()
    (before,) = await _waited_for(last)
    async with working(app, queues=["q"]):
        for _ in range(200):        # until the result has given way to newer ones
            if await first.handle(before).job_async() is None:
                break
            await (await first.push_async()).result_async(20)
        assert await first.handle(before).state_async() == "completed"
    async with working(app, queues=["later"]):
        with pytest.raises(TaskFailed, match=f"job {before}, whose result it takes, is completed, but"):
            await last.result_async(20)


async def test_none_is_a_result(app: App) -> None:
    @app.task
    async def nothing() -> None: ...

    @app.task
    async def told(what: None) -> str:
        return f"got {what}"

    async with working(app):
        assert await (await chain(nothing.step(), told.step()).push_async()).result_async(20) == "got None"
