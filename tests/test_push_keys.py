"""A push that is sent again: `push_key` makes no second job, `on_duplicate` says what a held `unique_key` means."""

import struct
from typing import Any

import pytest

from flashq.commands import MAX_BATCH
from support.simulated import START_WALL, Client, DelayedStore, Simulation, simulation
from support.wire import CODECS, Codec

MINUTES = 300_000
TAKEN = "Push key 'p' belongs to another push"
DUPLICATE = "Duplicate job with key: k"
LIMIT = "Memory limit reached: no new jobs are taken until some are done"


def batch(client: Client, *jobs: dict[str, Any], key: str | None = "p") -> dict[str, Any]:
    return client.ok("PUSHB", queue="q", jobs=list(jobs), push_key=key)


def count(client: Client, queue: str = "q") -> int:
    return int(client.ok("COUNT", queue=queue)["count"])


# -- one job ----------------------------------------------------------------------------------------------------


def test_a_push_is_made_once(client: Client) -> None:
    job_id = client.push(push_key="p", data=1)
    assert client.push(push_key="p", data=2) == job_id
    assert (count(client), client.job(job_id)["data"]) == (1, 1)
    assert client.push(push_key="another") != job_id
    assert client.push("other", push_key="p") != job_id, "keys are of a queue"
    assert client.ok("METRICS")["metrics"]["total_pushed"] == 3


@pytest.mark.parametrize("how", ["completed", "removed on completion", "CANCEL", "DRAIN", "expired"])
def test_a_key_does_not_mind_what_becomes_of_the_job(sim: Simulation, client: Client, how: str) -> None:
    job_id = client.push(push_key="p", ttl=10, remove_on_complete=how != "completed")
    if how.endswith(("completed", "completion")):
        client.ok("ACK", id=client.pull()["id"])
    elif how == "CANCEL":
        client.ok("CANCEL", id=job_id)
    elif how == "DRAIN":
        client.ok("DRAIN", queue="q")
    else:
        sim.advance(20)
    assert client.push(push_key="p") == job_id
    assert count(client) == 0


def test_a_key_lasts_five_minutes(sim: Simulation, client: Client) -> None:
    job_id = client.push(push_key="p")
    client.ok("CANCEL", id=job_id)
    sim.advance(MINUTES - 1)
    assert client.push(push_key="p") == job_id, "and repeats do not prolong it"
    sim.advance(1)
    assert client.push(push_key="p") != job_id


@pytest.mark.parametrize("key", ["", None])
def test_an_empty_key_is_none(client: Client, key: str | None) -> None:
    assert client.push(push_key=key) != client.push(push_key=key)
    assert batch(client, {}, key=key)["ids"] != batch(client, {}, key=key)["ids"]


def test_a_key_has_a_limit(client: Client) -> None:
    longest = "ü" * 512
    assert client.push(push_key=longest) == client.push(push_key=longest)
    for cmd, fields in (("PUSH", {}), ("PUSHB", {"jobs": [{}]})):
        text = client.error(cmd, queue="q", push_key=longest + "x", **fields)
        assert text == "Invalid: field 'push_key' is longer than 1024 bytes"
    assert count(client) == 1


def test_a_push_that_is_refused_leaves_no_key(sim: Simulation, client: Client) -> None:
    holder = client.push(unique_key="k")
    before = sim.engine.memory()["objects"]
    assert client.error("PUSH", queue="q", push_key="p", unique_key="k") == DUPLICATE
    client.error("PUSH", queue="q", push_key="p", data="x" * (1 << 20))
    assert batch(client, {"unique_key": "k"})["failed"] == [0]
    assert batch(client)["ids"] == []
    assert sim.engine.memory()["objects"] - before <= 1, "the first page of a map of names"
    client.ok("CANCEL", id=holder)
    job_id = client.push(push_key="p", unique_key="k")
    assert client.push(push_key="p", unique_key="k") == job_id, "the key answers before the job that holds the other"


