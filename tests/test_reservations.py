"""Who holds a job, for how long, and by which token: the design's reservations and the wire document's 3.5."""

from typing import Any

import pytest

from support.simulated import EPOCH, Client, Simulation
from support.wire import MSGPACK

LEASE, GRACE = 30_000, 5_000


@pytest.fixture
def client(sim: Simulation) -> Client:
    return sim.connect()


def kill_worker(sim: Simulation, job_id: int, queue: str = "q", wait: int = LEASE) -> None:
    """A worker that takes the job and is never seen again, until its lease is over."""
    worker = sim.connect()
    assert worker.pull(queue)["id"] == job_id
    worker.disconnect()
    sim.advance(wait)


def test_a_live_connection_keeps_its_job_for_ever(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    client.pull()
    sim.advance(10 * 24 * 3600 * 1000)
    assert client.state(job_id) == "active"
    client.ok("ACK", id=job_id)


def test_hello_after_a_pull_keeps_the_job_held(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("HELLO", session="s")
    sim.advance(10 * LEASE)
    assert client.state(job_id) == "active", "its connection is alive"
    client.disconnect()
    sim.advance(GRACE)
    assert sim.connect().state(job_id) == "waiting", "the session's grace, not the lease"


def test_a_missed_heartbeat_takes_the_job_back(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=1000)
    token = client.pull()["token"]
    for _ in range(5):
        sim.advance(999)
        client.ok("HEARTBEAT", id=job_id, token=token)
        sim.advance(999)
        client.ok("PROGRESS", id=job_id, token=token, progress=1)
    sim.advance(999)
    assert client.state(job_id) == "active"
    sim.advance(1)
    job = client.job(job_id)
    assert (job["state"], job["stall_count"], job["attempts"]) == ("waiting", 1, 0)
    assert client.error("ACK", id=job_id, token=token) == f"Job {job_id} not found"


def test_the_third_missed_heartbeat_makes_a_dead_letter(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=10)
    for _ in range(3):
        client.pull()
        sim.advance(10)
    job = client.job(job_id)
    assert (job["state"], job["stall_count"], job["attempts"]) == ("failed", 3, 0)
    assert job["progress_msg"] == "Job stalled"


def test_the_third_lost_worker_makes_a_dead_letter(sim: Simulation, client: Client) -> None:
    job_id = client.push(max_attempts=1)
    for losses in (1, 2):
        kill_worker(sim, job_id)
        job = client.job(job_id)
        assert (job["state"], job["stall_count"], job["attempts"]) == ("waiting", losses, 0)
    kill_worker(sim, job_id)
    job = client.job(job_id)
    assert (job["state"], job["stall_count"], job["attempts"]) == ("failed", 3, 0), "counted apart from failures"
    assert job["progress_msg"] == "Worker lost"
    assert sim.engine.memory()["lost"] == 3


def test_a_lost_connection_leaves_a_lease_of_30_seconds(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    worker = sim.connect()
    worker.pull()
    sim.advance(100_000)
    worker.disconnect()
    sim.advance(LEASE - 1)
    assert client.state(job_id) == "active"
    sim.advance(1)
    assert client.state(job_id) == "waiting"


def test_an_acknowledgement_over_another_connection_counts(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    worker = sim.connect()
    token = worker.pull()["token"]
    worker.disconnect()
    sim.advance(LEASE - 1)
    client.ok("ACK", id=job_id, token=token)
    assert client.state(job_id) == "completed"


@pytest.mark.parametrize("cmd", ["HEARTBEAT", "PROGRESS"])
def test_a_lease_is_renewed_from_any_connection(sim: Simulation, client: Client, cmd: str) -> None:
    jobs = [client.push(), client.push()]
    worker = sim.connect()
    worker.ok("PULLB", queue="q", count=2)
    worker.disconnect()
    sim.advance(LEASE - 1)
    client.ok(cmd, id=jobs[0], **({"progress": 5} if cmd == "PROGRESS" else {}))
    sim.advance(1)
    assert [client.state(one) for one in jobs] == ["active", "waiting"]
    sim.advance(LEASE - 2)
    client.ok("HEARTBEAT", id=jobs[0])
    sim.advance(LEASE - 1)
    assert client.state(jobs[0]) == "active"
    sim.advance(1)
    assert client.state(jobs[0]) == "waiting"


@pytest.mark.parametrize("stall_timeout", [1000, 60_000])
def test_a_lost_connection_leaves_a_lease_of_the_jobs_stall_timeout(sim: Simulation, client: Client,
                                                                    stall_timeout: int) -> None:
    job_id = client.push(stall_timeout=stall_timeout)
    worker = sim.connect()
    worker.pull()
    worker.disconnect()
    sim.advance(stall_timeout - 1)
    assert client.state(job_id) == "active"
    sim.advance(1)
    assert client.state(job_id) == "waiting"


def test_a_session_has_5_seconds_to_come_back(sim: Simulation, client: Client) -> None:
    jobs = [client.push(), client.push()]
    worker = sim.connect()
    worker.ok("HELLO", session="s")
    worker.pull()
    worker.disconnect()
    sim.advance(GRACE - 1)
    worker = sim.connect()
    worker.ok("HELLO", session="s")
    sim.advance(100_000)
    assert client.state(jobs[0]) == "active", "it came back, and keeps its job"
    worker.disconnect()
    sim.advance(GRACE - 1)
    assert client.state(jobs[0]) == "active"
    sim.advance(1)
    assert client.state(jobs[0]) == "waiting"
    assert client.pull()["id"] == jobs[0]


def test_a_session_taken_over_while_the_old_connection_lives(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    old = sim.connect()
    old.ok("HELLO", session="s")
    old.pull()
    new = sim.connect(MSGPACK)
    new.ok("HELLO", session="s")
    old.disconnect()
    sim.advance(10 * LEASE)
    assert client.state(job_id) == "active", "the newest connection speaks for the session"
    new.disconnect()
    sim.advance(GRACE)
    assert client.state(job_id) == "waiting"


def test_a_session_that_came_back_keeps_a_job_heard_of_meanwhile(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    worker = sim.connect()
    worker.ok("HELLO", session="s")
    worker.pull()
    worker.disconnect()
    client.ok("HEARTBEAT", id=job_id)
    worker = sim.connect()
    worker.ok("HELLO", session="s")
    sim.advance(10 * LEASE)
    assert client.state(job_id) == "active"


def test_other_sessions_and_connections_do_not_keep_it(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    worker = sim.connect()
    worker.ok("HELLO", session="s")
    worker.pull()
    worker.disconnect()
    sim.connect().ok("HELLO", session="S")
    sim.connect().ok("HELLO", session="ss")
    sim.advance(GRACE)
    assert client.state(job_id) == "waiting"


def test_cancel_takes_an_active_job_from_its_worker(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("CANCEL", id=job_id)
    assert client.state(job_id) == "unknown"
    assert client.error("ACK", id=job_id) == f"Job {job_id} not found"
    assert client.error("CANCEL", id=job_id) == f"Job {job_id} not found"
    assert client.ok("STATS")["processing"] == 0


# --- tokens ---------------------------------------------------------------------------------------

ENDINGS = [("ACK", {}), ("FAIL", {"error": "x"}), ("PROGRESS", {"progress": 9}), ("HEARTBEAT", {})]


def redelivered(sim: Simulation, client: Client) -> tuple[int, int, int]:
    """A job with the token of its first delivery and of the present one."""
    job_id = client.push()
    first = client.pull()["token"]
    client.ok("FAIL", id=job_id)
    second = client.pull()["token"]
    return job_id, first, second


def test_tokens_are_new_for_each_delivery_and_below_2_to_53(sim: Simulation, client: Client) -> None:
    _, first, second = redelivered(sim, client)
    assert first != second
    assert {first >> 32, second >> 32} == {EPOCH}


@pytest.mark.parametrize(("cmd", "fields"), ENDINGS)
def test_a_stale_token_is_refused_and_changes_nothing(sim: Simulation, client: Client, cmd: str,
                                                      fields: dict[str, Any]) -> None:
    job_id, stale, token = redelivered(sim, client)
    before = client.job(job_id)
    sim.advance(5)
    text = client.error(cmd, id=job_id, token=stale, **fields)
    assert text == f"Job {job_id} is held by a newer delivery (stale token)"
    assert client.job(job_id) == before
    client.ok(cmd, id=job_id, token=token, **fields)


@pytest.mark.parametrize(("cmd", "fields"), ENDINGS)
def test_without_a_token_the_active_job_is_meant(sim: Simulation, client: Client, cmd: str,
                                                 fields: dict[str, Any]) -> None:
    job_id, _, _ = redelivered(sim, client)
    client.ok(cmd, id=job_id, **fields)


def test_tokens_of_a_batch_fence_each_job(sim: Simulation, client: Client) -> None:
    job_id, stale, token = redelivered(sim, client)
    other = client.push("r")
    fresh = client.pull("r")["token"]
    reply = client.ok("ACKB", ids=[job_id, other, 999], tokens=[stale, fresh, 1])
    assert (reply["ids"], reply["count"]) == ([1], 1)
    assert client.state(job_id) == "active" and client.state(other) == "completed"
    assert "tokens" in client.error("ACKB", ids=[job_id], tokens=[token, token])
    assert client.ok("ACKB", ids=[job_id], tokens=[token])["count"] == 1


@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "failed", "unknown"])
@pytest.mark.parametrize(("cmd", "text"), [
    ("ACK", "Job {} not found"), ("FAIL", "Job {} not found"), ("PROGRESS", "Job {} not found in processing"),
    ("HEARTBEAT", "Job {} not in processing"),
])
def test_jobs_that_are_not_active_cannot_be_reported(client: Client, state: str, cmd: str, text: str) -> None:
    job_id = client.push(max_attempts=1, delay=100 if state == "delayed" else 0)
    if state in ("completed", "failed"):
        client.pull()
        client.ok("ACK" if state == "completed" else "FAIL", id=job_id)
    if state == "unknown":
        client.ok("CANCEL", id=job_id)
    assert client.error(cmd, id=job_id, **({"progress": 1} if cmd == "PROGRESS" else {})) == text.format(job_id)
    assert client.ok("ACKB", ids=[job_id])["count"] == 0
    assert client.state(job_id) == state
