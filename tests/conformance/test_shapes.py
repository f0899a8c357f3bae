"""What every reply and every Job looks like: head of section 2, 2.1, and the decisions of 13 that are shapes."""

from typing import Any

import pytest

from conformance.marks import row
from conformance.talk import Names, Talk

JOB_KEYS = [
    "id", "queue", "data", "priority", "created_at", "run_at", "started_at", "attempts", "max_attempts", "backoff",
    "ttl", "timeout", "unique_key", "depends_on", "progress", "progress_msg", "tags", "lifo", "remove_on_complete",
    "remove_on_fail", "last_heartbeat", "stall_timeout", "stall_count", "parent_id", "children_ids",
    "children_completed", "custom_id", "keep_completed_age", "keep_completed_count", "completed_at", "group_id",
]
PLAIN: dict[str, Any] = {
    "priority": 0, "started_at": 0, "attempts": 0, "max_attempts": 0, "backoff": 0, "ttl": 0, "timeout": 0,
    "unique_key": None, "depends_on": [], "progress": 0, "progress_msg": None, "tags": [], "lifo": False,
    "remove_on_complete": False, "remove_on_fail": False, "last_heartbeat": 0, "stall_timeout": 0, "stall_count": 0,
    "parent_id": None, "children_ids": [], "children_completed": 0, "custom_id": None, "keep_completed_age": 0,
    "keep_completed_count": 0, "completed_at": 0, "group_id": None,
}


@row("2 success: flag")
def test_success_flag(talk: Talk, queue: str) -> None:
    for fields in ({"cmd": "PUSH", "queue": queue}, {"cmd": "STATS"}, {"cmd": "PULL", "queue": queue, "timeout": 0}):
        talk.send(**fields)
        reply = talk.receive()
        assert reply["ok"] is True and reply["success"] is True and "error" not in reply


@row("2 error: shape")
def test_error_shape(talk: Talk) -> None:
    reply = talk.call("ACK", id=2**53 - 1)
    assert reply["ok"] is False and isinstance(reply["error"], str) and "success" not in reply
    assert reply["code"] == "JOB_NOT_FOUND"


@row("2 command: unknown name")
def test_unknown_command(talk: Talk) -> None:
    for name in ("NOSUCH", "push", ""):
        reply = talk.call(name, reqId="r9")
        assert reply["ok"] is False and reply["reqId"] == "r9" and reply["error"].startswith("Invalid: ")
    assert talk.ok("PING")["pong"] is True


@row("2.1 Job: keys")
def test_job_keys(talk: Talk, queue: str) -> None:
    job = talk.job(talk.push(queue, data=None))
    assert set(JOB_KEYS) <= set(job)
    assert {key: job[key] for key in PLAIN} == PLAIN
    assert job["queue"] == queue and job["data"] is None and job["created_at"] == job["run_at"] > 1_600_000_000_000


@row("2.1 Job: same everywhere")
def test_job_same_everywhere(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, data=1, max_attempts=1)
    shown = [
        talk.job(job_id),
        talk.ok("GETJOBS", queue=queue)["jobs"][0],
        talk.ok("GETJOBSBATCH", ids=[job_id])["jobs"][0]["job"],
        talk.ok("PULLB", queue=queue, count=1, timeout=0)["jobs"][0],
    ]
    talk.ok("FAIL", id=job_id)
    shown += talk.ok("DLQ", queue=queue)["jobs"]
    assert len(shown) == 5 and all(set(JOB_KEYS) <= set(job) and job["id"] == job_id for job in shown)


