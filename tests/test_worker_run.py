"""A Worker in the loop of a program: queues, prefetch, heartbeats, ends of jobs that the server does not take."""

import asyncio
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from flashq import App, CurrentJob, Worker, current_job
from flashq.client import AsyncFlashQ, refusals
from flashq.client.endpoint import Endpoint
from flashq.worker import pulse, watch
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import eventually, reason_after_discard, working


@pytest.fixture
def app(server: ServerProcess, queue_name: str) -> App:
    return App(url_of(server), queue=queue_name)


async def test_heartbeats_keep_jobs_that_run_and_that_wait(app: App) -> None:
    began: list[int] = []

    @app.task(stall_timeout=0.3)
    async def slow() -> int:
        began.append(current_job().id)
        await asyncio.sleep(1)
        return current_job().attempt

    @app.task(stall_timeout=0.3)
    def slow_thread() -> int:
        began.append(current_job().id)
        time.sleep(1)
        return current_job().attempt

    async with working(app, concurrency=1, prefetch=5):
        handles = [await task.push_async() for task in (slow, slow_thread, slow)]
        assert [await one for one in handles] == [1, 1, 1]
        jobs = [await one.job_async() for one in handles]
    assert began == [one.id for one in handles]
    assert [job.stall_count for job in jobs if job] == [0, 0, 0]