def test_a_known_custom_id_counts_as_taken(client: Client) -> None:
    known = client.push(job_id="c")
    assert client.push(push_key="p", job_id="c") == known
    client.ok("CANCEL", id=known)
    assert client.push(push_key="p", job_id="c") == known
    assert count(client) == 0


def test_a_repeat_does_not_see_the_window_that_the_push_opened(client: Client) -> None:
    job_id = client.push(push_key="p", debounce_id="d")
    assert client.push(push_key="p", debounce_id="d") == job_id


def test_an_obliterated_queue_has_no_keys(sim: Simulation, client: Client) -> None:
    job_id = client.push(push_key="p")
    client.ok("OBLITERATE", queue="q")
    again = client.push(push_key="p")
    assert again != job_id
    assert client.push(push_key="p") == again


def test_an_obliterated_queue_that_was_idle_has_no_keys_either(sim: Simulation, client: Client) -> None:
    """The sweep of idle queues must not forget that it was obliterated while keys of before are there."""
    client.push("a", push_key="p")
    job_id = client.push(push_key="p")
    client.ok("OBLITERATE", queue="q")
    client.ok("DRAIN", queue="a")
    sim.advance(MINUTES - 1)
    assert client.push(push_key="p") != job_id


def test_queues_are_forgotten_once_their_keys_are(sim: Simulation, client: Client) -> None:
    client.ok("CANCEL", id=client.push(push_key="p"))
    sim.advance(MINUTES - 1)
    assert sim.engine.memory()["queues"] == 1
    sim.advance(20_000)
    assert sim.engine.memory()["queues"] == 0


def test_keys_give_their_memory_back(sim: Simulation, client: Client) -> None:
    held = []
    for _ in range(2):                      # the first time the maps of names take their first pages
        for n in range(100):
            client.ok("CANCEL", id=client.push(push_key=str(n)))
            client.ok("CANCEL", id=client.ok("PUSHB", queue="q", jobs=[{}], push_key=f"b{n}")["ids"][0])
        full = sim.engine.memory()["objects"]
        sim.advance(MINUTES)
        held.append(sim.engine.memory()["objects"])
        assert full - held[-1] >= 600       # a key, its text, its ids
    assert held[0] == held[1] < 100


def test_a_repeat_is_answered_when_memory_is_full(codec: Codec) -> None:
    jobs = [{}, {"unique_key": "k"}]
    with simulation(memory_limit=1 << 20) as full:
        client = full.connect(codec)
        one = client.push(push_key="p", unique_key="k")
        ids = client.ok("PUSHB", queue="q", jobs=[{}, {}], push_key="b")["ids"]
        assert client.ok("PUSHB", queue="q", jobs=jobs, push_key="part")["failed"] == [1]
        while client.call("PUSH", queue="q", data="x" * 100_000)["ok"]:
            pass
        assert client.error("PUSH", queue="q", push_key="new") == LIMIT
        assert client.error("PUSH", queue="nowhere", push_key="p") == LIMIT
        assert client.push(push_key="p") == one
        assert client.ok("PUSHB", queue="q", jobs=[{}, {}], push_key="b")["ids"] == ids
        assert client.error("PUSHB", queue="q", jobs=jobs, push_key="part") == LIMIT, "it has a job to make"


# -- batches ----------------------------------------------------------------------------------------------------


def test_a_batch_is_made_once(client: Client) -> None:
    reply = batch(client, {"data": 1}, {"job_id": "c"}, {"job_id": "c"})
    assert len(reply["ids"]) == 3 and reply["ids"][1] == reply["ids"][2]
    for _ in range(2):
        assert batch(client, {}, {}, {}) == reply
    assert count(client) == 2


def test_a_full_batch_is_made_once(client: Client) -> None:
    jobs = [{"data": n} for n in range(MAX_BATCH)]
    assert batch(client, *jobs) == batch(client, *jobs)
    assert count(client) == MAX_BATCH


