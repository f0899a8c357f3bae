"""flashq.testing.TestServer: what is due has happened when `advance` returns, each at its own time."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import uvloop

from conftest import NEW_YEAR
from flashq import App, FlashQ, current_job
from flashq.config import SettingError
from flashq.server.errors import StartError
from flashq.storage.base import StorageError
from flashq.testing import AsyncTestServer, TestServer
from flashq.testing.guest import Guest
from support.certificates import Certificate
from support.tasks import eventually, working
from support.wire import JSON
from support.wire import Client as Raw

HOUR = 3_600_000


@pytest.fixture
def queue(still: TestServer) -> FlashQ:
    return still.client()


def raw(server: TestServer) -> Raw:
    """A client that names no session."""
    host, _, port = server.url.removeprefix("flashq://").partition(":")
    return Raw((host, int(port)), JSON)


def test_a_delayed_job_is_ready_at_its_time_and_no_sooner(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q", delay=HOUR)
    assert still.advance(minutes=59, seconds=59, milliseconds=999) < NEW_YEAR + timedelta(hours=1)
    assert queue.get_state(id) == "delayed"
    assert still.advance(milliseconds=1) == NEW_YEAR + timedelta(hours=1) == still.now
    assert queue.get_state(id) == "waiting"


def test_retries_come_when_their_backoff_is_over(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q", max_attempts=3, backoff=1000)
    for wait in (2000, 4000):
        queue.fail(queue.pull("q", timeout=0), "no")
        still.advance(milliseconds=wait - 1)
        assert queue.get_state(id) == "delayed"
        still.advance(milliseconds=1)
        assert queue.get_state(id) == "waiting"
    queue.fail(queue.pull("q", timeout=0), "no")
    assert queue.get_state(id) == "failed"


def test_each_slot_of_a_schedule_fires_at_its_own_time(still: TestServer, queue: FlashQ) -> None:
    queue.add_cron("hourly", "reports", "0 * * * *")
    still.advance(days=3)
    made = sorted(job.created_at for job in queue.jobs("reports", "waiting"))
    first = int(NEW_YEAR.timestamp() * 1000) + HOUR
    assert made == [first + n * HOUR for n in range(72)]
    assert queue.list_crons()[0].skipped == 0


def test_what_one_firing_sets_off_is_over_before_the_next(still: TestServer, queue: FlashQ) -> None:
    """A slot is skipped while the job before is open, and a ttl ends that in between."""
    queue.add_cron("hourly", "reports", "0 * * * *", overlap="skip", options={"ttl": HOUR // 2})
    still.advance(hours=5)
    assert queue.list_crons()[0].executions == 5
    still.advance(minutes=31)
    assert queue.count("reports") == 0


def test_a_job_is_dropped_at_the_end_of_its_ttl(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q", ttl=60_000)
    still.advance(minutes=1)
    assert queue.get_state(id) == "waiting"
    still.advance(milliseconds=1)
    assert queue.get_state(id) == "unknown"


def test_a_job_that_takes_longer_than_its_timeout_fails(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q", timeout=5000, max_attempts=1)
    assert queue.pull("q", timeout=0) is not None
    still.advance(seconds=5)
    assert queue.get_state(id) == "active"
    still.advance(milliseconds=1)
    assert queue.get_state(id) == "failed"


def test_the_lease_of_a_lost_connection_ends(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q")
    with raw(still) as worker:
        assert worker.ok("PULL", queue="q", timeout=0)["job"]["id"] == id
        worker.finish()
        assert worker.is_closed()
    still.advance(seconds=29)
    assert queue.get_state(id) == "active"
    still.advance(seconds=2)
    assert queue.get_state(id) == "waiting"


def test_a_healthy_connection_keeps_its_job_however_much_time_passes(still: TestServer, queue: FlashQ) -> None:
    id = queue.push("q")
    job = queue.pull("q", timeout=0)
    still.advance(days=30)
    assert queue.get_state(id) == "active"
    queue.ack(job, "done")
    assert queue.get_result(id) == "done"


def test_keys_run_out(still: TestServer, queue: FlashQ) -> None:
    queue.kv_set("k", 1, ttl=1000)
    still.advance(milliseconds=999)
    assert queue.kv_exists("k")
    still.advance(milliseconds=1)
    assert not queue.kv_exists("k")


def test_pulls_and_waits_end_at_their_time(still: TestServer) -> None:
    id = still.client().push("other")
    with raw(still) as client:
        client.send("PULL", queue="q", timeout=60_000, reqId="pull")
        client.send("WAITJOB", id=id, timeout=90_000, reqId="wait")
        assert client.call("PING", reqId="parked")["reqId"] == "parked"

        def next_after(seconds: int) -> str:
            still.advance(seconds=seconds)
            client.send("PING", reqId="ping")
            return str(client.receive()["reqId"])

        assert next_after(59) == "ping"
        assert (next_after(1), client.receive()["reqId"]) == ("pull", "ping")
        assert next_after(29) == "ping"
        assert (next_after(1), client.receive()["reqId"]) == ("wait", "ping")


def test_a_job_that_falls_due_goes_to_the_pull_that_waits(still: TestServer, queue: FlashQ) -> None:
    with ThreadPoolExecutor() as pool:
        pull = pool.submit(still.client().pull, "q", timeout=30_000)
        id = queue.push("q", "x", delay=10_000)
        still.advance(seconds=10)
        assert pull.result(20).id == id


def test_many_jobs_that_fall_due_at_once(still: TestServer, queue: FlashQ) -> None:
    queue.push_many("q", ({"data": n, "delay": HOUR} for n in range(20_000)))
    still.advance(hours=1)
    assert (queue.stats().delayed, queue.count("q")) == (0, 20_000)


def test_long_times_cost_nothing_where_nothing_happens(still: TestServer, queue: FlashQ) -> None:
    """Ten years: by the second, or by each look at idle queues, this would take hours."""
    id = queue.push("q", delay=9 * 365 * 24 * HOUR)
    assert still.advance(days=3650) == NEW_YEAR + timedelta(days=3650)
    assert queue.get_state(id) == "waiting"


def test_an_unfrozen_clock_flows_on_from_where_it_was_set(tmp_path: Path) -> None:
    with TestServer(now=NEW_YEAR) as server:
        queue = server.client()
        assert server.now >= NEW_YEAR
        later = server.advance(days=1)
        assert later >= NEW_YEAR + timedelta(days=1)
        job = queue.push("q", delay=20)
        assert queue.pull("q", timeout=20_000).id == job
        assert later + timedelta(milliseconds=20) <= server.now < later + timedelta(hours=1)


def test_to_a_time_of_any_zone(still: TestServer) -> None:
    tomorrow = datetime(2030, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))
    assert still.advance_to(tomorrow) == tomorrow
    assert still.advance_to(tomorrow) == tomorrow
    with pytest.raises(ValueError, match="only goes forward: that was 1 day, 0:00:00 ago"):
        still.advance_to(NEW_YEAR)
    with pytest.raises(ValueError, match="without a zone"):
        still.advance_to(datetime(2031, 1, 1))


@pytest.mark.parametrize("parts", [{}, {"days": 0}, {"days": -1}, {"hours": 1, "minutes": -60}])
def test_time_goes_forward_only(still: TestServer, parts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="time only goes forward"):
        still.advance(**parts)
    assert still.now == NEW_YEAR


def test_the_end_of_time(still: TestServer, queue: FlashQ) -> None:
    with pytest.raises(ValueError, match="time ends here in the year 9000"):
        still.advance(days=366 * 7000)
    assert still.now == NEW_YEAR and queue.push("q")


def test_servers_of_one_process_have_times_and_jobs_of_their_own() -> None:
    with TestServer(now=NEW_YEAR, frozen=True) as one, TestServer(frozen=True) as two:
        before = two.now
        one.advance(days=1)
        one.client().push("q")
        assert two.now == before and two.client().count("q") == 0


def test_a_directory_outlives_its_server(tmp_path: Path) -> None:
    with TestServer(data_dir=tmp_path, now=NEW_YEAR, frozen=True) as server:
        queue = server.client()
        done, later = queue.push("q", "done"), queue.push("q", "later", delay=3 * HOUR)
        queue.add_cron("hourly", "h", schedule="0 * * * *")
        queue.ack(queue.pull("q", timeout=0), 17)
        end = server.advance(hours=2)
    with TestServer(data_dir=tmp_path, now=end, frozen=True) as server:
        queue = server.client()
        assert (queue.get_result(done), queue.get_state(later), queue.count("h")) == (17, "delayed", 2)
        server.advance(hours=1)
        assert (queue.get_state(later), queue.count("h")) == ("waiting", 3)


def test_what_advance_has_done_is_on_disk(tmp_path: Path) -> None:
    with TestServer(data_dir=tmp_path, durability="interval", frozen=True) as server:
        queue = server.client()
        queue.add_cron("minutely", "m", schedule="* * * * *")
        server.advance(hours=2)
        store = queue.metrics().store
        assert store.durable == store.position > 0


def test_settings_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHQ_MAX_QUEUES", "1")
    monkeypatch.setenv("AUTH_TOKENS", "of the tester")
    with TestServer(auth_tokens="s3cr@t", lease="1s") as server:
        queue = server.client()
        assert server.url.startswith("flashq://s3cr%40t@127.0.0.1:")
        assert queue.push("a") and queue.push("b")
    with pytest.raises(SettingError, match="max_quues: there is no such setting"):
        TestServer(max_quues=1)
    with pytest.raises(SettingError, match="--lease: 'soon' is no time"):
        TestServer(lease="soon")
    with pytest.raises(ValueError, match="without a zone"):
        TestServer(now=datetime(2030, 1, 1))


def test_over_tls_and_over_a_unix_socket(certificate: Certificate, tmp_path: Path) -> None:
    with TestServer(tls_cert=str(certificate.cert), tls_key=str(certificate.key)) as server:
        assert server.client().push("q")
    with TestServer(no_tcp=True, unix_socket=str(tmp_path / "flashq.sock"), auth_tokens="t") as server:
        assert server.url == f"flashq+unix://t@{tmp_path / 'flashq.sock'}"
        assert server.client().push("q")


def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with TestServer(data_dir=tmp_path / "one") as server:
        port = int(server.url.rpartition(":")[2])
        before = threading.active_count()
        with pytest.raises(StartError, match="in use"):
            TestServer(port=port, data_dir=tmp_path / "two").start()
        with pytest.raises(StorageError, match="in use by another flashq"):
            TestServer(data_dir=tmp_path / "one").start()
        assert threading.active_count() == before
    with TestServer(data_dir=tmp_path / "two"):
        pass                                # it was let go


def test_stop_ends_its_thread_and_its_clients() -> None:
    before = set(threading.enumerate())
    server = TestServer().start()
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    server.client().push("q")
    server.stop()
    server.stop()
    assert set(threading.enumerate()) <= before
    with pytest.raises(RuntimeError, match="does not run"):
        server.advance(days=1)
    with server:
        assert server.client().count("q") == 0


def test_the_process_stays_the_users() -> None:
    """Signals, the running loop's handlers, the levels of logs: a guest changes none of them."""
    async def guest() -> object:
        async with AsyncTestServer():
            return asyncio.get_running_loop().get_exception_handler()

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), logging.getLogger().level
    with TestServer():
        assert asyncio.run(guest()) is None
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), logging.getLogger().level) == before


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_in_the_loop_of_the_test(loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path) -> None:
    async def program() -> None:
        async with AsyncTestServer(data_dir=tmp_path, now=NEW_YEAR, frozen=True) as server:
            queue = server.client()
            id = await queue.push("q", delay=HOUR)
            pull = asyncio.create_task(queue.pull("q", timeout=2 * HOUR, deadline=3 * 3600))
            assert await server.advance(minutes=59) == NEW_YEAR + timedelta(minutes=59)
            assert not pull.done()
            await server.advance_to(NEW_YEAR + timedelta(hours=1))
            job = await pull
            assert job is not None and job.id == id
            await queue.ack(job)
        await server.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(program())


