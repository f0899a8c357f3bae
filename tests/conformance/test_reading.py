"""Reading jobs: section 2.3."""

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk

NOBODY = 2**53 - 1


@row("2.3 GETRESULT: never an error")
def test_getresult(talk: Talk, queue: str) -> None:
    for job_id in (NOBODY, talk.completed(queue), talk.push(queue)):
        reply = talk.ok("GETRESULT", id=job_id)
        assert reply["id"] == job_id and reply["result"] is None


@row("2.3 GETJOB: job and state")
def test_getjob(talk: Talk, queue: str) -> None:
    reply = talk.ok("GETJOB", id=talk.push(queue, data="d"))
    assert reply["job"]["data"] == "d" and reply["state"] == "waiting"
    reply = talk.ok("GETJOB", id=NOBODY)
    assert reply["job"] is None and reply["state"] == "unknown"


@row("2.3 GETSTATE: id and state")
def test_getstate(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue)
    reply = talk.ok("GETSTATE", id=job_id)
    assert (reply["id"], reply["state"]) == (job_id, "waiting")


@row("2.3 GETJOBBYCUSTOMID: both names")
@pytest.mark.parametrize("field", ["job_id", "customId"])
def test_getjobbycustomid(talk: Talk, queue: str, names: Names, field: str) -> None:
    custom = names.text()
    job_id = talk.push(queue, job_id=custom)
    reply = talk.ok("GETJOBBYCUSTOMID", **{field: custom})
    assert (reply["job"]["id"], reply["job"]["custom_id"], reply["state"]) == (job_id, custom, "waiting")


@row("2.3 GETJOBBYCUSTOMID: none")
def test_getjobbycustomid_none(talk: Talk, names: Names) -> None:
    reply = talk.ok("GETJOBBYCUSTOMID", job_id=names.text())
    assert reply["job"] is None and reply["state"] == "unknown"


@row("2.3 GETJOBSBATCH: order")
def test_getjobsbatch(talk: Talk, queue: str) -> None:
    a, b, c = talk.push_all(queue, [{}] * 3)
    jobs = talk.ok("GETJOBSBATCH", ids=[c, NOBODY, a, b])["jobs"]
    assert [job["id"] for job in jobs] == [c, a, b]
    assert talk.ok("GETJOBSBATCH", ids=[])["jobs"] == []


@row("2.3 WAITJOB: already done")
def test_waitjob_done(talk: Talk, queue: str) -> None:
    assert talk.ok("WAITJOB", id=talk.completed(queue, {"n": 1}), timeout=60_000)["result"] == {"n": 1}
    assert "result" not in talk.ok("WAITJOB", id=talk.completed(queue))