def test_a_repeat_tries_again_what_was_refused(sim: Simulation, client: Client) -> None:
    holder = client.push(unique_key="k")
    client.push(debounce_id="d", debounce_ttl=50)
    jobs: list[dict[str, Any]] = [{"unique_key": "k"}, {"data": 1}, {"debounce_id": "d"}, {"data": 2}]
    first = batch(client, *jobs)
    assert (len(first["ids"]), first["failed"]) == (2, [0, 2])
    assert batch(client, *jobs) == first
    client.ok("CANCEL", id=holder)
    second = batch(client, *jobs)
    assert second["failed"] == [2]
    assert second["errors"] == [{"index": 2, "error": "Debounced: job with id 'd' was pushed recently"}]
    assert second["ids"][1:] == first["ids"] and second["ids"][0] > first["ids"][1], "in the place of its item"
    sim.advance(50)
    third = batch(client, *jobs)
    assert "failed" not in third and [third["ids"][n] for n in (0, 1, 3)] == second["ids"]
    assert batch(client, *jobs) == third
    assert count(client) == 5


def test_what_a_repeat_took_is_remembered_as_long(sim: Simulation, client: Client) -> None:
    holder = client.push(unique_key="k")
    jobs: list[dict[str, Any]] = [{"unique_key": "k"}, {}]
    batch(client, *jobs)
    sim.advance(MINUTES - 1)
    client.ok("CANCEL", id=holder)
    taken = batch(client, *jobs)
    sim.advance(MINUTES - 1)
    assert batch(client, *jobs) == taken
    sim.advance(1)
    assert batch(client, {}, {})["ids"] != taken["ids"]


def test_a_key_of_another_push_is_refused(client: Client) -> None:
    batch(client, {}, {})
    held = count(client)
    for jobs in ([{}], [{}, {}, {}], []):
        assert client.error("PUSHB", queue="q", jobs=jobs, push_key="p") == TAKEN
    refused = client.call("PUSH", queue="q", push_key="p")
    assert (refused["error"], refused["code"]) == (TAKEN, "PUSH_KEY_TAKEN")
    client.push(push_key="one")
    assert client.error("PUSHB", queue="q", jobs=[{}], push_key="one") == "Push key 'one' belongs to another push"
    assert count(client) == held + 1


def test_a_batch_over_its_limit_leaves_no_key(client: Client) -> None:
    client.error("PUSHB", queue="q", jobs=[{}] * (MAX_BATCH + 1), push_key="p")
    assert len(batch(client, {})["ids"]) == 1


# -- durability -------------------------------------------------------------------------------------------------


def test_what_a_key_answers_is_recorded() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect()
        holder = client.push(unique_key="k")
        one = client.push(push_key="ü")
        ids = batch(client, {"unique_key": "k"}, {})["ids"]
        sim.advance(5)
        client.push(push_key="ü")
        batch(client, {"unique_key": "k"}, {})
        client.ok("CANCEL", id=holder)
        more = batch(client, {"unique_key": "k"}, {})["ids"]
        found = [one for one in store.records() if one["kind"] == "push_key"]
        assert [(record["queue"], record["key"], record["expires"] - MINUTES - START_WALL, record["batch"],
                 struct.unpack(f"<{len(record['ids']) // 8}Q", record["ids"])) for record in found] == [
            (b"q", "ü".encode(), 0, 0, (one,)),
            (b"q", b"p", 0, 1, (0, *ids)),
            (b"q", b"p", 5, 1, tuple(more)),
        ], "a repeat that takes nothing more says nothing new"
        frames = {record["position"] for record in store.records() if record.get("id") in more[:1]}
        assert frames == {found[2]["position"]}, "in the frame of the jobs that were taken"


