"""Rate and concurrency limits: the wire document's 3.8, on virtual time."""

from collections.abc import Callable
from typing import Any

import pytest

from support.simulated import Client, Simulation


def pulled(client: Client, count: int, queue: str = "q") -> list[int]:
    return [job["id"] for job in client.ok("PULLB", queue=queue, count=count, timeout=0)["jobs"]]


def info(client: Client, queue: str = "q") -> dict[str, Any]:
    """The queue's entry in LISTQUEUES."""
    return next(one for one in client.ok("LISTQUEUES")["queues"] if one["name"] == queue)


# --- rate limit -----------------------------------------------------------------------------------


def test_a_rate_limit_starts_full_and_refills_evenly(sim: Simulation, client: Client) -> None:
    client.push_many(100)
    client.ok("RATELIMIT", queue="q", limit=10)
    assert info(client)["rate_limit"] == 10
    assert len(pulled(client, 100)) == 10
    for _ in range(5):
        sim.advance(99)
        assert pulled(client, 1) == []
        sim.advance(1)
        assert len(pulled(client, 5)) == 1
    sim.advance(60_000)
    assert len(pulled(client, 100)) == 10, "a second's worth is the most it holds"


def test_tokens_go_for_delivered_jobs_alone(sim: Simulation, client: Client) -> None:
    client.ok("RATELIMIT", queue="q", limit=2)
    for _ in range(10):
        assert client.pulls_nothing() and pulled(client, 1000) == []
    client.push_many(1)
    assert len(pulled(client, 1000)) == 1, "of the thousand wanted one was there"
    client.push_many(5)
    assert len(pulled(client, 1000)) == 1


def test_a_limit_of_nothing_blocks(sim: Simulation, client: Client) -> None:
    client.push_many(1)
    client.ok("RATELIMIT", queue="q", limit=0)
    client.send("PULL", queue="q", timeout=5000, reqId="r")
    sim.advance(4999)
    assert client.replies() == []
    sim.advance(1)
    assert [reply["job"] for reply in client.replies()] == [None]


def test_waiting_pulls_are_woken_by_the_next_token(sim: Simulation, client: Client) -> None:
    client.ok("RATELIMIT", queue="q", limit=4)
    client.push_many(10)
    assert len(pulled(client, 10)) == 4
    for number in range(3):
        client.send("PULL", queue="q", timeout=5000, reqId=str(number))
    for number in range(3):
        sim.advance(249)
        assert client.replies() == []
        sim.advance(1)
        assert [reply["reqId"] for reply in client.replies()] == [str(number)]


def test_thirty_cycles_at_ten_a_second_take_two_seconds(sim: Simulation, client: Client) -> None:
    client.push_many(30)
    client.ok("RATELIMIT", queue="q", limit=10)
    start = sim.loop.mono
    for _ in range(30):
        client.send("PULL", queue="q", timeout=10_000, reqId="r")
        while not (replies := client.replies()):
            sim.advance(1)
        client.ok("ACK", id=replies[0]["job"]["id"])
    assert sim.loop.mono - start == 2000


def test_a_cleared_rate_limit_lets_waiting_pulls_go(client: Client) -> None:
    client.ok("RATELIMIT", queue="q", limit=0)
    client.push_many(1)
    client.send("PULL", queue="q", timeout=5000, reqId="r")
    client.send("RATELIMITCLEAR", queue="q")
    assert any(reply.get("job") for reply in client.replies())
    assert info(client)["rate_limit"] is None


def test_setting_a_rate_limit_again_fills_it(client: Client) -> None:
    client.push_many(10)
    for _ in range(2):
        client.ok("RATELIMIT", queue="q", limit=3)
        assert len(pulled(client, 10)) == 3


# --- concurrency ----------------------------------------------------------------------------------


def test_concurrency_counts_jobs_that_were_active_before(client: Client) -> None:
    client.push_many(10)
    pulled(client, 3)
    client.ok("SETCONCURRENCY", queue="q", limit=5)
    assert info(client)["concurrency_limit"] == 5
    assert len(pulled(client, 10)) == 2 and client.pulls_nothing()


ENDINGS: dict[str, Callable[[Simulation, Client, int], object]] = {
    "ACK": lambda _, client, id: client.ok("ACK", id=id),
    "ACKB": lambda _, client, id: client.ok("ACKB", ids=[id]),
    "FAIL to a delay": lambda _, client, id: client.ok("FAIL", id=id),
    "CANCEL": lambda _, client, id: client.ok("CANCEL", id=id),
    "DISCARD": lambda _, client, id: client.ok("DISCARD", id=id),
    "MOVETODELAYED": lambda _, client, id: client.ok("MOVETODELAYED", id=id, delay=60_000),
    "timeout": lambda sim, *_: sim.advance(1001),
    "a missed heartbeat": lambda sim, *_: sim.advance(901),
    "OBLITERATE": lambda _, client, id: client.ok("OBLITERATE", queue="q"),
}


@pytest.mark.parametrize("ending", list(ENDINGS))
def test_every_ending_frees_a_slot(sim: Simulation, client: Client, ending: str) -> None:
    client.ok("SETCONCURRENCY", queue="q", limit=1)
    waiter = sim.connect()
    job_id = client.push(backoff=60_000, timeout=1000, stall_timeout=900 if "heartbeat" in ending else 0)
    client.pull()
    if ending != "OBLITERATE":
        client.push(priority=1)
    waiter.send("PULL", queue="q", timeout=50_000, reqId="r")
    assert waiter.replies() == []
    ENDINGS[ending](sim, client, job_id)
    if ending == "OBLITERATE":
        client.push()
    assert [reply["job"]["id"] > job_id for reply in waiter.replies()] == [True]


def test_a_lost_worker_frees_its_slot(sim: Simulation, client: Client) -> None:
    client.ok("SETCONCURRENCY", queue="q", limit=1)
    first = client.push()
    worker = sim.connect()
    assert worker.pull()["id"] == first
    worker.disconnect()
    assert client.pulls_nothing()
    sim.advance(30_000)
    assert client.pull()["id"] == first


def test_a_concurrency_of_nothing_blocks_until_it_is_cleared(client: Client) -> None:
    client.push_many(2)
    client.ok("SETCONCURRENCY", queue="q", limit=0)
    assert client.pulls_nothing()
    client.ok("CLEARCONCURRENCY", queue="q")
    assert len(pulled(client, 5)) == 2
