"""Ids, order, times and failures: one test for each rule of the wire document's 3.1 to 3.4, on virtual time."""

from typing import Any

import pytest

from support.simulated import SHARDS, Client, Simulation

LAST_TIME = 2**53 - 1


@pytest.fixture
def client(sim: Simulation) -> Client:
    return sim.connect()


def pulled_data(client: Client, count: int, queue: str = "q") -> list[Any]:
    """The payloads of the next so many jobs, one pull each."""
    return [client.pull(queue)["data"] for _ in range(count)]


# --- 3.1 ids --------------------------------------------------------------------------------------


def test_ids_are_positive_increase_within_a_queue_and_are_never_reused(client: Client) -> None:
    ids = [client.push() for _ in range(3)]
    client.ok("CANCEL", id=ids[-1])
    ids.append(client.push())
    ids += client.ok("PUSHB", queue="q", jobs=[{}, {}])["ids"]
    assert ids == sorted(set(ids)) and ids[0] > 0 and ids[-1] < 2**53
    assert len({job_id % SHARDS for job_id in ids}) == 1, "an id carries its queue's shard"


def test_custom_id_of_a_living_job_gives_its_id_and_changes_nothing(sim: Simulation, client: Client) -> None:
    first = client.push(data=1, job_id="c")
    before = client.job(first)
    assert client.push(data=2, job_id="c") == first
    assert client.push("other", data=3, jobId="c", priority=9) == first, "also from another queue"
    assert client.job(first) == before
    assert client.ok("STATS")["queued"] == 1


@pytest.mark.parametrize("state", ["waiting", "delayed", "active", "failed"])
def test_custom_id_holds_in_every_living_state(client: Client, state: str) -> None:
    job_id = client.push(job_id="c", max_attempts=1, delay=50 if state == "delayed" else 0)
    if state in ("active", "failed"):
        client.pull()
    if state == "failed":
        client.ok("FAIL", id=job_id)
    assert client.state(job_id) == state
    assert client.push(job_id="c") == job_id


@pytest.mark.parametrize("end", ["completed", "removed", "cancelled"])
def test_custom_id_of_a_job_that_is_gone_is_free(client: Client, end: str) -> None:
    first = client.push(job_id="c", remove_on_complete=end == "removed")
    if end == "cancelled":
        client.ok("CANCEL", id=first)
    else:
        client.ok("ACK", id=client.pull()["id"])
    second = client.push(job_id="c")
    assert second > first
    assert client.push(job_id="c") == second
    assert client.state(first) == ("completed" if end == "completed" else "unknown")


def test_custom_ids_of_a_batch_answer_in_their_places(client: Client) -> None:
    known = client.push(job_id="known")
    ids = client.ok("PUSHB", queue="q", jobs=[{"job_id": "a"}, {"job_id": "known"}, {"job_id": "a"}, {}])["ids"]
    assert ids[1] == known and ids[2] == ids[0] and len(set(ids)) == 3


# --- 3.2 ordering ---------------------------------------------------------------------------------


def test_plain_jobs_are_first_in_first_out(client: Client) -> None:
    for number in range(5):
        client.push(data=number)
    assert pulled_data(client, 5) == [0, 1, 2, 3, 4]


def test_greater_priority_first(client: Client) -> None:
    for priority in (0, 5, -3, 2**31 - 1, 5, -(2**31)):
        client.push(data=priority, priority=priority)
    assert pulled_data(client, 6) == [2**31 - 1, 5, 5, 0, -3, -(2**31)]


def test_run_at_before_id(sim: Simulation, client: Client) -> None:
    client.push(data="delayed", delay=100)
    sim.advance(50)
    client.push(data="second")
    sim.advance(10)
    retried = client.pull()["id"]
    sim.advance(40)                         # the delayed one's run_at is past the second's
    client.ok("FAIL", id=retried)           # back at its old place: run_at is unchanged
    client.push(data="last")
    assert pulled_data(client, 3) == ["second", "delayed", "last"]


