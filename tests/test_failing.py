"""How an attempt ends badly: retry policies, what FAIL may say, why a job is dead, and the history of its failures."""

from collections.abc import Iterator
from typing import Any

import pytest

from flashq.commands import ATTEMPT_TEXT, ATTEMPTS_KEPT
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import CODECS, Codec, Message

LAST_TIME = 2**53 - 1
LEASE = 30_000
U64 = "an integer between 0 and 9223372036854775807"


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lease=LEASE) as running:
        yield running


def waits(sim: Simulation, client: Client, count: int, **options: Any) -> list[int]:
    """ms that each of so many retries of a new job waits."""
    job_id = client.push(**options)
    found = []
    for _ in range(count):
        assert client.pull()["id"] == job_id
        client.ok("FAIL", id=job_id)
        job = client.job(job_id)
        found.append(job["run_at"] - sim.loop.wall if job["state"] == "delayed" else 0)
        sim.advance(found[-1])
    return found


# --- retry policies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "expected"), [
    ({"type": "fixed", "delay": 70}, [70, 70, 70, 70]),
    ({"type": "exponential", "delay": 70}, [70, 140, 280, 560]),
    ({"type": "linear", "delay": 70}, [70, 140, 210, 280]),
    ({"type": "exponential", "delay": 70, "max": 200}, [70, 140, 200, 200]),
    ({"type": "linear", "delay": 70, "max": 200}, [70, 140, 200, 200]),
    ({"type": "fixed", "delay": 0}, [0, 0]),
    ({"type": "exponential", "delay": 0}, [0, 0]),
])
def test_a_retry_waits_as_its_policy_says(
    sim: Simulation, client: Client, policy: Message, expected: list[int]
) -> None:
    assert waits(sim, client, len(expected), retry=policy) == expected


def test_a_policy_takes_the_place_of_backoff_which_is_shown_as_before(sim: Simulation, client: Client) -> None:
    assert waits(sim, client, 2, backoff=5, retry={"type": "fixed", "delay": 70}) == [70, 70]
    assert client.pull()["backoff"] == 5
    assert waits(sim, client, 2, queue="q", backoff=5) == [10, 20]


def test_an_exponential_wait_doubles_past_where_backoff_ends(sim: Simulation, client: Client) -> None:
    found = waits(sim, client, 14, retry={"type": "exponential", "delay": 1})
    assert found == [2**n for n in range(14)]


@pytest.mark.parametrize("kind", ["fixed", "exponential", "linear"])
@pytest.mark.parametrize("delay", [2**53, 2**63 - 1])
def test_a_wait_ends_where_time_ends(client: Client, kind: str, delay: int) -> None:
    job_id = client.push(retry={"type": kind, "delay": delay, "jitter": 0})
    client.pull()
    client.ok("FAIL", id=job_id)
    assert (client.job(job_id)["run_at"], client.state(job_id)) == (LAST_TIME, "delayed")


def test_jitter_takes_off_up_to_its_part_evenly(sim: Simulation, client: Client) -> None:
    found = waits(sim, client, 400, retry={"type": "fixed", "delay": 1000, "jitter": 0.4})
    assert all(600 <= wait <= 1000 for wait in found)
    quarters = [sum(low <= wait < low + 100 for wait in found) for low in (600, 700, 800, 900)]
    assert min(quarters) > 60, "of 100 expected"
    assert min(found) < 610 and max(found) > 990


def test_full_jitter_may_take_off_all_of_a_wait_at_the_cap(sim: Simulation, client: Client) -> None:
    found = waits(sim, client, 50, retry={"type": "exponential", "delay": 10, "max": 3, "jitter": 1})
    assert set(found) == {0, 1, 2, 3}


def test_the_same_seed_gives_the_same_jitter() -> None:
    runs = []
    for _ in range(2):
        with simulation() as sim:
            runs.append(waits(sim, sim.connect(), 20, retry={"type": "fixed", "delay": 10**6, "jitter": 0.5}))
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 15


def test_a_policy_is_shown_by_every_job_that_has_one(client: Client) -> None:
    given = {"type": "linear", "delay": 5, "jitter": 0.123456789}
    shown = {"type": "linear", "delay": 5, "max": 0, "jitter": 0.123457}
    job_id = client.push(retry=given)
    assert client.job(job_id)["retry"] == shown
    pulled = client.pull()
    assert pulled["retry"] == shown and list(pulled)[-1] == "retry"
    assert client.ok("GETJOBS", queue="q")["jobs"][0]["job"]["retry"] == shown
    assert "retry" not in client.job(client.push())


