"""Groups: so many jobs of each active at a time, so many a second, in turn with the others; on virtual time."""

import random
from typing import Any

import pytest

from support.simulated import Client, DelayedStore, Simulation, simulation


def push_all(client: Client, names: str, **options: Any) -> list[int]:
    """A job for each letter, of the group with that name; `-` is none. Their data: letter and place."""
    jobs = [{"data": f"{name}{place}", **({} if name == "-" else {"group_id": name}), **options}
            for place, name in enumerate(names)]
    return list(client.ok("PUSHB", queue="q", jobs=jobs)["ids"])


def pulled(client: Client, count: int = 1000) -> list[str]:
    return [job["data"] for job in client.ok("PULLB", queue="q", count=count, timeout=0)["jobs"]]


def pulled_and_done(client: Client, count: int) -> str:
    """The groups of the jobs that come one after the other, each acknowledged before the next."""
    found = ""
    for _ in range(count):
        job = client.pull()
        client.ok("ACK", id=job["id"])
        found += job["group_id"] or "-"
    return found


def test_one_job_of_a_group_at_a_time_in_the_order_of_the_queue(client: Client) -> None:
    push_all(client, "aab-ba")
    jobs = client.ok("PULLB", queue="q", count=1000, timeout=0)["jobs"]
    assert [job["data"] for job in jobs] == ["a0", "b2", "-3"]
    assert [job["group_id"] for job in jobs] == ["a", "b", None]
    assert client.ok("COUNT", queue="q")["count"] == 3
    client.ok("ACK", id=jobs[0]["id"])
    assert pulled(client) == ["a1"]
    client.ok("ACKB", ids=[jobs[1]["id"]])
    assert pulled(client) == ["b4"]


def test_priority_and_lifo_hold_inside_a_group(client: Client) -> None:
    client.push(group_id="g", data="first")
    client.push(group_id="g", data="urgent", priority=5)
    client.push(group_id="g", data="newest", lifo=True)
    client.push(group_id="g", data="newer still", lifo=True)
    client.push(data="other", priority=1)
    found = []
    for _ in range(5):
        job = client.pull()
        client.ok("ACK", id=job["id"])
        found.append(job["data"])
    assert found == ["urgent", "other", "newer still", "newest", "first"]


def test_a_retry_comes_before_the_rest_of_its_group(client: Client) -> None:
    first, second = push_all(client, "aa")
    assert client.pull()["id"] == first
    client.ok("FAIL", id=first)
    assert client.pull()["id"] == first
    client.ok("FAIL", id=first, retry_after=1000)
    assert client.pull()["id"] == second, "while it waits the next of its group runs"


def test_a_change_of_priority_changes_who_is_next(client: Client) -> None:
    first, second, third = push_all(client, "aab")
    client.ok("CHANGEPRIORITY", id=second, priority=3)
    assert client.pull()["id"] == second
    client.ok("CHANGEPRIORITY", id=third, priority=-3)
    client.ok("CHANGEPRIORITY", id=first, priority=-5)
    client.ok("ACK", id=second)
    assert [client.pull()["id"] for _ in range(2)] == [third, first]


@pytest.mark.parametrize("end", ["CANCEL", "PROMOTE", "DISCARD", "ttl", "CLEAN"])
def test_a_waiting_job_that_goes_makes_room_for_the_next(sim: Simulation, client: Client, end: str) -> None:
    options = {"ttl": 10} if end == "ttl" else {"delay": 10} if end == "PROMOTE" else {}
    first = client.push(group_id="g", **options)
    sim.advance(5)
    second = client.push(group_id="g")
    if end == "ttl":
        sim.advance(10)
    elif end == "CLEAN":
        assert client.ok("CLEAN", queue="q", grace=1, state="waiting")["count"] == 1
    else:
        sim.advance(1)
        client.ok(end, id=first)
    expected = [second, first] if end == "PROMOTE" else [second]
    for job_id in expected:
        assert client.pull()["id"] == job_id
        assert client.pulls_nothing()
        client.ok("ACK", id=job_id)
    assert client.pulls_nothing()


def test_a_parked_pull_gets_the_next_of_a_group_when_one_ends(sim: Simulation, client: Client) -> None:
    first, second = push_all(client, "aa")
    client.pull()
    waiting = sim.connect(client.codec)
    waiting.send("PULL", queue="q", timeout=60_000)
    assert waiting.replies() == []
    client.ok("ACK", id=first)
    assert [reply["job"]["id"] for reply in waiting.replies()] == [second]


def test_groups_are_those_of_one_queue(client: Client) -> None:
    client.push("q", group_id="g")
    client.push("p", group_id="g")
    assert client.pull("q")["group_id"] == client.pull("p")["group_id"] == "g"


def test_an_empty_group_is_none(client: Client) -> None:
    client.push(group_id="")
    client.push(group_id=None)
    jobs = client.ok("PULLB", queue="q", count=5, timeout=0)["jobs"]
    assert [job["group_id"] for job in jobs] == [None, None]