def test_lifo_jobs_come_before_others_of_their_priority_newest_first(sim: Simulation, client: Client) -> None:
    client.push(data="plain")
    for number in range(3):
        sim.advance(1)
        client.push(data=number, lifo=True)
    client.push(data="high", priority=1)
    assert pulled_data(client, 5) == ["high", 2, 1, 0, "plain"]


def test_a_delayed_job_of_high_priority_blocks_no_ready_one(client: Client) -> None:
    client.push(data="later", priority=100, delay=1000)
    client.push(data="now")
    assert pulled_data(client, 1) == ["now"]
    assert client.pulls_nothing()


def test_a_retry_with_backoff_goes_behind_jobs_that_were_ready_before(sim: Simulation, client: Client) -> None:
    client.push(data="retried", backoff=10)
    client.ok("FAIL", id=client.pull()["id"])
    client.push(data="other")
    sim.advance(20)
    assert pulled_data(client, 2) == ["other", "retried"]


def test_a_batch_is_pulled_in_order(client: Client) -> None:
    client.ok("PUSHB", queue="q", jobs=[{"data": n, "priority": n % 2} for n in range(6)])
    jobs = client.ok("PULLB", queue="q", count=4, timeout=0)["jobs"]
    assert [job["data"] for job in jobs] == [1, 3, 5, 0]
    assert pulled_data(client, 2) == [2, 4]


# --- 3.3 time -------------------------------------------------------------------------------------


def test_a_delayed_job_is_ready_at_its_millisecond(sim: Simulation, client: Client) -> None:
    job_id = client.push(delay=100)
    assert client.job(job_id)["run_at"] == sim.loop.wall + 100
    sim.advance(99)
    assert client.state(job_id) == "delayed" and client.pulls_nothing()
    assert client.ok("COUNT", queue="q")["count"] == 1, "waiting and delayed"
    sim.advance(1)
    assert client.state(job_id) == "waiting"
    assert client.pull()["id"] == job_id


def test_a_delay_is_not_moved_by_the_wall_clock(sim: Simulation, client: Client) -> None:
    job_id = client.push(delay=100)
    sim.loop.wall += 10_000_000
    sim.advance(99)
    assert client.state(job_id) == "delayed"
    sim.loop.wall -= 20_000_000
    sim.advance(1)
    assert client.state(job_id) == "waiting"


def test_ttl_drops_a_job_when_it_is_older(sim: Simulation, client: Client) -> None:
    job_id = client.push(ttl=100)
    sim.advance(100)
    assert client.state(job_id) == "waiting", "now - created_at is not greater than ttl"
    sim.advance(1)
    assert client.state(job_id) == "unknown" and client.pulls_nothing()
    assert sim.engine.memory()["expired"] == 1


def test_ttl_drops_a_delayed_job_and_frees_its_custom_id(sim: Simulation, client: Client) -> None:
    job_id = client.push(ttl=10, delay=1000, job_id="c")
    sim.advance(11)
    assert client.state(job_id) == "unknown"
    assert client.push(job_id="c") != job_id


def test_ttl_leaves_active_jobs_alone(sim: Simulation, client: Client) -> None:
    job_id = client.push(ttl=10)
    client.pull()
    sim.advance(1000)
    assert client.state(job_id) == "active"
    client.ok("ACK", id=job_id)


@pytest.mark.parametrize("parked", [False, True])
def test_a_job_that_outlived_its_ttl_is_not_retried(sim: Simulation, client: Client, parked: bool) -> None:
    job_id = client.push(ttl=10)
    client.pull()
    other = sim.connect()
    if parked:
        other.send("PULL", queue="q", timeout=5000)
    sim.advance(50)
    client.ok("FAIL", id=job_id)
    assert other.replies() == []
    assert client.state(job_id) == "unknown"


def test_timeout_fails_the_attempt_of_an_active_job(sim: Simulation, client: Client) -> None:
    job_id = client.push(timeout=100, max_attempts=2)
    client.pull()
    sim.advance(100)
    assert client.state(job_id) == "active"
    sim.advance(1)
    job = client.job(job_id)
    assert (job["state"], job["attempts"], job["progress_msg"], job["started_at"]) == ("waiting", 1, "Job timed out", 0)
    assert client.error("ACK", id=job_id) == f"Job {job_id} not found"
    client.pull()
    sim.advance(101)
    job = client.job(job_id)
    assert (job["state"], job["attempts"], job["progress_msg"]) == ("failed", 2, "Job timed out")