@pytest.mark.parametrize("jitter", [0, 1, 0.5, 0.000001, 0.1, 0.999999])
def test_jitter_is_shown_as_it_was_given(client: Client, jitter: float) -> None:
    job_id = client.push(retry={"type": "fixed", "delay": 1, "jitter": jitter})
    assert client.job(job_id)["retry"]["jitter"] == jitter


@pytest.mark.parametrize(("policy", "text"), [
    (True, "field 'retry' must be an object"),
    ([], "field 'retry' must be an object"),
    ({}, "missing field 'retry.type'"),
    ({"type": "fixed"}, "missing field 'retry.delay'"),
    ({"type": "often", "delay": 1}, "field 'retry.type' must be one of fixed, exponential, linear"),
    ({"type": 1, "delay": 1}, "field 'retry.type' must be one of fixed, exponential, linear"),
    ({"type": "fixed", "delay": -1}, f"field 'retry.delay' must be {U64}"),
    ({"type": "fixed", "delay": "1"}, f"field 'retry.delay' must be {U64}"),
    ({"type": "fixed", "delay": 1, "max": 0.5}, f"field 'retry.max' must be {U64}"),
    ({"type": "fixed", "delay": 1, "jitter": 1.5}, "field 'retry.jitter' must be a number between 0 and 1"),
    ({"type": "fixed", "delay": 1, "jitter": "0"}, "field 'retry.jitter' must be a number between 0 and 1"),
])
def test_a_wrong_policy_is_refused_by_the_name_of_its_part(client: Client, policy: Any, text: str) -> None:
    assert client.error("PUSH", queue="q", retry=policy) == f"Invalid: {text}"
    in_item = text.replace("'retry", "'jobs[1].retry")
    assert client.error("PUSHB", queue="q", jobs=[{}, {"retry": policy}]) == f"Invalid: {in_item}"
    cron = {"name": "c", "queue": "q", "repeat_every": 1000}
    assert client.error("CRON", **cron, retry=policy) == f"Invalid: {text}"
    in_options = text.replace("'retry", "'options.retry")
    assert client.error("CRON", **cron, options={"retry": policy}) == f"Invalid: {in_options}"
    assert client.ok("COUNT", queue="q")["count"] == 0 and client.ok("CRONLIST")["crons"] == []


def test_a_cron_entry_hands_its_policy_to_its_jobs(sim: Simulation, client: Client) -> None:
    policy = {"type": "linear", "delay": 5, "max": 9, "jitter": 0.5}
    client.ok("CRON", name="c", queue="q", repeat_every=1000, retry=policy)
    assert client.ok("CRONLIST")["crons"][0]["options"] == {"retry": policy}
    sim.advance(1000)
    assert client.pull()["retry"] == policy


def test_a_batch_has_a_policy_for_each_job(client: Client) -> None:
    policies = [{"type": kind, "delay": n, "max": 0, "jitter": 0} for n, kind in enumerate(["linear", "fixed"])]
    client.ok("PUSHB", queue="q", jobs=[{"retry": policies[0]}, {}, {"retry": policies[1]}])
    jobs = client.ok("PULLB", queue="q", count=3)["jobs"]
    assert [job.get("retry") for job in jobs] == [policies[0], None, policies[1]]


def test_spelling_does_not_matter_in_json(sim: Simulation) -> None:
    client = sim.connect(CODECS["json"])
    client.send_raw(b'{"cmd":"PUSH","queue":"q","retry" : \t{ "t\\u0079pe" : "f\\u0069xed" ,"x":[{"type":"}"}],'
                    b'"delay":0.5e1, "jitter":25e-2,"max":null } }\n')
    assert client.replies()[0]["ok"] is True
    assert client.pull()["retry"] == {"type": "fixed", "delay": 5, "max": 0, "jitter": 0.25}
    twice = b'{"cmd":"PUSH","queue":"q","retry":{"type":"fixed","delay":1,"delay":2}}\n'
    client.send_raw(twice)
    assert client.replies()[0]["error"] == "Invalid: duplicate field 'retry.delay'"


def test_a_timed_out_attempt_waits_by_the_policy_too(sim: Simulation, client: Client) -> None:
    job_id = client.push(timeout=100, retry={"type": "fixed", "delay": 70})
    client.pull()
    sim.advance(101)
    job = client.job(job_id)
    assert (job["state"], job["run_at"] - sim.loop.wall, job["attempts"]) == ("delayed", 70, 1)


