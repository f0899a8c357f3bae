"""Reading many jobs, by the wire document's 2.1, 2.3 and 2.5: items, order, pages, filters, totals, dead letters."""

import random
from typing import Any

import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import Message

SPELLINGS = {
    "waiting": ["waiting", "WAITING", "Waiting"],
    "delayed": ["delayed"],
    "active": ["active"],
    "completed": ["completed"],
    "failed": ["failed", "FAILED"],
    "waiting-children": ["waiting-children", "waiting_children", "waitingchildren", "Waiting-Parent", "waiting_parent",
                         "waitingparent"],
}


def ids_of(reply: Message) -> list[int]:
    return [job["id"] for job in reply["jobs"]]


def one_in_each_state(client: Client) -> dict[str, int]:
    """A waiting, delayed, active, completed and failed job of one queue."""
    done, dead, active = (client.push() for _ in range(3))
    for job_id in (done, dead, active):
        assert client.pull()["id"] == job_id
    client.ok("ACK", id=done)
    client.ok("DISCARD", id=dead)
    return {"waiting": client.push(), "delayed": client.push(delay=50), "active": active, "completed": done,
            "failed": dead}


def test_an_item_is_the_job_and_has_it_again(client: Client) -> None:
    job_id = client.push(data={"a": "ü"}, tags=["t"], priority=3)
    for command, fields in (("GETJOBS", {}), ("GETJOBSBATCH", {"ids": [job_id]})):
        (item,) = client.ok(command, **fields)["jobs"]
        job = item.pop("job")
        assert item == job == client.job(job_id) and job["state"] == "waiting"


def test_a_batch_keeps_its_order_and_leaves_out_what_is_not_there(client: Client) -> None:
    first, second, third = (client.push() for _ in range(3))
    client.ok("CANCEL", id=second)
    assert ids_of(client.ok("GETJOBSBATCH", ids=[third, second, 2**50, first, third])) == [third, first, third]
    assert client.ok("GETJOBSBATCH", ids=[])["jobs"] == []


def test_a_batch_has_a_limit(client: Client) -> None:
    assert client.ok("GETJOBSBATCH", ids=[1] * 1000)["jobs"] == []
    assert client.error("GETJOBSBATCH", ids=[1] * 1001) == "Batch too large (1001 items, max 1000)"


@pytest.mark.parametrize(("state", "spelling"), [(s, one) for s, them in SPELLINGS.items() for one in them])
def test_a_state_filters_in_every_spelling(client: Client, state: str, spelling: str) -> None:
    ids = one_in_each_state(client)
    found = client.ok("GETJOBS", queue="q", state=spelling)
    expected = [ids[state]] if state in ids else []
    assert (ids_of(found), found["total"]) == (expected, len(expected))


@pytest.mark.parametrize("state", ["", "none", "dead", None])
def test_an_unknown_state_filters_nothing(client: Client, state: str | None) -> None:
    ids = one_in_each_state(client)
    found = client.ok("GETJOBS", queue="q", state=state)
    assert (ids_of(found), found["total"]) == (sorted(ids.values(), reverse=True), 5)


def test_no_job_is_stalled(client: Client) -> None:
    one_in_each_state(client)
    assert client.ok("GETJOBS", state="stalled") == {"ok": True, "success": True, "jobs": [], "total": 0}