@row("2.1 Job: options come back")
def test_job_options_come_back(talk: Talk, queue: str, names: Names) -> None:
    asked = {
        "data": {"a": [1, None, "ü"]}, "priority": -7, "ttl": 900_000, "timeout": 800_000, "max_attempts": 9,
        "backoff": 70, "tags": ["x", "y"], "lifo": True, "remove_on_complete": True, "remove_on_fail": True,
        "stall_timeout": 600_000,
    }
    custom = names.text()
    job = talk.job(talk.push(queue, job_id=custom, delay=5_000_000, **asked))
    assert {key: job[key] for key in asked} == asked
    assert job["custom_id"] == custom and job["run_at"] == job["created_at"] + 5_000_000


@row("2.1 Job: state in Jobs")
def test_job_state_word(talk: Talk, queue: str) -> None:
    known = {"waiting", "delayed", "active", "completed", "failed", "waiting-children", "unknown"}
    talk.dead(queue)
    talk.active(queue)
    talk.delayed(queue)
    talk.push(queue)
    for job in talk.ok("GETJOBS", queue=queue)["jobs"]:
        assert job["state"] in known and job["job"].get("state", job["state"]) == job["state"]


@row("2.1 Job: progress_message")
def test_job_progress_message(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.ok("PROGRESS", id=job_id, progress=5, message="five")
    job = talk.job(job_id)
    assert (job["progress"], job["progress_msg"], job["progress_message"]) == (5, "five", "five")


@row("2.1 states: life of a job")
def test_states(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue)
    assert talk.state(job_id) == "waiting"
    talk.pull(queue)
    assert talk.state(job_id) == "active"
    talk.ok("ACK", id=job_id)
    assert talk.state(job_id) == "completed"
    delayed = talk.delayed(queue)
    assert talk.state(delayed) == "delayed"
    talk.ok("CANCEL", id=delayed)
    assert talk.state(delayed) == "unknown"
    assert talk.state(talk.dead(queue)) == "failed"
    assert talk.state(2**53 - 1) == "unknown"


@row("2.1 states: waiting for others")
def test_state_of_dependents(talk: Talk, queue: str) -> None:
    first = talk.push(queue)
    waits = talk.push(queue, depends_on=[first])
    assert talk.state(waits) == "waiting-children" and talk.job(waits)["depends_on"] == [first]


@row("2.1 states: flow parent")
def test_state_of_flow_parents(talk: Talk, queue: str) -> None:
    flow = talk.ok("FLOW", queue=queue, data=1, children=[{"queue": queue, "data": 2}])
    assert talk.state(flow["parent_id"]) == "waiting-children"


@row("2.1 state filter: spellings")
@pytest.mark.parametrize("spelling", ["waiting-children", "WAITING_CHILDREN", "waitingchildren", "waiting-parent"])
def test_state_filter_spellings(talk: Talk, queue: str, spelling: str) -> None:
    talk.push(queue)
    assert talk.ok("GETJOBS", queue=queue, state=spelling)["total"] == 0
    assert talk.ok("GETJOBS", queue=queue, state="WaItInG")["total"] == 1


@row("2.1 state filter: unknown word")
def test_state_filter_unknown(talk: Talk, queue: str) -> None:
    talk.push(queue)
    talk.delayed(queue)
    assert talk.ok("GETJOBS", queue=queue, state="nonsense")["total"] == 2


@row("2.1 browser item: flat and nested")
def test_browser_item(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, data={"n": 1})
    for command, fields in (("GETJOBS", {"queue": queue}), ("GETJOBSBATCH", {"ids": [job_id]})):
        (item,) = talk.ok(command, **fields)["jobs"]
        assert item["state"] == "waiting" and item["data"] == item["job"]["data"] == {"n": 1}
        assert {key: item[key] for key in JOB_KEYS} == {key: item["job"][key] for key in JOB_KEYS}


@row("2.1 push options: null is unset")
def test_null_is_unset(talk: Talk, queue: str) -> None:
    options = [
        "data", "priority", "delay", "ttl", "timeout", "max_attempts", "backoff", "unique_key", "depends_on", "tags",
        "lifo", "remove_on_complete", "remove_on_fail", "stall_timeout", "debounce_id", "debounce_ttl", "job_id",
        "keep_completed_age", "keep_completed_count", "group_id",
    ]
    job = talk.job(talk.push(queue, **dict.fromkeys(options)))
    assert {key: job[key] for key in PLAIN} == PLAIN and job["state"] == "waiting"
    (batched,) = talk.push_all(queue, [dict.fromkeys(options)])
    assert talk.state(batched) == "waiting"


@row("2.1 push options: aliases")
def test_push_aliases(talk: Talk, queue: str, names: Names) -> None:
    custom, batched = names.text(), names.text()
    assert talk.job(talk.push(queue, attempts=4, jobId=custom))["max_attempts"] == 4
    assert talk.ok("GETJOBBYCUSTOMID", job_id=custom)["job"]["custom_id"] == custom
    assert talk.job(talk.push(queue, maxAttempts=5))["max_attempts"] == 5
    ids = talk.push_all(queue, [{"attempts": 6}, {"maxAttempts": 7}, {"jobId": batched}])
    assert [talk.job(one)["max_attempts"] for one in ids] == [6, 7, 0]
    assert talk.job(ids[2])["custom_id"] == batched


@row("2.1 push options: retention aliases")
def test_retention_aliases(talk: Talk, queue: str) -> None:
    ids = [talk.push(queue, keepCompletedAge=5000, keepCompletedCount=3)]
    ids += talk.push_all(queue, [{"keepCompletedAge": 5000, "keepCompletedCount": 3}])
    ids += [talk.push(queue, keep_completed_age=5000, keep_completed_count=3)]
    shown = [(job["keep_completed_age"], job["keep_completed_count"]) for job in map(talk.job, ids)]
    assert shown == [(5000, 3)] * 3


@row("2.1 push options: integral floats")
def test_integral_floats(talk: Talk, queue: str) -> None:
    assert talk.job(talk.push(queue, priority=3.0, max_attempts=2.0))["priority"] == 3
    assert talk.error("PUSH", queue=queue, priority=3.5).startswith("Invalid: ")
    assert talk.error("PUSH", queue=queue, delay=-1).startswith("Invalid: ")
    assert talk.ok("COUNT", queue=queue)["count"] == 1


@row("2.1 push options: data left out")
def test_data_left_out(talk: Talk, queue: str) -> None:
    ids = [talk.push(queue), *talk.push_all(queue, [{}, {"data": None}])]
    assert [talk.job(one)["data"] for one in ids] == [None] * 3


@row("2.1 unknown fields")
def test_unknown_fields(talk: Talk, queue: str) -> None:
    assert talk.ok("PUSH", queue=queue, data=1, _compressed="H4sI", nested={"priority": 9})["id"] > 0
    assert talk.pull(queue)["priority"] == 0


@row("2.1 QueueInfo: keys")
def test_queue_info(talk: Talk, queue: str) -> None:
    talk.dead(queue)
    talk.active(queue)
    talk.push(queue)
    talk.delayed(queue)
    info = talk.info(queue)
    assert info is not None
    assert (info["processing"], info["dlq"], info["paused"], info["delayed"], info["completed"]) == (1, 1, False, 1, 0)
    assert info["pending"] == 2 and info["rate_limit"] is None and info["concurrency_limit"] is None


@row("2.1 Metrics: keys")
def test_metrics_keys(talk: Talk, queue: str) -> None:
    talk.push(queue)
    talk.delayed(queue)
    metrics = talk.ok("METRICS")["metrics"]
    assert all(isinstance(metrics[key], int) for key in ("total_pushed", "total_completed", "total_failed"))
    assert all(isinstance(metrics[key], (int, float)) for key in ("jobs_per_second", "avg_latency_ms"))
    (mine,) = [one for one in metrics["queues"] if one["name"] == queue]
    assert mine.items() >= {"name": queue, "pending": 2, "processing": 0, "dlq": 0, "rate_limit": None}.items()