def test_a_worker_beside_it(tmp_path: Path) -> None:
    """Its jobs run in real time while the clock goes on; the server holds nothing against it."""
    app, times = App("flashq://production.example.org"), []

    @app.task
    async def report() -> None:
        times.append(current_job().job.created_at)

    async def program() -> None:
        async with AsyncTestServer(now=NEW_YEAR) as server:
            await server.connect(app)
            await report.schedule_async(cron="0 * * * *")
            async with working(app):
                for day in range(1, 4):
                    await server.advance_to(NEW_YEAR + timedelta(days=day, minutes=1))
                    await eventually(lambda day=day: len(times) == 24 * day)

    asyncio.run(program())
    first = int(NEW_YEAR.timestamp() * 1000) + HOUR
    assert sorted(times) == [first + n * HOUR for n in range(72)]


def test_its_log_goes_to_that_of_the_test(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with TestServer(max_queues=1, frozen=True) as server, caplog.at_level(logging.WARNING):
        queue = server.client()
        queue.add_cron("minutely", "second", "* * * * *")
        queue.push("first")
        server.advance(minutes=1)
    (record,) = caplog.records
    assert record.name == "flashq.testing.server" and "cron_push_refused" in record.message
    assert capsys.readouterr() == ("", "")


def test_a_storage_that_failed_is_told(tmp_path: Path) -> None:
    async def fail(guest: Guest) -> None:
        guest.server.hub.fail("the disk is gone")

    with TestServer(data_dir=tmp_path) as server:
        assert server._thread is not None
        server._thread.run(fail(server._guest))
        with pytest.raises(RuntimeError, match="storage of the test server has failed: the disk is gone"):
            server.advance(days=1)