# -- settings ---------------------------------------------------------------------------------------------------


def groups_of(client: Client) -> Any:
    return next((one.get("groups") for one in client.ok("LISTQUEUES")["queues"] if one["name"] == "q"), None)


def test_more_jobs_of_a_group_at_a_time(client: Client) -> None:
    push_all(client, "aaaabb")
    assert pulled(client) == ["a0", "b4"]
    client.ok("SETGROUPS", queue="q", group_concurrency=3)
    assert groups_of(client) == {"concurrency": 3, "rate": None, "fair": False}
    assert pulled(client) == ["a1", "a2", "b5"]
    client.ok("SETGROUPS", queue="q")
    assert groups_of(client) is None
    client.ok("DRAIN", queue="q")
    assert pulled(client) == []


def test_fewer_jobs_of_a_group_at_a_time(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", group_concurrency=3)
    ids = push_all(client, "aaaa")
    assert pulled(client, 2) == ["a0", "a1"]
    client.ok("SETGROUPS", queue="q", group_concurrency=1)
    assert pulled(client) == [], "the one that was next is held back too"
    client.ok("ACK", id=ids[0])
    assert pulled(client) == []
    client.ok("ACK", id=ids[1])
    assert pulled(client) == ["a2"]


def test_a_rate_for_each_group(sim: Simulation, client: Client) -> None:
    client.ok("SETGROUPS", queue="q", group_concurrency=1000, group_rate=2)
    push_all(client, "aaaaabbb---")
    assert pulled(client) == ["a0", "a1", "b5", "b6", "-8", "-9", "-10"]
    sim.advance(499)
    assert pulled(client) == []
    sim.advance(1)
    assert pulled(client) == ["a2", "b7"]
    client.ok("SETGROUPS", queue="q", group_concurrency=1000)
    assert pulled(client) == ["a3", "a4"]


def test_a_rate_wakes_parked_pulls(sim: Simulation, client: Client) -> None:
    client.ok("SETGROUPS", queue="q", group_concurrency=9, group_rate=4)
    push_all(client, "a" * 5)
    assert len(pulled(client)) == 4
    client.send("PULL", queue="q", timeout=60_000)
    sim.advance(249)
    assert client.replies() == []
    sim.advance(1)
    assert [reply["job"]["data"] for reply in client.replies()] == ["a4"]


def test_a_group_that_is_empty_keeps_its_rate(sim: Simulation, client: Client) -> None:
    """Else a group of few jobs at a time would have no rate at all."""
    client.ok("SETGROUPS", queue="q", group_rate=1)
    for expected in (["a0"], []):
        push_all(client, "a")
        assert pulled(client) == expected
        client.ok("ACKB", ids=[client.ok("GETJOBS", queue="q", limit=1)["jobs"][0]["id"]])
    sim.advance(1000)
    assert pulled(client) == ["a0"]


def test_fair_groups_take_turns(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", fair=True)
    push_all(client, "aaaaaabbcc--")
    assert pulled_and_done(client, 12) == "-abc-abcaaaa"


def test_a_flood_of_one_group_does_not_delay_another(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", fair=True, group_concurrency=5)
    push_all(client, "a" * 500)
    push_all(client, "b")
    assert "b0" in pulled(client, 2)
    push_all(client, "-")
    assert "-0" in pulled(client, 2)


def test_turns_are_taken_among_equal_priorities(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", fair=True)
    push_all(client, "aab")
    push_all(client, "a", priority=9)
    assert pulled_and_done(client, 4) == "abaa"
    push_all(client, "aa")
    client.push(group_id="a", data="urgent", priority=9)
    assert client.pull()["data"] == "urgent"


def test_a_group_keeps_its_turn_when_another_job_of_it_is_next(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", fair=True)
    push_all(client, "ab")
    for n in range(3):
        client.push(group_id="a", data=f"newer{n}", lifo=True)
    assert client.pull()["data"] == "newer2"


@pytest.mark.parametrize("fields", [
    {"group_concurrency": 0}, {"group_concurrency": 2**32}, {"group_rate": 0}, {"group_rate": "1"}, {"fair": 1},
    {"group_concurrency": 1.5},
])
def test_settings_that_are_refused(client: Client, fields: dict[str, Any]) -> None:
    assert next(iter(fields)) in client.error("SETGROUPS", queue="q", **fields)
    assert client.ok("LISTQUEUES")["queues"] == []


# -- bulk removal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["DRAIN", "OBLITERATE"])
def test_what_a_bulk_removal_takes_never_comes_back(sim: Simulation, client: Client, how: str) -> None:
    ids = push_all(client, "aaabbb---")
    active = client.pull()["id"]
    assert client.ok(how, queue="q")["count"] == (8 if how == "DRAIN" else 9)
    assert client.ok("COUNT", queue="q")["count"] == 0
    assert {client.state(job_id) for job_id in ids if job_id != active} == {"unknown"}
    new = push_all(client, "aab")
    sim.advance(100)
    if how == "DRAIN":
        assert pulled(client) == ["b2"], "the active one still holds its group"
        client.ok("ACK", id=active)
        assert pulled(client) == ["a0"]
    else:
        assert pulled(client) == ["a0", "b2"]
        assert client.error("ACK", id=active) == f"Job {active} not found"
        assert client.pulls_nothing()
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting"] == 1
    assert client.state(new[1]) == "waiting"


def test_two_drains_one_after_the_other(sim: Simulation, client: Client) -> None:
    for _ in range(3):
        push_all(client, "aabb-")
        assert client.ok("DRAIN", queue="q")["count"] == 5
    assert pulled(client) == []
    sim.advance(1000)
    push_all(client, "ab")
    assert pulled(client) == ["a0", "b1"]


def test_nothing_is_left_of_groups_once_their_jobs_are_gone(sim: Simulation, client: Client) -> None:
    client.ok("PUSHB", queue="q", jobs=[{"group_id": f"g{n % 300}"} for n in range(900)])
    ids = [job["id"] for job in client.ok("PULLB", queue="q", count=1000, timeout=0)["jobs"]]
    assert len(ids) == 300
    client.ok("OBLITERATE", queue="q")
    sim.advance(120_000)
    assert sim.engine.memory()["objects"] == 0 or sim.engine.memory()["queues"] == 0


def test_settings_of_groups_are_recorded_and_go_with_an_obliterate() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect()
        client.ok("SETGROUPS", queue="q", group_concurrency=4, group_rate=7, fair=True)
        found = [record for record in store.records() if record["kind"] == "queue"]
        assert [(one["group_concurrency"], one["group_rate"], one["fair"]) for one in found] == [(4, 7, 1)]
        client.ok("OBLITERATE", queue="q")
        push_all(client, "aab")
        assert pulled(client) == ["a0", "b2"] and groups_of(client) is None


# -- looking ----------------------------------------------------------------------------------------------------


def test_why_a_job_of_a_group_does_not_run(sim: Simulation, client: Client) -> None:
    ids = push_all(client, "aaa")
    client.pull()
    reasons = client.ok("EXPLAIN", id=ids[1])["reasons"]
    assert reasons[0] == {"reason": "group_limit", "group_id": "a", "limit": 1, "active": 1}
    reasons = client.ok("EXPLAIN", id=ids[2])["reasons"]
    assert {"reason": "jobs_ahead", "count": 1, "at_least": True} in reasons
    client.ok("SETGROUPS", queue="q", group_rate=1, group_concurrency=5)
    pulled(client)
    reasons = client.ok("EXPLAIN", id=ids[2])["reasons"]
    assert reasons[0]["reason"] == "group_rate" and 0 < reasons[0]["free_in"] <= 1000


def test_pages_and_counts_show_jobs_that_stand_aside(client: Client) -> None:
    ids = push_all(client, "aaab-")
    page = client.ok("GETJOBS", queue="q", state="waiting", limit=10)
    assert ([job["id"] for job in page["jobs"]], page["total"]) == (sorted(ids, reverse=True), 5)
    client.pull()
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting"] == 4
    assert client.ok("STATS")["queued"] == 4
    assert client.ok("GETJOBS", queue="q", limit=10)["total"] == 5


def test_many_groups_against_plain_lists(client: Client) -> None:
    """Each pull gets what is first of all that may run; endings and priorities at random."""
    rng = random.Random(7)
    waiting: list[tuple[int, int, str]] = []
    active: dict[int, str] = {}
    for _ in range(3000):
        what = rng.random()
        if what < 0.5:
            name = rng.choice("abcdefgh-")
            priority = rng.randrange(3)
            job_id = client.push(priority=priority, **({} if name == "-" else {"group_id": name}))
            waiting.append((-priority, job_id, name))
        elif what < 0.8:
            free = [one for one in waiting if one[2] == "-" or one[2] not in active.values()]
            job = client.ok("PULL", queue="q", timeout=0)["job"]
            assert (job and job["id"]) == (min(free)[1] if free else None)
            if free:
                active[min(free)[1]] = min(free)[2]
                waiting.remove(min(free))
        elif what < 0.95 and active:
            done = rng.choice(list(active))
            del active[done]
            client.ok(rng.choice(["ACK", "CANCEL"]), id=done)
        elif waiting:
            gone = rng.choice(waiting)
            waiting.remove(gone)
            client.ok("CANCEL", id=gone[1])


def test_the_jobs_of_a_flow_may_be_of_groups(client: Client) -> None:
    client.ok("FLOW", queue="q", group_id="a", data="parent",
              children=[{"queue": "q", "group_id": "a", "data": n} for n in (1, 2)])
    assert pulled(client) == [1]
    client.ok("ACK", id=client.ok("GETJOBS", queue="q", state="active")["jobs"][0]["id"])
    assert pulled(client) == [2]
    client.ok("ACK", id=client.ok("GETJOBS", queue="q", state="active")["jobs"][0]["id"])
    assert pulled(client) == ["parent"]
