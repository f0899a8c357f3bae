"""Why a job is dead, the history of its failures, and workers that were lost or silent."""

from collections.abc import Iterator

import pytest

from flashq.commands import ATTEMPT_TEXT, ATTEMPTS_KEPT
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import Codec, Message

LEASE = 30_000


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lease=LEASE) as running:
        yield running


# --- why a job is dead --------------------------------------------------------------------------------------------


def died(client: Client, job_id: int) -> Message:
    """What GETJOB says of the dead job; DLQ says the same."""
    job = client.job(job_id)
    assert client.ok("DLQ", queue="q")["jobs"] == [job]
    return job


def test_dead_of_its_last_failure(sim: Simulation, client: Client) -> None:
    job_id = client.push(max_attempts=1)
    client.pull()
    sim.advance(7)
    client.ok("FAIL", id=job_id)
    job = died(client, job_id)
    assert (job["reason"], job["failed_at"]) == ("failed", sim.loop.wall)


def test_dead_of_a_timeout(sim: Simulation, client: Client) -> None:
    job_id = client.push(max_attempts=1, timeout=50)
    client.pull()
    sim.advance(60)
    assert died(client, job_id)["reason"] == "timeout"


def test_dead_of_missed_heartbeats(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=50)
    for _ in range(3):
        client.pull()
        sim.advance(50)
    job = died(client, job_id)
    assert (job["reason"], job["progress_msg"], job["attempts"]) == ("stalled", "Job stalled", 0)


