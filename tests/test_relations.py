"""What ties jobs together: unique keys, debounce windows, dependencies and flows."""

from typing import Any

import pytest

from support.simulated import Client, Simulation
from support.wire import CODECS

DUPLICATE = "Duplicate job with key: k"
DEBOUNCED = "Debounced: job with id 'd' was pushed recently"


def ended(client: Client, how: str, job_id: int) -> None:
    """End the job in one of the ways there are."""
    if how in ("ACK", "ACKB", "FAIL", "DISCARD active"):
        assert client.pull()["id"] == job_id
    if how == "ACKB":
        client.ok("ACKB", ids=[job_id])
    elif how in ("DRAIN", "OBLITERATE"):
        client.ok(how, queue="q")
    elif how == "CLEAN":
        client.ok("CLEAN", queue="q", grace=0, state="waiting")
    else:
        client.ok(how.split()[0], id=job_id)


# -- unique keys ------------------------------------------------------------------------------------------------


def test_a_key_is_held_from_the_push_on(client: Client) -> None:
    job_id = client.push(unique_key="k", data=1)
    assert client.job(job_id)["unique_key"] == "k"
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE
    assert client.push("other", unique_key="k") != job_id, "keys are held per queue"
    assert client.pull()["unique_key"] == "k"
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE, "an active job holds it too"
    assert client.ok("COUNT", queue="q")["count"] == 0, "the refused ones left nothing"


@pytest.mark.parametrize("how", ["ACK", "ACKB", "CANCEL", "DRAIN", "CLEAN", "OBLITERATE", "DISCARD", "DISCARD active"])
def test_a_key_is_free_once_its_job_has_ended(client: Client, how: str) -> None:
    ended(client, how, client.push(unique_key="k"))
    client.push(unique_key="k")
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE


def test_a_key_is_kept_while_its_job_is_retried(client: Client) -> None:
    client.push(unique_key="k", max_attempts=2)
    client.ok("FAIL", id=client.pull()["id"])
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE
    client.ok("FAIL", id=client.pull()["id"])
    client.push(unique_key="k")


def test_a_key_is_free_when_its_job_expires(sim: Simulation, client: Client) -> None:
    client.push(unique_key="k", ttl=10)
    sim.advance(20)
    client.push(unique_key="k")


def test_a_dead_letter_that_is_retried_takes_its_key_again(client: Client) -> None:
    dead = client.push(unique_key="k", max_attempts=1)
    client.ok("FAIL", id=client.pull()["id"])
    client.ok("RETRYDLQ", queue="q")
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE
    client.ok("ACK", id=client.pull()["id"])
    assert client.state(dead) == "completed"
    client.push(unique_key="k")


def test_a_retried_dead_letter_gets_its_key_back_from_one_that_was_drained(client: Client) -> None:
    """At once, though the drained job's memory is not given back yet."""
    dead = client.push(unique_key="k", max_attempts=1)
    client.pull()
    client.ok("FAIL", id=dead)
    client.push(unique_key="k")
    client.send_raw(client.encode("DRAIN", queue="q") + client.encode("RETRYDLQ", queue="q")
                    + client.encode("PUSH", queue="q", unique_key="k"))
    drained, retried, pushed = client.replies()
    assert (drained["count"], retried["count"], pushed.get("error")) == (1, 1, DUPLICATE)


def test_a_dead_letter_does_not_take_its_key_from_another_job(client: Client) -> None:
    client.push(unique_key="k", max_attempts=1)
    client.ok("FAIL", id=client.pull()["id"])
    holder = client.push(unique_key="k")
    client.ok("RETRYDLQ", queue="q")
    assert client.error("PUSH", queue="q", unique_key="k") == DUPLICATE
    client.ok("CANCEL", id=holder)
    client.push(unique_key="k")


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_key_is_none(client: Client, value: str | None) -> None:
    ids = [client.push(unique_key=value) for _ in range(2)]
    assert client.job(ids[0])["unique_key"] is None


def test_a_custom_id_is_found_before_the_key_is_looked_at(client: Client) -> None:
    first = client.push(unique_key="k", job_id="c")
    assert client.push(unique_key="k", job_id="c") == first