def test_a_repeat_waits_for_the_push_that_it_shows() -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        for cmd, fields in (("PUSH", {"push_key": "p"}), ("PUSHB", {"jobs": [{}, {}], "push_key": "b"})):
            first, second, third = sim.connect(), sim.connect(), sim.connect()
            before = store.position
            first.send(cmd, queue="q", **fields)
            pushed = store.position
            second.send(cmd, queue="q", **fields)
            third.send("PUSH", queue="q")
            for position in range(before, pushed):
                store.commit(position)
                assert first.replies() == second.replies() == [], "the record of the key comes last"
            store.commit(pushed)
            assert first.replies() == second.replies() != []
            assert third.replies() == []
            store.commit()


# -- on_duplicate -----------------------------------------------------------------------------------------------


def held_by(client: Client, state: str) -> int:
    """A job in this state that holds the key `k`."""
    options: dict[str, Any] = {"data": "old", "unique_key": "k", "priority": 3, "tags": ["t"]}
    if state == "delayed":
        options["delay"] = 1000
    elif state == "waiting-children":
        options["depends_on"] = [client.push("first")]
    job_id = client.push(**options)
    if state == "active":
        client.pull()
    assert client.state(job_id) == state
    return job_id


STATES = ("waiting", "delayed", "active", "waiting-children")


@pytest.mark.parametrize("how", [None, "error"])
def test_a_duplicate_is_refused_by_default(client: Client, how: str | None) -> None:
    held_by(client, "waiting")
    refused = client.call("PUSH", queue="q", unique_key="k", on_duplicate=how)
    assert (refused["error"], refused["code"]) == (DUPLICATE, "DUPLICATE_KEY")


@pytest.mark.parametrize("state", STATES)
def test_a_duplicate_may_be_answered_with_the_job_there_is(client: Client, state: str) -> None:
    job_id = held_by(client, state)
    before = client.job(job_id)
    assert client.push(unique_key="k", on_duplicate="existing", data="new", priority=9, debounce_id="d") == job_id
    assert client.job(job_id) == before
    assert client.push(debounce_id="d") != job_id, "a push that made nothing opens no window"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("data", ["new", None, {"a": [1]}])
def test_a_duplicate_may_replace_the_payload(sim: Simulation, client: Client, state: str, data: Any) -> None:
    job_id = held_by(client, state)
    before = client.job(job_id)
    options = {"unique_key": "k", "on_duplicate": "replace", "data": data, "priority": 9, "tags": ["other"]}
    if state == "active":
        assert client.error("PUSH", queue="q", **options) == DUPLICATE
        assert client.job(job_id) == before
        return
    assert client.push(**options) == job_id
    assert client.job(job_id) == {**before, "data": data}, "nothing but the payload"
    for codec in CODECS.values():
        assert sim.connect(codec).job(job_id)["data"] == data


@pytest.mark.parametrize("how", ["existing", "replace"])
def test_without_a_holder_a_job_is_made(client: Client, how: str) -> None:
    client.ok("CANCEL", id=held_by(client, "waiting"))
    job_id = client.push(unique_key="k", on_duplicate=how, data=1)
    assert client.push(unique_key="k", on_duplicate=how, data=2) == job_id
    assert client.push(on_duplicate=how) != job_id
    assert client.push("other", unique_key="k", on_duplicate=how) != job_id
    assert client.job(job_id)["data"] == (1 if how == "existing" else 2)


def test_items_of_a_batch_have_their_own_way_with_duplicates(client: Client) -> None:
    job_id = held_by(client, "waiting")
    active = client.push("q", unique_key="a", priority=9)
    assert client.pull()["id"] == active
    reply = batch(
        client, {"unique_key": "k"}, {"unique_key": "k", "on_duplicate": "existing", "data": 1},
        {"unique_key": "k", "on_duplicate": "replace", "data": 2}, {"unique_key": "a", "on_duplicate": "replace"},
        {"unique_key": "a", "on_duplicate": "existing"}, key=None)
    assert reply["ids"] == [job_id, job_id, active]
    assert reply["failed"] == [0, 3]
    assert client.job(job_id)["data"] == 2


