"""What the published clients' own suites assert, section 12, and the decisions of section 13 not shown elsewhere."""

import threading
from typing import Any

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk
from support.wire import JSON, MSGPACK


@row("12 payloads")
@pytest.mark.parametrize("data", [{"a": {"b": [1, 2.5, None, True]}}, 3.14, None, False, "", [], {}, "ü€\n", -(2**53)])
def test_payloads(talk: Talk, address: tuple[str, int], queue: str, data: Any) -> None:
    for codec in (JSON, MSGPACK):
        talk.push(queue, data=data)
        with Talk(address, codec) as worker:
            assert worker.pull(queue)["data"] == data


@row("12 half a megabyte")
def test_half_a_megabyte(talk: Talk, queue: str) -> None:
    data = {"text": "x" * 500_000}
    talk.push(queue, data=data)
    assert talk.pull(queue)["data"] == data


@row("12 1.1 MB")
def test_too_large(talk: Talk, queue: str) -> None:
    assert "too large" in talk.error("PUSH", queue=queue, data="x" * 1_100_000)


@row("12 names of all kinds")
@pytest.mark.parametrize("name", ["", "x" * 300, "a b", "a/b", "<script>", "a\x00", "a\nb"])
def test_names(talk: Talk, name: str) -> None:
    assert "Queue name" in talk.error("PUSH", queue=name, data=1)


@row("12 retry")
def test_retry(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, max_attempts=3, backoff=100)
    for attempts in (0, 1, 2):
        job = talk.pull(queue, timeout=15_000)
        assert (job["id"], job["attempts"]) == (job_id, attempts)
        talk.ok("FAIL", id=job_id, error="no")
    assert talk.state(job_id) == "failed"


@row("12 retryDlq of a hundred")
def test_retry_a_hundred(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"max_attempts": 1}] * 100)
    for job in talk.ok("PULLB", queue=queue, count=100, timeout=0)["jobs"]:
        talk.ok("FAIL", id=job["id"])
    assert len(talk.ok("DLQ", queue=queue, count=200)["jobs"]) == 100
    assert talk.ok("RETRYDLQ", queue=queue)["ids"] == [100] and talk.counts(queue)[0] == 100


