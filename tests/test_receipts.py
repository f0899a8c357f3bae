"""What a reply says of its change when asked, pushes that want more than the server promises, and SYNC."""

from collections.abc import Iterator
from typing import Any

import pytest

from flashq.commands import COMMANDS
from support.simulated import Client, DelayedStore, Message, Simulation, simulation
from support.wire import Codec


@pytest.fixture
def store() -> DelayedStore:
    return DelayedStore()


@pytest.fixture
def sim(store: DelayedStore) -> Iterator[Simulation]:
    """A server that promises `interval`."""
    with simulation(store, durability="interval") as running:
        yield running


@pytest.fixture
def at_once() -> Iterator[Simulation]:
    """A server that promises `commit`, on a disk that takes no time."""
    with simulation(DelayedStore(at_once=True)) as running:
        yield running


# -- receipts --------------------------------------------------------------------------------------------------------

# Each command that changes something: what makes ready for it, and its fields; 0 stands for a job's id.
PUSHED: list[tuple[str, dict[str, Any]]] = [("PUSH", {"queue": "q"})]
PULLED = [*PUSHED, ("PULL", {"queue": "q", "timeout": 0})]
DELAYED: list[tuple[str, dict[str, Any]]] = [("PUSH", {"queue": "q", "delay": 9999})]
CASES: list[tuple[list[tuple[str, dict[str, Any]]], str, dict[str, Any]]] = [
    ([], "PUSH", {"queue": "q", "data": 1}),
    ([], "PUSHB", {"queue": "q", "jobs": [{"data": 1}, {}]}),
    (PULLED, "ACK", {"id": 0, "result": 1}),
    (PULLED, "ACKB", {"ids": [0]}),
    (PULLED, "FAIL", {"id": 0}),
    (PULLED, "PROGRESS", {"id": 0, "progress": 5}),
    (PUSHED, "CANCEL", {"id": 0}),
    (PUSHED, "CHANGEPRIORITY", {"id": 0, "priority": 5}),
    (DELAYED, "PROMOTE", {"id": 0}),
    (PULLED, "MOVETODELAYED", {"id": 0, "delay": 5}),
    (PUSHED, "UPDATEJOB", {"id": 0, "data": 5}),
    (PUSHED, "UPDATE", {"id": 0, "data": 5}),
    (PUSHED, "DISCARD", {"id": 0}),
    (PUSHED, "LOG", {"id": 0, "message": "m"}),
    ([*PUSHED, ("DISCARD", {"id": 0})], "RETRYDLQ", {"queue": "q"}),
    ([*PUSHED, ("DISCARD", {"id": 0})], "PURGEDLQ", {"queue": "q"}),
    ([], "PAUSE", {"queue": "q"}),
    ([("PAUSE", {"queue": "q"})], "RESUME", {"queue": "q"}),
    ([], "RATELIMIT", {"queue": "q", "limit": 5}),
    ([("RATELIMIT", {"queue": "q", "limit": 5})], "RATELIMITCLEAR", {"queue": "q"}),
    ([], "SETCONCURRENCY", {"queue": "q", "limit": 5}),
    ([("SETCONCURRENCY", {"queue": "q", "limit": 5})], "CLEARCONCURRENCY", {"queue": "q"}),
    ([], "SETGROUPS", {"queue": "q", "fair": True}),
    (PUSHED, "DRAIN", {"queue": "q"}),
    (PUSHED, "OBLITERATE", {"queue": "q"}),
    (PUSHED, "CLEAN", {"queue": "q", "grace": 0, "state": "waiting"}),
    ([], "CRON", {"name": "c", "queue": "q", "repeat_every": 5000}),
    ([("CRON", {"name": "c", "queue": "q", "repeat_every": 5000})], "CRONDELETE", {"name": "c"}),
    ([], "FLOW", {"queue": "q", "children": [{"queue": "q"}]}),
    ([], "KVSET", {"key": "k", "value": 1}),
    ([("KVSET", {"key": "k", "value": 1})], "KVDEL", {"key": "k"}),
    ([], "KVMSET", {"entries": [{"key": "k", "value": 1}]}),
    ([("KVSET", {"key": "k", "value": 1})], "KVEXPIRE", {"key": "k", "ttl": 5}),
    ([], "KVINCR", {"key": "k"}),
]


def test_each_command_that_changes_something_is_among_these() -> None:
    assert sorted(cmd for _, cmd, _ in CASES) == sorted(command.name for command in COMMANDS if command.changes)


