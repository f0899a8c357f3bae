"""What a worker tells while it works, PARTIAL, and what it hears of a job that was cancelled meanwhile."""

from collections.abc import Iterator

import pytest

from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import CODECS, Codec, Message

OK: Message = {"ok": True, "success": True}


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lease=1000, lost_workers=2) as running:
        yield running


# -- PARTIAL ----------------------------------------------------------------------------------------------------------


def test_partial_needs_an_active_job(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = sim.connect(codec)
    job_id = worker.push()
    text = f"Job {job_id} not found in processing"
    assert client.error("PARTIAL", id=job_id, data=1) == text
    token = worker.pull()["token"]
    assert client.call("PARTIAL", id=job_id, data=1, token=token, reqId="r") == {"reqId": "r", **OK}
    stale = f"Job {job_id} is held by a newer delivery (stale token)"
    assert client.error("PARTIAL", id=job_id, data=1, token=token + 1) == stale
    before = worker.job(job_id)
    client.ok("PARTIAL", id=job_id, data={"large": "x" * 1000}, index=2**32 - 1)
    assert worker.job(job_id) == before
    worker.ok("ACK", id=job_id)
    assert client.error("PARTIAL", id=job_id, data=1) == text


def test_partial_has_the_limit_of_a_job(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = sim.connect(codec)
    job_id = worker.push()
    worker.pull()
    size = sim.settings.max_job_size
    assert client.call("PARTIAL", id=job_id, data="x" * size)["code"] == "DATA_TOO_LARGE"
    client.ok("PARTIAL", id=job_id, data="x" * (size - 20))


def test_partial_is_a_sign_of_life(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = sim.connect(codec)
    job_id = worker.push(stall_timeout=100)
    worker.pull()
    for _ in range(5):
        sim.advance(99)
        client.ok("PARTIAL", id=job_id, data=1)
    assert worker.state(job_id) == "active"
    sim.advance(100)
    assert worker.state(job_id) == "waiting"


# -- CANCEL -----------------------------------------------------------------------------------------------------------


def test_a_worker_that_does_not_read_takes_no_more_memory(codec: Codec) -> None:
    """What it does not hear of its cancelled jobs counts as replies that it does not take."""
    with simulation(write_high_water=10_000, write_limit=20_000) as sim:
        worker, client = sim.connect(codec), sim.connect()
        worker.ok("HELLO", push=True)
        ids = client.ok("PUSHB", queue="q", jobs=[{}] * 1000)["ids"]
        worker.ok("PULLB", queue="q", count=1000)
        worker.stop_taking()
        for job_id in ids:
            client.ok("CANCEL", id=job_id)
        assert worker.closed and len(worker.transport.sent) < 25_000


@pytest.mark.parametrize("other", CODECS.values(), ids=CODECS)
def test_cancel_tells_the_worker(sim: Simulation, codec: Codec, other: Codec) -> None:
    worker, client = sim.connect(codec), sim.connect(other)
    worker.ok("HELLO", push=True)
    one, two = client.push("größe"), client.push("größe")
    held = worker.pull("größe")
    client.ok("CANCEL", id=two)
    assert worker.replies() == [], "a job that nobody holds"
    client.ok("CANCEL", id=one)
    (event,) = worker.replies()
    assert list(event.items()) == [("event", "cancel"), ("id", one), ("queue", "größe"), ("token", held["token"])]
    assert client.error("CANCEL", id=one) == f"Job {one} not found"
    assert worker.replies() == []


def test_cancel_by_the_worker_itself_and_without_push(sim: Simulation, codec: Codec) -> None:
    worker = sim.connect(codec)
    one, two = worker.push(), worker.push()
    worker.pull()
    worker.ok("CANCEL", id=one)
    worker.pull()
    worker.ok("HELLO", push=True)
    worker.send("CANCEL", id=two)
    assert [reply.get("event", "reply") for reply in worker.replies()] == ["cancel", "reply"]


def test_cancel_finds_the_connection_that_a_session_has_now(sim: Simulation, codec: Codec) -> None:
    client = sim.connect()
    first = sim.connect(codec)
    first.ok("HELLO", session="s", push=True)
    one, two = client.push(), client.push()
    first.ok("PULLB", queue="q", count=2)
    first.disconnect()
    client.ok("CANCEL", id=one)
    second = sim.connect(codec)
    second.ok("HELLO", session="s", push=True)
    client.ok("CANCEL", id=two)
    assert [event["id"] for event in second.replies()] == [two]


def test_a_cancelled_worker_hears_once_it_is_durable(codec: Codec) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        worker, client = sim.connect(codec), sim.connect()
        worker.ok("HELLO", push=True)
        job_id = client.push()
        worker.pull()
        store.at_once = False
        client.send("CANCEL", id=job_id)
        assert worker.replies() == [] and client.replies() == []
        store.commit()
        assert [event["id"] for event in worker.replies()] == [job_id]
