"""What is kept of completed jobs, and the limits on queues, memory, payloads and batches: the wire document's 3.9."""

from typing import Any

import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import CODECS, JSON, MSGPACK, Codec


@pytest.fixture
def client(sim: Simulation) -> Client:
    return sim.connect()


@pytest.mark.parametrize("reader", list(CODECS))
def test_a_result_is_kept(sim: Simulation, codec: Codec, reader: str) -> None:
    client, other = sim.connect(codec), sim.connect(CODECS[reader])
    result = {"ü": [1, -2, 0.5, None, True, "\n\""], "n": 2**53}
    job_id = client.push(data=result)
    client.pull()
    sim.advance(7)
    client.ok("ACK", id=job_id, result=result)
    assert other.ok("GETRESULT", id=job_id) == {"ok": True, "success": True, "id": job_id, "result": result}
    job = other.job(job_id)
    assert (job["state"], job["completed_at"], job["data"]) == ("completed", sim.loop.wall, result)
    assert other.error("CANCEL", id=job_id) == f"Job {job_id} cannot be cancelled (already completed/failed)"


@pytest.mark.parametrize("fields", [{}, {"result": None}])
def test_no_result_is_null(client: Client, fields: dict[str, Any]) -> None:
    job_id = client.push()
    client.pull()
    client.ok("ACK", id=job_id, **fields)
    assert client.ok("GETRESULT", id=job_id)["result"] is None


def test_remove_on_complete_keeps_nothing(client: Client) -> None:
    job_id = client.push(remove_on_complete=True)
    client.pull()
    client.ok("ACK", id=job_id, result=1)
    assert client.state(job_id) == "unknown"
    assert client.ok("GETRESULT", id=job_id)["result"] is None
    assert client.ok("STATS")["completed"] == 1


def test_ackb_is_an_ack_without_result(client: Client) -> None:
    kept, removed = client.push(), client.push(remove_on_complete=True)
    client.ok("PULLB", queue="q", count=2)
    reply = client.ok("ACKB", ids=[kept, removed, kept, 5])
    assert (reply["ids"], reply["count"]) == ([2], 2), "each once"
    assert [client.state(kept), client.state(removed)] == ["completed", "unknown"]


def complete_jobs(client: Client, count: int) -> list[int]:
    """So many jobs, completed one by one in their order, each with its number as result."""
    ids = []
    for number in range(count):
        ids.append(client.push(data=number))
        client.ok("ACK", id=client.pull()["id"], result=number)
    return ids


def test_results_go_oldest_first_and_leave_the_state() -> None:
    with simulation(keep_completed=1000, keep_results=10) as sim:
        client = sim.connect()
        ids = complete_jobs(client, 10)
        assert [client.ok("GETRESULT", id=one)["result"] for one in ids] == list(range(10))
        ids += complete_jobs(client, 1)
        sim.advance(20_000)
        results = [client.ok("GETRESULT", id=one)["result"] for one in ids]
        assert results == [None] * 6 + [6, 7, 8, 9, 0]
        assert [client.state(one) for one in ids] == ["completed"] * 11
        assert client.ok("GETJOB", id=ids[0])["job"] is None


def test_completed_ids_are_forgotten_oldest_first() -> None:
    with simulation(keep_completed=20, keep_results=5) as sim:
        client = sim.connect()
        ids = complete_jobs(client, 20)
        assert {client.state(one) for one in ids} == {"completed"}
        ids += complete_jobs(client, 1)
        sim.advance(20_000)
        assert [client.state(one) for one in ids] == ["unknown"] * 11 + ["completed"] * 10


def test_both_limits_together_lose_no_id() -> None:
    """While results are worked off, ids over their limit must not wait."""
    with simulation(keep_completed=100, keep_results=98) as sim:
        client = sim.connect()
        ids = complete_jobs(client, 400)
        known = [client.state(one) == "completed" for one in ids]
        assert known == sorted(known), "a newer id was forgotten before an older one"
        assert 50 <= sum(known) <= 101
        assert sim.engine.memory()["completed_ids"] == sum(known)


def test_results_go_by_size_too() -> None:
    with simulation(keep_result_bytes=10_000, keep_completed=1000, keep_results=1000) as sim:
        client = sim.connect()
        ids = []
        for _ in range(20):
            ids.append(client.push())
            client.pull()
            client.ok("ACK", id=ids[-1], result="x" * 998)
        kept = [client.ok("GETRESULT", id=one)["result"] is not None for one in ids]
        assert kept == [False] * 10 + [True] * 10


