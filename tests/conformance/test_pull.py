"""PULL, PULLB, ACK, ACKB, FAIL and PARTIAL: section 2.2."""

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk

NOBODY = 2**53 - 1


@row("2.2 PULL: job")
def test_pull_job(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, data=[1])
    job = talk.pull(queue)
    assert job["id"] == job_id and job["data"] == [1] and talk.state(job_id) == "active"
    assert job["started_at"] >= job["created_at"] and job["last_heartbeat"] == job["started_at"]


@row("2.2 PULL: nothing in time")
@pytest.mark.parametrize("timeout", [0, 30])
def test_pull_nothing(talk: Talk, queue: str, timeout: int) -> None:
    reply = talk.ok("PULL", queue=queue, timeout=timeout)
    assert "job" in reply and reply["job"] is None


@row("2.2 PULL: waits")
@pytest.mark.parametrize("fields", [{"timeout": 15_000}, {}, {"timeout": None}])
def test_pull_waits(talk: Talk, open_talk: OpenTalk, queue: str, fields: dict[str, int]) -> None:
    talk.send("PULL", queue=queue, **fields)
    job_id = open_talk().push(queue)
    assert talk.receive()["job"]["id"] == job_id


@row("2.2 PULLB: up to count")
def test_pullb_count(talk: Talk, queue: str) -> None:
    ids = talk.push_all(queue, [{}] * 5)
    reply = talk.ok("PULLB", queue=queue, count=3, timeout=0)
    assert [job["id"] for job in reply["jobs"]] == ids[:3]
    assert [job["id"] for job in talk.ok("PULLB", queue=queue, count=9, timeout=10_000)["jobs"]] == ids[3:]


@row("2.2 PULLB: nothing in time")
def test_pullb_nothing(talk: Talk, queue: str) -> None:
    reply = talk.ok("PULLB", queue=queue, count=5, timeout=20)
    assert reply["jobs"] == [] and reply["job"] is None


@row("2.2 PULLB: count 0")
def test_pullb_zero(talk: Talk, queue: str) -> None:
    talk.push(queue)
    assert talk.ok("PULLB", queue=queue, count=0, timeout=60_000)["jobs"] == []
    assert talk.counts(queue)[:2] == (1, 0)


@row("2.2 PULLB: waits for the first")
def test_pullb_waits(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    talk.send("PULLB", queue=queue, count=10)
    job_id = open_talk().push(queue)
    assert [job["id"] for job in talk.receive()["jobs"]] == [job_id]


@row("2.2 ACK: done")
def test_ack(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("ACK", id=job_id, result={"sent": True})
    assert talk.state(job_id) == "completed"
    assert talk.ok("GETRESULT", id=job_id)["result"] == {"sent": True}


@row("2.2 ACK: not active")
def test_ack_not_active(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    assert talk.error("ACK", id=waiting) == f"Job {waiting} not found"
    done = talk.pull(queue)["id"]
    talk.ok("ACK", id=done)
    assert talk.error("ACK", id=done) == f"Job {done} not found"
    assert talk.error("ACK", id=NOBODY) == f"Job {NOBODY} not found"


@row("2.2 ACKB: count")
def test_ackb(talk: Talk, queue: str) -> None:
    ids = [talk.active(queue) for _ in range(3)]
    reply = talk.ok("ACKB", ids=[*ids, NOBODY, ids[0]])
    assert reply["ids"] == [3] and reply["count"] == 3
    assert [talk.state(one) for one in ids] == ["completed"] * 3
    assert talk.ok("ACKB", ids=ids)["ids"] == [0] and talk.ok("ACKB", ids=[])["count"] == 0


@row("2.2 FAIL: retried")
def test_fail(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("FAIL", id=job_id, error="broke")
    job = talk.job(job_id)
    assert (job["attempts"], job["progress_msg"], job["state"]) == (1, "broke", "waiting")


@row("2.2 FAIL: not active")
def test_fail_not_active(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    assert talk.error("FAIL", id=waiting, error="no") == f"Job {waiting} not found"
    assert talk.error("FAIL", id=NOBODY) == f"Job {NOBODY} not found"


@row("2.2 PARTIAL: active")
def test_partial(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("PARTIAL", id=job_id, data={"chunk": 1}, index=0)
    talk.ok("PARTIAL", job_id=job_id, data="next", index=None)
    talk.ok("ACK", id=job_id)
    assert talk.ok("GETRESULT", id=job_id)["result"] is None


@row("2.2 PARTIAL: not active")
def test_partial_not_active(talk: Talk, queue: str, names: Names) -> None:
    waiting = talk.push(queue)
    assert talk.error("PARTIAL", id=waiting, data=1) == f"Job {waiting} not found in processing"