def test_heartbeats_do_not_extend_timeout(sim: Simulation, client: Client) -> None:
    job_id = client.push(timeout=100)
    client.pull()
    for _ in range(3):
        sim.advance(30)
        client.ok("HEARTBEAT", id=job_id)
    sim.advance(11)
    assert client.job(job_id)["attempts"] == 1


# --- 3.4 failure, retry, backoff ------------------------------------------------------------------


def test_fail_without_backoff_is_ready_at_once_at_its_old_place(client: Client) -> None:
    job_id = client.push(data="first")
    client.push(data="second")
    run_at = client.pull()["run_at"]
    client.ok("PROGRESS", id=job_id, progress=40)
    client.ok("FAIL", id=job_id, error="broke")
    job = client.job(job_id)
    assert (job["state"], job["attempts"], job["run_at"], job["started_at"]) == ("waiting", 1, run_at, 0)
    assert (job["progress"], job["progress_msg"], job["token"]) == (40, "broke", None)
    assert job["last_heartbeat"] > 0, "kept"
    assert client.pull()["data"] == "first"


def test_fail_without_a_text_keeps_the_message(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("FAIL", id=job_id, error="broke")
    client.pull()
    client.ok("FAIL", id=job_id)
    assert client.job(job_id)["progress_msg"] == "broke"


def test_backoff_doubles_up_to_1024_times(sim: Simulation, client: Client) -> None:
    job_id = client.push(backoff=100)
    for attempt in range(1, 13):
        client.pull()
        client.ok("FAIL", id=job_id)
        delay = 100 * 2 ** min(attempt, 10)
        job = client.job(job_id)
        assert (job["attempts"], job["run_at"] - sim.loop.wall) == (attempt, delay)
        sim.advance(delay - 1)
        assert client.state(job_id) == "delayed"
        sim.advance(1)
        assert client.state(job_id) == "waiting"


def test_max_attempts_0_retries_for_ever(client: Client) -> None:
    job_id = client.push()
    for _ in range(50):
        client.pull()
        client.ok("FAIL", id=job_id)
    assert client.job(job_id)["attempts"] == 50 and client.state(job_id) == "waiting"


@pytest.mark.parametrize("name", ["max_attempts", "attempts", "maxAttempts"])
def test_the_last_attempt_makes_a_dead_letter(client: Client, name: str) -> None:
    job_id = client.push(**{name: 2})
    for state in ("waiting", "failed"):
        client.pull()
        client.ok("FAIL", id=job_id, error="no")
        assert client.state(job_id) == state
    assert client.pulls_nothing()
    assert client.ok("STATS")["dlq"] == 1
    assert client.error("CANCEL", id=job_id) == f"Job {job_id} cannot be cancelled (already completed/failed)"
    assert client.error("FAIL", id=job_id) == f"Job {job_id} not found"


def test_remove_on_fail_keeps_no_dead_letter(client: Client) -> None:
    job_id = client.push(max_attempts=1, remove_on_fail=True)
    client.pull()
    client.ok("FAIL", id=job_id)
    assert client.state(job_id) == "unknown" and client.ok("STATS")["dlq"] == 0


def test_times_saturate(sim: Simulation, client: Client) -> None:
    most = 2**63 - 1
    job_id = client.push(delay=most, ttl=most, timeout=most)
    job = client.job(job_id)
    assert (job["run_at"], job["ttl"], job["timeout"], job["state"]) == (LAST_TIME, most, most, "delayed")
    tried = client.push("r", backoff=most, timeout=most, stall_timeout=most)
    client.pull("r")
    client.ok("FAIL", id=tried)
    assert client.state(tried) == "delayed"
    assert client.job(tried)["run_at"] == sim.loop.wall + 2 * (2**32 - 1), "backoff ends at 2^32-1 ms"
    sim.advance(60_000)
    assert client.state(job_id) == "delayed" and client.state(tried) == "delayed"
