"""flashq.testing.run_pending: what is due runs in the test, through the app's own handlers."""

import asyncio
from datetime import timedelta

import pytest

from conftest import NEW_YEAR
from flashq import App, Backoff, Discard, Retry, current_job
from flashq.testing import AsyncTestServer, TestServer, run_pending, run_pending_async


@pytest.fixture
def app(still: TestServer) -> App:
    made = App("flashq://production.example.org")
    still.connect(made)
    return made


def test_what_is_due_runs_and_nothing_else(still: TestServer, app: App) -> None:
    @app.task(queue="mail")
    def send(to: str) -> str:
        return f"sent to {to}"

    @app.task
    async def double(n: int) -> int:
        return 2 * n

    first, second = send.push("a"), double.push(21)
    later = send.push_in(3600, "b")
    ran = run_pending(app)
    assert sorted((one.task, one.kind, one.result) for one in ran) == [
        ("double", "done", 42), ("send", "done", "sent to a")]
    assert (first.result(0), second.result(0), later.state()) == ("sent to a", 42, "delayed")
    assert run_pending(app) == []
    still.advance(hours=1)
    assert [repr(one) for one in run_pending(app)] == [f"<send {later.id}: done>"]


def test_jobs_that_jobs_push_run_too_in_one_call(app: App) -> None:
    @app.task
    def countdown(n: int) -> None:
        if n:
            countdown.push(n - 1)

    countdown.push(3)
    assert len(run_pending(app)) == 4


def test_some_queues_only(app: App) -> None:
    @app.task(queue="a")
    def one() -> None:
        pass

    @app.task(queue="b")
    def two() -> None:
        pass

    one.push()
    two.push()
    assert [ran.task for ran in run_pending(app, queues=["b"])] == ["two"]
    assert [ran.task for ran in run_pending(app)] == ["one"]


def test_a_failure_is_raised_once_the_server_knows(still: TestServer, app: App) -> None:
    @app.task(retries=1, backoff=60)
    def risky() -> None:
        raise ZeroDivisionError("of course")

    handle = risky.push()
    with pytest.raises(ZeroDivisionError, match="of course") as caught:
        run_pending(app)
    assert caught.value.__notes__ == [f"raised by job {handle.id} of risky, attempt 1, in run_pending"]
    assert handle.state() == "delayed"
    still.advance(minutes=1)
    (ran,) = run_pending(app, failures="report")
    assert (ran.kind, type(ran.exception), ran.job.attempts) == ("failed", ZeroDivisionError, 1)
    assert handle.state() == "failed"
    with pytest.raises(ValueError, match="failures must be"):
        run_pending(app, failures="ignore")  # type: ignore[arg-type]


def test_what_a_handler_asks_for_is_no_failure(still: TestServer, app: App) -> None:
    @app.task
    def patient() -> str:
        if current_job().attempt == 1:
            raise Retry("not yet", in_=600)
        return "now"

    @app.task
    def given_up() -> None:
        raise Discard("of no use")

    handle, dead = patient.push(), given_up.push()
    assert sorted(one.kind for one in run_pending(app)) == ["dead", "failed"]
    assert dead.state() == "failed"
    still.advance(minutes=10)
    assert [one.result for one in run_pending(app)] == ["now"] == [handle.result(0)]


def test_a_schedule_and_its_jobs(still: TestServer, app: App) -> None:
    @app.task
    def report() -> int:
        return current_job().job.created_at

    report.schedule(cron="0 6 * * *")
    still.advance(days=3)
    at_six = int(NEW_YEAR.timestamp() * 1000) + 6 * 3_600_000
    assert [one.result for one in run_pending(app)] == [at_six + n * 24 * 3_600_000 for n in range(3)]


def test_jobs_run_on_the_way_each_at_its_time(still: TestServer, app: App) -> None:
    """A schedule that waits for the job before, and retries whose waits double, over three hours."""
    hours: list[float] = []

    def now() -> float:
        return (still.now - NEW_YEAR) / timedelta(hours=1)

    @app.task
    def hourly() -> None:
        hours.append(now())

    @app.task(retries=3, backoff=Backoff(1800, jitter=0))
    def patient() -> float:
        if current_job().attempt < 3:
            raise Retry
        return now()

    hourly.schedule(cron="0 * * * *", overlap=False)
    handle = patient.push()
    ran = still.run(app, hours=3)
    assert hours == [1, 2, 3] and still.now == NEW_YEAR + timedelta(hours=3)
    assert [one.task for one in ran] == ["patient", "patient", "hourly", "patient", "hourly", "hourly"]
    assert handle.result(0) == 1.5
    assert still.run(app, minutes=59) == []