def prepared(client: Client, before: list[tuple[str, dict[str, Any]]], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of the command, once what goes before it is done."""
    job_id = 0

    def filled(given: dict[str, Any]) -> dict[str, Any]:
        return {name: job_id if name == "id" else [job_id] if name == "ids" else value
                for name, value in given.items()}

    for cmd, first in before:
        reply = client.ok(cmd, **filled(first))
        job_id = reply.get("id", job_id)
    return filled(fields)


@pytest.mark.parametrize(("before", "cmd", "fields"), CASES, ids=[cmd for _, cmd, _ in CASES])
def test_a_change_is_receipted(at_once: Simulation, codec: Codec, before: list[tuple[str, dict[str, Any]]], cmd: str,
                               fields: dict[str, Any]) -> None:
    client = at_once.connect(codec)
    fields = prepared(client, before, fields)
    position = at_once.engine.position
    reply = client.ok(cmd, receipt=True, reqId="r", **fields)
    assert reply.pop("receipt") == {"durability": "commit", "position": at_once.engine.position}
    assert at_once.engine.position > position
    with simulation(DelayedStore(at_once=True)) as other:
        plain = other.connect(codec)
        assert reply == plain.ok(cmd, reqId="r", **prepared(plain, before, fields))


@pytest.mark.parametrize("given", [False, None])
def test_without_asking_there_is_none(at_once: Simulation, codec: Codec, given: bool | None) -> None:
    client = at_once.connect(codec)
    assert "receipt" not in client.ok("PUSH", queue="q", receipt=given)
    assert "receipt" not in client.ok("PAUSE", queue="q", receipt=given)
    assert "receipt" not in client.call("ACK", id=5, receipt=True)


def test_of_a_batch_that_was_taken_in_part(at_once: Simulation, codec: Codec) -> None:
    client = at_once.connect(codec)
    reply = client.ok("PUSHB", queue="q", jobs=[{"unique_key": "u"}, {"unique_key": "u"}], receipt=True, reqId="r")
    assert reply["failed"] == [1] and len(reply["ids"]) == 1 and reply["reqId"] == "r"
    assert reply["receipt"] == {"durability": "commit", "position": at_once.engine.position}


def test_of_a_batch_of_the_largest_size(at_once: Simulation, codec: Codec) -> None:
    reply = at_once.connect(codec).ok("PUSHB", queue="q", jobs=[{}] * 1000, receipt=True)
    assert len(reply["ids"]) == 1000 and reply["receipt"]["position"] == at_once.engine.position


def test_of_a_job_that_was_there_the_position_is_its_own(at_once: Simulation, codec: Codec) -> None:
    client = at_once.connect(codec)
    first = client.ok("PUSH", queue="q", job_id="j", receipt=True)
    client.push()
    assert client.ok("PUSH", queue="q", job_id="j", receipt=True) == first


def test_in_memory_it_says_so(codec: Codec) -> None:
    with simulation() as sim:
        client = sim.connect(codec)
        assert client.ok("PUSH", queue="q", receipt=True)["receipt"] == {"durability": "memory", "position": 1}
        assert client.ok("PAUSE", queue="q", receipt=True)["receipt"] == {"durability": "memory", "position": 2}


def test_replies_behind_each_other_keep_theirs(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send_raw(b"".join(client.encode("PUSH", queue="q", receipt=n % 2 == 0, reqId=str(n)) for n in range(4)))
    store.commit(synced=0)
    found = client.replies()
    assert [reply["reqId"] for reply in found] == ["0", "1", "2", "3"]
    assert [reply.get("receipt") for reply in found] == [
        {"durability": "interval", "position": 1}, None, {"durability": "interval", "position": 3}, None]


# -- more than the server promises -----------------------------------------------------------------------------------

PUSHES: list[tuple[str, dict[str, Any]]] = [
    ("PUSH", {"queue": "q"}),
    ("PUSHB", {"queue": "q", "jobs": [{}, {}]}),
    ("PUSHB", {"queue": "q", "jobs": [{"unique_key": "u"}, {"unique_key": "u"}]}),
    ("FLOW", {"queue": "q", "children": [{"queue": "q"}]}),
]


@pytest.mark.parametrize(("cmd", "fields"), PUSHES)
def test_a_push_waits_for_the_disk_when_it_asks(sim: Simulation, store: DelayedStore, codec: Codec, cmd: str,
                                                fields: dict[str, Any]) -> None:
    client, other = sim.connect(codec), sim.connect(codec)
    client.send(cmd, durability="commit", receipt=True, **fields)
    assert store.hurries == 1
    other.send("PUSH", queue="other")
    store.commit(synced=0)
    assert client.replies() == [] and other.replies()[0]["ok"] is True
    store.commit(synced=store.position)
    (reply,) = client.replies()
    assert reply["receipt"]["durability"] == "commit" and 0 < reply["receipt"]["position"] <= store.position


@pytest.mark.parametrize(("cmd", "fields"), PUSHES)
@pytest.mark.parametrize("durability", ["memory", "interval", None])
def test_what_asks_for_no_more_does_not(sim: Simulation, store: DelayedStore, codec: Codec, cmd: str,
                                        fields: dict[str, Any], durability: str | None) -> None:
    client = sim.connect(codec)
    client.send(cmd, durability=durability, receipt=True, **fields)
    assert store.hurries == 0 and client.replies() == []
    store.commit(synced=0)
    assert client.replies()[0]["receipt"]["durability"] == "interval"


def test_under_commit_everything_is_as_durable_as_can_be(codec: Codec) -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        client = sim.connect(codec)
        for durability in ("memory", "interval", "commit"):
            client.send("PUSH", queue="q", durability=durability, receipt=True)
            assert client.replies() == []
            store.commit()
            assert client.replies()[0]["receipt"]["durability"] == "commit"
        assert store.hurries == 0


@pytest.mark.parametrize(("cmd", "fields"), PUSHES)
@pytest.mark.parametrize("durability", ["interval", "commit"])
def test_a_server_that_keeps_nothing_refuses(codec: Codec, cmd: str, fields: dict[str, Any], durability: str) -> None:
    with simulation() as sim:
        client = sim.connect(codec)
        reply = client.call(cmd, durability=durability, **fields)
        assert reply["code"] == "NOT_DURABLE"
        assert reply["error"] == ("Invalid: field 'durability' asks for more than this server gives, which runs with "
                                  "--durability memory")
        assert sim.engine.position == 0
        client.ok(cmd, durability="memory", **fields)


@pytest.mark.parametrize(("cmd", "fields"), [PUSHES[0], PUSHES[1], PUSHES[3]])
def test_a_durability_that_there_is_not(sim: Simulation, codec: Codec, cmd: str, fields: dict[str, Any]) -> None:
    client = sim.connect(codec)
    for wrong in ("always", "", "COMMIT", 1, True):
        reply = client.call(cmd, durability=wrong, **fields)
        assert reply["error"] == "Invalid: field 'durability' must be one of memory, interval, commit"


def test_replies_leave_in_order_whatever_each_waits_for(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q", reqId="1", durability="commit")
    client.send("PUSH", queue="q", reqId="2")
    client.send("PUSH", queue="q", reqId="3", durability="commit")
    store.commit(synced=0)
    assert client.replies() == []
    store.commit(synced=1)
    assert [reply["reqId"] for reply in client.replies()] == ["1", "2"]
    store.commit(synced=3)
    assert [reply["reqId"] for reply in client.replies()] == ["3"]


def test_a_job_that_is_known_is_waited_for_too(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q", job_id="j")
    store.commit(synced=0)
    client.replies()
    client.send("PUSH", queue="q", job_id="j", durability="commit")
    assert client.replies() == [] and store.hurries == 1
    store.commit(synced=1)
    assert client.replies()[0]["ok"] is True


def test_many_in_one_event_hurry_the_store_once(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send_raw(client.encode("PUSH", queue="q", durability="commit") * 50)
    assert store.hurries == 1
    store.commit()


# -- SYNC ------------------------------------------------------------------------------------------------------------


def answered(client: Client) -> Message:
    (reply,) = client.replies()
    return reply


def test_sync_waits_for_all_so_far(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client, other = sim.connect(codec), sim.connect(codec)
    other.send("PUSHB", queue="q", jobs=[{}, {}])
    client.send("SYNC", reqId="s")
    assert store.hurries == 1
    other.send("PUSH", queue="q")
    store.commit(synced=1)
    assert client.replies() == []
    store.commit(synced=3)
    assert answered(client) == {"reqId": "s", "ok": True, "success": True, "position": 3}
    assert len(sim.rooms.syncs) == 0


def test_sync_of_a_receipt(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PUSH", queue="q", receipt=True)
    client.send("PUSH", queue="q")
    store.commit(synced=0)
    position = client.replies()[0]["receipt"]["position"]
    client.send("SYNC", position=position)
    store.commit(synced=1)
    assert answered(client)["position"] == 1
    assert client.ok("SYNC", position=1)["position"] == 1


def test_sync_with_nothing_to_wait_for(sim: Simulation, codec: Codec) -> None:
    assert sim.connect(codec).ok("SYNC")["position"] == 0


def test_sync_refuses_what_has_not_been_reached(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PUSH", queue="q")
    store.commit()
    client.replies()
    reply = client.call("SYNC", position=2)
    assert (reply["code"], reply["error"]) == ("POSITION_UNKNOWN", "Position 2 has not been reached (the last is 1)")


def test_sync_gives_up_in_time(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PUSH", queue="q")
    store.commit(synced=0)
    client.replies()
    reply = client.call("SYNC", timeout=0, reqId="s")
    assert (reply["code"], reply["reqId"]) == ("TIMEOUT", "s")
    assert reply["error"] == "Timeout waiting for position 1 to be on disk after 0ms"
    client.send("SYNC", timeout=50)
    client.send("SYNC", reqId="long")
    sim.advance(49)
    assert client.replies() == []
    sim.advance(1)
    assert answered(client)["code"] == "TIMEOUT"
    sim.advance(29_949)
    assert client.replies() == []
    sim.advance(1)
    assert (reply := answered(client))["code"] == "TIMEOUT" and reply["reqId"] == "long"
    assert len(sim.rooms.syncs) == 0


def test_sync_without_req_id_holds_up_what_comes_behind(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PUSH", queue="q")
    store.commit(synced=0)
    client.replies()
    client.send("SYNC")
    client.send("PING")
    client.send("PING", reqId="past")
    assert answered(client)["reqId"] == "past"
    store.commit(synced=1)
    assert [sorted(reply) for reply in client.replies()] == [["ok", "position", "success"], ["ok", "pong", "success"]]


def test_sync_in_memory_is_refused(codec: Codec) -> None:
    with simulation() as sim:
        reply = sim.connect(codec).call("SYNC")
        assert reply["code"] == "NOT_DURABLE"
        assert reply["error"] == "Nothing is written to disk: this server runs with --durability memory"


def test_so_many_may_wait(store: DelayedStore) -> None:
    with simulation(store, durability="interval", max_parked=2) as sim:
        client, other = sim.connect(), sim.connect()
        client.send("PUSH", queue="q")
        store.commit(synced=0)
        client.replies()
        for n in range(3):
            client.send("SYNC", reqId=str(n))
        assert answered(client)["code"] == "TOO_MANY_PENDING"
        other.send("SYNC", reqId="o")
        store.commit()
        assert len(client.replies()) == 2 and len(other.replies()) == 1


def test_a_half_close_is_answered_once_it_is_on_disk(sim: Simulation, store: DelayedStore, codec: Codec) -> None:
    client = sim.connect(codec)
    client.send("PUSH", queue="q")
    client.send("SYNC")
    client.finish()
    store.commit(synced=0)
    assert len(client.replies()) == 1 and not client.closed
    store.commit(synced=1)
    assert answered(client)["position"] == 1 and client.closed


def test_a_drain_lets_it_be_answered(sim: Simulation, store: DelayedStore) -> None:
    client = sim.connect()
    client.send("PUSH", queue="q")
    store.commit(synced=0)
    client.replies()
    client.send("SYNC")
    sim.hub.begin_drain()
    assert sim.hub.close_idle() == 1 and client.replies() == []
    store.commit()
    assert answered(client)["position"] == 1
    sim.hub.close_idle()
    sim.loop.settle()
    assert client.closed


def test_a_lost_connection_leaves_nothing_behind(sim: Simulation, store: DelayedStore) -> None:
    client, other = sim.connect(), sim.connect()
    client.send("PUSH", queue="q")
    for n in range(200):
        client.send("SYNC", reqId=str(n))
    other.send("SYNC", reqId="o")
    client.disconnect()
    assert len(sim.rooms.syncs) == 1 and len(sim.rooms.syncs._positions) < 70
    store.commit()
    assert len(other.replies()) == 1 and len(sim.rooms.syncs) == 0