def test_dead_of_lost_workers(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    lose_workers(sim, job_id, 3)
    job = died(client, job_id)
    assert (job["reason"], job["progress_msg"], job["attempts"]) == ("worker_lost", "Worker lost", 0)


@pytest.mark.parametrize("active", [False, True])
def test_dead_because_it_was_discarded(client: Client, active: bool) -> None:
    job_id = client.push()
    if active:
        client.pull()
    client.ok("DISCARD", id=job_id)
    job = died(client, job_id)
    assert job["reason"] == "discarded"
    assert [one["reason"] for one in job.get("history", [])] == ["discarded"] * active


def test_a_retried_dead_letter_has_no_reason_any_more_and_keeps_its_history(client: Client) -> None:
    job_id = client.push(max_attempts=1)
    client.pull()
    client.ok("FAIL", id=job_id, error="first")
    client.ok("RETRYDLQ", queue="q")
    job = client.job(job_id)
    assert "reason" not in job and "failed_at" not in job
    assert [one["error"] for one in job["history"]] == ["first"]
    client.pull()
    client.ok("FAIL", id=job_id, error="second")
    assert [one["error"] for one in client.job(job_id)["history"]] == ["first", "second"]


# --- the history --------------------------------------------------------------------------------------------------


def lose_workers(sim: Simulation, job_id: int, count: int) -> None:
    """So many workers take the job, say that they live, and are never seen again."""
    for _ in range(count):
        worker = sim.connect()
        assert worker.pull()["id"] == job_id
        worker.ok("HEARTBEAT", id=job_id)
        worker.disconnect()
        sim.advance(LEASE)


def test_an_attempt_says_when_why_and_by_whom(sim: Simulation, client: Client) -> None:
    job_id = client.push(timeout=1000)
    worker = sim.connect(client.codec)
    worker.ok("HELLO", session='w "ü"')
    worker.pull()
    begin = sim.loop.wall
    sim.advance(30)
    worker.ok("FAIL", id=job_id, error='no "ü"\n\x00')
    client.pull()
    sim.advance(1001)
    first, second = client.job(job_id)["history"]
    assert first == {"started_at": begin, "ended_at": begin + 30, "reason": "failed", "error": 'no "ü"\n\x00',
                     "worker": 'w "ü"'}
    assert second == {"started_at": begin + 30, "ended_at": begin + 1031, "reason": "timeout",
                      "error": "Job timed out", "worker": None}


def test_a_lost_session_is_named_by_the_history(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    worker = sim.connect()
    worker.ok("HELLO", session="w1")
    worker.pull()
    worker.disconnect()
    sim.advance(5_000)
    (attempt,) = client.job(job_id)["history"]
    assert (attempt["reason"], attempt["worker"], attempt["error"]) == ("worker_lost", "w1", "Worker lost")


def test_the_last_ten_attempts_are_kept(client: Client) -> None:
    job_id = client.push()
    for n in range(ATTEMPTS_KEPT + 3):
        client.pull()
        client.ok("FAIL", id=job_id, error=f"error {n}")
    assert [one["error"] for one in client.job(job_id)["history"]] == [f"error {n}" for n in range(3, 13)]


def test_an_error_is_cut_between_characters(client: Client) -> None:
    job_id = client.push()
    for text in ("x" * ATTEMPT_TEXT, "x" * (ATTEMPT_TEXT + 1), "x" + "é" * ATTEMPT_TEXT, "€" * ATTEMPT_TEXT):
        client.pull()
        client.ok("FAIL", id=job_id, error=text)
    kept = [one["error"] for one in client.job(job_id)["history"]]
    assert kept == ["x" * 1024, "x" * 1024, "x" + "é" * 511, "€" * 341]
    assert client.job(job_id)["progress_msg"] == "€" * ATTEMPT_TEXT, "that one is kept whole"


def test_the_longest_history_fits_its_reply(client: Client) -> None:
    """Every byte of these texts takes six in JSON."""
    client.ok("HELLO", session="\x01" * 100)
    policy = {"type": "exponential", "delay": 0, "max": 2**63 - 1, "jitter": 0.000001}
    job_id = client.push(max_attempts=10, retry=policy)
    for _ in range(10):
        client.pull()
        client.ok("FAIL", id=job_id, error="\x01" * ATTEMPT_TEXT)
    history = died(client, job_id)["history"]
    assert [(one["error"], one["worker"]) for one in history] == [("\x01" * ATTEMPT_TEXT, "\x01" * 100)] * 10


def test_a_pull_shows_no_history(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("FAIL", id=job_id)
    assert "history" not in client.pull()
    assert "history" in client.job(job_id)
    assert "history" not in client.ok("GETJOBS", queue="q")["jobs"][0]["job"]


def test_a_job_that_never_failed_has_none_of_it(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("ACK", id=job_id)
    assert not {"retry", "reason", "failed_at", "history"} & set(client.job(job_id))


def test_the_history_goes_with_its_job(sim: Simulation, client: Client) -> None:
    client.push()
    before = sim.engine.memory()["objects"]
    job_id = client.push(queue="r", retry={"type": "fixed", "delay": 0})
    for _ in range(15):
        client.pull("r")
        client.ok("FAIL", id=job_id, error="x" * 2000)
    used = sim.engine.memory()["used"]
    assert sim.engine.memory()["objects"] > before + ATTEMPTS_KEPT
    client.ok("CANCEL", id=job_id)
    assert used - sim.engine.memory()["used"] > ATTEMPTS_KEPT * ATTEMPT_TEXT, "it was counted"
    client.ok("OBLITERATE", queue="q")
    sim.advance(3_600_000)
    assert sim.engine.memory()["objects"] <= before


# --- lost workers and missed heartbeats ---------------------------------------------------------------------------


def test_losses_count_apart_from_failures(sim: Simulation, client: Client) -> None:
    job_id = client.push(max_attempts=3)
    lose_workers(sim, job_id, 2)
    for attempts in (1, 2):
        client.pull()
        client.ok("FAIL", id=job_id)
        job = client.job(job_id)
        assert (job["state"], job["attempts"], job["stall_count"]) == ("waiting", attempts, 2)
    lose_workers(sim, job_id, 1)
    job = client.job(job_id)
    assert (job["state"], job["reason"], job["attempts"]) == ("failed", "worker_lost", 2)


def test_a_heartbeat_makes_missed_heartbeats_good(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=50)
    for _ in range(2):
        client.pull()
        sim.advance(50)
    client.pull()
    client.ok("HEARTBEAT", id=job_id)
    sim.advance(50)
    client.pull()
    sim.advance(50)
    job = client.job(job_id)
    assert (job["state"], job["stall_count"]) == ("waiting", 4), "two since the heartbeat; the field itself stays"
    client.pull()
    sim.advance(50)
    assert client.state(job_id) == "failed"


def test_progress_does_not_make_them_good(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=50)
    for _ in range(3):
        client.pull()
        client.ok("PROGRESS", id=job_id, progress=1)
        sim.advance(50)
    assert client.state(job_id) == "failed"


def test_a_job_that_kills_its_workers_does_not_go_round_for_ever(sim: Simulation, client: Client) -> None:
    """Each of them sends heartbeats before it dies."""
    job_id = client.push()
    lose_workers(sim, job_id, 3)
    assert client.state(job_id) == "failed"
    job_id = client.push(stall_timeout=50)
    lose_workers(sim, job_id, 3)
    assert (client.state(job_id), client.job(job_id)["reason"]) == ("failed", "stalled")


def test_a_retried_dead_letter_may_lose_workers_anew(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    lose_workers(sim, job_id, 3)
    client.ok("RETRYDLQ", queue="q")
    lose_workers(sim, job_id, 2)
    assert (client.state(job_id), client.job(job_id)["stall_count"]) == ("waiting", 5)
    lose_workers(sim, job_id, 1)
    assert client.state(job_id) == "failed"


def test_the_limit_of_losses_is_a_setting(codec: Codec) -> None:
    with simulation(lost_workers=1) as sim:
        client = sim.connect(codec)
        job_id = client.push()
        lose_workers(sim, job_id, 1)
        assert client.state(job_id) == "failed"


# --- records ------------------------------------------------------------------------------------------------------


def test_records_say_each_attempt_once_by_its_number(codec: Codec) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect(codec)
        job_id = client.push()
        for n in range(12):
            client.pull()
            client.ok("FAIL", id=job_id, error=f"error {n}")
        attempts = [one for one in store.records() if one["kind"] == "attempt"]
        assert [(one["id"], one["number"]) for one in attempts] == [(job_id, n) for n in range(1, 13)]
        client.ok("UPDATEJOB", id=job_id, data=1)
        again = [one for one in store.records() if one["kind"] == "attempt"][12:]
        assert [one["number"] for one in again] == list(range(3, 13)), "the new job record tells none of them"
