"""Names and versions of jobs, and pulls that ask for some of them; on virtual time."""

from typing import Any

import pytest

from support.simulated import Client, DelayedStore, Simulation, simulation


def asked(client: Client, names: list[str] | None, count: int = 1000, **fields: Any) -> list[Any]:
    """The data of the jobs that a pull with these names gets at once."""
    reply = client.ok("PULLB", queue="q", count=count, timeout=0, names=names, **fields)
    return [job["data"] for job in reply["jobs"]]


def test_a_job_shows_its_name_and_version(client: Client) -> None:
    job = client.job(client.push(name="resize", version=3))
    assert (job["name"], job["version"]) == ("resize", 3)
    plain = client.job(client.push(name="", version=0))
    assert "name" not in plain and "version" not in plain


def test_a_pull_gets_the_names_it_asks_for_and_jobs_without_one(client: Client) -> None:
    for data, name in enumerate(["a", "b", None, "a", "c"]):
        client.push(data=data, name=name)
    assert asked(client, ["a"]) == [0, 2, 3]
    assert asked(client, ["a"]) == []
    assert asked(client, ["x", "c"]) == [4]
    assert asked(client, None) == [1], "a pull without names takes all"


def test_no_names_at_all_are_jobs_without_one(client: Client) -> None:
    client.push(name="a", data=0)
    client.push(data=1)
    assert asked(client, []) == [1]


def test_an_old_worker_gets_no_newer_version(client: Client) -> None:
    for version in (2, 1, 3):
        client.push(name="a", version=version, data=version)
    assert asked(client, ["a"], versions=[0]) == []
    assert asked(client, ["a"], versions=[1]) == [1]
    assert asked(client, ["b", "a"], versions=[9, 2]) == [2]
    assert asked(client, ["a"], versions=[2**40]) == [3]


def test_the_first_of_all_that_may_run_comes_next(sim: Simulation, client: Client) -> None:
    client.push(name="a", data="low", priority=-1)
    client.push(name="b", data="second")
    client.push(data="third")
    sim.advance(1)
    client.push(name="a", data="fourth")
    client.push(name="b", data="high", priority=1)
    client.push(name="c", data="newest", lifo=True)
    assert asked(client, ["a", "b", "c"]) == ["high", "newest", "second", "third", "fourth", "low"]


def test_a_pull_that_waits_for_other_names_lets_those_behind_it_pass(sim: Simulation, client: Client) -> None:
    first, second, third = (sim.connect(client.codec) for _ in range(3))
    first.send("PULL", queue="q", names=["a"], timeout=60_000)
    second.send("PULL", queue="q", names=["b"], versions=[1], timeout=60_000)
    third.send("PULL", queue="q", timeout=60_000)
    client.push(name="b", version=2, data="for anyone")
    assert [reply["job"]["data"] for reply in third.replies()] == ["for anyone"]
    client.push(name="b", version=1, data="for b")
    assert [reply["job"]["data"] for reply in second.replies()] == ["for b"]
    client.push(data="without a name")
    assert [reply["job"]["data"] for reply in first.replies()] == ["without a name"]


def test_a_pull_for_what_is_there_is_served_past_those_who_wait_for_else(sim: Simulation, client: Client) -> None:
    waiting = sim.connect(client.codec)
    waiting.send("PULL", queue="q", names=["a"], timeout=60_000)
    client.push(name="b", data="b")
    assert waiting.replies() == []
    assert asked(client, ["b"]) == ["b"]
    client.push(name="b", data="again")
    assert client.ok("PULL", queues=["p", "q"], names=["b"], timeout=0)["job"]["data"] == "again"


def test_names_and_several_queues(sim: Simulation, client: Client) -> None:
    client.push("p", name="a", data="p")
    client.push("q", name="b", data="q")
    assert client.ok("PULL", queues=["p", "q"], names=["b"], timeout=0)["job"]["data"] == "q"
    client.send("PULL", queues=["p", "q"], names=["c"], timeout=60_000)
    assert client.replies() == []
    other = sim.connect(client.codec)
    other.push("q", name="c", data="late")
    assert [reply["job"]["data"] for reply in client.replies()] == ["late"]


@pytest.mark.parametrize("end", ["ACK", "FAIL", "CANCEL", "release", "delay", "priority"])
def test_a_named_job_keeps_its_name_whatever_happens(sim: Simulation, client: Client, end: str) -> None:
    job_id = client.push(name="a", backoff=10)
    if end == "priority":
        client.ok("CHANGEPRIORITY", id=job_id, priority=5)
    elif end == "delay":
        client.pull(names=["a"])
        client.ok("MOVETODELAYED", id=job_id, delay=10)
    elif end == "release":
        client.ok("FAIL", id=client.pull(names=["a"])["id"], release=True)
    elif end == "CANCEL":
        client.ok("CANCEL", id=job_id)
    else:
        client.ok(end, id=client.pull(names=["a"])["id"])
    sim.advance(100)
    assert client.pulls_nothing("p") and asked(client, ["b"]) == []
    left = client.ok("PULL", queue="q", names=["a"], timeout=0)["job"]
    assert (left is None) == (end in ("ACK", "CANCEL"))


def test_a_group_waits_for_the_worker_of_its_next_job(client: Client) -> None:
    client.push(group_id="g", name="a", data="a")
    client.push(group_id="g", name="b", data="b")
    assert asked(client, ["b"]) == [], "the order of the group is kept"
    assert asked(client, ["a", "b"]) == ["a"]
    client.ok("ACK", id=client.ok("GETJOBS", queue="q", state="active")["jobs"][0]["id"])
    assert asked(client, ["a"]) == []
    assert asked(client, ["b"]) == ["b"]