def test_idle_queues_are_swept_and_others_are_not(sim: Simulation, client: Client) -> None:
    client.ok("CANCEL", id=client.push("idle"))
    client.push("waiting")
    client.push("delayed", delay=10**9)
    client.push("dead", max_attempts=1)
    client.ok("FAIL", id=client.pull("dead")["id"])
    client.push("active")
    client.pull("active")
    client.ok("PAUSE", queue="paused")
    client.push("done")
    client.ok("ACK", id=client.pull("done")["id"])
    waiter = sim.connect()
    waiter.send("PULL", queue="waited for", timeout=1000)
    assert waiter.replies()[0]["ok"] is False, "no such name"
    waiter.send("PULL", queue="waited-for", timeout=10**9)
    sim.advance(59_000)
    assert "idle" in [one["name"] for one in sim.engine.queues()]
    sim.advance(20_000)
    assert [one["name"] for one in sim.engine.queues()] == sorted(
        ["waiting", "delayed", "dead", "active", "paused", "done", "waited-for"])


def test_queue_names_are_limited_and_idle_ones_make_room() -> None:
    with simulation(max_queues=3) as sim:
        client = sim.connect()
        for name in "abc":
            client.push(name)
        for cmd, fields in (("PUSH", {}), ("PULL", {"timeout": 0}), ("PAUSE", {}), ("PUSHB", {"jobs": [{}]})):
            assert client.error(cmd, queue="d", **fields) == "Too many queues (max 3)"
        client.push("a")
        assert client.ok("COUNT", queue="d")["count"] == 0
        client.ok("CANCEL", id=client.pull("b")["id"])
        client.push("d")
        assert [one["name"] for one in client.ok("LISTQUEUES")["queues"]] == ["a", "c", "d"]


def test_over_the_memory_limit_pushes_are_refused_and_nothing_else() -> None:
    with simulation(memory_limit=1 << 20, max_job_size=1 << 16) as sim:
        client = sim.connect()
        text = "Memory limit reached: no new jobs are taken until some are done"
        ids = []
        while (reply := client.call("PUSH", queue="q", data="x" * 50_000))["ok"]:
            ids.append(reply["id"])
            assert len(ids) < 1000
        assert reply["error"] == text and reply["code"] == "SERVICE_UNAVAILABLE"
        assert client.error("PUSHB", queue="q", jobs=[{}]) == text
        before = client.ok("STATS")
        assert before["queued"] == len(ids)
        assert [client.pull()["id"] for _ in range(4)] == ids[:4]
        client.ok("FAIL", id=ids[0], error="x" * 60_000)
        client.ok("ACK", id=ids[1], result="x" * 60_000)
        client.ok("PROGRESS", id=ids[2], progress=1, message="m")
        client.ok("HEARTBEAT", id=ids[3])
        for job_id in [ids[0], *ids[2:]]:
            client.ok("CANCEL", id=job_id)
        client.push(data="x" * 50_000)


def test_oversized_payloads_are_refused(sim: Simulation) -> None:
    with simulation(max_job_size=100) as small:
        client = small.connect()
        assert client.error("PUSH", queue="q", data="x" * 99) == "Job data too large (101 bytes, max 100 bytes)"
        reply = client.ok("PUSHB", queue="q", jobs=[{"data": 1}, {"data": "x" * 99}, {"data": 2}])
        assert len(reply["ids"]) == 2 and reply["failed"] == [1] and reply["errors"][0]["index"] == 1
        assert "too large" in reply["errors"][0]["error"]
        job_id = client.pull()["id"]
        assert "too large" in client.error("ACK", id=job_id, result="x" * 99)
        client.ok("ACK", id=job_id, result="x" * 98)


@pytest.mark.parametrize("count", [1000, 1001])
def test_batches_end_at_1000(client: Client, count: int) -> None:
    reply = client.call("PUSHB", queue="q", jobs=[{}] * count)
    if count > 1000:
        assert reply["error"] == "Batch too large (1001 items, max 1000)"
        assert client.ok("STATS")["queued"] == 0
        return
    client.push()
    jobs = client.ok("PULLB", queue="q", count=5000, timeout=0)["jobs"]
    assert len(jobs) == 1000 and client.ok("STATS")["queued"] == 1
    assert client.ok("ACKB", ids=[job["id"] for job in jobs])["count"] == 1000
    assert "too large" in client.error("ACKB", ids=[1] * 1001)


