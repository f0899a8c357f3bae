"""Limits of queues, completion and retention: sections 3.8 and 3.9, and the waiting of 3.13."""

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk
from conftest import StartServer
from support.wire import Codec


@row("3.8 rate: first a full budget")
def test_rate_budget(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{}] * 10)
    talk.ok("RATELIMIT", queue=queue, limit=3)
    jobs = talk.ok("PULLB", queue=queue, count=10, timeout=0)["jobs"]
    assert len(jobs) == 3
    talk.ok("RATELIMITCLEAR", queue=queue)
    assert len(talk.ok("PULLB", queue=queue, count=10, timeout=0)["jobs"]) == 7


@row("3.8 rate: refilled evenly")
def test_rate_refill(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{}] * 30)
    talk.ok("RATELIMIT", queue=queue, limit=10)
    starts = []
    for _ in range(30):
        job = talk.pull(queue, timeout=15_000)
        starts.append(job["started_at"])
        talk.ok("ACK", id=job["id"])
    assert starts[-1] - starts[0] >= 1450


@row("3.8 rate: only delivered jobs count")
def test_rate_empty_pulls(talk: Talk, queue: str) -> None:
    talk.ok("RATELIMIT", queue=queue, limit=1)
    assert all(talk.pulls_nothing(queue) for _ in range(5))
    talk.push(queue)
    talk.pull(queue)


@row("3.8 rate: limit 0")
@pytest.mark.parametrize("command", ["RATELIMIT", "SETCONCURRENCY"])
def test_limit_zero(talk: Talk, queue: str, command: str) -> None:
    talk.push(queue)
    talk.ok(command, queue=queue, limit=0)
    assert talk.ok("PULL", queue=queue, timeout=30)["job"] is None
    assert talk.counts(queue)[:2] == (1, 0)


@row("3.8 concurrency: counts what is active")
def test_concurrency(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{}] * 8)
    first = [talk.pull(queue)["id"] for _ in range(2)]
    talk.ok("SETCONCURRENCY", queue=queue, limit=5)
    assert len(talk.ok("PULLB", queue=queue, count=10, timeout=0)["jobs"]) == 3
    assert talk.pulls_nothing(queue)
    talk.ok("ACK", id=first[0])
    talk.pull(queue)
    assert talk.pulls_nothing(queue) and talk.counts(queue)[1] == 5


@row("3.8 concurrency: every ending frees a slot")
@pytest.mark.parametrize("end", ["ACK", "ACKB", "FAIL", "CANCEL", "DISCARD", "MOVETODELAYED", "timeout"])
def test_concurrency_freed(talk: Talk, open_talk: OpenTalk, queue: str, end: str) -> None:
    timeout = 40 if end == "timeout" else 0
    first = talk.active(queue, backoff=3_600_000, timeout=timeout)
    second = talk.push(queue)
    talk.ok("SETCONCURRENCY", queue=queue, limit=1)
    worker = open_talk()
    worker.send("PULL", queue=queue, timeout=15_000)
    fields = {"ACKB": {"ids": [first]}, "MOVETODELAYED": {"id": first, "delay": 3_600_000}}
    if end != "timeout":
        talk.ok(end, **fields.get(end, {"id": first}))
    assert worker.receive()["job"]["id"] == second


@row("3.8 pause: pulls wait")
def test_pause_waits(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    active = talk.active(queue)
    talk.ok("PAUSE", queue=queue)
    worker = open_talk()
    worker.send("PULL", queue=queue, timeout=15_000)
    job_id = talk.push(queue)
    talk.ok("ACK", id=active)
    assert talk.counts(queue)[:2] == (1, 0)
    talk.ok("RESUME", queue=queue)
    assert worker.receive()["job"]["id"] == job_id


@row("3.9 ACK: no result")
@pytest.mark.parametrize("fields", [{}, {"result": None}])
def test_ack_no_result(talk: Talk, queue: str, fields: dict[str, None]) -> None:
    job_id = talk.active(queue)
    talk.ok("ACK", id=job_id, **fields)
    assert talk.state(job_id) == "completed" and talk.ok("GETRESULT", id=job_id)["result"] is None


@row("3.9 ACK: remove_on_complete")
@pytest.mark.parametrize("command", ["ACK", "ACKB"])
def test_remove_on_complete(talk: Talk, queue: str, command: str) -> None:
    job_id = talk.active(queue, remove_on_complete=True)
    talk.ok("LOG", id=job_id, message="m")
    talk.ok(command, **({"id": job_id, "result": 1} if command == "ACK" else {"ids": [job_id]}))
    assert talk.state(job_id) == "unknown" and talk.ok("GETRESULT", id=job_id)["result"] is None
    assert talk.ok("GETLOGS", id=job_id)["logs"] == []


@row("3.9 ACK: frees its custom id and key")
def test_ack_frees_key(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, unique_key="k")
    assert talk.holds_key(queue, "k")
    talk.ok("ACK", id=job_id)
    talk.completed(queue, unique_key="k")


@row("3.9 keep_completed_age")
def test_keep_age(start_own: StartServer, codec: Codec) -> None:
    with Talk(start_own("--keep-completed", "40", "--keep-results", "2").address, codec) as talk:
        long = talk.completed("q", "r", keep_completed_age=600_000)
        short = talk.completed("q", "r", keep_completed_age=1)
        talk.spend(50)
        for _ in range(10):
            talk.completed("q", "r")
        assert talk.job(long)["keep_completed_age"] == 600_000
        assert talk.ok("GETRESULT", id=long)["result"] == "r" and talk.ok("GETRESULT", id=short)["result"] is None


@row("3.9 keep_completed_count")
def test_keep_count(start_own: StartServer, codec: Codec) -> None:
    with Talk(start_own("--keep-completed", "40", "--keep-results", "0").address, codec) as talk:
        ids = [talk.completed("q", n, keep_completed_count=2) for n in range(5)]
        talk.completed("other", "r")
        assert [talk.ok("GETRESULT", id=one)["result"] for one in ids] == [None, None, None, 3, 4]


@row("3.9 completed jobs are listed")
def test_completed_listed(talk: Talk, queue: str) -> None:
    ids = [talk.completed(queue, n) for n in range(3)]
    jobs = talk.ok("GETJOBS", queue=queue, state="completed")["jobs"]
    assert {job["id"] for job in jobs} == set(ids) and all(job["completed_at"] >= job["started_at"] for job in jobs)


@row("3.13 waiting pull: at once")
def test_waiting_pulls(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    workers = [open_talk() for _ in range(3)]
    for worker in workers:
        worker.send("PULL", queue=queue, timeout=15_000)
    ids = talk.push_all(queue, [{}] * 3)
    assert sorted(worker.receive()["job"]["id"] for worker in workers) == ids


@row("3.13 waiting pull: client gone")
def test_pull_of_a_client_that_left(talk: Talk, open_talk: OpenTalk, queue: str, names: Names) -> None:
    gone = open_talk()
    gone.send("PULL", queue=queue, timeout=60_000)
    gone.close()
    talk.spend(50)
    job_id = talk.push(queue)
    talk.spend(50)
    assert talk.pull(queue)["id"] == job_id
