"""When the store fails nothing is acknowledged any more: what waits is answered with an error, and so is what comes."""

from collections.abc import Iterator

import pytest

from support.simulated import DelayedStore, Simulation, simulation
from support.wire import Codec

CODE = "STORAGE_FAILED"


@pytest.fixture
def store() -> DelayedStore:
    return DelayedStore()


@pytest.fixture
def sim(store: DelayedStore) -> Iterator[Simulation]:
    with simulation(store) as running:
        yield running


def test_replies_that_wait_become_errors(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client, reader = sim.connect(codec), sim.connect(codec)
    client.send("PUSH", queue="q", data="a\nb", reqId='r"1')
    client.send("PUSHB", queue="q", jobs=[{}] * 20)
    client.send("CANCEL", id=5, reqId="ü")
    client.send("PULL", queue="none", timeout=0)
    reader.send("STATS", reqId="2")
    assert client.replies() == reader.replies() == []
    sim.hub.fail("the disk is gone")
    told = client.replies()
    assert [reply.get("reqId") for reply in told] == ['r"1', None, "ü", None]
    assert [reply["code"] for reply in told] == [CODE] * 4 and not any(reply["ok"] for reply in told)
    assert [(reply["reqId"], reply["code"]) for reply in reader.replies()] == [("2", CODE)]


def test_what_comes_later_is_refused(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    sim.hub.fail("the disk is gone")
    for cmd, fields in (("PUSH", {"queue": "q"}), ("PING", {}), ("GETJOB", {"id": 32}), ("PULL", {"queue": "q"})):
        assert client.call(cmd, reqId="r", **fields) == {
            "reqId": "r", "ok": False, "code": CODE,
            "error": "Storage failed: what was asked may be lost, and the server stops"}


def test_those_who_wait_for_something_else_hear_of_it(sim: Simulation, store: DelayedStore) -> None:
    client, worker, waiting = sim.connect(), sim.connect(), sim.connect()
    client.send("PUSH", queue="other")
    store.commit()
    (pushed,) = client.replies()
    worker.send("PULL", queue="q")
    waiting.send("WAITJOB", id=pushed["id"])
    sim.hub.fail("the disk is gone")
    assert [reply["code"] for reply in worker.replies() + waiting.replies()] == [CODE, CODE]


def test_a_later_commit_changes_nothing(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q")
    sim.hub.fail("the disk is gone")
    store.commit()
    assert [reply["ok"] for reply in client.replies()] == [False]
    assert sim.engine.synced == 0


def test_events_of_what_may_be_lost_are_not_told(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client, listener, worker = sim.connect(), sim.connect(codec), sim.connect(codec)
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue="q")
    worker.ok("HELLO", push=True)
    client.send("PUSH", queue="q")
    store.commit()
    worker.send("PULL", queue="q", timeout=0)
    store.commit()
    job_id = worker.replies()[0]["job"]["id"]
    listener.replies()
    client.send("CANCEL", id=job_id)
    sim.hub.fail("the disk is gone")
    sim.advance(1000)
    assert listener.replies() == worker.replies() == []


def test_the_server_is_told_once(sim: Simulation) -> None:
    told: list[str] = []
    sim.hub.on_failure = told.append
    sim.hub.fail("first")
    sim.hub.fail("second")
    assert told == ["first"] and sim.hub.failure == "first"


def test_nothing_is_done_any_more(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q", delay=10)
    position = sim.engine.position
    sim.hub.fail("the disk is gone")
    client.replies()
    sim.advance(60_000)
    assert sim.engine.position == position == store.position
    assert sim.hub.turn(lambda: 1) is None


def test_connections_close_once_they_have_their_errors(sim: Simulation, store: DelayedStore) -> None:
    client, holder, slow = sim.connect(), sim.connect(), sim.connect()
    client.send("PUSH", queue="q")
    store.commit()
    client.replies()
    holder.send("PULL", queue="q", timeout=0)
    store.commit()
    holder.replies()
    slow.stop_taking()
    for one in (client, holder, slow):
        one.send("PUSH", queue="q")
    sim.hub.fail("the disk is gone")
    assert sim.hub.close_flushed() == 3
    sim.loop.settle()
    assert client.closed and holder.closed and not slow.closed
    slow.take()
    sim.hub.close_flushed()
    sim.loop.settle()
    assert [reply["code"] for reply in slow.replies()] == [CODE] and slow.closed
    assert sim.hub.connections == 0


# -- too much that is not written ------------------------------------------------------------------------------------


def test_no_request_is_read_while_too_much_is_unwritten(store: DelayedStore, codec: Codec) -> None:
    with simulation(store, max_unsynced=1 << 16) as sim:
        client, other = sim.connect(codec), sim.connect(codec)
        store.pending_bytes = 1 << 16
        client.send("PUSH", queue="q")
        assert not sim.hub.choked, "that much is allowed"
        store.pending_bytes += 1
        client.send("PUSH", queue="q")
        assert sim.hub.choked
        client.send("PUSH", queue="q")
        client.send("PUSH", queue="q")
        other.send("PING")
        assert client.transport.reading_paused and other.transport.reading_paused
        assert len([one for one in store.records() if one["kind"] == "job"]) == 2
        store.commit()
        assert len(client.replies()) == 2 and sim.hub.choked
        store.pending_bytes = (1 << 15) + 1
        store.commit()
        assert other.replies() == [] and sim.hub.choked
        store.pending_bytes -= 1
        store.commit()
        assert not sim.hub.choked
        store.commit()
        assert len(client.replies()) == 2 and len(other.replies()) == 1
        assert not client.transport.reading_paused and not other.transport.reading_paused


def test_a_batch_of_frames_stops_where_the_limit_is_passed(store: DelayedStore) -> None:
    """What was read already is worked off before the store is looked at; what waits in the kernel stays there."""
    with simulation(store, max_unsynced=1 << 16) as sim:
        client = sim.connect()
        store.pending_bytes = 1 << 20
        client.send_raw(client.encode("PUSH", queue="q") * 3)
        client.send_raw(client.encode("PUSH", queue="q") * 3)
        assert len([one for one in store.records() if one["kind"] == "job"]) == 3
        store.pending_bytes = 0
        store.commit()
        store.commit()
        assert len(client.replies()) == 6


def test_replies_that_wait_are_bounded(store: DelayedStore, codec: Codec) -> None:
    """Requests behind them are read when the client could have taken the replies."""
    with simulation(store, write_high_water=1 << 16) as sim:
        client, other = sim.connect(codec), sim.connect(codec)
        job_id = [other.send("PUSH", queue="q", data="x" * 20_000), store.commit(), other.replies()[0]["id"]][-1]
        other.send("PUSH", queue="q")
        for n in range(20):
            client.send("GETJOB", id=job_id, reqId=str(n))
        assert client.transport.reading_paused and client.transport.kernel
        store.commit()
        sim.loop.settle()
        assert [reply["reqId"] for reply in client.replies()] == [str(n) for n in range(20)]
        assert not client.transport.reading_paused