def test_fair_groups_with_names_take_turns(client: Client) -> None:
    client.ok("SETGROUPS", queue="q", fair=True, group_concurrency=100)
    for group, name in (("a", "x"), ("a", "x"), ("a", "y"), ("b", "y"), ("c", None), (None, "x"), (None, None)):
        client.push(group_id=group, name=name, data=f"{group or '-'}{name or '-'}")
    found = asked(client, ["x", "y"])
    assert found == ["-x", "ax", "by", "c-", "--", "ax", "ay"]


@pytest.mark.parametrize("how", ["DRAIN", "OBLITERATE"])
def test_bulk_removal_takes_jobs_with_names(sim: Simulation, client: Client, how: str) -> None:
    for n in range(30):
        client.push(name=f"n{n % 7}", version=n % 2, group_id="g" if n % 3 else None)
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting"] == 30
    assert client.ok("GETJOBS", queue="q", state="waiting", limit=100)["total"] == 30
    assert client.ok(how, queue="q")["count"] == 30
    assert asked(client, None) == []
    client.push(name="n1", data="new")
    assert asked(client, ["n1"]) == ["new"]
    sim.advance(120_000)


def test_clean_finds_jobs_with_names(sim: Simulation, client: Client) -> None:
    client.push(name="a")
    client.push(name="b")
    sim.advance(5)
    assert client.ok("CLEAN", queue="q", grace=1, state="waiting")["count"] == 2
    assert asked(client, None) == []


def test_so_many_names_wait_in_a_queue(client: Client) -> None:
    for n in range(256):
        client.push(name=f"n{n}")
    assert client.error("PUSH", queue="q", name="one more") == "Too many names of waiting jobs in this queue (max 256)"
    reply = client.ok("PUSHB", queue="q", jobs=[{"name": "n7"}, {"name": "n7", "version": 1}, {}])
    assert (len(reply["ids"]), reply["failed"]) == (2, [1])
    client.push("p", name="one more")
    client.ok("CANCEL", id=client.pull(names=["n9"])["id"])
    client.push(name="one more")


def test_why_a_job_with_a_name_does_not_run(sim: Simulation, client: Client) -> None:
    job_id = client.push(name="a", version=2)
    waiting = sim.connect(client.codec)
    assert {"reason": "nobody_pulling"} in client.ok("EXPLAIN", id=job_id)["reasons"]
    for count, fields in enumerate(({"names": ["b"]}, {"names": ["a"], "versions": [1]}), 1):
        waiting.send("PULL", queue="q", timeout=60_000, reqId=str(fields), **fields)
        assert {"reason": "nobody_pulling", "count": count} in client.ok("EXPLAIN", id=job_id)["reasons"]
    client.ok("PAUSE", queue="q")
    waiting.send("PULL", queue="q", timeout=60_000, reqId="r", names=["a"])
    assert [one["reason"] for one in client.ok("EXPLAIN", id=job_id)["reasons"]] == ["paused"]


def test_names_are_recorded() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        sim.connect().push(name="a", version=7)
        found = [record for record in store.records() if record["kind"] == "ties"]
        assert [(one["name"], one["version"]) for one in found] == [(b"a", 7)]


@pytest.mark.parametrize(("fields", "field"), [
    ({"names": "a"}, "names"), ({"names": [1]}, "names"), ({"names": ["x" * 257]}, "names"),
    ({"names": ["a"] * 101}, "names"), ({"versions": [1]}, "versions"), ({"names": ["a"], "versions": []}, "versions"),
    ({"names": ["a"], "versions": [1, 2]}, "versions"), ({"names": ["a"], "versions": [-1]}, "versions"),
])
def test_what_is_refused_of_a_pull(client: Client, fields: dict[str, Any], field: str) -> None:
    assert f"field '{field}'" in client.error("PULL", queue="q", timeout=0, **fields)
    assert client.ok("LISTQUEUES")["queues"] == []


def test_names_at_their_limits(client: Client) -> None:
    longest = "é" * 128
    client.push(name=longest, data="x")
    names = [f"n{n}" for n in range(98)] + ['quote "\n\u00e9', longest]
    assert asked(client, names, versions=[0] * 100) == ["x"]


def test_flows_and_cron_entries_take_names_too(sim: Simulation, client: Client) -> None:
    client.ok("FLOW", queue="q", name="sum", version=3, data="sum",
              children=[{"queue": "q", "name": "part", "version": 1, "data": "part"}])
    job = client.pull(names=["part"], versions=[1])
    client.ok("ACK", id=job["id"])
    assert asked(client, ["sum"], versions=[2]) == []
    assert asked(client, ["sum"], versions=[3]) == ["sum"]
    client.ok("CRON", name="entry", queue="q", repeat_every=1000, version=2, options={"name": "tick"})
    sim.advance(1000)
    ticked = client.pull(names=["tick"])
    assert (ticked["name"], ticked["version"]) == ("tick", 2), "not the entry's name"


def test_a_name_is_forgotten_when_its_group_is_held_back(sim: Simulation, client: Client) -> None:
    client.ok("SETGROUPS", queue="q", group_concurrency=2)
    for name in ("a", "b", "c"):
        client.push(group_id="g", name=name, data=name)
    assert asked(client, ["a"]) == ["a"]
    client.ok("SETGROUPS", queue="q", group_concurrency=1)
    sim.advance(10)
    client.ok("OBLITERATE", queue="q")
    sim.advance(120_000)
    assert client.ok("LISTQUEUES")["queues"] == [], "nothing keeps the queue"
