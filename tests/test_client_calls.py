"""Many calls at once, calls that wait, deadlines, large pushes, pages and streams, of both clients."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flashq.client import AsyncFlashQ, ClientClosed, DeadlineExceeded, FlashQ, PushInterrupted, refusals
from flashq.client.streams import STREAM_LIMIT, Event
from support.clients import FORMATS, KINDS, Either, either, url_of
from support.server import ServerProcess, server_environment


@pytest.fixture(params=[(kind, form) for kind in KINDS for form in FORMATS], ids="-".join)
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Either]:
    kind, form = request.param
    with either(kind, url_of(server), format=form) as one:
        yield one


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a peer that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"flashq://127.0.0.1:{listener.getsockname()[1]}"


# -- at once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
async def test_a_thousand_calls_of_one_loop(server: ServerProcess, queue_name: str, form: str) -> None:
    async with AsyncFlashQ(url_of(server), format=form) as client:
        ids = await asyncio.gather(*(client.push(queue_name, n) for n in range(1000)))
        assert len(set(ids)) == 1000
        jobs = await asyncio.gather(*(client.pull(queue_name, timeout=0) for _ in range(1000)))
        assert sorted(job.data for job in jobs if job is not None) == list(range(1000))
        await asyncio.gather(*(client.ack(job, job.data) for job in jobs if job is not None))
        results = await asyncio.gather(*(client.get_result(id) for id in ids))
        assert results == list(range(1000)), "each call hears its own answer"


def test_a_thousand_calls_of_two_hundred_threads(server: ServerProcess, queue_name: str) -> None:
    with FlashQ(url_of(server)) as client, ThreadPoolExecutor(200) as threads:
        ids = list(threads.map(lambda n: client.push(queue_name, n), range(1000)))
        jobs = list(threads.map(client.get_job, ids))
        assert [job.data for job in jobs if job is not None] == list(range(1000))


async def test_pulls_that_wait_delay_nothing(server: ServerProcess, queue_name: str) -> None:
    async with AsyncFlashQ(url_of(server)) as client:
        pulls = [asyncio.create_task(client.pull(queue_name)) for _ in range(50)]
        for _ in range(20):
            assert await client.ping()
        assert not any(pull.done() for pull in pulls)
        await client.push_many(queue_name, ({"data": n} for n in range(50)))
        jobs = await asyncio.gather(*pulls)
        assert sorted(job.data for job in jobs if job is not None) == list(range(50))


def test_a_pull_that_waits_in_a_thread_delays_nothing(server: ServerProcess, queue_name: str) -> None:
    with FlashQ(url_of(server)) as client, ThreadPoolExecutor(1) as thread:
        pull = thread.submit(client.pull, queue_name)
        assert client.ping() and not pull.done()
        id = client.push(queue_name)
        job = pull.result(20)
        assert job is not None and job.id == id


async def test_a_pull_that_is_cancelled_takes_no_job(server: ServerProcess, queue_name: str) -> None:
    async with AsyncFlashQ(url_of(server)) as client, AsyncFlashQ(url_of(server)) as other:
        pull = asyncio.create_task(client.pull(queue_name))
        await asyncio.sleep(0)
        await client.ping()     # answered behind the pull: that waits at the server by now
        pull.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pull
        id = await other.push(queue_name)
        job = await other.pull(queue_name, timeout=20_000)
        assert job is not None and (job.id, job.attempts) == (id, 0)


# -- deadlines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_ends_each_call(kind: str, silent: str) -> None:
    with either(kind, silent, deadline=0.2) as client:
        for call in (lambda: client.ping(), lambda: client.push("a", deadline=0.1),
                     lambda: client.pull("a", timeout=0), lambda: client.connect(deadline=0.1)):
            with pytest.raises(DeadlineExceeded):
                call()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_there_is_named(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with either(kind, f"flashq://127.0.0.1:{port}") as client:
        with pytest.raises(DeadlineExceeded, match=f"never sent.*127.0.0.1:{port}") as raised:
            client.push("a", deadline=0.5)
        assert raised.value.sent is False and isinstance(raised.value, TimeoutError)


def test_a_pull_waits_no_longer_than_its_deadline(client: Either, queue_name: str) -> None:
    began = time.monotonic()
    assert client.pull(queue_name, deadline=2) is None, "the server was asked to wait for less than the deadline"
    assert 1 < time.monotonic() - began < 2


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_harms_no_other_call(client: Either, queue_name: str) -> None:
    with pytest.raises((TypeError, refusals.InvalidMsgpack)):
        client.push(queue_name, b"\xff")
    with pytest.raises((TypeError, refusals.InvalidMsgpack)):
        client.push(queue_name, {1: 2})
    assert client.push(queue_name, "good") > 0 and client.count(queue_name) == 1


def test_a_refusal_tells_code_field_and_text(client: Either) -> None:
    with pytest.raises(refusals.OutOfRange) as raised:
        client.push("a", priority=2**40)
    error = raised.value
    assert (error.code, error.field, error.command) == ("OUT_OF_RANGE", "priority", "PUSH")
    assert error.text == "Invalid: field 'priority' must be an integer between -2147483648 and 2147483647"
    with pytest.raises(refusals.InvalidQueueName) as named:
        client.push("a b")
    assert named.value.field is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_client_refuses(kind: str, server: ServerProcess) -> None:
    with either(kind, url_of(server)) as client:
        assert client.ping()
        client.close()
        client.close()
        with pytest.raises(ClientClosed):
            client.ping()


def test_closing_ends_the_calls_of_other_threads(server: ServerProcess, queue_name: str) -> None:
    client = FlashQ(url_of(server))
    with ThreadPoolExecutor(1) as thread:
        pull = thread.submit(client.pull, queue_name)
        while not client._portal or not any(one.sent for one in list(client._portal.core.pending.values())):
            client.ping()
        client.close()
        with pytest.raises(ClientClosed):
            pull.result(20)


def test_a_client_that_is_dropped_leaves_no_thread(server: ServerProcess) -> None:
    before = set(threading.enumerate())
    client = FlashQ(url_of(server))
    client.ping()
    (thread,) = set(threading.enumerate()) - before
    del client
    thread.join(20)
    assert not thread.is_alive()


async def test_one_loop_for_each_client(server: ServerProcess) -> None:
    async with AsyncFlashQ(url_of(server)) as client:
        with pytest.raises(ClientClosed, match="loop"), ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, client.ping()).result()


def test_on_told_must_not_call(server: ServerProcess, queue_name: str) -> None:
    caught: list[BaseException] = []
    told = threading.Event()

    def call(_one: object) -> None:
        try:
            client.ping()
        except RuntimeError as error:
            caught.append(error)
        told.set()

    with FlashQ(url_of(server), on_told=call) as client:
        client.subscribe([queue_name])
        client.publish(queue_name, 1)
        assert told.wait(20) and "would wait for itself" in str(caught[0])


def test_on_told_that_fails_ends_nothing(
    server: ServerProcess, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FlashQ(url_of(server), on_told=lambda _one: {}["nothing"]) as client:
        client.subscribe([queue_name])
        info = client.connect()
        client.publish(queue_name, 1)
        while "on_told failed" not in caplog.text:
            client.ping()
        assert client.connect().session == info.session


def test_a_process_that_is_forked_off_has_a_connection_of_its_own(server: ServerProcess, queue_name: str) -> None:
    script = f"""if True:
        import os, flashq
        client = flashq.FlashQ({url_of(server)!r})
        client.push({queue_name!r}, "parent")
        child = os.fork()
        client.push({queue_name!r}, "both")
        if child:
            assert os.waitpid(child, 0)[1] == 0
            jobs = client.pull_batch({queue_name!r}, 10, timeout=0)
            assert sorted(job.data for job in jobs) == ["both", "both", "parent"], jobs
        """
    done = subprocess.run([sys.executable, "-c", script], env=server_environment(), capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# -- many jobs --------------------------------------------------------------------------------------------------------


def test_a_large_push_keeps_its_order(client: Either, queue_name: str) -> None:
    done = client.push_many(queue_name, ({"data": n} for n in range(5500)))
    assert len(done.ids) == 5500 and done.ids == sorted(done.ids) and done.refused == []
    jobs = [job for _ in range(6) for job in client.pull_batch(queue_name, 1000, timeout=0)]
    assert [(job.id, job.data) for job in jobs] == list(zip(done.ids, range(5500), strict=True))
    assert client.push_many(queue_name, []).ids == []


def test_refused_jobs_are_told_by_their_place(client: Either, queue_name: str) -> None:
    jobs: list[Any] = [{"data": n} for n in range(2500)]
    for at in (700, 1500, 2499):
        jobs[at] = {"data": at, "unique_key": "the same"}
    done = client.push_many(queue_name, jobs)
    assert [(one.index, one.code) for one in done.refused] == [(1500, "DUPLICATE_KEY"), (2499, "DUPLICATE_KEY")]
    assert len(done.ids) == 2498


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_large_push_is_split_by_size_too(kind: str, form: str, start_server: Any) -> None:
    server = start_server("--max-frame", "64KB", "--max-job-size", "32KB")
    with either(kind, url_of(server), format=form) as client:
        done = client.push_many("q", ({"data": "x" * 5000 + str(n)} for n in range(300)))
        assert len(done.ids) == 300
        data = [job.data[5000:] for job in client.items(client.client.jobs("q"))]
        assert data == [str(n) for n in reversed(range(300))]
        with pytest.raises(PushInterrupted) as raised:
            client.push_many("q", [{"data": "x" * 70_000}])
        assert isinstance(raised.value.__cause__, refusals.MessageTooLarge)
        assert client.ping()


def test_a_push_that_fails_half_way_says_how_far_it_came(client: Either, queue_name: str) -> None:
    jobs: list[Any] = [{"data": n} for n in range(3000)]
    jobs[1200] = {"data": 1, "priority": "high"}
    with pytest.raises(PushInterrupted) as raised:
        client.push_many(queue_name, jobs)
    error = raised.value
    assert isinstance(error.__cause__, refusals.InvalidField) and error.__cause__.field == "jobs[200].priority"
    assert error.open == [range(1000, 2000)] and error.pushed_until == 3000
    assert len(error.done.ids) == 2000 == client.count(queue_name)


def test_pages(client: Either, queue_name: str) -> None:
    ids = client.push_many(queue_name, ({"data": n} for n in range(250))).ids
    assert [job.id for job in client.items(client.client.jobs(queue_name))] == ids[::-1]
    assert [job.id for job in client.items(client.client.jobs(queue_name, "waiting", page_size=7))] == ids[::-1]
    assert client.items(client.client.jobs(queue_name, "failed")) == []


def test_pages_while_jobs_are_pushed(server: ServerProcess, queue_name: str) -> None:
    with FlashQ(url_of(server)) as client:
        ids = client.push_many(queue_name, ({"data": n} for n in range(30))).ids
        found = []
        for job in client.jobs(queue_name, page_size=10):
            found.append(job.id)
            if len(found) % 10 == 0:
                client.push_many(queue_name, [{"data": 0}] * 3)
        assert [id for id in found if id in set(ids)] == ids[::-1], "each that was there at first, once"


# -- streams ----------------------------------------------------------------------------------------------------------


def test_streams_of_one_queue_want_different_types(client: Either, queue_name: str) -> None:
    pushed, ended = client.client.events(queue_name, ["pushed"]), client.client.events(queue_name, ["completed"])
    client.result(pushed.open())
    client.result(ended.open())
    id = client.push(queue_name, 1)
    client.ack(client.pull(queue_name, timeout=0), "done")
    first, second = client.result(pushed.next(20)), client.result(ended.next(20))
    assert isinstance(first, Event) and (first.event_type, first.job_id, first.data) == ("pushed", id, 1)
    assert (second.event_type, second.data) == ("completed", "done")
    client.result(pushed.close())
    client.push(queue_name, 2)
    client.ack(client.pull(queue_name, timeout=0))
    assert client.result(ended.next(20)).event_type == "completed"
    with pytest.raises(DeadlineExceeded):
        client.result(pushed.next(0.01))


def test_a_stream_ends_with_its_client(server: ServerProcess, queue_name: str) -> None:
    client = FlashQ(url_of(server))
    with client.messages(queue_name) as messages:
        client.publish(queue_name, "last words")
        heard = []
        for message in messages:
            heard.append(message.message)
            client.close()
        assert list(messages) == []
        with pytest.raises(ClientClosed):
            messages.next()
    assert heard == ["last words"]


async def test_an_async_stream_ends_with_its_client(server: ServerProcess, queue_name: str) -> None:
    client = AsyncFlashQ(url_of(server))
    async with client.messages(queue_name) as messages:
        await client.publish(queue_name, "last words")
        heard = []
        async for message in messages:
            heard.append(message.message)
            await client.close()
        with pytest.raises(ClientClosed):
            await messages.next()
    assert heard == ["last words"]


def test_a_slow_reader_loses_the_oldest(server: ServerProcess, queue_name: str) -> None:
    with FlashQ(url_of(server)) as client, client.events(queue_name, ["pushed"]) as events:
        client.push_many(queue_name, ({"data": n} for n in range(STREAM_LIMIT + 500)))
        while events.lost < 500:
            client.ping()
        assert events.next(20).data == 500


def test_a_cancelled_job_is_told_to_its_worker(server: ServerProcess, queue_name: str) -> None:
    told: list[Any] = []
    heard = threading.Event()
    with FlashQ(url_of(server), on_told=lambda one: (told.append(one), heard.set())) as client:
        client.push(queue_name)
        job = client.pull(queue_name, timeout=0)
        assert job is not None
        with FlashQ(url_of(server)) as other:
            other.cancel(job)
        assert heard.wait(20)
        assert (told[0].id, told[0].token, told[0].queue) == (job.id, job.token, queue_name)