def test_items_of_a_batch_are_refused_one_by_one(client: Client) -> None:
    client.push(unique_key="k")
    client.push(debounce_id="d")
    jobs = [{"data": 1}, {"unique_key": "k"}, {"unique_key": "new"}, {"unique_key": "new"}, {"debounce_id": "d"}]
    reply = client.ok("PUSHB", queue="q", jobs=jobs)
    assert len(reply["ids"]) == 2
    assert reply["failed"] == [1, 3, 4]
    assert reply["errors"] == [
        {"index": 1, "error": DUPLICATE}, {"index": 3, "error": "Duplicate job with key: new"},
        {"index": 4, "error": DEBOUNCED},
    ]
    assert client.ok("COUNT", queue="q")["count"] == 4


# -- debounce ---------------------------------------------------------------------------------------------------


def test_a_window_refuses_until_it_closes(sim: Simulation, client: Client) -> None:
    client.push(debounce_id="d")
    sim.advance(4999)
    assert client.error("PUSH", queue="q", debounce_id="d") == DEBOUNCED
    client.push("other", debounce_id="d")
    client.push(debounce_id="e")
    sim.advance(1)
    client.push(debounce_id="d")
    assert client.error("PUSH", queue="q", debounce_id="d") == DEBOUNCED, "the push that was taken opened the next"


def test_a_refused_push_does_not_move_the_window(sim: Simulation, client: Client) -> None:
    client.push(debounce_id="d", debounce_ttl=100)
    sim.advance(99)
    assert client.error("PUSH", queue="q", debounce_id="d", debounce_ttl=1000) == DEBOUNCED
    sim.advance(1)
    client.push(debounce_id="d")


def test_a_push_that_is_refused_otherwise_opens_no_window(client: Client) -> None:
    client.push(unique_key="k")
    assert client.error("PUSH", queue="q", unique_key="k", debounce_id="d") == DUPLICATE
    client.push(debounce_id="d")


def test_a_window_does_not_mind_what_becomes_of_the_job(client: Client) -> None:
    client.ok("CANCEL", id=client.push(debounce_id="d"))
    assert client.error("PUSH", queue="q", debounce_id="d") == DEBOUNCED


def test_an_obliterated_queue_has_no_windows(client: Client) -> None:
    client.push(debounce_id="d")
    client.ok("OBLITERATE", queue="q")
    client.push(debounce_id="d")
    assert client.error("PUSH", queue="q", debounce_id="d") == DEBOUNCED


def test_a_window_of_no_length_is_none(client: Client) -> None:
    for _ in range(2):
        client.push(debounce_id="d", debounce_ttl=0)


def test_windows_give_their_memory_back(sim: Simulation, client: Client) -> None:
    held = []
    for _ in range(2):                      # the first time the maps of names take their first pages
        for n in range(100):
            client.ok("CANCEL", id=client.push(debounce_id=str(n), debounce_ttl=1000))
        sim.advance(999)
        assert client.error("PUSH", queue="q", debounce_id="99").startswith("Debounced")
        sim.advance(1)
        held.append(sim.engine.memory()["objects"])
    assert held[0] == held[1]
    assert held[0] < 100


# -- dependencies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ACK", "ACKB"])
def test_a_job_waits_until_all_it_depends_on_are_completed(client: Client, how: str) -> None:
    first, second = client.push("a"), client.push("b", remove_on_complete=True)
    job_id = client.push(depends_on=[first, second, first])
    assert (client.state(job_id), client.job(job_id)["depends_on"]) == ("waiting-children", [first, second, first])
    assert client.pulls_nothing()
    for queue in ("a", "b"):
        assert client.state(job_id) == "waiting-children"
        done = client.pull(queue)["id"]
        client.ok(how, **({"id": done} if how == "ACK" else {"ids": [done]}))
    assert client.state(job_id) == "waiting"
    assert client.pull()["id"] == job_id


def test_a_parked_pull_gets_a_job_at_the_moment_it_is_released(sim: Simulation, client: Client) -> None:
    first = client.push("a")
    job_id = client.push(depends_on=[first])
    worker = sim.connect()
    worker.send("PULL", queue="q")
    client.ok("ACK", id=client.pull("a")["id"])
    (reply,) = worker.replies()
    assert reply["job"]["id"] == job_id


def test_completed_ids_count_when_pushed(client: Client) -> None:
    kept, gone = client.push("a"), client.push("a", remove_on_complete=True)
    client.ok("ACKB", ids=[client.pull("a")["id"], client.pull("a")["id"]])
    assert client.state(client.push(depends_on=[kept, gone])) == "waiting"


