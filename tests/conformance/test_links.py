"""Duplicates, dependencies, flows, groups: sections 3.6 and 3.7."""

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk


@row("3.6 unique key: released")
@pytest.mark.parametrize("end", ["ACK", "ACKB", "CANCEL", "CLEAN"])
def test_key_released(talk: Talk, queue: str, end: str) -> None:
    job_id = talk.active(queue, unique_key="k") if end.startswith("ACK") else talk.push(queue, unique_key="k")
    assert talk.holds_key(queue, "k")
    by_command = {"ACKB": {"ids": [job_id]}, "CLEAN": {"queue": queue, "grace": 0, "state": "waiting"}}
    talk.ok(end, **by_command.get(end, {"id": job_id}))
    talk.push(queue, unique_key="k")


@row("3.6 unique key: held")
def test_key_held(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, unique_key="k", backoff=3_600_000)
    assert talk.holds_key(queue, "k")
    talk.ok("FAIL", id=job_id)
    assert talk.holds_key(queue, "k")


@row("3.6 unique key: discarded")
def test_key_discarded(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, unique_key="k")
    assert talk.holds_key(queue, "k")
    talk.ok("DISCARD", id=job_id)
    talk.ok("PURGEDLQ", queue=queue)
    talk.push(queue, unique_key="k")


@row("3.6 unique key: retried dead letter")
def test_key_retried(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, unique_key="k", max_attempts=1)
    assert talk.holds_key(queue, "k")
    talk.ok("FAIL", id=job_id)
    talk.ok("RETRYDLQ", queue=queue)
    assert talk.pull(queue)["id"] == job_id
    talk.ok("ACK", id=job_id)
    talk.push(queue, unique_key="k")


@row("3.6 debounce: window")
def test_debounce_window(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, debounce_id="d", debounce_ttl=500)
    talk.ok("CANCEL", id=job_id)
    assert "Debounced" in talk.error("PUSH", queue=queue, debounce_id="d", debounce_ttl=60_000)
    talk.spend(700)
    talk.push(queue, debounce_id="d", debounce_ttl=150)


@row("3.6 debounce: scope")
def test_debounce_scope(talk: Talk, queue: str, names: Names) -> None:
    talk.push(queue, debounce_id="d")
    talk.push(queue, debounce_id="e")
    talk.push(names.queue(), debounce_id="d")
    assert "Debounced" in talk.error("PUSH", queue=queue, debounce_id="d", debounce_ttl=None)


@row("3.6 debounce: only on success")
def test_debounce_success_only(talk: Talk, queue: str) -> None:
    first = talk.push(queue, unique_key="k")
    assert "Duplicate" in talk.error("PUSH", queue=queue, unique_key="k", debounce_id="d", debounce_ttl=60_000)
    talk.ok("CANCEL", id=first)
    talk.push(queue, unique_key="k", debounce_id="d", debounce_ttl=60_000)


@row("3.7 depends_on: released at once")
@pytest.mark.parametrize("command", ["ACK", "ACKB"])
def test_depends_on(talk: Talk, open_talk: OpenTalk, queue: str, names: Names, command: str) -> None:
    first = [talk.active(queue), talk.active(queue)]
    then = names.queue()
    job_id = talk.push(then, depends_on=first)
    worker = open_talk()
    worker.send("PULL", queue=then, timeout=15_000)
    for one in first:
        assert talk.state(job_id) == "waiting-children"
        talk.ok(command, **({"id": one} if command == "ACK" else {"ids": [one]}))
    assert worker.receive()["job"]["id"] == job_id
    assert talk.state(job_id) == "active"


@row("3.7 depends_on: done before")
@pytest.mark.parametrize("remove", [False, True])
def test_depends_on_done(talk: Talk, queue: str, remove: bool) -> None:
    done = talk.completed(queue, remove_on_complete=remove)
    assert talk.state(talk.push(queue, depends_on=[done])) == "waiting"


@row("3.7 depends_on: delay goes on")
def test_depends_on_delay(talk: Talk, queue: str) -> None:
    first = talk.active(queue)
    job_id = talk.push(queue, depends_on=[first], delay=3_600_000)
    talk.ok("ACK", id=first)
    assert talk.state(job_id) == "delayed"
    talk.ok("PROMOTE", id=job_id)
    assert talk.state(job_id) == "waiting"


@row("3.7 depends_on: failed dependency")
def test_depends_on_dead(talk: Talk, queue: str) -> None:
    first = talk.dead(queue)
    job_id = talk.push(queue, depends_on=[first])
    assert talk.state(job_id) == "waiting-children"
    talk.ok("RETRYDLQ", queue=queue)
    talk.ok("ACK", id=talk.pull(queue)["id"])
    assert talk.state(job_id) == "waiting"


@row("3.7 depends_on: in batches")
def test_depends_on_batch(talk: Talk, queue: str) -> None:
    first = talk.active(queue)
    ids = talk.push_all(queue, [{"depends_on": [first]}, {"depends_on": []}])
    assert [talk.state(one) for one in ids] == ["waiting-children", "waiting"]
    talk.ok("ACK", id=first)
    assert talk.state(ids[0]) == "waiting"


@row("beyond depends_on: policy of failure")
@pytest.mark.parametrize("before", [False, True])
def test_on_parent_failure(talk: Talk, queue: str, names: Names, before: bool) -> None:
    then = names.queue()
    first = talk.dead(queue) if before else talk.active(queue, max_attempts=1)
    ids = [talk.push(then, depends_on=[first], on_parent_failure=policy) for policy in ("wait", "fail", "run")]
    if not before:
        talk.ok("FAIL", id=first)
    assert [talk.state(one) for one in ids] == ["waiting-children", "failed", "waiting"]


