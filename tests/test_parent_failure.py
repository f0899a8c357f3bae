"""What a job that waits for another does when that one dies or is removed: `on_parent_failure`, `fail_parent`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import Message

POLICIES = ("wait", "fail", "run")
THEN = ["waiting-children", "failed", "waiting"]
STRIDE = 32             # between the ids of two jobs of a queue
NEVER_ISSUED = 2**52 + 1
DEATHS = ("FAIL", "FAIL removed", "DISCARD", "DISCARD active", "timeout", "lost")
REMOVALS = ("CANCEL", "CANCEL active", "CLEAN", "expiry", "DRAIN", "OBLITERATE", "OBLITERATE active", "PURGEDLQ")


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lost_workers=1, lease=1000) as running:
        yield running


def first_job(client: Client, how: str) -> int:
    """A job of queue `a` that `ended` can end so."""
    options: Message = {"remove_on_fail": True} if how == "FAIL removed" else {"ttl": 50} if how == "expiry" else {}
    job_id = client.push("a", max_attempts=1, timeout=10 if how == "timeout" else 0, **options)
    if how in ("FAIL", "FAIL removed", "timeout") or how.endswith("active"):
        client.pull("a")
    return job_id


def ended(sim: Simulation, client: Client, how: str, job_id: int) -> None:
    """End it before it is completed."""
    cmd = how.split()[0]
    if how == "lost":
        worker = sim.connect()
        worker.pull("a")
        worker.disconnect()
        sim.advance(1000)
    elif how in ("timeout", "expiry"):
        sim.advance(60)
    elif cmd in ("DRAIN", "OBLITERATE"):
        client.ok(cmd, queue="a")
    elif how == "CLEAN":
        client.ok(cmd, queue="a", grace=0, state="waiting")
    elif how == "PURGEDLQ":
        client.ok("DISCARD", id=job_id)
        client.ok(cmd, queue="a")
    else:
        client.ok(cmd, id=job_id)


def why(client: Client, job_id: int) -> tuple[Any, ...]:
    job = client.job(job_id)
    return job["state"], job.get("reason"), job["progress_msg"]


@pytest.mark.parametrize("how", [*DEATHS, *REMOVALS])
def test_each_does_as_its_policy_says(sim: Simulation, client: Client, how: str) -> None:
    first = first_job(client, how)
    ids = [client.push(depends_on=[first], on_parent_failure=policy) for policy in POLICIES]
    unsaid = client.push(depends_on=[first])
    assert [client.state(one) for one in (*ids, unsaid)] == ["waiting-children"] * 4
    ended(sim, client, how, first)
    assert [client.state(one) for one in (*ids, unsaid)] == [*THEN, "waiting-children"]
    text = "failed" if how in DEATHS or how == "PURGEDLQ" else "was removed"
    assert why(client, ids[1]) == ("failed", "dependency_failed", f"Dependency {first} {text}")
    assert sim.loop.wall - 60 < client.job(ids[1])["failed_at"] <= sim.loop.wall
    assert client.pull()["id"] == ids[2] and client.pulls_nothing()
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting-children"] == 2


@pytest.mark.parametrize("how", ["FAIL", "DISCARD"])
def test_an_id_that_is_dead_when_pushed(sim: Simulation, client: Client, how: str) -> None:
    first = first_job(client, how)
    ended(sim, client, how, first)
    listener = sim.connect()
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue="q")
    ids = [client.push(depends_on=[first], on_parent_failure=policy) for policy in POLICIES]
    assert [client.state(one) for one in ids] == THEN
    assert why(client, ids[1]) == ("failed", "dependency_failed", f"Dependency {first} failed")
    assert [(one["event_type"], one["job_id"]) for one in listener.replies()] == [
        ("pushed", ids[0]), ("pushed", ids[1]), ("failed", ids[1]), ("pushed", ids[2])]
    batch = [{"depends_on": [first], "on_parent_failure": policy} for policy in POLICIES]
    assert [client.state(one) for one in client.ok("PUSHB", queue="q", jobs=batch)["ids"]] == THEN
    gone = client.push(depends_on=[first], on_parent_failure="fail", remove_on_fail=True)
    assert client.state(gone) == "unknown"
    client.ok("RETRYDLQ", queue="a")
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(ids[0]) == "waiting"


@pytest.mark.parametrize("policy", POLICIES)
def test_ids_that_are_not_there(client: Client, policy: str) -> None:
    forgotten = client.push("a")
    client.ok("CANCEL", id=forgotten)
    known, unknown = (client.push(depends_on=[one], on_parent_failure=policy) for one in (forgotten, NEVER_ISSUED))
    assert (client.state(known), client.state(unknown)) == ("waiting", "waiting-children")


def test_jobs_of_the_clock_have_policies_too(sim: Simulation, client: Client) -> None:
    first = client.push("a")
    client.ok("CRON", name="c", queue="q", repeat_every=1000, limit=1, depends_on=[first], on_parent_failure="fail")
    client.ok("DISCARD", id=first)
    sim.advance(1000)
    (dead,) = client.ok("DLQ", queue="q")["jobs"]
    assert dead["reason"] == "dependency_failed"


@pytest.mark.parametrize("policy", POLICIES)
def test_completion_releases_whatever_the_policy(client: Client, policy: str) -> None:
    first, second = client.push("a"), client.push("a")
    job_id = client.push(depends_on=[first, second, first], on_parent_failure=policy)
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == "waiting-children"
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == "waiting"


def test_run_waits_for_the_others(client: Client) -> None:
    first, second = client.push("a"), client.push("a")
    job_id = client.push(depends_on=[first, second], on_parent_failure="run", delay=0)
    client.ok("CANCEL", id=first)
    assert client.state(job_id) == "waiting-children"
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == "waiting"


def test_a_retry_that_is_left_is_no_death(client: Client) -> None:
    first = client.push("a", max_attempts=2)
    job_id = client.push(depends_on=[first], on_parent_failure="fail")
    client.ok("FAIL", id=client.pull("a")["id"])
    assert client.state(job_id) == "waiting-children"
    client.ok("FAIL", id=client.pull("a")["id"])
    assert client.state(job_id) == "failed"


def test_a_death_is_told_once(client: Client) -> None:
    """Those who die with it stay dead when it is retried, and what they waited for moves them no more."""
    first, second = client.push("a"), client.push("b")
    job_id = client.push(depends_on=[first, second, first], on_parent_failure="fail")
    client.ok("DISCARD", id=first)
    assert client.ok("METRICS")["metrics"]["total_failed"] == 2
    client.ok("RETRYDLQ", queue="a")
    client.ok("ACK", id=client.pull("a")["id"])
    client.ok("DISCARD", id=second)
    assert client.state(job_id) == "failed"
    assert [job["id"] for job in client.ok("DLQ", queue="q")["jobs"]] == [job_id]


@pytest.mark.parametrize("how", ["RETRYDLQ", "RETRYDLQ and pull", "nothing"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_job_that_no_longer_waits_is_not_released_again(client: Client, policy: str, how: str) -> None:
    first = client.push("a")
    job_id = client.push(depends_on=[first], on_parent_failure=policy)
    client.ok("DISCARD", id=job_id)
    if how != "nothing":
        client.ok("RETRYDLQ", queue="q")
    if how.endswith("pull"):
        assert client.pull()["id"] == job_id
    before = client.state(job_id)
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == before
    if before == "active":
        client.ok("ACK", id=job_id)
        assert client.state(job_id) == "completed"


def test_the_dead_free_their_key_and_are_counted(client: Client) -> None:
    first = client.push("a")
    client.push(depends_on=[first], on_parent_failure="fail", unique_key="k")
    client.ok("CANCEL", id=first)
    client.push(unique_key="k")
    assert client.ok("METRICS")["metrics"]["total_failed"] == 1


def test_who_waits_for_a_doomed_job_hears_of_it(sim: Simulation, client: Client) -> None:
    first = client.push("a")
    doomed = client.push(depends_on=[first], on_parent_failure="fail", remove_on_fail=True)
    waiter = sim.connect()
    waiter.send("WAITJOB", id=doomed, reqId="w")
    runs = client.push(depends_on=[doomed], on_parent_failure="run")
    client.ok("DISCARD", id=first)
    assert (client.state(doomed), client.state(runs)) == ("unknown", "waiting")
    (reply,) = waiter.replies()
    assert (reply["ok"], reply["error"]) == (False, "Job failed")


# -- many -------------------------------------------------------------------------------------------------------------


def test_a_long_chain_dies_without_recursion(sim: Simulation) -> None:
    client = sim.connect()
    first = client.push()
    for start in range(0, 100_000, 1000):
        client.ok("PUSHB", queue="q", jobs=[
            {"depends_on": [first + STRIDE * n], "on_parent_failure": "fail"} for n in range(start, start + 1000)])
    client.ok("DISCARD", id=first)
    assert client.ok("GETJOBCOUNTS", queue="q")["failed"] == 100_001
    last = first + STRIDE * 100_000
    assert why(client, last) == ("failed", "dependency_failed", f"Dependency {last - STRIDE} failed")


def fan_out(client: Client, count: int, policy: str) -> tuple[int, list[int]]:
    first = client.push("a")
    ids: list[int] = []
    for _ in range(count // 1000):
        jobs = [{"depends_on": [first], "on_parent_failure": policy}] * 1000
        ids += client.ok("PUSHB", queue="q", jobs=jobs)["ids"]
    return first, ids


def between(sim: Simulation, cmd: str, job_id: int) -> None:
    """A hot command after which no timer runs yet."""
    assert json.loads(sim.engine.command(json.dumps({"cmd": cmd, "id": job_id}).encode()))["ok"]


@pytest.mark.parametrize(("cmd", "policy", "state"), [
    ("DISCARD", "fail", "failed"), ("CANCEL", "fail", "failed"), ("DISCARD", "run", "waiting"),
    ("ACK", "wait", "waiting"), ("ACK", "fail", "waiting"),
])
def test_many_that_wait_for_one_are_told_in_slices(sim: Simulation, cmd: str, policy: str, state: str) -> None:
    client = sim.connect()
    first, ids = fan_out(client, 5000, policy)
    if cmd == "ACK":
        client.pull("a")
    between(sim, cmd, first)
    told = [sim.engine.get_state(one) == state for one in ids]
    assert sum(told) == 1000, "the rest follows by the timers"
    assert sim.engine.next_deadline is not None and sim.engine.next_deadline <= sim.engine.mono
    late = [one for one, is_told in zip(ids, told, strict=True) if not is_told]
    assert sim.engine.get_state(late[0]) == "waiting-children"
    between(sim, "CANCEL", late[0])
    between(sim, "DISCARD", late[-1])
    assert sum(sim.engine.get_state(one) == state for one in late[1:-1]) == 0, "other commands do not pay for it"
    assert sim.engine.run_due()
    assert sum(sim.engine.get_state(one) == state for one in late[1:-1]) in (999, 1000)
    while sim.engine.run_due():
        pass
    assert all(sim.engine.get_state(one) == state for one in ids if one not in (late[0], late[-1]))
    assert sim.engine.get_state(late[0]) == "unknown" and sim.engine.get_state(late[-1]) == "failed"


def test_what_is_yet_to_be_told_may_be_obliterated(sim: Simulation) -> None:
    client = sim.connect()
    first, ids = fan_out(client, 3000, "fail")
    between(sim, "DISCARD", first)
    assert client.ok("OBLITERATE", queue="q")["count"] == 3000
    assert {client.state(one) for one in ids[::100]} == {"unknown"}
    sim.advance(1)
    assert client.ok("GETJOBCOUNTS", queue="q")["failed"] == 0


@pytest.mark.parametrize("cmd", ["DRAIN", "OBLITERATE"])
def test_a_grave_tells_as_it_is_emptied(sim: Simulation, cmd: str) -> None:
    client = sim.connect()
    ids = client.ok("PUSHB", queue="a", jobs=[{}] * 1000)["ids"]
    waiting = [client.push(depends_on=[one], on_parent_failure="fail") for one in ids[::50]]
    client.ok(cmd, queue="a")
    assert {client.state(one) for one in waiting} == {"failed"}
    assert why(client, waiting[-1])[2] == f"Dependency {ids[950]} was removed"


def test_everything_gives_its_memory_back(sim: Simulation) -> None:
    client = sim.connect()
    held = []
    for _ in range(2):
        for cmd in ("DISCARD", "ACK", "CANCEL"):
            for policy in POLICIES:
                first, _ids = fan_out(client, 1000, policy)
                if cmd == "ACK":
                    client.pull("a")
                client.ok(cmd, id=first)
                client.push(depends_on=[first], on_parent_failure=policy)
        for queue in ("a", "q"):
            client.ok("OBLITERATE", queue=queue)
            client.ok("CLEAN", queue=queue, grace=0, state="completed")
        sim.advance(120_000)
        held.append(sim.engine.memory()["objects"])
    assert held[0] == held[1]
    assert held[0] < 100


# -- flows ------------------------------------------------------------------------------------------------------------


def flow(client: Client, *children: Message, **parent: Any) -> tuple[int, list[int]]:
    reply = client.ok("FLOW", **{"queue": "q", "children": [{"queue": "a", **one} for one in children], **parent})
    return reply["parent_id"], reply["children_ids"]


@pytest.mark.parametrize("how", ["DISCARD", "CANCEL"])
@pytest.mark.parametrize("fails", [None, False, True])
def test_a_parent_may_die_with_a_child(client: Client, fails: bool | None, how: str) -> None:
    parent, ids = flow(client, {}, {}, **({} if fails is None else {"fail_parent": fails}))
    client.ok(how, id=ids[0])
    text = f"Child {ids[0]} {'failed' if how == 'DISCARD' else 'was removed'}"
    expected = ("failed", "dependency_failed", text) if fails else ("waiting-children", None, None)
    assert why(client, parent) == expected
    client.ok("ACK", id=client.pull("a")["id"])
    found = client.ok("GETCHILDREN", parent_id=parent)
    assert (found["completed"], found["total"]) == (1, 2), "those that are done are counted all the same"


def test_a_child_that_is_retried_does_not_bring_its_parent_back(client: Client) -> None:
    parent, ids = flow(client, {}, fail_parent=True)
    client.ok("DISCARD", id=ids[0])
    client.ok("RETRYDLQ", queue="a")
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(parent) == "failed"
    assert client.ok("GETLOGS", id=parent)["logs"] == []
    client.ok("RETRYDLQ", queue="q")
    assert client.pull()["id"] == parent


def test_a_parent_that_is_retried_waits_for_nothing(client: Client) -> None:
    parent, ids = flow(client, {}, fail_parent=True)
    client.ok("DISCARD", id=ids[0])
    assert client.ok("RETRYDLQ", queue="q")["ids"] == [1], "how many, though the field is called ids"
    assert (client.state(ids[0]), client.state(parent)) == ("failed", "waiting")
    client.ok("DISCARD", id=parent)
    client.ok("RETRYDLQ", queue="a")
    client.ok("RETRYDLQ", queue="q")
    assert client.state(ids[0]) == "waiting", "it is alive again, and has not run"
    assert client.pull()["id"] == parent


def test_a_child_that_is_dead_at_once_kills_its_parent(client: Client) -> None:
    dead = client.push("b")
    client.ok("DISCARD", id=dead)
    child = {"depends_on": [dead], "on_parent_failure": "fail", "remove_on_fail": True}
    parent, ids = flow(client, child, fail_parent=True)
    assert why(client, parent) == ("failed", "dependency_failed", f"Child {ids[0]} failed")
    known = client.push("b", job_id="known")
    client.ok("DISCARD", id=known)
    parent, ids = flow(client, {"job_id": "known"}, fail_parent=True)
    assert (ids, why(client, parent)) == ([known], ("failed", "dependency_failed", f"Child {known} failed"))


def test_the_policy_of_a_parent_is_for_what_it_depends_on(client: Client) -> None:
    first = client.push("b")
    parent, ids = flow(client, {}, depends_on=[first], on_parent_failure="fail")
    client.ok("CANCEL", id=ids[0])
    assert client.state(parent) == "waiting-children"
    client.ok("CANCEL", id=first)
    assert why(client, parent)[2] == f"Dependency {first} was removed"


def test_a_chain_of_flows_dies_upwards(client: Client) -> None:
    leaf = client.push("b", job_id="leaf")
    middle, _ = flow(client, {"job_id": "leaf"}, job_id="middle", fail_parent=True)
    top, _ = flow(client, {"job_id": "middle"}, fail_parent=True)
    client.ok("DISCARD", id=leaf)
    assert [why(client, one)[2] for one in (middle, top)] == [f"Child {leaf} failed", f"Child {middle} failed"]
