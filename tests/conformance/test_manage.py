"""Managing single jobs and dead letters: sections 2.4 and 2.5."""

from typing import Any

import pytest

from conformance.marks import row
from conformance.talk import Names, Talk

NOBODY = 2**53 - 1


@row("2.4 CANCEL: removes")
@pytest.mark.parametrize("make", ["push", "delayed", "active"])
def test_cancel(talk: Talk, queue: str, names: Names, make: str) -> None:
    custom = names.text()
    job_id = getattr(talk, make)(queue, job_id=custom)
    talk.ok("CANCEL", id=job_id)
    assert talk.state(job_id) == "unknown" and talk.pulls_nothing(queue)
    assert talk.error("CANCEL", id=job_id) == f"Job {job_id} not found"
    assert talk.push(queue, job_id=custom) != job_id


@row("2.4 CANCEL: ended jobs")
def test_cancel_ended(talk: Talk, queue: str) -> None:
    for job_id in (talk.completed(queue), talk.dead(queue)):
        assert talk.error("CANCEL", id=job_id) == f"Job {job_id} cannot be cancelled (already completed/failed)"


@row("2.4 CANCEL: unknown")
def test_cancel_unknown(talk: Talk) -> None:
    assert talk.error("CANCEL", id=NOBODY) == f"Job {NOBODY} not found"


@row("2.4 CANCEL: waiting for others")
def test_cancel_dependents(talk: Talk, queue: str) -> None:
    waits = talk.push(queue, depends_on=[talk.push(queue)])
    parent = talk.ok("FLOW", queue=queue, data=1, children=[{"queue": queue, "data": 2}])["parent_id"]
    for job_id in (waits, parent):
        talk.ok("CANCEL", id=job_id)
        assert talk.state(job_id) == "unknown"