def test_a_push_key_remembers_who_held_the_other(client: Client) -> None:
    job_id = held_by(client, "waiting")
    options = {"unique_key": "k", "on_duplicate": "replace", "push_key": "p"}
    assert client.push(data=1, **options) == job_id
    client.ok("UPDATEJOB", id=job_id, data=2)
    assert client.push(data=1, **options) == job_id
    assert client.job(job_id)["data"] == 2, "a repeat replaces nothing"
    client.ok("CANCEL", id=job_id)
    assert client.push(data=1, **options) == job_id


def test_a_payload_in_the_other_format_keeps_the_tags(sim: Simulation) -> None:
    clients = [sim.connect(codec) for codec in CODECS.values()]
    for one, other in (clients, clients[::-1]):
        job_id = held_by(one, "waiting")
        assert other.push(unique_key="k", on_duplicate="replace", data={"ü": 1}) == job_id
        assert (one.job(job_id)["data"], one.job(job_id)["tags"]) == ({"ü": 1}, ["t"])
        one.ok("CANCEL", id=job_id)


def test_an_answer_with_the_holder_waits_for_what_it_shows() -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        first, second, third = sim.connect(), sim.connect(), sim.connect()
        first.send("PUSH", queue="q", unique_key="k", data=1)
        second.send("PUSH", queue="q", unique_key="k", on_duplicate="existing")
        pushed = store.position
        third.send("PUSH", queue="q", unique_key="k", on_duplicate="replace", data=2)
        assert first.replies() == second.replies() == third.replies() == []
        store.commit(pushed)
        assert first.replies() == second.replies() != []
        assert third.replies() == []
        store.commit()
        assert len(third.replies()) == 1
        told = [record["data"] for record in store.records() if record["kind"] == "job"]
        assert told == [b"1", b"2"]


# -- flows ------------------------------------------------------------------------------------------------------


def test_a_child_may_be_the_job_that_holds_its_key(client: Client) -> None:
    job_id = held_by(client, "waiting")
    child = {"queue": "q", "unique_key": "k", "on_duplicate": "existing", "data": "new"}
    reply = client.ok("FLOW", queue="p", children=[child, {"queue": "p"}])
    assert reply["children_ids"][0] == job_id
    assert (client.job(job_id)["data"], client.job(job_id)["parent_id"]) == ("old", None)
    client.ok("ACKB", ids=[client.pull("q")["id"], client.pull("p")["id"]])
    assert client.state(reply["parent_id"]) == "waiting"


def test_a_refused_flow_leaves_the_holder_alone(client: Client) -> None:
    job_id = held_by(client, "waiting")
    child = {"queue": "q", "unique_key": "k", "on_duplicate": "existing"}
    assert client.error("FLOW", queue="p", children=[child, {"queue": "q", "unique_key": "k"}]) == DUPLICATE
    assert client.state(job_id) == "waiting"


@pytest.mark.parametrize("parent", [{"job_id": "c"}, {"unique_key": "u", "on_duplicate": "existing"}])
def test_a_flow_that_is_there_is_answered_with_its_ids(client: Client, parent: dict[str, Any]) -> None:
    children = [{"queue": "q", "job_id": "d"}, {"queue": "q", "unique_key": "k", "on_duplicate": "existing"}]
    first, second = (client.ok("FLOW", queue="p", children=children, **parent) for _ in range(2))
    assert first == second
    assert client.state(first["parent_id"]) == "waiting-children"


def test_a_flow_replaces_nothing(client: Client) -> None:
    held_by(client, "waiting")
    for where, fields in (("", {"on_duplicate": "replace"}), ("children[0].", {})):
        child = {"queue": "q"} if not where else {"queue": "q", "on_duplicate": "replace"}
        text = client.error("FLOW", queue="p", children=[child], **fields)
        assert text == f"Invalid: field '{where}on_duplicate' must be one of error, existing"