def test_a_pull_batch_ends_before_its_reply_grows_too_large() -> None:
    with simulation(max_frame=1 << 16, max_job_size=1 << 15) as sim:
        client = sim.connect()
        for _ in range(10):
            client.push(data="x" * 8000)
        sizes = [len(client.ok("PULLB", queue="q", count=10, timeout=0)["jobs"]) for _ in range(3)]
        assert sum(sizes) <= 10 and max(sizes) < 5 and min(sizes) >= 1


def test_empty_batches(client: Client) -> None:
    assert client.ok("PUSHB", queue="q", jobs=[])["ids"] == []
    assert client.ok("PULLB", queue="q", count=0, timeout=9) == {"ok": True, "success": True, "jobs": [], "job": None}
    assert client.ok("ACKB", ids=[])["count"] == 0
    assert client.error("PUSHB", queue="", jobs=[]) == "Queue name cannot be empty"


def test_a_payload_is_shown_in_the_format_of_its_reader(sim: Simulation) -> None:
    data = {"text": "ü\u2028\"\\", "list": [None, True, -1, 2**63, 1.5], "deep": {"a": [{}]}}
    writer, reader = sim.connect(JSON), sim.connect(MSGPACK)
    for one, other in ((writer, reader), (reader, writer)):
        one.push(data=data, tags=["x", "ü"])
        job = other.pull()
        assert job["data"] == data and job["tags"] == ["x", "ü"]


# -- what a push asks for ---------------------------------------------------------------------------------------


def completed(client: Client, count: int = 1, **options: Any) -> list[int]:
    """So many jobs of the queue, done one after the other; their ids."""
    ids = [client.push(**options) for _ in range(count)]
    for _ in ids:
        client.ok("ACK", id=client.pull()["id"], result="r")
    return ids


def whole(client: Client, job_id: int) -> bool:
    return client.ok("GETJOB", id=job_id)["job"] is not None and client.ok("GETRESULT", id=job_id)["result"] == "r"


def test_a_job_is_kept_for_its_age_whatever_else_is_completed() -> None:
    with simulation(keep_completed=4, keep_results=2) as sim:
        client = sim.connect()
        (kept,) = completed(client, keep_completed_age=1000)
        others = completed(client, 20)
        sim.advance(999)
        assert whole(client, kept)
        assert not whole(client, others[0])
        assert client.job(kept)["keep_completed_age"] == 1000
        sim.advance(1)
        assert client.state(kept) == "completed"
        completed(client, 20)
        assert client.state(kept) == "unknown", "from then on it is like any other"


def test_a_job_is_kept_among_the_newest_of_its_queue() -> None:
    with simulation(keep_completed=20, keep_results=0) as sim:
        client = sim.connect()
        ids = completed(client, 5, keepCompletedCount=3)
        assert [whole(client, job_id) for job_id in ids] == [False, False, True, True, True]
        completed(client, 3)
        assert not any(whole(client, job_id) for job_id in ids)


def test_age_and_count_end_whichever_comes_first() -> None:
    with simulation(keep_completed=2, keep_results=0) as sim:
        client = sim.connect()
        first, second = completed(client, 2, keep_completed_age=100, keep_completed_count=2)
        completed(client, 1)
        assert (whole(client, first), whole(client, second)) == (False, True)
        sim.advance(100)
        assert not whole(client, second)


def test_no_more_jobs_are_kept_so_than_completed_ones_at_all() -> None:
    with simulation(keep_completed=5, keep_results=0) as sim:
        client = sim.connect()
        ids = completed(client, 12, keep_completed_age=3_600_000)
        assert sum(whole(client, job_id) for job_id in ids) == 5


def test_clean_takes_what_is_kept_longer_too() -> None:
    with simulation() as sim:
        client = sim.connect()
        ids = completed(client, 3, keep_completed_age=3_600_000) + completed(client, 2)
        sim.advance(10)
        assert client.ok("CLEAN", queue="q", grace=0, state="completed")["count"] == 5
        assert {client.state(job_id) for job_id in ids} == {"unknown"}
        sim.advance(3_600_000)
        assert sim.engine.queues() == []