@row("2.4 PROGRESS: capped, message cleared")
def test_progress(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    for sent, shown in ((150, 100), (25, 25), (33.9, 33), (0, 0)):
        talk.ok("PROGRESS", id=job_id, progress=sent, message="m")
        assert talk.job(job_id)["progress"] == shown
    talk.ok("PROGRESS", id=job_id, progress=1, message=None)
    assert talk.job(job_id)["progress_msg"] is None


@row("2.4 PROGRESS: not active")
def test_progress_not_active(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    for job_id in (waiting, NOBODY):
        assert talk.error("PROGRESS", id=job_id, progress=1) == f"Job {job_id} not found in processing"


@row("2.4 HEARTBEAT: both names")
@pytest.mark.parametrize("field", ["id", "job_id"])
def test_heartbeat(talk: Talk, queue: str, field: str) -> None:
    job_id = talk.active(queue)
    before = talk.job(job_id)["last_heartbeat"]
    talk.spend(20)
    talk.ok("HEARTBEAT", **{field: job_id})
    assert talk.job(job_id)["last_heartbeat"] > before


@row("2.4 HEARTBEAT: not active")
def test_heartbeat_not_active(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    assert talk.error("HEARTBEAT", id=waiting) == f"Job {waiting} not in processing"


@row("2.4 LOG: kept")
def test_log(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue)
    for n in range(105):
        talk.ok("LOG", id=job_id, message=f"line {n}", level=None)
    logs = talk.ok("GETLOGS", id=job_id)["logs"]
    assert [entry["message"] for entry in logs] == [f"line {n}" for n in range(5, 105)]
    assert {entry["level"] for entry in logs} == {"info"}


@row("2.4 LOG: unknown")
def test_log_unknown(talk: Talk) -> None:
    assert talk.error("LOG", job_id=NOBODY, message="m") == f"Job {NOBODY} not found"


@row("2.4 CHANGEPRIORITY: every living state")
@pytest.mark.parametrize("make", ["push", "delayed", "active", "dead"])
def test_changepriority(talk: Talk, queue: str, make: str) -> None:
    job_id = getattr(talk, make)(queue)
    talk.ok("CHANGEPRIORITY", id=job_id, priority=-12)
    assert talk.job(job_id)["priority"] == -12


@row("2.4 CHANGEPRIORITY: order")
def test_changepriority_order(talk: Talk, queue: str) -> None:
    ids = talk.push_all(queue, [{}, {}, {}])
    talk.ok("CHANGEPRIORITY", id=ids[2], priority=5)
    talk.ok("CHANGEPRIORITY", id=ids[0], priority=-5)
    assert [talk.pull(queue)["id"] for _ in range(3)] == [ids[2], ids[1], ids[0]]


@row("2.4 CHANGEPRIORITY: ended or unknown")
def test_changepriority_ended(talk: Talk, queue: str) -> None:
    for job_id in (talk.completed(queue), NOBODY):
        text = f"Job {job_id} not found or cannot change priority"
        assert talk.error("CHANGEPRIORITY", id=job_id, priority=1) == text


@row("2.4 MOVETODELAYED: active to delayed")
def test_movetodelayed(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("FAIL", id=job_id)
    talk.pull(queue)
    talk.ok("PROGRESS", id=job_id, progress=40, message="m")
    talk.ok("MOVETODELAYED", id=job_id, delay=3_600_000)
    job = talk.job(job_id)
    assert (job["started_at"], job["progress"], job["progress_msg"], job["attempts"]) == (0, 0, None, 1)
    assert talk.state(job_id) == "delayed" and job["run_at"] >= job["created_at"] + 3_600_000


@row("2.4 MOVETODELAYED: comes back")
def test_movetodelayed_returns(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("MOVETODELAYED", id=job_id, delay=30)
    assert talk.pull(queue, timeout=15_000)["id"] == job_id


@row("2.4 MOVETODELAYED: not active")
def test_movetodelayed_not_active(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    for job_id in (waiting, NOBODY):
        assert talk.error("MOVETODELAYED", id=job_id, delay=1) == f"Job {job_id} not in processing"


@row("2.4 PROMOTE: ready now")
def test_promote(talk: Talk, queue: str) -> None:
    job_id = talk.delayed(queue)
    talk.ok("PROMOTE", id=job_id)
    assert talk.state(job_id) == "waiting" and talk.pull(queue)["id"] == job_id


@row("2.4 PROMOTE: not delayed")
def test_promote_not_delayed(talk: Talk, queue: str) -> None:
    waiting = talk.push(queue)
    assert talk.error("PROMOTE", id=waiting) == f"Job {waiting} is not delayed"
    assert talk.error("PROMOTE", id=NOBODY) == f"Job {NOBODY} not found or not in delayed state"


@row("2.4 UPDATEJOB: every living state")
@pytest.mark.parametrize("command", ["UPDATEJOB", "UPDATE"])
@pytest.mark.parametrize("make", ["push", "delayed", "active", "dead"])
def test_updatejob(talk: Talk, queue: str, command: str, make: str) -> None:
    job_id = getattr(talk, make)(queue, data="old")
    talk.ok(command, id=job_id, data={"new": [1]})
    assert talk.job(job_id)["data"] == {"new": [1]}
    if make == "push":
        assert talk.pull(queue)["data"] == {"new": [1]}


@row("2.4 UPDATEJOB: unknown, too large")
def test_updatejob_refused(talk: Talk, queue: str) -> None:
    assert talk.error("UPDATEJOB", id=NOBODY, data=1) == f"Job {NOBODY} not found"
    job_id = talk.push(queue, data="old")
    size = talk.ok("HELLO")["max_job_size"]
    assert "too large" in talk.error("UPDATE", id=job_id, data="x" * (size + 1))
    assert talk.job(job_id)["data"] == "old"


@row("2.4 UPDATEJOB: waiting for others")
def test_updatejob_dependents(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, depends_on=[talk.push(queue)], data="old")
    talk.ok("UPDATEJOB", id=job_id, data="new")
    talk.ok("CHANGEPRIORITY", id=job_id, priority=3)
    job = talk.job(job_id)
    assert (job["data"], job["priority"], talk.state(job_id)) == ("new", 3, "waiting-children")


@row("2.4 DISCARD: dead letter")
@pytest.mark.parametrize("make", ["push", "delayed", "active"])
def test_discard(talk: Talk, queue: str, make: str) -> None:
    job_id = getattr(talk, make)(queue)
    talk.ok("DISCARD", id=job_id)
    assert talk.state(job_id) == "failed" and talk.pulls_nothing(queue)
    (letter,) = talk.ok("DLQ", queue=queue)["jobs"]
    assert (letter["id"], letter["attempts"]) == (job_id, 0)


@row("2.4 DISCARD: ended or unknown")
def test_discard_ended(talk: Talk, queue: str) -> None:
    for job_id in (talk.dead(queue), talk.completed(queue), NOBODY):
        assert talk.error("DISCARD", id=job_id) == f"Job {job_id} not found or already in DLQ/completed"


@row("2.5 DLQ: oldest first")
@pytest.mark.parametrize("fields", [{}, {"count": None}])
def test_dlq(talk: Talk, queue: str, fields: dict[str, Any]) -> None:
    ids = [talk.dead(queue, data=n) for n in range(3)]
    assert [job["id"] for job in talk.ok("DLQ", queue=queue, **fields)["jobs"]] == ids
    assert [job["id"] for job in talk.ok("DLQ", queue=queue, count=2)["jobs"]] == ids[:2]
    assert talk.ok("DLQ", queue=queue, count=0)["jobs"] == []


@row("2.5 RETRYDLQ: all")
def test_retrydlq(talk: Talk, queue: str) -> None:
    ids = [talk.dead(queue, data=n, priority=3, tags=["t"]) for n in range(4)]
    reply = talk.ok("RETRYDLQ", queue=queue, id=None)
    assert reply["ids"] == [4] and reply["count"] == 4
    jobs = [talk.pull(queue) for _ in range(4)]
    assert [job["id"] for job in jobs] == ids
    kept = {(job["attempts"], job["priority"], job["tags"][0], job["max_attempts"]) for job in jobs}
    assert kept == {(0, 3, "t", 1)}
    assert talk.ok("RETRYDLQ", queue=queue)["count"] == 0


@row("2.5 RETRYDLQ: one")
def test_retrydlq_one(talk: Talk, queue: str) -> None:
    first, second = talk.dead(queue), talk.dead(queue)
    assert talk.ok("RETRYDLQ", queue=queue, id=second)["ids"] == [1]
    assert (talk.state(first), talk.state(second)) == ("failed", "waiting")
    assert talk.ok("RETRYDLQ", queue=queue, id=NOBODY)["ids"] == [0]


@row("2.5 PURGEDLQ: for good")
def test_purgedlq(talk: Talk, queue: str) -> None:
    ids = [talk.dead(queue) for _ in range(2)]
    waiting = talk.push(queue)
    assert talk.ok("PURGEDLQ", queue=queue)["count"] == 2
    assert [talk.state(one) for one in (*ids, waiting)] == ["unknown", "unknown", "waiting"]
    assert talk.ok("DLQ", queue=queue)["jobs"] == []