@row("12 unique key under pressure")
def test_unique_under_pressure(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    replies: list[dict[str, Any]] = []

    def push(client: Talk) -> None:
        replies.extend(client.call("PUSH", queue=queue, unique_key="k") for _ in range(5))

    threads = [threading.Thread(target=push, args=(open_talk(),)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 50 and sum(reply["ok"] for reply in replies) == 1
    assert {reply["error"] for reply in replies if not reply["ok"]} == {"Duplicate job with key: k"}


@row("12 concurrency of workers")
def test_concurrency_of_workers(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    talk.push_all(queue, [{}] * 30)
    talk.ok("SETCONCURRENCY", queue=queue, limit=5)
    workers = [open_talk() for _ in range(10)]
    for worker in workers:
        worker.send("PULL", queue=queue, timeout=15_000, reqId="pull")
        worker.send("PING", reqId="ping")
        while worker.receive()["reqId"] != "ping":
            continue
    counts = []
    for _ in range(2):
        counts.append(talk.counts(queue)[1])
        for job in talk.ok("GETJOBS", queue=queue, state="active")["jobs"]:
            talk.ok("ACK", id=job["id"])
    assert counts == [5, 5]


@row("12 drain and counts")
def test_counts(talk: Talk, queue: str) -> None:
    talk.dead(queue)
    talk.active(queue)
    talk.push_all(queue, [{}] * 3 + [{"delay": 3_600_000}] * 3)
    assert talk.counts(queue) == (3, 1, 3, 0, 1)
    assert talk.ok("GETJOBS", queue=queue, limit=2)["total"] == 8
    assert talk.ok("DRAIN", queue=queue)["count"] == 6 and talk.counts(queue) == (0, 1, 0, 0, 1)


@row("12 clean failed")
def test_clean_failed(talk: Talk, queue: str) -> None:
    for _ in range(4):
        talk.dead(queue)
    assert talk.ok("CLEAN", queue=queue, grace=0, state="failed")["count"] == 4
    assert talk.ok("DLQ", queue=queue)["jobs"] == []


@row("12 fifty connections")
def test_fifty_connections(open_talk: OpenTalk, queue: str) -> None:
    for n in range(50):
        one = open_talk()
        one.push(queue, data=n)
        job = one.pull(queue)
        assert job["data"] == n
        one.ok("ACK", id=job["id"])
        one.close()


@row("12 ten thousand jobs")
def test_ten_thousand(talk: Talk, queue: str) -> None:
    ids: list[int] = []
    for _ in range(10):
        ids += talk.push_all(queue, [{"data": {"n": 1}}] * 1000)
    pulled: list[int] = []
    while jobs := talk.ok("PULLB", queue=queue, count=1000, timeout=0)["jobs"]:
        batch = [job["id"] for job in jobs]
        assert talk.ok("ACKB", ids=batch)["count"] == len(batch)
        pulled += batch
    assert pulled == ids


@row("12 time of an empty pull")
def test_time_of_a_pull(talk: Talk, queue: str, names: Names) -> None:
    other = names.queue()
    before = talk.job(talk.push(other))["created_at"]
    assert talk.ok("PULL", queue=queue, timeout=1000)["job"] is None
    assert talk.job(talk.push(other))["created_at"] - before >= 800


@row("12 delivered no more")
def test_delivered_no_more(talk: Talk, queue: str) -> None:
    talk.ok("CANCEL", id=talk.push(queue))
    talk.ok("DISCARD", id=talk.push(queue))
    talk.completed(queue)
    assert talk.pulls_nothing(queue)


@row("12 paused queue is listed")
def test_paused_listed(talk: Talk, queue: str) -> None:
    talk.push(queue)
    talk.ok("PAUSE", queue=queue)
    info = talk.info(queue)
    assert info is not None and info["paused"] is True and info["pending"] == 1


@row("12 request ids")
@pytest.mark.parametrize("req_id", ["r1", "17", "k3j9x-ab12-7", "ü"])
def test_request_ids(talk: Talk, queue: str, req_id: str) -> None:
    for reply in (talk.call("STATS", reqId=req_id), talk.call("ACK", id=1, reqId=req_id)):
        assert next(iter(reply.items())) == ("reqId", req_id)
    assert "reqId" not in talk.ok("PING", reqId=None) and "reqId" not in talk.ok("PING")


@row("12 waits overtaken")
def test_waits_overtaken(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    talk.send("PULL", queue=queue, timeout=15_000, reqId="wait")
    assert talk.call("PING", reqId="now")["reqId"] == "now"
    talk.send("PUSH", queue=queue, data=1, reqId="push")
    assert {talk.receive()["reqId"], talk.receive()["reqId"]} == {"wait", "push"}
    ordered = open_talk()
    ordered.send("PULL", queue=queue, timeout=50)
    ordered.send("PING")
    assert ordered.receive()["job"] is None and ordered.receive()["pong"] is True


@row("13 fields by job_id")
def test_fields_by_job_id(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    for field in ("id", "job_id"):
        talk.ok("HEARTBEAT", **{field: job_id})
        talk.ok("LOG", message=field, **{field: job_id})
        assert talk.ok("GETLOGS", **{field: job_id})["id"] == job_id


@row("13 ids by job_id")
@pytest.mark.parametrize("field", ["id", "job_id"])
def test_ids_by_job_id(talk: Talk, queue: str, field: str) -> None:
    job_id = talk.active(queue)
    asked = {field: job_id}
    for command in ("GETJOB", "GETSTATE", "GETRESULT", "GETPROGRESS", "GETLOGS"):
        talk.ok(command, **asked)
    talk.ok("PROGRESS", progress=1, **asked)
    talk.ok("CHANGEPRIORITY", priority=2, **asked)
    talk.ok("UPDATEJOB", data=1, **asked)
    talk.ok("UPDATE", data=2, **asked)
    talk.ok("MOVETODELAYED", delay=3_600_000, **asked)
    talk.ok("PROMOTE", **asked)
    talk.pull(queue)
    talk.ok("FAIL", error="no", **asked)
    talk.pull(queue)
    talk.ok("DISCARD", **asked)
    assert talk.ok("RETRYDLQ", queue=queue, **asked)["count"] == 1
    talk.pull(queue)
    talk.ok("ACK", **asked)
    assert talk.error("CANCEL", **asked) == f"Job {job_id} cannot be cancelled (already completed/failed)"


@row("13 clean without limit")
@pytest.mark.parametrize("limit", [0, None])
def test_clean_without_limit(talk: Talk, queue: str, limit: int | None) -> None:
    talk.push_all(queue, [{}] * 3)
    assert talk.ok("CLEAN", queue=queue, grace=0, state="waiting", limit=limit)["count"] == 3
