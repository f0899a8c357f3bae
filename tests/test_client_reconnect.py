"""Connections that break and servers that are killed under load: nothing is lost, no push is made twice."""

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import StartServer
from flashq.client import AsyncFlashQ, ConnectionLost, DeadlineExceeded, FlashQ, Job, refusals
from support.clients import KINDS, either, url_of
from support.proxy import Proxy
from support.server import ServerProcess
from support.tasks import soon

PUSHES = 2000
ROUNDS = 3


class Restarted:
    """A server that keeps its data and its port; `again` kills it and starts the next."""

    def __init__(self, start: StartServer, data: Path) -> None:
        self._start = start
        self._flags = ("--data-dir", str(data), "--durability", "commit")
        self.server: ServerProcess = start(*self._flags)
        self.url = url_of(self.server)

    def again(self) -> None:
        self.server.kill()
        self.server = self._start(*self._flags, "--port", str(self.server.address[1]))


@pytest.fixture
def restarted(start_server: StartServer, tmp_path: Path) -> Restarted:
    return Restarted(start_server, tmp_path / "data")


@pytest.fixture
def proxy(start_server: StartServer) -> Iterator[Proxy]:
    with Proxy(start_server("--disconnect-grace", "1s").address) as between:
        yield between


class Ledger:
    """What the clients were told: ids of pushes, deliveries, acknowledgements."""

    def __init__(self) -> None:
        self.pushed: dict[int, int] = {}                        # data of the job: its id
        self.delivered: dict[object, set[int]] = defaultdict(set)   # data: the ids that it came with
        self.acked: list[int] = []
        self.moved = threading.Semaphore(0)

    def note_push(self, number: int, id: int) -> None:
        self.pushed[number] = id
        self.moved.release()

    def note_delivery(self, job: Job) -> None:
        self.delivered[job.data].add(job.id)

    def all_worked(self) -> bool:
        return len(self.delivered) == PUSHES and len(self.acked) == PUSHES

    def kill_by_rounds(self, restarted: Restarted) -> None:
        """Each time that so many pushes were answered."""
        for _ in range(ROUNDS):
            for _ in range(PUSHES // (ROUNDS + 1)):
                assert self.moved.acquire(timeout=60)
            restarted.again()

    def check(self) -> None:
        assert set(self.pushed) == set(range(PUSHES))
        made = {number: {id} for number, id in self.pushed.items()}
        assert self.delivered == made, "each push made one job, with the id that was told"
        assert sorted(self.acked) == sorted(self.pushed.values()), "each was acknowledged, and once"


def test_threads_through_kills(restarted: Restarted) -> None:
    ledger, numbers = Ledger(), iter(range(PUSHES))

    def push(client: FlashQ) -> None:
        for number in numbers:
            ledger.note_push(number, client.push("q", number))

    def work(client: FlashQ) -> None:
        while not ledger.all_worked():
            for job in client.pull_batch("q", 20, timeout=200):
                ledger.note_delivery(job)
                try:
                    client.ack(job)
                except refusals.JobNotFound as error:
                    assert error.sent_again, "else it was never acknowledged before"
                ledger.acked.append(job.id)

    with (FlashQ(restarted.url, deadline=60) as producer, FlashQ(restarted.url, deadline=60) as worker,
          ThreadPoolExecutor(12) as threads):
        running = [threads.submit(push, producer) for _ in range(8)] + [threads.submit(work, worker) for _ in range(3)]
        ledger.kill_by_rounds(restarted)
        for one in running:
            one.result(120)
    ledger.check()


async def test_tasks_through_kills(restarted: Restarted) -> None:
    ledger, numbers = Ledger(), iter(range(PUSHES))

    async def push(client: AsyncFlashQ) -> None:
        for number in numbers:
            ledger.note_push(number, await client.push("q", number))

    async def work(client: AsyncFlashQ) -> None:
        while not ledger.all_worked():
            for job in await client.pull_batch("q", 20, timeout=200):
                ledger.note_delivery(job)
                with contextlib.suppress(refusals.JobNotFound):
                    await client.ack(job)
                ledger.acked.append(job.id)

    async with (AsyncFlashQ(restarted.url, deadline=60) as producer, AsyncFlashQ(restarted.url, deadline=60) as worker,
                asyncio.timeout(120), asyncio.TaskGroup() as group):
        for _ in range(20):
            group.create_task(push(producer))
        for _ in range(5):
            group.create_task(work(worker))
        group.create_task(asyncio.to_thread(ledger.kill_by_rounds, restarted))
    ledger.check()


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_push_through_a_kill(kind: str, restarted: Restarted) -> None:
    def numbers() -> Iterator[dict[str, object]]:
        for number in range(20_000):
            if number in (5_000, 12_500):
                kill.submit(restarted.again)
            yield {"data": number}

    with ThreadPoolExecutor(1) as kill, either(kind, restarted.url, deadline=60) as client:
        done = client.push_many("q", numbers())
        assert len(set(done.ids)) == 20_000 and done.refused == []
        kill.submit(lambda: None).result()
        assert client.count("q") == 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_whose_answer_is_lost_is_made_once(kind: str, proxy: Proxy) -> None:
    with either(kind, proxy.url) as client, ThreadPoolExecutor(1) as thread:
        assert client.ping()
        proxy.deaf = True
        push = thread.submit(client.push, "q", 1)
        assert proxy.swallowed.wait(20)
        proxy.cut()
        id = push.result(20)
        assert client.count("q") == 1 and proxy.connections == 2
        assert client.get_job(id).data == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_not_be_sent_twice_is_told(kind: str, proxy: Proxy) -> None:
    with either(kind, proxy.url) as client, ThreadPoolExecutor(1) as thread:
        assert client.ping()
        proxy.deaf = True
        increment = thread.submit(client.kv_increment, "visits")
        assert proxy.swallowed.wait(20)
        proxy.cut()
        with pytest.raises(ConnectionLost, match="may have been done"):
            increment.result(20)
        assert client.kv_get("visits") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_acknowledgement_whose_answer_is_lost(kind: str, proxy: Proxy) -> None:
    with either(kind, proxy.url) as client, ThreadPoolExecutor(1) as thread:
        client.push("q")
        job = client.pull("q", timeout=0)
        proxy.deaf = True
        ack = thread.submit(client.ack, job, "result")
        assert proxy.swallowed.wait(20)
        proxy.cut()
        with pytest.raises(refusals.JobNotFound) as raised:
            ack.result(20)
        assert raised.value.sent_again and client.get_result(job.id) == "result"


def test_jobs_outlive_a_connection_that_comes_back(proxy: Proxy) -> None:
    """Also with a pull under way, after which the session has to be another one."""
    with FlashQ(proxy.url) as worker, FlashQ(proxy.url) as other, ThreadPoolExecutor(1) as thread:
        worker.push_many("q", [{"data": 1}, {"data": 2}])
        first = worker.pull("q", timeout=0)
        proxy.cut()
        second = worker.pull("q", timeout=0)
        waiting = thread.submit(worker.pull, "q2", timeout=20_000)
        while not any(one.sent for one in list(worker._portal.core.pending.values())):  # type: ignore[union-attr]
            worker.ping()
        session = worker.connect().session
        proxy.cut()
        assert worker.connect().session != session
        assert other.pull("q", timeout=3_000) is None, "for longer than the grace of a second"
        assert first is not None and second is not None
        worker.ack(first)
        worker.ack(second)
        other.push("q2", "late")
        job = waiting.result(20)
        assert job is not None and job.data == "late"


def test_a_job_whose_delivery_was_lost_comes_again(proxy: Proxy) -> None:
    with FlashQ(proxy.url) as worker, ThreadPoolExecutor(1) as thread:
        id = worker.push("q")
        proxy.deaf = True
        pull = thread.submit(worker.pull, "q", timeout=20_000)
        assert proxy.swallowed.wait(20)
        proxy.cut()
        job = pull.result(20)
        assert job is not None and job.id == id
        worker.ack(job)


@pytest.mark.parametrize("kind", KINDS)
def test_streams_go_on(kind: str, proxy: Proxy) -> None:
    with either(kind, proxy.url) as client:
        stream = client.client.messages("news", patterns=["n*"])
        client.result(stream.open())
        proxy.cut()
        assert client.ping()
        assert client.publish("news", 1) == 2
        assert {client.result(stream.next(20)).pattern for _ in range(2)} == {None, "n*"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_is_older_than_its_server(kind: str, start_server: StartServer) -> None:
    """It asks until there is one, and goes on after a restart in peace."""
    server = start_server()
    port = str(server.address[1])
    with either(kind, url_of(server)) as client, ThreadPoolExecutor(1) as thread:
        assert client.ping()
        server.stop()
        push = thread.submit(client.push, "q", 1)
        start_server("--port", port)
        assert push.result(30) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_connection_is_waited_for_less_long_than_a_later_one(kind: str, restarted: Restarted) -> None:
    """A wrong address shows soon; a server that was there once comes back."""
    with either(kind, "flashq://127.0.0.1:1?connect_timeout=0.2") as nowhere:
        with pytest.raises(DeadlineExceeded, match=r"PUSH: no answer within 0\.2 s; .*never sent \(.*127\.0\.0\.1:1"):
            nowhere.push("q", 1)
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.4 s"):
            nowhere.push("q", 1, deadline=0.4)      # its own deadline goes before
    with either(kind, restarted.url, connect_timeout=0.2, deadline=60.0) as client, ThreadPoolExecutor(1) as thread:
        client.push("q", 1)
        restarted.server.kill()
        pushing = thread.submit(client.push, "q", 2)
        with pytest.raises(TimeoutError):
            pushing.result(0.5)                     # it waits: the first connection was there
        restarted.again()
        assert pushing.result(60)


@pytest.mark.parametrize("kind", KINDS)
def test_what_hears_of_connections_is_told_each_change_once(
    kind: str, restarted: Restarted, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[tuple[bool, bool]] = []

    def hear(up: bool, cause: str) -> None:
        heard.append((up, bool(cause)))
        raise ValueError("of the user's own")

    with either(kind, restarted.url, deadline=60, on_connection=hear) as client, ThreadPoolExecutor(1) as thread:
        assert not client.client.connected
        client.push("q", 1)
        assert client.client.connected and heard == [(True, False)]
        restarted.server.kill()
        pushing = thread.submit(client.push, "q", 2)
        soon(lambda: len(heard) == 2)
        assert not client.client.connected
        restarted.again()
        assert pushing.result(60)
    assert [up for up, _ in heard] == [True, False, True] and not client.client.connected
    assert caplog.text.count("on_connection failed") == 3
