"""How an attempt ends badly: retry policies, and what FAIL may say."""

from typing import Any

import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import CODECS, Message

LAST_TIME = 2**53 - 1
U64 = "an integer between 0 and 9223372036854775807"


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