@row("3.7 flow: children complete")
@pytest.mark.parametrize("command", ["ACK", "ACKB"])
def test_flow_completes(talk: Talk, queue: str, names: Names, command: str) -> None:
    other = names.queue()
    flow = talk.ok("FLOW", queue=queue, data=0, children=[{"queue": other, "data": n} for n in (1, 2)])
    for n, child in enumerate(flow["children_ids"], 1):
        assert talk.pulls_nothing(queue)
        talk.pull(other)
        talk.ok(command, **({"id": child} if command == "ACK" else {"ids": [child]}))
        assert talk.job(flow["parent_id"])["children_completed"] == n
    assert talk.pull(queue)["id"] == flow["parent_id"]
    logs = talk.ok("GETLOGS", id=flow["parent_id"])["logs"]
    assert [(one["message"], one["level"]) for one in logs] == [("All children completed, parent job ready", "info")]


@row("3.7 flow: a child that died")
def test_flow_child_dead(talk: Talk, queue: str, names: Names) -> None:
    other = names.queue()
    children = [{"queue": other, "data": 1, "max_attempts": 1}]
    parent = talk.ok("FLOW", queue=queue, data=0, children=children)["parent_id"]
    talk.ok("FAIL", id=talk.pull(other)["id"])
    assert talk.state(parent) == "waiting-children"
    talk.ok("RETRYDLQ", queue=other)
    talk.ok("ACK", id=talk.pull(other)["id"])
    assert talk.state(parent) == "waiting"


@row("3.7 group: one at a time")
def test_group(talk: Talk, queue: str) -> None:
    grouped = [{"data": data, "group_id": data[0]} for data in ("a1", "a2", "b")]
    talk.push_all(queue, [*grouped, {"data": 0}])
    jobs = talk.ok("PULLB", queue=queue, count=9, timeout=0)["jobs"]
    assert [job["data"] for job in jobs] == ["a1", "b", 0] and jobs[0]["group_id"] == "a"
    talk.ok("ACK", id=jobs[0]["id"])
    assert talk.pulled_data(queue, 1) == ["a2"]


@row("3.7 group: every ending frees it")
@pytest.mark.parametrize("end", ["ACK", "ACKB", "FAIL", "CANCEL", "DISCARD", "MOVETODELAYED", "timeout", "stall"])
def test_group_freed(talk: Talk, queue: str, end: str) -> None:
    options = {"timeout": {"timeout": 400, "max_attempts": 1}, "stall": {"stall_timeout": 400, "priority": -1}}
    first = talk.active(queue, group_id="g", backoff=3_600_000, **options.get(end, {}))
    second = talk.push(queue, group_id="g", data="second")
    assert talk.pulls_nothing(queue)
    fields = {"ACKB": {"ids": [first]}, "MOVETODELAYED": {"id": first, "delay": 3_600_000}}
    if end.isupper():
        talk.ok(end, **fields.get(end, {"id": first}))
    assert talk.pull(queue, timeout=15_000)["id"] == second


@row("beyond groups: so many at a time")
def test_group_concurrency(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"data": n, "group_id": "a"} for n in range(5)])
    talk.ok("SETGROUPS", queue=queue, group_concurrency=2)
    jobs = talk.ok("PULLB", queue=queue, count=9, timeout=0)["jobs"]
    assert [job["data"] for job in jobs] == [0, 1]
    talk.ok("SETGROUPS", queue=queue)
    talk.ok("ACK", id=jobs[0]["id"])
    assert talk.pulls_nothing(queue)
    talk.ok("ACK", id=jobs[1]["id"])
    assert talk.pulled_data(queue, 1) == [2]
    assert talk.pulls_nothing(queue)


@row("beyond groups: fair")
def test_group_fair(talk: Talk, queue: str) -> None:
    talk.ok("SETGROUPS", queue=queue, fair=True, group_concurrency=100)
    talk.push_all(queue, [{"data": "flood", "group_id": "a"}] * 100)
    talk.push_all(queue, [{"data": "other", "group_id": "b"}, {"data": "alone"}])
    assert {"other", "alone"} <= set(talk.pulled_data(queue, 3))
    assert (talk.info(queue) or {})["groups"] == {"concurrency": 100, "rate": None, "fair": True}


@row("beyond groups: rate")
def test_group_rate(talk: Talk, queue: str) -> None:
    talk.ok("SETGROUPS", queue=queue, group_concurrency=100, group_rate=3)
    talk.push_all(queue, [{"data": name, "group_id": name} for name in "aaaaaaaaabb"])
    found = [job["data"] for job in talk.ok("PULLB", queue=queue, count=100, timeout=0)["jobs"]]
    assert 3 <= found.count("a") < 9 and found.count("b") == 2


@row("beyond names: what a worker asks for")
def test_names(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"data": "a", "name": "a"}, {"data": "b", "name": "b"}, {"data": "none"}])
    jobs = talk.ok("PULLB", queue=queue, count=9, timeout=0, names=["b", "c"])["jobs"]
    assert [(job["data"], job.get("name")) for job in jobs] == [("b", "b"), ("none", None)]
    assert talk.pulled_data(queue, 1) == ["a"]


@row("beyond names: versions")
def test_versions(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, name="a", version=2)
    for names in ({"names": ["a"], "versions": [1]}, {"names": ["b"], "versions": [2]}):
        assert talk.ok("PULL", queue=queue, timeout=0, **names)["job"] is None
    job = talk.ok("PULL", queue=queue, timeout=0, names=["a"], versions=[2])["job"]
    assert (job["id"], job["name"], job["version"]) == (job_id, "a", 2)
