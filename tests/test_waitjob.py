"""WAITJOB: answered for every way in which a job can end, once that is durable, and never left behind."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import StartServer
from flashq._core import probe
from support.server import ServerProcess
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec, Message

OK: Message = {"ok": True, "success": True}
JOB_WATCHED = 128       # as in flashq/_core/job.pxd


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lease=1000, lost_workers=2) as running:
        yield running
        assert left(running) == (0, False)


@pytest.fixture
def waiter(sim: Simulation, codec: Codec) -> Client:
    return sim.connect(codec)


def left(sim: Simulation) -> tuple[int, bool]:
    """What the server still holds for waits."""
    waits = sim.rooms.waits
    assert (waits._jobs == {}) == (waits._parked.all() == []) == (len(waits) == 0)
    return len(waits), sim.rooms.waits._bus.watching


def refusal(text: str, code: str) -> Message:
    return {"ok": False, "error": text, "code": code}


FAILED = refusal("Job failed", "JOB_FAILED")
CANCELLED = refusal("Job cancelled", "JOB_CANCELLED")
EXPIRED = refusal("Job expired", "JOB_EXPIRED")
UNKNOWN = refusal("Job not found", "JOB_NOT_FOUND")


# -- answered at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [1, "a", [None], {"n": 2**60}, False])
def test_a_completed_job_is_answered_at_once(waiter: Client, worker: Client, result: object) -> None:
    job_id = worker.push()
    worker.pull()
    worker.ok("ACK", id=job_id, result=result)
    assert waiter.call("WAITJOB", id=job_id) == {**OK, "result": result}


def test_without_a_result_the_key_is_left_out(waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    worker.pull()
    worker.ok("ACK", id=job_id, result=None)
    assert waiter.call("WAITJOB", job_id=job_id, reqId="r") == {"reqId": "r", **OK}


@pytest.mark.parametrize("result", [None, 1])
def test_a_job_that_is_not_kept_whole_any_more_is_told_from_one_without_a_result(codec: Codec, result: object) -> None:
    """The server knows that it is completed, and no more; who waits hears the result all the same."""
    with simulation(keep_results=0) as sim:
        waiter, worker = sim.connect(codec), sim.connect(codec)
        job_id = worker.push()
        worker.pull()
        waiter.send("WAITJOB", id=job_id)
        worker.ok("ACK", id=job_id, result=result)
        assert waiter.replies() == [{**OK, "result": result} if result else OK]
        assert waiter.call("WAITJOB", id=job_id) == {**OK, "kept": False}
        assert waiter.call("GETSTATE", id=job_id) == {**OK, "id": job_id, "state": "completed"}


def test_a_dead_letter_and_an_unknown_id_are_answered_at_once(waiter: Client, worker: Client) -> None:
    job_id = worker.push(max_attempts=1)
    worker.pull()
    worker.ok("FAIL", id=job_id)
    assert waiter.call("WAITJOB", id=job_id) == FAILED
    assert waiter.call("WAITJOB", id=job_id + 32) == UNKNOWN
    worker.ok("PURGEDLQ", queue="q")
    assert waiter.call("WAITJOB", id=job_id) == UNKNOWN


@pytest.mark.parametrize("delay", [0, 5])
def test_without_waiting_a_living_job_is_a_timeout(waiter: Client, worker: Client, delay: int) -> None:
    job_id = worker.push(delay=delay)
    text = f"Timeout waiting for job {job_id} after 0ms"
    assert waiter.call("WAITJOB", id=job_id, timeout=0) == refusal(text, "TIMEOUT")


# -- how a job ends ---------------------------------------------------------------------------------------------------


def lose(sim: Simulation, worker: Client) -> None:
    """Two workers in turn that go away with the job."""
    for _ in range(2):
        client = sim.connect()
        client.pull()
        client.disconnect()
        sim.advance(1000)


ENDINGS: dict[str, tuple[dict[str, Any], bool, Callable[[Simulation, Client, int], object], Message]] = {
    "ack": ({}, True, lambda sim, worker, id: worker.ok("ACK", id=id, result={"a": [1]}), {**OK, "result": {"a": [1]}}),
    "ack without result": ({}, True, lambda sim, worker, id: worker.ok("ACK", id=id), OK),
    "ack of a batch": ({}, True, lambda sim, worker, id: worker.ok("ACKB", ids=[id]), OK),
    "ack of a job that is not kept": (
        {"remove_on_complete": True}, True, lambda sim, worker, id: worker.ok("ACK", id=id, result="for who waits"),
        {**OK, "result": "for who waits"}),
    "failed for good": ({"max_attempts": 1}, True, lambda sim, worker, id: worker.ok("FAIL", id=id), FAILED),
    "failed and not kept": (
        {"max_attempts": 1, "remove_on_fail": True}, True, lambda sim, worker, id: worker.ok("FAIL", id=id), FAILED),
    "discarded": ({}, False, lambda sim, worker, id: worker.ok("DISCARD", id=id), FAILED),
    "cancelled while waiting": ({}, False, lambda sim, worker, id: worker.ok("CANCEL", id=id), CANCELLED),
    "cancelled while delayed": ({"delay": 99}, False, lambda sim, worker, id: worker.ok("CANCEL", id=id), CANCELLED),
    "cancelled while active": ({}, True, lambda sim, worker, id: worker.ok("CANCEL", id=id), CANCELLED),
    "ttl": ({"ttl": 50}, False, lambda sim, worker, id: sim.advance(51), EXPIRED),
    "ttl of a job that comes back": (
        {"ttl": 50}, True, lambda sim, worker, id: (sim.advance(51), worker.ok("FAIL", id=id)), EXPIRED),
    "timeout": ({"timeout": 50, "max_attempts": 1}, True, lambda sim, worker, id: sim.advance(51), FAILED),
    "lost workers": ({}, False, lambda sim, worker, id: lose(sim, worker), FAILED),
    "missed heartbeats": (
        {"stall_timeout": 50}, True, lambda sim, worker, id: (sim.advance(50), worker.pull(), sim.advance(50)), FAILED),
    "drained": ({}, False, lambda sim, worker, id: worker.ok("DRAIN", queue="q"), CANCELLED),
    "obliterated while active": ({}, True, lambda sim, worker, id: worker.ok("OBLITERATE", queue="q"), CANCELLED),
    "cleaned while waiting": (
        {}, False, lambda sim, worker, id: worker.ok("CLEAN", queue="q", state="waiting", grace=0), CANCELLED),
    "cleaned while delayed": (
        {"delay": 9}, False, lambda _sim, worker, id: worker.ok("CLEAN", queue="q", state="delayed", grace=0),
        CANCELLED),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending_is_told(sim: Simulation, waiter: Client, worker: Client, name: str) -> None:
    options, active, ending, reply = ENDINGS[name]
    job_id = worker.push(**options)
    if active:
        worker.pull()
    waiter.send("WAITJOB", id=job_id, timeout=20_000, reqId="w")
    assert waiter.replies() == []
    ending(sim, worker, job_id)
    sim.advance(1)
    assert waiter.replies() == [{"reqId": "w", **reply}]
    assert left(sim) == (0, False)


def test_what_does_not_end_a_job_is_not_told(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    waiter.send("WAITJOB", id=job_id)
    worker.pull()
    worker.ok("PROGRESS", id=job_id, progress=50)
    worker.ok("FAIL", id=job_id, error="again")
    worker.pull()
    worker.ok("MOVETODELAYED", id=job_id, delay=5)
    worker.ok("PROMOTE", id=job_id)
    worker.ok("UPDATEJOB", id=job_id, data=2)
    worker.pull()
    assert waiter.replies() == []
    worker.ok("ACK", id=job_id)
    assert waiter.replies() == [OK]


def test_all_who_wait_are_told_in_their_own_format(sim: Simulation, worker: Client) -> None:
    job_id = worker.push(remove_on_complete=True)
    waiters = [sim.connect(codec) for codec in (JSON, MSGPACK, JSON, MSGPACK)]
    for client in waiters:
        client.send("WAITJOB", id=job_id)
    worker.pull()
    worker.send_raw(b'{"cmd":"ACK","id":%d,"result":{"a":\r [1,2.5,"x"]\t}}\n' % job_id)
    assert worker.replies() == [OK]
    assert [client.replies() for client in waiters] == [[{**OK, "result": {"a": [1, 2.5, "x"]}}]] * 4


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [1, 250, 70_000, None])
def test_a_wait_ends_at_its_time(sim: Simulation, waiter: Client, worker: Client, timeout: int | None) -> None:
    job_id = worker.push()
    waiter.send("WAITJOB", id=job_id, timeout=timeout)
    sim.advance((timeout or 30_000) - 1)
    assert waiter.replies() == []
    sim.advance(1)
    text = f"Timeout waiting for job {job_id} after {timeout or 30_000}ms"
    assert waiter.replies() == [refusal(text, "TIMEOUT")]
    assert left(sim) == (0, False)
    worker.pull()
    worker.ok("ACK", id=job_id, result=1)
    assert waiter.replies() == []
    assert waiter.call("WAITJOB", id=job_id)["result"] == 1


def test_waits_of_different_length_end_in_their_order(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    for timeout in (300, 100, 2**63 - 1, 200):
        waiter.send("WAITJOB", id=job_id, timeout=timeout, reqId=str(timeout))
    sim.advance(1000)
    assert [reply["reqId"] for reply in waiter.replies()] == ["100", "200", "300"]
    worker.ok("CANCEL", id=job_id)
    assert [reply["error"] for reply in waiter.replies()] == ["Job cancelled"]


def test_waits_that_are_over_leave_no_deadline_behind(sim: Simulation, waiter: Client, worker: Client) -> None:
    for _ in range(500):
        job_id = worker.push()
        waiter.send("WAITJOB", id=job_id, timeout=10**9)
        worker.ok("CANCEL", id=job_id)
        assert waiter.replies() == [CANCELLED]
    assert len(sim.rooms.waits._parked._deadlines) < 100


# -- order, connections, limits ---------------------------------------------------------------------------------------


def test_without_req_id_it_holds_up_what_comes_after(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    waiter.send_raw(waiter.encode("WAITJOB", id=job_id) + waiter.encode("COUNT", queue="q") + waiter.encode("PING"))
    waiter.send("PING", reqId="passes")
    assert [reply.get("reqId") for reply in waiter.replies()] == ["passes"]
    worker.pull()
    worker.ok("ACK", id=job_id, result=7)
    assert waiter.replies() == [{**OK, "result": 7}, {**OK, "count": 0}, {**OK, "pong": True}]


def test_with_req_id_it_holds_up_nobody(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    waiter.send("WAITJOB", id=job_id, reqId="w")
    assert waiter.call("PING") == {**OK, "pong": True}
    waiter.send("PULL", queue="q")
    waiter.send("ACK", id=job_id, result=1)
    replies = waiter.replies()
    assert [reply.get("reqId") for reply in replies] == [None, None, "w"]
    assert replies[2]["result"] == 1


def test_two_in_a_row_without_req_id(sim: Simulation, waiter: Client, worker: Client) -> None:
    one, two = worker.push(), worker.push()
    waiter.send("WAITJOB", id=one)
    waiter.send("WAITJOB", id=two)
    worker.ok("CANCEL", id=two)
    assert waiter.replies() == [] and len(sim.rooms.waits) == 1
    worker.ok("CANCEL", id=one)
    assert waiter.replies() == [CANCELLED, UNKNOWN]


def test_a_lost_connection_leaves_nothing_behind(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    other = sim.connect()
    for client in (waiter, waiter, other):
        client.send("WAITJOB", id=job_id, reqId="w")
    waiter.disconnect()
    assert left(sim) == (1, True)
    worker.ok("CANCEL", id=job_id)
    assert other.replies() == [{"reqId": "w", **CANCELLED}]


def test_a_half_close_is_answered(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    waiter.send("WAITJOB", id=job_id)
    waiter.send("WAITJOB", id=job_id)
    waiter.send("PING")
    waiter.finish()
    closed = refusal("Waiter channel closed", "WAITER_CLOSED")
    assert waiter.replies() == [closed, closed, {**OK, "pong": True}]
    assert waiter.closed and left(sim) == (0, False)


def test_a_drain_is_answered(sim: Simulation, waiter: Client, worker: Client) -> None:
    job_id = worker.push()
    waiter.send("WAITJOB", id=job_id, reqId="w")
    other = worker.push()
    assert [worker.pull()["id"] for _ in range(2)] == [job_id, other]
    sim.hub.begin_drain()
    gone = refusal("Server is shutting down", "SERVICE_UNAVAILABLE")
    assert waiter.replies() == [{"reqId": "w", **gone}]
    assert waiter.call("WAITJOB", id=job_id) == gone
    worker.ok("ACK", id=job_id, result=2)
    assert waiter.call("WAITJOB", id=job_id) == {**OK, "result": 2}


def test_the_limit_of_a_connection(codec: Codec) -> None:
    with simulation(max_parked=2) as sim:
        waiter, worker = sim.connect(codec), sim.connect()
        job_id = worker.push()
        for number in range(2):
            waiter.send("WAITJOB", id=job_id, reqId=str(number))
        text = "Too many requests are waiting (max 2)"
        assert waiter.error("WAITJOB", id=job_id) == text
        sim.connect().send("WAITJOB", id=job_id)
        worker.ok("CANCEL", id=job_id)
        assert [reply["reqId"] for reply in waiter.replies()] == ["0", "1"]
        assert waiter.error("WAITJOB", id=job_id) == "Job not found"


# -- durability, memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
def test_an_ending_is_told_once_it_is_durable(codec: Codec, kept: bool) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        waiter, worker = sim.connect(codec), sim.connect()
        job_id = worker.push(remove_on_complete=not kept)
        worker.pull()
        store.at_once = False
        waiter.send("WAITJOB", id=job_id)
        worker.send("ACK", id=job_id, result=3)
        assert waiter.replies() == [] and worker.replies() == []
        before = store.position
        worker.send("PUSH", queue="other")
        store.commit(before)
        assert waiter.replies() == [{**OK, "result": 3}]
        store.commit()


def test_the_end_of_a_wait_is_not_recorded() -> None:
    """The mark on the job is of this process alone."""
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        waiter, worker = sim.connect(), sim.connect()
        job_id = worker.push()
        waiter.send("WAITJOB", id=job_id)
        worker.pull()
        worker.ok("ACK", id=job_id)
        assert all(record["flags"] & JOB_WATCHED == 0 for record in store.records() if "flags" in record)


@pytest.mark.parametrize(
    ("cmd", "options", "fields", "reply"),
    [
        ("ACK", {}, {"result": "x" * 100_000}, {**OK, "result": "x" * 100_000}),
        ("ACK", {"remove_on_complete": True}, {}, OK),
        ("FAIL", {"max_attempts": 1}, {}, FAILED),
        ("CANCEL", {}, {}, CANCELLED),
    ],
)
def test_an_ending_that_finds_no_memory_is_looked_up(
    codec: Codec, cmd: str, options: dict[str, Any], fields: dict[str, Any], reply: Message
) -> None:
    """Who waits is answered, or closed for want of memory for the answer; nobody is forgotten."""
    looked = 0
    for at in range(1, 9):
        with simulation() as sim:
            waiter, worker = sim.connect(codec), sim.connect()
            job_id = worker.push(**options)
            worker.pull()
            waiter.send("WAITJOB", id=job_id)
            probe.fail_allocations(at, 1)
            try:
                worker.send(cmd, id=job_id, **fields)
            finally:
                probe.fail_allocations(0, 0)
            if not worker.closed and worker.replies()[0]["ok"] is False:
                worker.ok(cmd, id=job_id, **fields)
            answers = waiter.replies()
            looked += answers == [UNKNOWN]
            assert waiter.closed or answers in ([reply], [UNKNOWN])
            assert left(sim) == (0, False)
    assert looked == (0 if cmd == "FAIL" or "result" in fields else 1)


# -- a real server ----------------------------------------------------------------------------------------------------


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as waiter, server.client() as worker:
        job_id = worker.ok("PUSH", queue=queue_name, data=1)["id"]
        waiter.send("WAITJOB", id=job_id)
        waiter.send("WAITJOB", id=job_id, timeout=1, reqId="short")
        reply = waiter.receive()
        assert (reply["reqId"], reply["code"]) == ("short", "TIMEOUT")
        worker.ok("PULL", queue=queue_name)
        worker.ok("ACK", id=job_id, result=[1])
        assert waiter.receive() == {**OK, "result": [1]}


def test_a_server_that_ends_answers(start_server: StartServer, codec: Codec) -> None:
    server = start_server("--drain-timeout", "1h")
    with server.client(codec) as client:
        job_id = client.ok("PUSH", queue="q")["id"]
        client.send("WAITJOB", id=job_id, reqId="w")
        assert client.call("PING", reqId="p")["pong"] is True
        server.signal(signal.SIGTERM)
        assert client.receive()["code"] == "SERVICE_UNAVAILABLE"
        assert client.is_closed()
    assert server.wait() == 0