def test_pages_are_newest_first_and_whole(client: Client) -> None:
    ids = [client.push() for _ in range(25)][::-1]
    pages = [client.ok("GETJOBS", queue="q", limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    assert [ids_of(page) for page in pages] == [ids[:10], ids[10:20], ids[20:], []]
    assert {page["total"] for page in pages} == {25}
    assert client.ok("GETJOBS", limit=0) == {"ok": True, "success": True, "jobs": [], "total": 25}


def test_a_page_has_100_jobs_by_default_and_1000_at_most(client: Client) -> None:
    for _ in range(2):
        client.ok("PUSHB", queue="q", jobs=[{}] * 600)
    assert len(client.ok("GETJOBS")["jobs"]) == 100
    found = client.ok("GETJOBS", limit=2**63 - 1)
    assert (len(found["jobs"]), found["total"]) == (1000, 1200)


def test_all_queues_come_in_order_of_creation(sim: Simulation, client: Client) -> None:
    ids = []
    for number in range(40):
        ids.append(client.push(f"queue-{number % 7}"))
        sim.advance(1)
    assert len({job_id % 32 for job_id in ids}) > 1, "they are spread over shards"
    assert ids != sorted(ids), "and so their ids do not tell"
    assert ids_of(client.ok("GETJOBS")) == ids[::-1]
    assert ids_of(client.ok("GETJOBS", limit=5, offset=20)) == ids[::-1][20:25]


def test_a_queue_that_is_not_there_has_no_jobs(client: Client) -> None:
    client.push()
    assert client.ok("GETJOBS", queue="other") == {"ok": True, "success": True, "jobs": [], "total": 0}
    assert len(client.ok("LISTQUEUES")["queues"]) == 1


def test_many_jobs_are_walked_for_from_the_nearer_end(client: Client) -> None:
    """All ways to make a page agree: 201,000 jobs are too many to gather, those of a state or a small queue are not."""
    ids = [job_id for _ in range(201) for job_id in client.ok("PUSHB", queue="many", jobs=[{}] * 1000)["ids"]]
    failed = ids[::1000][::-1]
    for job_id in failed:
        client.ok("CHANGEPRIORITY", id=job_id, priority=5)
        client.ok("DISCARD", id=job_id)
    ids.reverse()
    left = [job_id for job_id in ids if job_id not in set(failed)]
    for offset in (0, 99_500, 100_450, 100_500, 100_501, 200_000, 200_950):
        found = client.ok("GETJOBS", queue="many", limit=1000, offset=offset)
        assert found["total"] == 201_000 and ids_of(found) == ids[offset:offset + 1000]
    for offset in (0, 12_345, 150_000, 200_700):
        found = client.ok("GETJOBS", queue="many", state="waiting", limit=1000, offset=offset)
        assert ids_of(found) == left[offset:offset + 1000]
        assert ids_of(client.ok("GETJOBS", state="waiting", limit=1000, offset=offset)) == left[offset:offset + 1000]
    assert ids_of(client.ok("GETJOBS", queue="many", state="failed", limit=1000)) == failed


def test_pages_are_picked_out_of_jobs_in_any_order(sim: Simulation, client: Client) -> None:
    rng = random.Random(5)
    ids = []
    for n in range(3000):
        ids.append(client.push(f"q{n % 3}"))
        sim.advance(rng.randrange(3))
    jobs = {job_id: client.job(job_id) for job_id in ids}
    for job_id in rng.sample(ids, 2500):
        client.ok("DISCARD", id=job_id)     # into the lists of the dead, by chance
    dead = [job_id for job_id in ids if client.state(job_id) == "failed"]
    by_time = sorted(dead, key=lambda job_id: (jobs[job_id]["created_at"], job_id), reverse=True)
    by_id = sorted((job_id for job_id in dead if jobs[job_id]["queue"] == "q1"), reverse=True)
    for offset in (0, 1, 63, 700, 833, 2000, 2499, *(rng.randrange(2500) for _ in range(20))):
        limit = rng.choice([1, 2, 100, 1000])
        found = client.ok("GETJOBS", state="failed", limit=limit, offset=offset)
        assert ids_of(found) == by_time[offset:offset + limit]
        found = client.ok("GETJOBS", queue="q1", state="failed", limit=limit, offset=offset)
        assert ids_of(found) == by_id[offset:offset + limit]


def test_counts_are_exact(client: Client) -> None:
    one_in_each_state(client)
    client.push(), client.push(delay=5), client.push("other")
    counts = {"waiting": 2, "active": 1, "delayed": 2, "completed": 1, "failed": 1, "waiting-children": 0}
    found = client.ok("GETJOBCOUNTS", queue="q")
    assert found == {"ok": True, "success": True, **counts, "counts": counts}
    assert set(client.ok("GETJOBCOUNTS", queue="none")["counts"].values()) == {0}
    assert client.ok("COUNT", queue="q")["count"] == 4


@pytest.mark.parametrize("name", ["job_id", "customId"])
def test_a_job_by_its_custom_id(client: Client, name: str) -> None:
    job_id = client.push(job_id="ü\n")
    found = client.ok("GETJOBBYCUSTOMID", **{name: "ü\n"})
    assert (found["job"]["id"], found["job"]["custom_id"], found["state"]) == (job_id, "ü\n", "waiting")
    client.ok("CANCEL", id=job_id)
    assert client.ok("GETJOBBYCUSTOMID", **{name: "ü\n"}) == {
        "ok": True, "success": True, "job": None, "state": "unknown"}


def test_dead_letters_are_oldest_first(sim: Simulation, client: Client) -> None:
    ids = [client.push() for _ in range(5)]
    died = [ids[n] for n in (3, 0, 4, 1, 2)]
    for job_id in died:
        client.ok("DISCARD", id=job_id)
    assert ids_of(client.ok("DLQ", queue="q")) == died
    assert ids_of(client.ok("DLQ", queue="q", count=2)) == died[:2]
    assert client.ok("DLQ", queue="q", count=0)["jobs"] == client.ok("DLQ", queue="none")["jobs"] == []


def test_100_dead_letters_by_default(client: Client) -> None:
    for job_id in client.ok("PUSHB", queue="q", jobs=[{}] * 120)["ids"]:
        client.ok("DISCARD", id=job_id)
    assert len(client.ok("DLQ", queue="q")["jobs"]) == 100
    assert len(client.ok("DLQ", queue="q", count=500)["jobs"]) == 120


def test_large_jobs_make_short_pages() -> None:
    with simulation(max_frame=4_000_000, max_job_size=900_000) as sim:
        client = sim.connect()
        ids = [client.push(data="x" * 800_000) for _ in range(5)]
        for command, fields in (("GETJOBS", {}), ("GETJOBSBATCH", {"ids": ids})):
            assert len(client.ok(command, **fields)["jobs"]) == 1
        assert client.ok("GETJOBS", limit=1, offset=4)["jobs"][0]["id"] == ids[0]


# --- why a job does not run -----------------------------------------------------------------------


def reasons(client: Client, job_id: int) -> dict[str, dict[str, Any]]:
    """By the word for each."""
    reply = client.ok("EXPLAIN", id=job_id)
    assert (reply["id"], reply["state"]) == (job_id, client.state(job_id))
    found = {one["reason"]: {key: value for key, value in one.items() if key != "reason"} for one in reply["reasons"]}
    assert len(found) == len(reply["reasons"])
    return found


def test_explain_names_the_jobs_ahead(client: Client) -> None:
    first, second = client.push(), client.push()
    assert reasons(client, first) == {"nobody_pulling": {}}
    client.ok("PUSHB", queue="q", jobs=[{"priority": 5}, {"priority": 9}, {"priority": -1}])
    assert reasons(client, second) == {"nobody_pulling": {}, "jobs_ahead": {"count": 3, "at_least": False}}
    last = [client.ok("PUSHB", queue="q", jobs=[{}] * 1000)["ids"][-1] for _ in range(2)][-1]
    assert reasons(client, last)["jobs_ahead"]["at_least"] is True
    assert 900 <= reasons(client, last)["jobs_ahead"]["count"] <= 2003


def test_explain_names_what_holds_a_queue_up(sim: Simulation, client: Client) -> None:
    client.push()
    job_id = client.push(delay=100)
    client.ok("RATELIMIT", queue="q", limit=1)
    client.ok("SETCONCURRENCY", queue="q", limit=1)
    assert reasons(client, job_id) == {"delayed": {"until": sim.engine.now + 100}}
    client.pull()
    client.ok("PAUSE", queue="q")
    sim.advance(100)
    assert reasons(client, job_id) == {
        "paused": {}, "nobody_pulling": {}, "concurrency_limit": {"limit": 1, "active": 1},
        "rate_limit": {"limit": 1, "free_in": 900},
    }
    client.ok("RATELIMIT", queue="q", limit=0)
    assert reasons(client, job_id)["rate_limit"] == {"limit": 0, "free_in": None}


def test_explain_names_what_a_job_waits_for(client: Client) -> None:
    first = client.push("a")
    job_id = client.push(depends_on=[2**52, first])
    assert reasons(client, job_id)["waiting_for"] == {"count": 2, "ids": [first, 2**52]}
    client.ok("ACK", id=client.pull("a")["id"])
    assert reasons(client, job_id)["waiting_for"] == {"count": 1, "ids": [2**52]}


def test_explain_of_jobs_that_nothing_holds_up(client: Client) -> None:
    job_id = client.push(max_attempts=1)
    client.pull()
    assert reasons(client, job_id) == {}
    client.ok("FAIL", id=job_id)
    assert reasons(client, job_id) == {}
    assert client.error("EXPLAIN", job_id=5) == "Job 5 not found"