# --- what FAIL may say --------------------------------------------------------------------------------------------


def test_fail_without_retry_is_dead_at_once(client: Client) -> None:
    job_id = client.push(max_attempts=9, retry={"type": "fixed", "delay": 5})
    client.pull()
    client.ok("FAIL", id=job_id, error="never", retry=False)
    job = client.job(job_id)
    assert (job["state"], job["attempts"], job["reason"], job["progress_msg"]) == ("failed", 1, "failed", "never")


def test_fail_with_retry_true_or_null_is_a_plain_fail(client: Client) -> None:
    job_id = client.push()
    for value in (True, None):
        client.pull()
        client.ok("FAIL", id=job_id, retry=value, release=None, retry_after=None)
    assert (client.state(job_id), client.job(job_id)["attempts"]) == ("waiting", 2)


def test_retry_after_waits_once_in_place_of_backoff_and_policy(sim: Simulation, client: Client) -> None:
    job_id = client.push(backoff=500, retry={"type": "fixed", "delay": 70})
    client.pull()
    client.ok("FAIL", id=job_id, retry_after=33)
    job = client.job(job_id)
    assert (job["state"], job["run_at"] - sim.loop.wall, job["attempts"]) == ("delayed", 33, 1)
    sim.advance(33)
    client.pull()
    client.ok("FAIL", id=job_id, retry_after=0)
    assert client.state(job_id) == "waiting"
    client.pull()
    client.ok("FAIL", id=job_id)
    assert client.job(job_id)["run_at"] - sim.loop.wall == 70


def test_retry_after_ends_where_time_ends(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("FAIL", id=job_id, retry_after=2**63 - 1)
    assert client.job(job_id)["run_at"] == LAST_TIME


def test_retry_after_gives_no_attempt_more(client: Client) -> None:
    job_id = client.push(max_attempts=1)
    client.pull()
    client.ok("FAIL", id=job_id, retry_after=5)
    assert client.state(job_id) == "failed"


def test_a_released_job_is_not_charged_and_keeps_its_place(client: Client) -> None:
    job_id = client.push(max_attempts=1, backoff=500)
    client.push()
    for _ in range(5):
        assert client.pull()["id"] == job_id
        client.ok("FAIL", id=job_id, release=True, error="shutting down")
    job = client.job(job_id)
    assert (job["state"], job["attempts"], job["progress_msg"]) == ("waiting", 0, "shutting down")
    assert "history" not in job


def test_a_released_job_may_wait(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("FAIL", id=job_id, release=True, retry_after=40)
    assert (client.state(job_id), client.job(job_id)["attempts"]) == ("delayed", 0)
    sim.advance(40)
    assert client.pull()["id"] == job_id


@pytest.mark.parametrize(("order", "field"), [
    ({"release": True}, "release"), ({"retry_after": 0}, "retry_after"), ({"retry_after": 5}, "retry_after"),
    ({"release": True, "retry_after": 5}, "release"),
])
def test_no_retry_contradicts_how_to_retry(client: Client, order: Message, field: str) -> None:
    job_id = client.push()
    client.pull()
    reply = client.call("FAIL", id=job_id, retry=False, **order)
    assert (reply["ok"], reply["code"]) == (False, "CONTRADICTION")
    assert reply["error"] == f"Invalid: field '{field}' and 'retry: false' exclude each other"
    assert client.state(job_id) == "active"
    client.ok("FAIL", id=job_id, retry=False, release=False)
    assert client.state(job_id) == "failed"


@pytest.mark.parametrize(("order", "text"), [
    ({"retry": 0}, "field 'retry' must be true or false"),
    ({"retry": {"type": "fixed", "delay": 1}}, "field 'retry' must be true or false"),
    ({"retry_after": -1}, f"field 'retry_after' must be {U64}"),
    ({"release": "yes"}, "field 'release' must be true or false"),
])
def test_a_wrong_order_of_fail_is_refused_by_its_name(client: Client, order: Message, text: str) -> None:
    job_id = client.push()
    client.pull()
    assert client.error("FAIL", id=job_id, **order) == f"Invalid: {text}"
    assert client.state(job_id) == "active"


def test_orders_of_fail_are_fenced_by_the_token(client: Client) -> None:
    job_id = client.push()
    token = client.pull()["token"]
    client.ok("FAIL", id=job_id, token=token, release=True)
    client.pull()
    assert "stale token" in client.error("FAIL", id=job_id, token=token, retry=False)
    assert client.state(job_id) == "active"


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