def test_a_failure_on_the_way_stops_there(still: TestServer, app: App) -> None:
    @app.task(retries=0)
    def broken() -> None:
        raise ValueError("broken")

    broken.push_in(60)
    with pytest.raises(ValueError, match="broken"):
        still.run(app, hours=1)
    assert still.now == NEW_YEAR + timedelta(minutes=1)
    broken.push_in(60)
    assert [one.kind for one in still.run(app, hours=1, failures="report")] == ["failed"]


def test_endless_work_is_told(app: App) -> None:
    @app.task
    def again() -> None:
        again.push()

    again.push()
    with pytest.raises(RuntimeError, match="20 jobs ran, and again is due again"):
        run_pending(app, limit=20)


def test_a_job_that_is_cancelled_while_it_runs(still: TestServer, app: App) -> None:
    client = still.client()

    @app.task
    def unlucky() -> None:
        client.cancel(current_job().id)

    unlucky.push()
    assert [one.kind for one in run_pending(app)] == ["lost"]


def test_progress_and_logs_arrive(still: TestServer, app: App) -> None:
    @app.task(keep_result=60)
    def chatty() -> None:
        current_job().progress(50, "half")
        current_job().log("a line")

    handle = chatty.push()
    run_pending(app)
    assert [line.message for line in still.client().get_logs(handle.id)] == ["a line"]


def test_jobs_of_a_real_server_are_left_alone() -> None:
    with pytest.raises(RuntimeError, match=r"points to flashq://production\.example\.org:6789, which is no test"):
        run_pending(App("flashq://production.example.org"))


def test_an_app_whose_test_server_has_ended_is_refused_at_once() -> None:
    app = App("flashq://production.example.org")

    @app.task
    def note(text: str) -> None:
        pass

    with TestServer() as server:
        server.connect(app)
        handle = note.push("a")
        url = server.url
    assert str(app.endpoint) == url
    ended = pytest.raises(RuntimeError, match="the test server this app was connected to has ended; call connect")
    for use in (lambda: note.push("b"), handle.state, lambda: run_pending(app)):
        with ended:
            use()
    with ended:
        asyncio.run(handle.state_async())
    with TestServer() as server:
        server.connect(app)
        note.push("c")
        assert len(run_pending(app)) == 1


def test_an_app_of_an_ended_server_is_refused_though_another_has_its_port() -> None:
    app, other = App("flashq://production.example.org"), App("flashq://production.example.org")
    with TestServer() as server:
        server.connect(app)
        assert run_pending(app) == []
        port = app.endpoint.port
    with TestServer(port=port) as server:
        server.connect(other)
        assert run_pending(other) == []
        with pytest.raises(RuntimeError, match="has ended"):
            run_pending(app)


def test_an_app_of_an_ended_server_of_the_loop_is_refused_too() -> None:
    app = App("flashq://production.example.org")

    async def program() -> None:
        async with AsyncTestServer() as server:
            await server.connect(app)
            assert await run_pending_async(app) == []
        with pytest.raises(RuntimeError, match="has ended"):
            app.async_client()

    asyncio.run(program())


def test_in_the_loop_of_the_test() -> None:
    app = App("flashq://production.example.org")

    @app.task
    async def double(n: int) -> int:
        return 2 * n

    async def program() -> None:
        async with AsyncTestServer(frozen=True) as server:
            await server.connect(app)
            handle = await double.push_in_async(60, 4)
            assert await run_pending_async(app) == []
            await server.advance(minutes=1)
            assert [one.result for one in await run_pending_async(app)] == [8]
            assert await handle == 8
            await double.push_in_async(60, 5)
            assert [one.result for one in await server.run(app, minutes=2)] == [10]
            with pytest.raises(RuntimeError, match="would block the event loop"):
                run_pending(app)

    asyncio.run(program())