def test_a_delay_runs_while_it_waits(sim: Simulation, client: Client) -> None:
    first = client.push("a")
    soon, late = client.push(depends_on=[first], delay=10), client.push(depends_on=[first], delay=100)
    sim.advance(50)
    client.ok("ACK", id=client.pull("a")["id"])
    assert (client.state(soon), client.state(late)) == ("waiting", "delayed")
    sim.advance(50)
    assert client.state(late) == "waiting"


@pytest.mark.parametrize("how", ["CANCEL", "DISCARD", "FAIL"])
def test_what_fails_keeps_its_dependants_waiting(client: Client, how: str) -> None:
    first = client.push("a", max_attempts=1)
    job_id = client.push(depends_on=[first])
    if how == "FAIL":
        client.pull("a")
    client.ok(how, id=first)
    assert client.state(job_id) == "waiting-children"


def test_a_dead_letter_that_succeeds_later_releases(client: Client) -> None:
    first = client.push("a", max_attempts=1)
    job_id = client.push(depends_on=[first])
    client.ok("FAIL", id=client.pull("a")["id"])
    client.ok("RETRYDLQ", queue="a")
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == "waiting"


def test_data_of_the_other_format_leaves_the_ids_readable(sim: Simulation, client: Client) -> None:
    job_id = client.push(depends_on=[2**52 + 1], data={"a": 1})
    for codec in CODECS.values():
        other = sim.connect(codec)
        other.ok("UPDATEJOB", id=job_id, data={"b": 2})
        for reader in (client, other):
            assert [reader.job(job_id)[name] for name in ("depends_on", "data")] == [[2**52 + 1], {"b": 2}]


def test_an_id_that_is_not_there_yet_is_waited_for(client: Client) -> None:
    job_id = client.push(depends_on=[2**52 + 1])
    assert client.state(job_id) == "waiting-children"
    client.ok("CANCEL", id=job_id)
    assert client.state(job_id) == "unknown"


def test_a_drain_leaves_what_waits_for_others_and_an_obliteration_does_not(client: Client) -> None:
    first = client.push("a")
    job_id = client.push(depends_on=[first])
    client.ok("DRAIN", queue="q")
    assert client.state(job_id) == "waiting-children"
    assert client.ok("OBLITERATE", queue="q")["count"] == 1
    assert client.state(job_id) == "unknown"
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.state(job_id) == "unknown"


def test_thousands_that_wait_for_one_are_released(client: Client) -> None:
    first = client.push("a")
    for _ in range(3):
        client.ok("PUSHB", queue="q", jobs=[{"depends_on": [first]}] * 1000)
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting-children"] == 3000
    client.ok("ACK", id=client.pull("a")["id"])
    assert client.ok("GETJOBCOUNTS", queue="q")["waiting"] == 3000


# -- flows ------------------------------------------------------------------------------------------------------


def flow(client: Client, children: list[dict[str, Any]], **parent: Any) -> tuple[int, list[int]]:
    reply = client.ok("FLOW", **{"queue": "q", "data": {"x": 1}, "children": children, **parent})
    return reply["parent_id"], reply["children_ids"]


@pytest.mark.parametrize("how", ["ACK", "ACKB"])
def test_a_parent_is_ready_once_its_children_are_done(client: Client, how: str) -> None:
    parent, ids = flow(client, [{"queue": "a", "data": 1}, {"queue": "b", "data": 2, "priority": 7}], priority=3)
    shown = client.job(parent)
    assert (shown["children_ids"], shown["children_completed"], shown["priority"]) == (ids, 0, 3)
    assert client.state(parent) == "waiting-children"
    for queue, done in (("a", 1), ("b", 2)):
        child = client.pull(queue)
        assert child["parent_id"] == parent
        client.ok(how, **({"id": child["id"]} if how == "ACK" else {"ids": [child["id"]]}))
        found = client.ok("GETCHILDREN", parent_id=parent)
        assert (found["completed"], found["total"], found["children_ids"]) == (done, 2, ids)
        assert [job["id"] for job in found["children"]] == ids
    assert client.state(parent) == "waiting"
    (entry,) = client.ok("GETLOGS", id=parent)["logs"]
    assert (entry["message"], entry["level"]) == ("All children completed, parent job ready", "info")
    got = client.pull()
    assert (got["id"], got["data"], got["children_completed"]) == (parent, {"x": 1}, 2)
    client.ok("ACK", id=parent)
    assert client.ok("GETCHILDREN", parent_id=parent)["completed"] == 2


