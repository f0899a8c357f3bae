"""No reply shows what is not durable: the seam for a store, tried with one whose commits come when the test says so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq._core import records
from flashq.commands import REASONS, STATES
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import CODECS, Codec


@pytest.fixture
def store() -> DelayedStore:
    return DelayedStore()


@pytest.fixture
def sim(store: DelayedStore) -> Any:
    with simulation(store) as running:
        yield running
        store.commit()


def stored(client: Client, store: DelayedStore, cmd: str, **fields: Any) -> dict[str, Any]:
    """A request and its reply, with the commit that it waits for."""
    client.send(cmd, **fields)
    store.commit()
    (reply,) = client.replies()
    assert reply["ok"] is True
    return reply


def active_job(client: Client, store: DelayedStore, **options: Any) -> int:
    job_id = int(stored(client, store, "PUSH", queue="q", **options)["id"])
    assert stored(client, store, "PULL", queue="q", timeout=0)["job"]["id"] == job_id
    return job_id


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("PUSH", {"queue": "q"}),
    ("PUSHB", {"queue": "q", "jobs": [{}, {"delay": 5}]}),
    ("ACK", {"result": 1}),
    ("ACKB", {}),
    ("FAIL", {"error": "e"}),
    ("PROGRESS", {"progress": 5}),
    ("CANCEL", {}),
    ("PAUSE", {"queue": "q"}),
]


@pytest.mark.parametrize(("cmd", "fields"), CHANGES)
def test_a_change_is_answered_when_its_records_are_durable(sim: Simulation, store: DelayedStore, codec: Codec, cmd: str,
                                                           fields: dict[str, Any]) -> None:
    client = sim.connect(codec)
    if "queue" not in fields:
        job_id = active_job(client, store)
        fields = {**fields, **({"ids": [job_id]} if cmd == "ACKB" else {"id": job_id})}
    before = store.position
    client.send(cmd, **fields)
    assert store.position > before, "nothing was recorded"
    assert client.replies() == []
    for position in range(before, store.position):
        store.commit(position)
        assert client.replies() == [], f"answered at {position} of {store.position}"
    store.commit()
    assert client.replies()[0]["ok"] is True


@pytest.mark.parametrize("cmd", ["GETJOB", "GETSTATE", "GETRESULT", "COUNT", "STATS", "LISTQUEUES"])
def test_a_reply_that_writes_nothing_waits_for_what_it_shows(sim: Simulation, store: DelayedStore, cmd: str) -> None:
    client, reader = sim.connect(), sim.connect()
    job_id = active_job(client, store)
    client.send("ACK", id=job_id, result="secret")
    reader.send(cmd, **({"queue": "q"} if cmd == "COUNT" else {} if cmd in ("STATS", "LISTQUEUES") else {"id": job_id}))
    assert reader.replies() == []
    store.commit()
    assert reader.replies()[0]["ok"] is True


def test_an_existing_custom_id_waits_for_its_push(sim: Simulation, store: DelayedStore) -> None:
    first, second = sim.connect(), sim.connect()
    first.send("PUSH", queue="q", job_id="c")
    second.send("PUSH", queue="q", job_id="c")
    second.send("PUSHB", queue="q", jobs=[{"job_id": "c"}])
    assert first.replies() == second.replies() == []
    store.commit()
    (pushed,), (again, batch) = first.replies(), second.replies()
    assert again["id"] == pushed["id"] and batch["ids"] == [pushed["id"]]


def test_an_existing_custom_id_that_is_durable_is_answered_at_once(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    known = stored(client, store, "PUSH", queue="q", job_id="c")["id"]
    other = sim.connect()
    other.send("PUSH", queue="q")
    assert client.ok("PUSH", queue="q", job_id="c")["id"] == known


def test_a_pull_waits_for_the_push_of_its_job(sim: Simulation, store: DelayedStore) -> None:
    producer, worker = sim.connect(), sim.connect()
    worker.send("PULL", queue="q")
    producer.send("PUSH", queue="q")
    pushed = store.position
    assert worker.replies() == []
    store.commit(pushed)
    assert worker.replies()[0]["job"]["state"] == "active"


def test_a_pull_does_not_wait_for_its_own_record(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    stored(client, store, "PUSH", queue="q")
    stored(client, store, "PUSHB", queue="q", jobs=[{}, {}])
    committed = store.position
    worker = sim.connect()
    assert len(worker.ok("PULLB", queue="q", count=3, timeout=0)["jobs"]) == 3
    assert store.position > committed, "and yet it is recorded"


def test_a_batch_waits_for_the_latest_of_its_jobs(sim: Simulation, store: DelayedStore) -> None:
    client, worker = sim.connect(), sim.connect()
    stored(client, store, "PUSH", queue="q")
    client.send("PUSH", queue="q")
    worker.send("PULLB", queue="q", count=2)
    assert worker.replies() == []
    store.commit()
    assert len(worker.replies()[0]["jobs"]) == 2


def test_a_second_delivery_waits_for_the_failure_it_shows(sim: Simulation, store: DelayedStore) -> None:
    client, worker = sim.connect(), sim.connect()
    job_id = active_job(client, store)
    client.send("FAIL", id=job_id, error="shown")
    worker.send("PULL", queue="q", timeout=0)
    assert worker.replies() == []
    store.commit()
    assert worker.replies()[0]["job"]["progress_msg"] == "shown"


def test_an_empty_pull_shows_nothing_and_waits_for_nothing(sim: Simulation, store: DelayedStore) -> None:
    client, worker = sim.connect(), sim.connect()
    client.send("PUSH", queue="other")
    assert worker.ok("PULL", queue="q", timeout=0)["job"] is None


def test_replies_of_a_connection_leave_in_order(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PULL", queue="nothing", timeout=0)
    assert client.replies()[0]["job"] is None
    positions = []
    for _ in range(3):
        client.send("PUSH", queue="q")
        positions.append(store.position)
    client.send("PULL", queue="nothing", timeout=0)      # nothing to wait for, but the pushes before it
    assert client.replies() == []
    store.commit(positions[0])
    assert len(client.replies()) == 1
    store.commit(positions[1])
    assert len(client.replies()) == 1
    store.commit(positions[2])
    pushed, empty = client.replies()
    assert pushed["id"] > 0 and empty["job"] is None


def test_connections_do_not_wait_for_each_other(sim: Simulation, store: DelayedStore) -> None:
    first, second = sim.connect(), sim.connect()
    first.send("PUSH", queue="q")
    position = store.position
    second.send("PUSH", queue="q")
    store.commit(position)
    assert len(first.replies()) == 1 and second.replies() == []


def test_a_commit_releases_all_it_covers_in_one_write_each(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    for _ in range(5):
        client.send("PUSH", queue="q")
    assert client.transport.writes == []
    store.commit()
    assert len(client.replies()) == 5 and len(client.transport.writes) == 1


def test_old_and_repeated_commits_change_nothing(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    stored(client, store, "PUSH", queue="q")
    client.send("PUSH", queue="q")
    for position in (0, 1, store.position - 1):
        store.commit(position)
    assert client.replies() == []


def test_a_half_close_waits_for_its_replies(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q")
    client.finish()
    assert not client.closed
    store.commit()
    assert client.replies()[0]["ok"] is True and client.closed


def test_a_lost_connection_leaves_no_reply_behind(sim: Simulation, store: DelayedStore) -> None:
    gone, other = sim.connect(), sim.connect()
    gone.send("PUSH", queue="q")
    other.send("PUSH", queue="q")
    gone.disconnect()
    store.commit()
    assert len(other.replies()) == 1
    assert gone.transport.writes == []


def test_what_goes_on_behind_a_pull_is_recorded_too(sim: Simulation, store: DelayedStore) -> None:
    """A commit sends a delivery; the requests kept behind it are executed then, and must reach the store."""
    worker, producer = sim.connect(), sim.connect()
    worker.send("PULL", queue="q")
    worker.send("PUSH", queue="after")
    producer.send("PUSH", queue="q")
    store.commit()
    store.commit()
    delivered, pushed = worker.replies()
    assert delivered["job"] is not None and pushed["id"] > 0
    assert [one["queue"] for one in store.records() if one["kind"] == "job"] == [b"q", b"after"]


def test_due_work_is_recorded(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    job_id = active_job(client, store, timeout=10, max_attempts=1)
    expired = stored(client, store, "PUSH", queue="r", ttl=5)["id"]
    sim.advance(20)
    last = {one["id"]: one for one in store.records()}
    assert last[job_id]["kind"] == "state" and STATES[last[job_id]["state"]] == "failed"
    assert last[expired]["kind"] == "gone"


def test_records_tell_the_whole_job(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect(CODECS["json"])
    job_id = stored(client, store, "PUSH", queue="q", data={"a": [1]}, priority=-7, delay=50, ttl=100, timeout=7,
                    max_attempts=3, backoff=9, lifo=True, tags=["t"], job_id="c", stall_timeout=11,
                    remove_on_complete=True)["id"]
    (record,) = store.records()
    assert record.pop("flags") > 0
    assert record == {
        "kind": "job", "position": 1, "id": job_id, "state": STATES.index("delayed"), "progress": 0, "generation": 0,
        "priority": -7,
        "created_at": sim.loop.wall, "run_at": sim.loop.wall + 50, "attempts": 0, "max_attempts": 3, "backoff": 9,
        "ttl": 100, "timeout": 7, "stall_timeout": 11, "queue": b"q", "data": b'{"a": [1]}', "tags": b'["t"]',
        "custom_id": b"c", "retry": b"",
    }


def test_records_tell_what_ties_a_job_to_others(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect(CODECS["json"])
    first = stored(client, store, "PUSH", queue="a")["id"]
    options = {"unique_key": "k", "depends_on": [first], "on_parent_failure": "fail", "keep_completed_age": 7,
               "keep_completed_count": 8}
    reply = stored(client, store, "FLOW", queue="q", children=[{"queue": "a"}, {"queue": "a"}], fail_parent=True,
                   **options)
    parent, ids = reply["parent_id"], reply["children_ids"]
    empty = {"parent_id": 0, "keep_age": 0, "keep_count": 0, "number": 0, "children_completed": 0, "version": 0,
             "on_parent_failure": 0, "fail_parent": 0, "unique_key": b"", "depends_on": b"", "children": b"",
             "group": b"", "name": b"", "met": b""}
    children = b"".join(one.to_bytes(8, "little") for one in ids)
    whole = {**empty, "id": parent, "keep_age": 7, "keep_count": 8, "on_parent_failure": 1, "fail_parent": 1,
             "unique_key": b"k", "depends_on": f"[{first}]".encode(), "children": children}
    kinds = [(one["kind"], one["id"]) for one in store.records()]
    assert kinds == [("job", first), ("job", ids[0]), ("ties", ids[0]), ("job", ids[1]), ("ties", ids[1]),
                     ("job", parent), ("ties", parent)]
    ties = [ties_of(one) for one in store.records() if one["kind"] == "ties"]
    assert ties == [*({**empty, "id": one, "parent_id": parent} for one in ids), whole]
    stored(client, store, "UPDATEJOB", id=parent, data=5)
    assert [one["kind"] for one in store.records()[-3:]] == ["job", "ties", "state"]
    assert ties_of(store.records()[-2]) == whole
    for _ in range(2):
        pulled = stored(client, store, "PULL", queue="a", timeout=0)["job"]["id"]
    stored(client, store, "ACK", id=pulled)
    assert pulled == ids[0]
    assert ties_of(store.records()[-1]) == {**whole, "children_completed": 1}


def ties_of(record: dict[str, Any]) -> dict[str, Any]:
    assert record["kind"] == "ties"
    return {name: value for name, value in record.items() if name not in ("kind", "position")}


def test_options_that_say_nothing_tie_to_nothing(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    stored(client, store, "PUSH", queue="q", depends_on=[], unique_key="", keep_completed_age=0)
    assert [one["kind"] for one in store.records()] == ["job"]


def test_those_who_die_with_a_job_are_recorded(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    first = stored(client, store, "PUSH", queue="a")["id"]
    then = stored(client, store, "PUSH", queue="q", depends_on=[first], on_parent_failure="fail")["id"]
    stored(client, store, "CANCEL", id=first)
    gone, failed = store.records()[-2:]
    assert (gone["kind"], gone["id"], gone["position"]) == ("gone", first, failed["position"])
    assert (failed["id"], STATES[failed["state"]], REASONS[failed["reason"] - 1]) == (
        then, "failed", "dependency_failed")
    assert failed["message"] == f"Dependency {first} was removed".encode()


def test_one_command_is_one_frame(sim: Simulation, store: DelayedStore) -> None:
    """Applied whole or not at all after a crash."""
    client = sim.connect()
    client.send("PUSHB", queue="q", jobs=[{}] * 5)
    client.send_raw(client.encode("PULLB", queue="q", count=5) + client.encode("PAUSE", queue="q"))
    frames = records.decode(bytes(store.log))
    assert [(position, len(group)) for position, group in frames] == [(5, 5), (10, 5), (11, 1)]
    assert store.positions == [5, 11], "the store hears once an event"


def test_a_push_and_the_delivery_it_sets_off(sim: Simulation, store: DelayedStore) -> None:
    worker, client = sim.connect(), sim.connect()
    worker.send("PULL", queue="q")
    client.send("PUSH", queue="q")
    assert [one["kind"] for one in store.records()] == ["job", "taken"]


def test_records_of_a_queue_that_went_idle_do_not_clear_its_successor() -> None:
    """An idle queue is forgotten; one of the same name that comes later is not what the earlier obliteration meant."""
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect()
        client.push()
        client.ok("OBLITERATE", queue="q")
        sim.advance(120_000)
        assert sim.engine.queues() == []
        client.push()
        client.push()
        client.ok("OBLITERATE", queue="q")
        client.push()
    found = store.records()
    clears = [record["obliterated"] for record in found if record["kind"] == "clear"]
    generations = [record["generation"] for record in found if record["kind"] == "job"]
    assert generations[0] < clears[0] <= generations[1] == generations[2] < clears[1] <= generations[3]


@given(cut=st.integers(1, 400))
def test_torn_records_are_refused(cut: int) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect()
        client.push(data="x" * 50, job_id="c")
        client.ok("FAIL", id=client.pull()["id"], error="why")
        client.ok("PAUSE", queue="q")
    whole = bytes(store.log)
    ends = [len(whole)]
    while ends[-1] > 0:         # every frame boundary, found from the sizes at the front
        at = 0
        while at + 4 + int.from_bytes(whole[at:at + 4], "little") < ends[-1]:
            at += 4 + int.from_bytes(whole[at:at + 4], "little")
        ends.append(at)
    size = len(whole) - cut % len(whole)
    if size in ends:
        assert len(records.decode(whole[:size])) == len(ends) - 1 - ends.index(size)
    else:
        with pytest.raises(ValueError):
            records.decode(whole[:size])


def test_in_memory_mode_nothing_is_held_or_written(codec: Codec) -> None:
    with simulation() as sim:
        client = sim.connect(codec)
        job_id = client.push()
        client.pull()
        client.ok("ACK", id=job_id)
        assert sim.engine.committed == sim.engine.position > 0
        assert sim.engine.take_records() == b""


def test_a_store_that_commits_at_once_holds_nothing(codec: Codec) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect(codec)
        job_id = client.push()
        client.pull()
        client.ok("ACK", id=job_id, result=[1])
        assert sim.engine.committed == store.position == sim.engine.position