async def test_a_silent_handler_hears_of_a_lost_reservation(
    app: App, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY_SECONDS", 0.1)
    async def waits(_job: CurrentJob) -> None:
        await asyncio.sleep(100)

    assert await reason_after_discard(app, server, waits) == "lost"


async def test_a_job_that_is_cancelled_while_it_waits_here_is_not_run(app: App) -> None:
    began: list[int] = []

    @app.task
    async def note(seconds: float) -> None:
        began.append(current_job().id)
        await asyncio.sleep(seconds)

    async with working(app, concurrency=1, prefetch=5) as worker:
        handles = [await note.push_async(0.5) for _ in range(3)]
        await eventually(lambda: worker.running == 1 and len(worker._lanes.waiting) == 2)
        await handles[1].cancel_async()
        await handles[2]
    assert began == [handles[0].id, handles[2].id]


async def test_queues_in_order_and_by_weight(server: ServerProcess, queue_name: str) -> None:
    app = App(url_of(server))
    order: list[str] = []
    names = [f"{queue_name}-{letter}" for letter in "ab"]

    @app.task(queue=names[0])
    async def first() -> None:
        order.append("a")

    @app.task(queue=names[1])
    async def second() -> None:
        order.append("b")

    async def push() -> None:
        await second.push_many_async([()] * 50)
        await first.push_many_async([()] * 50)
        order.clear()

    await push()
    await Worker(app, queues=names, concurrency=1, prefetch=0, max_jobs=100).run()
    assert order == ["a"] * 50 + ["b"] * 50
    await push()
    await Worker(app, queues=dict(zip(names, (1, 1), strict=True)), concurrency=1, prefetch=0, max_jobs=100).run()
    assert sorted(order) == ["a"] * 50 + ["b"] * 50 and order != sorted(order)
    await app.close_async()


async def test_one_pull_takes_what_can_run_and_no_more(app: App, server: ServerProcess) -> None:
    """Slow handlers leave jobs to other workers, fast ones are given many at once."""
    gate = asyncio.Event()

    @app.task
    async def waits() -> None:
        await gate.wait()

    await waits.push_many_async([()] * 100)
    async with working(app, concurrency=3) as worker, AsyncFlashQ(url_of(server)) as client:
        await eventually(lambda: worker.running == 3)
        assert (await client.get_job_counts(app.queue)).active == 3
        gate.set()
        await eventually(lambda: worker.finished == 100)


async def test_max_jobs_takes_no_more_than_that(app: App, server: ServerProcess) -> None:
    @app.task
    async def nothing() -> None: ...

    await nothing.push_many_async([()] * 50)
    worker = Worker(app, max_jobs=20, concurrency=50)
    await worker.run()
    assert worker.finished == 20
    async with AsyncFlashQ(url_of(server)) as client:
        counts = await client.get_job_counts(app.queue)
    assert (counts.completed, counts.waiting, counts.active) == (20, 30, 0)
    await app.close_async()


@pytest.mark.parametrize("query", ["?format=json", "?format=msgpack"])
async def test_both_formats(server: ServerProcess, queue_name: str, query: str) -> None:
    app = App(url_of(server, query), queue=queue_name)

    @app.task
    async def echo(value: dict[str, Any]) -> dict[str, Any]:
        return value

    value = {"text": "ä\u2028", "number": 2**63, "list": [1.5, None, True], "nested": {"a": {}}}
    async with working(app):
        assert await (await echo.push_async(value)) == value


async def test_a_unix_socket(start_server: StartServer, tmp_path: Path) -> None:
    start_server("--unix-socket", str(tmp_path / "s.sock"))
    app = App(Endpoint(path=str(tmp_path / "s.sock")))

    @app.task
    def double(n: int) -> int:
        return 2 * n

    async with working(app):
        assert await (await double.push_async(4)) == 8


async def test_a_handler_that_never_ends_does_not_hold_up_the_end(app: App, server: ServerProcess) -> None:
    release = threading.Event()

    @app.task
    def stuck() -> None:
        release.wait(60)

    @app.task
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    worker = Worker(app, drain_timeout=0.05)
    running = asyncio.create_task(worker.run())
    handles = [await stuck.push_async(), await stubborn.push_async()]
    await eventually(lambda: worker.running == 2)
    worker.stop()
    done, _ = await asyncio.wait((running,), timeout=20)
    release.set()
    assert done, "the worker did not end"
    async with AsyncFlashQ(url_of(server)) as client:
        for handle in handles:
            job = await client.get_job(handle.id)
            assert job is not None and (job.state, job.attempts, job.stall_count) == ("waiting", 0, 0)
    await app.close_async()


@pytest.mark.parametrize(
    ("options", "text"),
    [({"concurrency": 0}, "concurrency"), ({"prefetch": -1}, "prefetch"), ({"drain_timeout": -1}, "drain_timeout"),
     ({"queues": [str(n) for n in range(101)]}, "at most 100 queues")],
)
def test_settings_that_cannot_be(options: dict[str, Any], text: str) -> None:
    app = App()
    with pytest.raises(ValueError, match="has no tasks"):
        Worker(app)
    app.task(name="one")(lambda: None)
    with pytest.raises(ValueError, match=text):
        Worker(app, **options)


async def test_changes_are_noticed_without_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    (tmp_path / "package").mkdir()
    (tmp_path / "__pycache__").mkdir()
    watched = tmp_path / "package" / "module.py"
    watched.write_text("a = 1")
    for change in (lambda: watched.write_text("a = 22"), lambda: (tmp_path / "new.py").touch(), watched.unlink):
        looking = asyncio.create_task(watch.looked_up([tmp_path]))
        first = asyncio.get_running_loop().time()
        (tmp_path / "__pycache__" / f"x{first}.py").touch()
        (tmp_path / "notes.txt").write_text(str(first))
        await asyncio.sleep(0.05)
        assert not looking.done()
        change()
        assert Path(await asyncio.wait_for(looking, 20)).suffix == ".py"


async def test_a_queue_that_the_server_refuses_does_not_stop_the_others(start_server: StartServer) -> None:
    server = start_server("--max-queues", "1")
    app = App(url_of(server), queue="served")

    @app.task
    async def nothing() -> str:
        return "done"

    @app.task(queue="refused")
    async def other() -> None: ...

    handle = await nothing.push_async()         # now no other name is taken
    async with working(app, queues={"refused": 5, "served": 1}):
        assert await handle.result_async(20) == "done"
        assert await (await nothing.push_async()).result_async(20) == "done"


@pytest.mark.parametrize("name", ["my queue", "", "a/b", "ü" * 200])
def test_a_queue_name_that_the_server_would_refuse_is_refused_at_once(name: str) -> None:
    app = App()
    with pytest.raises(ValueError, match=re.escape(f"queue '{name}': Queue name")):
        app.task(queue=name)(lambda: None)
    with pytest.raises(ValueError, match=re.escape(f"queue '{name}': Queue name")):
        App(queue=name)
    app.task(name="good", queue="grün-1.b_c")(lambda: None)
    with pytest.raises(ValueError, match=re.escape(f"queue '{name}': Queue name")):
        Worker(app, queues=["good", name])
    with pytest.raises(TypeError, match="a queue's name is a str, not int"):
        App(queue=5)  # type: ignore[arg-type]


async def test_a_thread_that_overruns_its_time_is_told_as_timed_out_at_once_and_never_as_done(app: App) -> None:
    gate = threading.Event()
    told: list[tuple[str, str | None, bool]] = []
    after: list[object] = []
    app.after(lambda _job, result: after.append(result))

    @app.task(timeout=0.2, retries=0)
    def slow() -> str:
        gate.wait(60)
        return "late"

    async with working(app, on_outcome=lambda _job, one: told.append((one.kind, one.error, gate.is_set()))) as worker:
        handle = await slow.push_async()
        try:
            await eventually(lambda: told)
            with pytest.raises(refusals.JobFailed):
                await handle.result_async(20)
        finally:
            gate.set()
        await eventually(lambda: worker.finished == 1)
    assert told == [("failed", "timed out after 0.2 s", False)] and not after