def test_a_flow_takes_push_options(client: Client) -> None:
    child = {"queue": "a", "delay": 5, "max_attempts": 4, "tags": ["x"], "unique_key": "k", "jobId": "c", "lifo": True}
    parent, ids = flow(client, [child], parent_data=[1], data=None, timeout=9, backoff=3, unique_key="p")
    job = client.job(ids[0])
    shown = [job[key] for key in ("max_attempts", "tags", "unique_key", "custom_id", "lifo")]
    assert shown == [4, ["x"], "k", "c", True]
    assert client.state(ids[0]) == "delayed"
    held = client.job(parent)
    assert [held[key] for key in ("timeout", "backoff", "unique_key")] == [9, 3, "p"]
    policy = {"type": "linear", "delay": 7, "max": 70, "jitter": 0.5}
    reply = client.ok("FLOW", queue="q", retry=policy, children=[{"queue": "a", "retry": policy}])
    assert [client.job(job_id)["retry"] for job_id in (reply["parent_id"], *reply["children_ids"])] == [policy] * 2


def test_parent_data_is_an_alias(client: Client) -> None:
    reply = client.ok("FLOW", queue="q", parent_data="d", children=[{"queue": "a", "data": None}])
    assert client.job(reply["parent_id"])["data"] == "d"


def test_a_child_that_exists_already_counts(client: Client) -> None:
    done, open_ = client.push("a", job_id="done"), client.push("a", job_id="open")
    parent, ids = flow(client, [{"queue": "a", "job_id": "open"}, {"queue": "b", "job_id": "new"}])
    assert ids[0] == open_
    client.ok("ACKB", ids=[client.pull("a")["id"], client.pull("a")["id"], client.pull("b")["id"]])
    assert (client.state(done), client.state(parent)) == ("completed", "waiting")


def test_a_flow_is_made_whole_or_not_at_all(sim: Simulation, client: Client) -> None:
    client.push("b", unique_key="k")
    client.ok("PAUSE", queue="a")
    flow(client, [{"queue": "a", "unique_key": "k"}], queue="other")
    client.ok("OBLITERATE", queue="a")
    client.ok("OBLITERATE", queue="other")
    client.ok("PAUSE", queue="q")
    client.error("FLOW", queue="q", children=[{"queue": "a"}, {"queue": "b", "unique_key": "k"}])
    sim.advance(1)
    before = sim.engine.memory()["objects"], client.ok("METRICS")["metrics"]["total_pushed"]
    for children, error in (
        ([{"queue": "a"}, {"queue": "b", "unique_key": "k"}], DUPLICATE),
        ([{"queue": "a", "unique_key": "k"}, {"queue": "a", "unique_key": "k"}], DUPLICATE),
        ([{"queue": "a"}, {"queue": "a", "data": "x" * 1_048_576}],
         "Job data too large (1048578 bytes, max 1048576 bytes)"),
        ([], "Flow must have at least one child"),
        ([{"queue": "a"}] * 1001, "Batch too large (1001 items, max 1000)"),
        ([{"queue": "a"}, {"data": 1}], "Invalid: missing field 'children[1].queue'"),
        ([{"queue": "a", "delay": -1}], "Invalid: field 'children[0].delay' must be an integer between 0 and "
         "9223372036854775807"),
    ):
        text = client.error("FLOW", queue="q", children=children)
        assert text == error or "too large" in error, text
        assert client.ok("COUNT", queue="a")["count"] == client.ok("GETJOBCOUNTS", queue="q")["waiting-children"] == 0
    assert (sim.engine.memory()["objects"], client.ok("METRICS")["metrics"]["total_pushed"]) == before


@pytest.mark.parametrize("job", ["unknown", "plain"])
def test_children_of_what_is_no_parent(client: Client, job: str) -> None:
    job_id = client.push() if job == "plain" else 5
    assert client.error("GETCHILDREN", parent_id=job_id) == f"Parent job {job_id} not found"


def test_everything_gives_its_memory_back(sim: Simulation, client: Client) -> None:
    held = []
    for _ in range(2):
        ids = [client.push(unique_key=str(n), depends_on=[2**52 + n, 2**52 + 1]) for n in range(50)]
        parent, children = flow(client, [{"queue": "a", "unique_key": "x"}, {"queue": "a"}], depends_on=[ids[0]])
        for job_id in (*ids, children[0], parent, children[1]):
            client.ok("CANCEL", id=job_id)
        sim.advance(120_000)
        held.append(sim.engine.memory()["objects"])
    assert held[0] == held[1]
    assert held[0] < 100
