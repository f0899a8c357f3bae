"""Results that the server keeps, and those that it does not keep any more: a lost one is no None."""

import asyncio

import pytest

from conftest import StartServer
from flashq import App
from flashq.client import refusals
from flashq.tasks import Handle, ResultNotKept, group
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import working

MANY = 5        # jobs after which the server that keeps one result has forgotten that of the first


def app_of(server: ServerProcess) -> App:
    app = App(url_of(server), queue="q")

    @app.task
    def nothing() -> None: ...

    @app.task
    def same(n: int) -> int:
        return n

    return app


async def let_go(app: App, *handles: Handle[object]) -> None:
    """Of these jobs, which are done, the server knows no more than that."""
    for number in range(MANY):
        await (await app.tasks["same"].push_async(number)).result_async(20)
    for handle in handles:
        assert await handle.job_async() is None and await handle.state_async() == "completed"


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_a_result_that_is_not_kept_any_more_is_an_error(start_server: StartServer, how: str) -> None:
    app = app_of(start_server("--keep-results", "1"))
    async with working(app):
        handles = [await app.tasks["nothing"].push_async(), await app.tasks["same"].push_async(1)]
        assert [await handle.result_async(20) for handle in handles] == [None, 1]
        await let_go(app, *handles)
        for handle, name in zip(handles, ("nothing", "same"), strict=True):
            said = f"^job {handle.id} of {name} is completed, .*: `keep_result` of the task, or --keep-results "
            with pytest.raises(ResultNotKept, match=said):
                await (handle.result_async(5) if how == "async" else asyncio.to_thread(handle.result, 5))
    assert issubclass(ResultNotKept, refusals.JobNotFound)


async def test_keep_result_keeps_it(start_server: StartServer) -> None:
    app = app_of(start_server("--keep-results", "1"))
    async with working(app):
        kept = [await app.tasks[name].using(keep_result=60).push_async(*given)
                for name, given in (("nothing", ()), ("same", (1,)))]
        other = await app.tasks["same"].push_async(2)
        assert [await handle.result_async(20) for handle in (*kept, other)] == [None, 1, 2]
        await let_go(app, other)
        assert [await handle.result_async(5) for handle in kept] == [None, 1]


@pytest.mark.parametrize("settings", [{"remove_on_complete": True}, {}])
async def test_who_waits_by_then_hears_what_is_not_kept(start_server: StartServer, settings: dict[str, bool]) -> None:
    """None, too: such an answer is no guess."""
    app = app_of(start_server("--keep-results", "0"))
    handles = [await app.tasks["nothing"].using(**settings).push_async(),
               await app.tasks["same"].using(**settings).push_async(1)]
    waiting = [asyncio.ensure_future(handle.result_async(20)) for handle in handles]
    await asyncio.sleep(0)              # they have asked,
    await handles[0].state_async()      # and this answer comes behind their requests
    async with working(app):
        assert await asyncio.gather(*waiting) == [None, 1]
        for handle in handles:
            with pytest.raises(refusals.JobNotFound) as caught:
                await handle.result_async(5)
            assert isinstance(caught.value, ResultNotKept) is not settings.get("remove_on_complete", False)


async def test_results_of_a_group_say_which_one_is_lost(start_server: StartServer) -> None:
    app = app_of(start_server("--keep-results", "1"))
    async with working(app):
        both = await group(app.tasks["same"].step(1), app.tasks["same"].step(2)).push_async()
        assert await both.results_async(20) == [1, 2]
        await let_go(app, *both.handles)
        with pytest.raises(ResultNotKept) as caught:
            await both.results_async(5)
    assert caught.value.job_id == both.handles[0].id
