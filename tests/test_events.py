"""What listeners of a queue are told."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from flashq.events import ALL, BY_NAME, EVENT_TYPES
from flashq.server.handlers.events import SLICE_EVENTS
from support.server import PACKAGE_ROOT, ServerProcess
from support.simulated import START_WALL, Client, DelayedStore, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec, Message


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(lease=1000, lost_workers=2) as running:
        yield running


def listener(sim: Simulation, codec: Codec, *events: str, queue: str = "q") -> Client:
    client = sim.connect(codec)
    client.ok("HELLO", push=True)
    client.ok("SUBSCRIBE", queue=queue, events=list(events))
    return client


def told(client: Client) -> list[Message]:
    """The events that have come, without what all of them have; their order of keys is checked."""
    found = []
    for event in client.replies():
        assert list(event)[:5] == ["event", "event_type", "queue", "job_id", "timestamp"] and event["event"] == "job"
        found.append({"type": event["event_type"], "id": event["job_id"],
                      **{key: event[key] for key in list(event)[5:]}})
    return found


def types(client: Client) -> list[str]:
    return [event["type"] for event in told(client)]


# -- the table --------------------------------------------------------------------------------------------------------


def test_types_are_those_of_the_core() -> None:
    text = (PACKAGE_ROOT / "flashq" / "_core" / "events.pxd").read_text()
    core = {name.lower(): int(number) for name, number in re.findall(r"^    EVENT_(\w+) = (\d+)", text, re.M)}
    assert core == {one.name: one.number for one in EVENT_TYPES}
    assert [one.number for one in EVENT_TYPES] == list(range(len(EVENT_TYPES)))
    assert (1 << len(EVENT_TYPES)) - 1 == ALL and len(BY_NAME) == len(EVENT_TYPES)
    assert all(one.doc.endswith(".") for one in EVENT_TYPES)


# -- each type --------------------------------------------------------------------------------------------------------


def test_a_whole_life(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec)
    job_id = worker.push(data={"n": 1})
    sim.advance(5)
    worker.pull()
    worker.ok("PROGRESS", id=job_id, progress=40, message="page 4")
    worker.ok("PROGRESS", id=job_id, progress=41)
    worker.ok("PARTIAL", id=job_id, data=["x"], index=3)
    worker.ok("PARTIAL", id=job_id, data=None)
    worker.ok("ACK", id=job_id, result=[1])
    events = client.replies()
    base = {"event": "job", "queue": "q", "job_id": job_id}
    assert events == [
        {**base, "event_type": "pushed", "timestamp": START_WALL, "data": {"n": 1}},
        *({**base, "timestamp": START_WALL + 5, **event} for event in (
            {"event_type": "progress", "data": "page 4", "progress": 40},
            {"event_type": "progress", "progress": 41},
            {"event_type": "partial", "data": {"chunk": ["x"], "index": 3}},
            {"event_type": "partial", "data": {"chunk": None}},
            {"event_type": "completed", "data": [1]},
        )),
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_completed_has_the_result_also_of_a_job_that_is_not_kept(
    sim: Simulation, codec: Codec, worker: Client, kept: bool
) -> None:
    client = listener(sim, codec, "completed")
    one, two = (worker.push(remove_on_complete=not kept) for _ in range(2))
    worker.ok("PULLB", queue="q", count=2)
    worker.send_raw(b'{"cmd":"ACK","id":%d,"result":{"a":\r1}}\n' % one)
    worker.replies()
    worker.ok("ACKB", ids=[two, 999])
    assert told(client) == [{"type": "completed", "id": one, "data": {"a": 1}}, {"type": "completed", "id": two}]


def test_pushed_comes_for_each_job_of_a_batch(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec)
    ids = worker.ok("PUSHB", queue="q", jobs=[{"data": 1}, {"delay": 9}, {"data": "x", "job_id": "c"}])["ids"]
    assert worker.push(job_id="c") == ids[2]
    assert told(client) == [{"type": "pushed", "id": ids[0], "data": 1}, {"type": "pushed", "id": ids[1]},
                            {"type": "pushed", "id": ids[2], "data": "x"}]


def test_failures_and_retries(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec, "failed", "retry")
    job_id = worker.push(max_attempts=2)
    for error in ("first", "second ü"):
        worker.pull()
        worker.ok("FAIL", id=job_id, error=error)
    gone = worker.push(max_attempts=1, remove_on_fail=True)
    worker.pull()
    worker.ok("PROGRESS", id=gone, progress=1, message="not why it failed")
    worker.ok("FAIL", id=gone)
    discarded = worker.push()
    worker.ok("DISCARD", id=discarded)
    assert told(client) == [
        {"type": "retry", "id": job_id, "error": "first"},
        {"type": "failed", "id": job_id, "error": "second ü"},
        {"type": "failed", "id": gone},
        {"type": "failed", "id": discarded},
    ]


def test_time_and_lost_workers(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec, *(set(BY_NAME) - {"pushed"}))
    late = worker.push(timeout=50, max_attempts=2)
    worker.pull()
    sim.advance(51)
    worker.pull()
    sim.advance(51)
    timed_out = "Job timed out"
    assert told(client) == [
        {"type": "timeout", "id": late}, {"type": "retry", "id": late, "error": timed_out},
        {"type": "timeout", "id": late}, {"type": "failed", "id": late, "error": timed_out},
    ]
    silent = worker.push(stall_timeout=50)
    for _ in range(2):
        worker.pull()
        sim.advance(50)
    assert told(client) == [{"type": "stalled", "id": silent}, {"type": "stalled", "id": silent},
                            {"type": "failed", "id": silent, "error": "Job stalled"}]
    lost = worker.push()
    for _ in range(2):
        other = sim.connect()
        other.pull()
        other.disconnect()
        sim.advance(1000)
    assert told(client) == [{"type": "worker_lost", "id": lost}, {"type": "worker_lost", "id": lost},
                            {"type": "failed", "id": lost, "error": "Worker lost"}]
    old = worker.push(ttl=10)
    sim.advance(11)
    assert told(client) == [{"type": "expired", "id": old}]


def test_removals(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec, "cancelled", "removed", "failed")
    expected: list[tuple[str, int]] = []
    for cmd, options, fields in (
        ("DRAIN", {"delay": 5}, {}), ("CLEAN", {}, {"state": "waiting", "grace": 0}), ("OBLITERATE", {}, {}),
    ):
        expected.append(("removed", worker.push(**options)))
        worker.ok(cmd, queue="q", **fields)
        sim.advance(1)
    expected.append(("cancelled", worker.push()))
    worker.ok("CANCEL", id=expected[-1][1])
    dead = worker.push()
    worker.ok("DISCARD", id=dead)
    worker.ok("PURGEDLQ", queue="q")
    expected += [("failed", dead), ("removed", dead)]
    assert [(event["type"], event["id"]) for event in told(client)] == expected


# -- who is told ------------------------------------------------------------------------------------------------------


def test_only_what_was_asked_for(sim: Simulation, codec: Codec, worker: Client) -> None:
    everything, some, none, other, deaf, gone = (listener(sim, codec) for _ in range(6))
    some.ok("SUBSCRIBE", queue="q", events=["completed", "no such event"])
    none.ok("SUBSCRIBE", queue="q", events=["no such event"])
    other.ok("UNSUBSCRIBE", queue="q")
    other.ok("SUBSCRIBE", queue="Q")
    deaf.ok("HELLO", push=False)
    gone.ok("UNSUBSCRIBE", queue="q")
    job_id = worker.push()
    worker.push("else")
    worker.pull()
    worker.ok("ACK", id=job_id)
    assert types(everything) == ["pushed", "completed"]
    assert types(some) == ["completed"]
    assert [types(client) for client in (none, other, deaf, gone)] == [[]] * 4


def test_every_listener_in_its_own_format(sim: Simulation, worker: Client) -> None:
    listeners = [listener(sim, codec) for codec in (JSON, MSGPACK, JSON, MSGPACK)]
    for sender in (worker, sim.connect(MSGPACK)):
        job_id = sender.push(data={"ü": [None, 1.5, 2**40]})
        for client in listeners:
            assert told(client) == [{"type": "pushed", "id": job_id, "data": {"ü": [None, 1.5, 2**40]}}]


def test_nobody_listening_leaves_nothing(sim: Simulation, codec: Codec, worker: Client) -> None:
    events = sim.rooms.events
    one, two = listener(sim, codec), listener(sim, codec)
    before = sim.engine.memory()["objects"]
    one.disconnect()
    two.ok("UNSUBSCRIBE", queue="q")
    assert sim.engine.memory()["objects"] < before
    worker.push()
    assert events._bus.next_event() is None and events._bus.lost == 0
    assert two.replies() == []


def test_a_name_that_no_queue_can_have(sim: Simulation, codec: Codec, worker: Client) -> None:
    assert worker.error("SUBSCRIBE", queue="") == "Queue name cannot be empty"
    assert worker.error("SUBSCRIBE", queue="x" * 257) == "Queue name too long (max 256 chars)"
    client = listener(sim, codec, queue="größe-1")
    worker.push("größe-1")
    assert client.replies()[0]["queue"] == "größe-1"


def test_many_events_come_in_order(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec)
    ids = worker.ok("PUSHB", queue="q", jobs=[{"data": n} for n in range(1000)])["ids"]
    worker.ok("PULLB", queue="q", count=1000)
    worker.ok("ACKB", ids=ids)
    events = told(client)
    assert [event["id"] for event in events] == ids * 2
    assert [event["data"] for event in events[:1000]] == list(range(1000))


def test_between_slices_others_are_served(sim: Simulation, codec: Codec, worker: Client) -> None:
    client = listener(sim, codec)
    worker.transport.kernel += worker.encode("PUSHB", queue="q", jobs=[{}] * 1000)
    worker.transport.pump()
    slices = [len(client.replies())]
    while sim.loop.next_due() == sim.loop.mono:
        sim.loop.fire_next()
        slices.append(len(client.replies()))
    assert sum(slices) == 1000 and max(slices) == SLICE_EVENTS


def test_a_slice_ends_sooner_with_many_listeners_and_with_much_data(codec: Codec) -> None:
    for listeners, data, most in ((30, "x", 2000 // 30 + 1), (1, "x" * 100_000, 6)):
        with simulation() as sim:
            clients = [listener(sim, codec) for _ in range(listeners)]
            worker = sim.connect()
            worker.transport.kernel += worker.encode("PUSHB", queue="q", jobs=[{"data": data}] * 100)
            worker.transport.pump()
            sim.loop.fire_next()
            assert [len(client.replies()) for client in clients] == [most] * listeners
            sim.loop.settle()
            assert [len(client.replies()) for client in clients] == [100 - most] * listeners


# -- limits, durability -----------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_loses_events(codec: Codec) -> None:
    with simulation(write_high_water=10_000) as sim:
        slow, quick, worker = listener(sim, codec), listener(sim, codec), sim.connect()
        slow.stop_taking()
        for _ in range(100):
            worker.push(data="x" * 1000)
        assert len(quick.replies()) == 100
        assert 70 < sim.hub.events_lost < 100 and not slow.closed
        assert len(slow.transport.sent) < 25_000
        slow.take()
        assert len(slow.replies()) == 100 - sim.hub.events_lost


def test_events_beyond_the_buffer_are_lost_and_counted(codec: Codec) -> None:
    with simulation(event_buffer=10_000) as sim:
        client, worker = listener(sim, codec), sim.connect()
        ids = worker.ok("PUSHB", queue="q", jobs=[{"data": "x" * 1000}] * 20)["ids"]
        events = told(client)
        assert [event["id"] for event in events] == ids[:len(events)] and 5 < len(events) < 10
        assert sim.rooms.events._bus.lost == 20 - len(events)
        larger = worker.push(data="y" * 20_000)
        assert [event["id"] for event in told(client)] == [larger], "alone it is always told"


def test_events_are_told_once_they_are_durable(codec: Codec) -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        client = sim.connect(codec)
        client.ok("HELLO", push=True)
        client.ok("SUBSCRIBE", queue="q")
        worker = sim.connect()
        steps: list[tuple[str, dict[str, Any], list[str]]] = [
            ("PUSH", {"queue": "q", "max_attempts": 1, "remove_on_fail": True}, ["pushed"]),
            ("PULL", {"queue": "q"}, []),
            ("PROGRESS", {"progress": 1}, ["progress"]),
            ("FAIL", {}, ["failed"]),
        ]
        job_id = None
        for cmd, fields, expected in steps:
            known = {} if job_id is None or "queue" in fields else {"id": job_id}
            worker.send(cmd, **known, **fields)
            sim.advance(10)
            assert types(client) == [], cmd
            store.commit()
            assert types(client) == expected, cmd
            job_id = job_id or worker.replies()[0].get("id")
            worker.replies()


# -- a real server ----------------------------------------------------------------------------------------------------


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client, server.client() as worker:
        client.ok("HELLO", push=True)
        client.ok("SUBSCRIBE", queue=queue_name, events=["pushed", "completed", "cancelled"])
        ids = worker.ok("PUSHB", queue=queue_name, jobs=[{"data": n} for n in range(500)])["ids"]
        for n, job_id in enumerate(ids):
            event = client.receive()
            assert (event["event_type"], event["job_id"], event["data"]) == ("pushed", job_id, n)
        worker.ok("HELLO", push=True)
        worker.ok("PULL", queue=queue_name)
        client.send("CANCEL", id=ids[0])
        assert worker.receive()["event"] == "cancel"
        got = [client.receive(), client.receive()]
        assert sorted(one.get("event_type", "reply") for one in got) == ["cancelled", "reply"]
