"""METRICS: percentiles of how long jobs wait and take, of the last one to two minutes."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulated import START_MONO, Client, Simulation, simulation

MINUTE = 60_000
PERCENTS = (50, 95, 99)
NONE = {"count": 0, "p50": None, "p95": None, "p99": None}


def times(client: Client, queue: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """How long jobs wait, and take: of the queue, or of all."""
    found = client.ok("METRICS")["metrics"]
    if queue is not None:
        (found,) = (one for one in found["queues"] if one["name"] == queue)
    return found["wait_ms"], found["processing_ms"]


def alike(ms: float) -> dict[str, Any]:
    """Of one job."""
    return {"count": 1, "p50": ms, "p95": ms, "p99": ms}


def one_job(sim: Simulation, client: Client, wait: int, processing: int, queue: str = "q") -> None:
    id = client.push(queue)
    sim.advance(wait)
    client.pull(queue)
    sim.advance(processing)
    client.ok("ACK", id=id)


@given(st.lists(st.integers(0, 10**8).map(lambda number: int(math.sqrt(number))), min_size=1, max_size=60))
def test_percentiles_are_within_a_quarter(waits: list[int]) -> None:
    """Held against the sorted list; the jobs are pushed so that all are pulled at one moment."""
    with simulation() as sim:
        client = sim.connect()
        end = max(waits)
        for wait in sorted(waits, reverse=True):
            sim.advance(START_MONO + end - wait - sim.loop.mono)
            client.push()
        sim.advance(START_MONO + end - sim.loop.mono)
        client.ok("PULLB", queue="q", count=len(waits), timeout=0)
        found, _ = times(client)
        assert found["count"] == len(waits)
        for percent in PERCENTS:
            true = sorted(waits)[math.ceil(percent / 100 * len(waits)) - 1]
            shown = found[f"p{percent}"]
            assert shown == true if true <= 3 else 0.75 * true < shown < 1.25 * true


@pytest.mark.parametrize("wait", [2**31, 2**33])
def test_the_longest_wait(sim: Simulation, client: Client, wait: int) -> None:
    """What is longer than counts can tell counts as the longest that they can."""
    client.push()
    sim.loop.mono += wait
    sim.loop.wall += wait
    client.pull()
    assert 0.75 * min(wait, 2**32) < times(client)[0]["p50"] < 2**32


def test_each_queue_has_its_own_and_all_are_added(sim: Simulation, client: Client) -> None:
    one_job(sim, client, 2, 3)
    one_job(sim, client, 100, 0, "other")
    assert times(client, "q") == (alike(2), alike(3))
    assert [one["count"] for one in times(client)] == [2, 2]
    assert times(client)[1] == {"count": 2, "p50": 0, "p95": 3, "p99": 3}


def test_jobs_of_a_batch_count_each(sim: Simulation, client: Client) -> None:
    ids = client.push_many(500)
    sim.advance(1)
    ids += client.push_many(500)
    sim.advance(1)
    client.ok("PULLB", queue="q", count=1000)
    assert times(client)[0] == {"count": 1000, "p50": 1, "p95": 2, "p99": 2}
    sim.advance(3)
    client.ok("ACKB", ids=ids)
    assert times(client)[1] == {"count": 1000, "p50": 3, "p95": 3, "p99": 3}


def test_a_delay_is_no_wait(sim: Simulation, client: Client) -> None:
    client.push(delay=5000)
    sim.advance(5002)
    client.pull()
    assert times(client)[0] == alike(2)


def test_a_retry_waits_from_the_failure_on(sim: Simulation, client: Client) -> None:
    """Also one at once, which keeps its old place in line, and one after a lost worker."""
    id = client.push(stall_timeout=1000)
    client.ok("FAIL", id=client.pull()["id"])
    sim.advance(2)
    client.pull()
    assert times(client)[0] == {"count": 2, "p50": 0, "p95": 2, "p99": 2}
    sim.advance(2 * MINUTE)
    assert client.state(id) == "waiting" and times(client)[0] == NONE
    client.pull()
    assert 0.75 < times(client)[0]["p50"] / (2 * MINUTE - 1000) < 1


def test_a_dependent_waits_from_the_end_of_its_parent_on(sim: Simulation, client: Client) -> None:
    parent = client.push("parents")
    client.push("children", depends_on=[parent])
    sim.advance(1000)
    client.pull("parents")
    client.ok("ACK", id=parent)
    sim.advance(3)
    client.pull("children")
    assert times(client, "children")[0] == alike(3)


def test_a_failed_attempt_has_no_processing_time(sim: Simulation, client: Client) -> None:
    client.push(max_attempts=1)
    job = client.pull()
    sim.advance(50)
    client.ok("FAIL", id=job["id"])
    assert times(client)[1] == NONE


def test_they_are_of_the_last_one_to_two_minutes(sim: Simulation, client: Client) -> None:
    sim.advance(MINUTE - sim.loop.mono % MINUTE)
    client.ok("PAUSE", queue="q")           # a queue that has nothing set and no job would go
    client.ok("RESUME", queue="q")
    client.ok("RATELIMIT", queue="q", limit=1000)
    one_job(sim, client, 1, 0)
    sim.advance(MINUTE)
    one_job(sim, client, 3, 0)
    assert times(client, "q")[0] == {"count": 2, "p50": 1, "p95": 3, "p99": 3}
    sim.advance(MINUTE)
    assert times(client, "q")[0] == alike(3)
    sim.advance(MINUTE)
    assert times(client, "q") == (NONE, NONE)
    one_job(sim, client, 2, 0)
    sim.advance(5 * MINUTE)
    one_job(sim, client, 0, 0)
    assert times(client, "q")[0] == alike(0)


def test_a_clock_set_back_counts_as_no_time(sim: Simulation, client: Client) -> None:
    client.push()
    sim.loop.wall -= 10_000
    id = client.pull()["id"]
    sim.loop.wall -= 10_000
    client.ok("ACK", id=id)
    assert times(client) == (alike(0), alike(0))