@row("2.3 WAITJOB: result of another's ACK")
def test_waitjob_result(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    job_id = talk.active(queue)
    waiter = open_talk()
    waiter.send("WAITJOB", id=job_id, timeout=15_000)
    talk.ok("ACK", id=job_id, result="done")
    reply = waiter.receive()
    assert reply["ok"] is True and reply["result"] == "done"


@row("2.3 WAITJOB: time is up")
def test_waitjob_timeout(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue)
    assert talk.error("WAITJOB", id=job_id, timeout=30) == f"Timeout waiting for job {job_id} after 30ms"


@row("2.3 WAITJOB: unknown job")
def test_waitjob_unknown(talk: Talk) -> None:
    assert talk.error("WAITJOB", id=NOBODY, timeout=60_000) == "Job not found"


@row("2.3 WAITJOB: failed")
def test_waitjob_failed(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    assert talk.error("WAITJOB", id=talk.dead(queue), timeout=60_000) == "Job failed"
    job_id = talk.active(queue, max_attempts=1)
    waiter = open_talk()
    waiter.send("WAITJOB", id=job_id, timeout=15_000, reqId="wait")
    assert waiter.call("PING", reqId="ping")["reqId"] == "ping"
    talk.ok("FAIL", id=job_id)
    reply = waiter.receive()
    assert reply["ok"] is False and "Job failed" in reply["error"]


@row("2.3 WAITJOB: cancelled")
def test_waitjob_cancelled(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    job_id = talk.push(queue)
    waiter = open_talk()
    waiter.send("WAITJOB", id=job_id, timeout=15_000, reqId="wait")
    assert waiter.call("PING", reqId="ping")["reqId"] == "ping"
    talk.ok("CANCEL", id=job_id)
    reply = waiter.receive()
    assert reply["ok"] is False and "cancel" in reply["error"].lower()


@row("2.3 GETPROGRESS: object and message")
def test_getprogress(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("PROGRESS", id=job_id, progress=50, message="half")
    reply = talk.ok("GETPROGRESS", id=job_id)
    assert reply["progress"] == {"id": job_id, "progress": 50, "message": "half"} and reply["message"] == "half"
    talk.ok("PROGRESS", id=job_id, progress=60)
    assert talk.ok("GETPROGRESS", id=job_id)["progress"] == {"id": job_id, "progress": 60, "message": None}


@row("2.3 GETPROGRESS: unknown")
def test_getprogress_unknown(talk: Talk) -> None:
    assert talk.error("GETPROGRESS", id=NOBODY) == f"Job {NOBODY} not found"


@row("2.3 GETLOGS: oldest first")
def test_getlogs(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("LOG", id=job_id, message="one")
    talk.ok("LOG", job_id=job_id, message="two", level="warn")
    reply = talk.ok("GETLOGS", id=job_id)
    assert reply["id"] == job_id
    assert [(entry["message"], entry["level"]) for entry in reply["logs"]] == [("one", "info"), ("two", "warn")]
    assert all(entry["timestamp"] > 1_600_000_000_000 for entry in reply["logs"])
    assert talk.ok("GETLOGS", job_id=job_id)["logs"] == reply["logs"]


@row("2.3 GETLOGS: unknown")
def test_getlogs_unknown(talk: Talk) -> None:
    assert talk.ok("GETLOGS", id=NOBODY)["logs"] == []


@row("2.3 GETCHILDREN: children of a flow")
def test_getchildren(talk: Talk, queue: str, names: Names) -> None:
    other = names.queue()
    flow = talk.ok("FLOW", queue=queue, data="p", children=[{"queue": other, "data": n} for n in range(2)])
    reply = talk.ok("GETCHILDREN", parent_id=flow["parent_id"])
    assert reply["parent_id"] == flow["parent_id"] and (reply["completed"], reply["total"]) == (0, 2)
    assert reply["children_ids"] == flow["children_ids"] == [child["id"] for child in reply["children"]]
    for _ in range(2):
        talk.ok("ACK", id=talk.pull(other)["id"])
    reply = talk.ok("GETCHILDREN", parent_id=flow["parent_id"])
    assert (reply["completed"], reply["total"]) == (2, 2), "also once the parent waits no more"


@row("2.3 GETCHILDREN: no such parent")
def test_getchildren_unknown(talk: Talk) -> None:
    assert talk.error("GETCHILDREN", parent_id=NOBODY) == f"Parent job {NOBODY} not found"


@row("2.3 GETJOBS: pages")
def test_getjobs_pages(talk: Talk, queue: str) -> None:
    ids = talk.push_all(queue, [{}] * 7)
    newest = sorted(ids, reverse=True)
    for limit, offset in ((3, 0), (3, 3), (3, 6), (3, 9), (100, 2)):
        reply = talk.ok("GETJOBS", queue=queue, limit=limit, offset=offset)
        assert [job["id"] for job in reply["jobs"]] == newest[offset : offset + limit] and reply["total"] == 7


@row("2.3 GETJOBS: states")
def test_getjobs_states(talk: Talk, queue: str) -> None:
    by_state = {
        "completed": talk.completed(queue), "failed": talk.dead(queue), "active": talk.active(queue),
        "delayed": talk.delayed(queue), "waiting": talk.push(queue),
    }
    for state, job_id in by_state.items():
        reply = talk.ok("GETJOBS", queue=queue, state=state)
        assert [(job["id"], job["state"]) for job in reply["jobs"]] == [(job_id, state)] and reply["total"] == 1


@row("2.3 GETJOBS: defaults")
def test_getjobs_defaults(talk: Talk, queue: str) -> None:
    for _ in range(2):
        talk.push_all(queue, [{}] * 600)
    for fields, count in (({}, 100), ({"limit": None, "offset": None, "state": None}, 100), ({"limit": 5000}, 1000)):
        reply = talk.ok("GETJOBS", queue=queue, **fields)
        assert (len(reply["jobs"]), reply["total"]) == (count, 1200)


@row("2.3 GETJOBS: all queues")
def test_getjobs_all_queues(talk: Talk, queue: str, names: Names) -> None:
    pair = [talk.push(queue), talk.push(names.queue())]
    reply = talk.ok("GETJOBS", limit=1000)
    assert reply["total"] >= 2 and set(pair) <= {job["id"] for job in reply["jobs"]}


@row("2.3 COUNT: waiting and delayed")
def test_count(talk: Talk, queue: str) -> None:
    talk.active(queue)
    talk.push(queue)
    talk.delayed(queue)
    assert talk.ok("COUNT", queue=queue)["count"] == 2


@row("2.3 GETJOBCOUNTS: both places")
def test_getjobcounts(talk: Talk, queue: str) -> None:
    talk.completed(queue)
    talk.dead(queue)
    talk.active(queue)
    for _ in range(3):
        talk.delayed(queue)
        talk.push(queue)
    reply = talk.ok("GETJOBCOUNTS", queue=queue)
    wanted = {"waiting": 3, "active": 1, "delayed": 3, "completed": 1, "failed": 1}
    assert {key: reply[key] for key in wanted} == wanted
    assert {key: reply["counts"][key] for key in wanted} == wanted
