"""No memory, once or for good, at each request for some in turn: nothing changes half-way, nothing leaks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from conftest import SLOW_BUILD
from flashq._core import probe
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec, Message

FOR_GOOD = 1 << 40
BATCH = 40 if SLOW_BUILD else 600       # jobs: over a page of them, where they are allocated by the page
DATA = "x" * 700
RARE = {"data": DATA, "priority": 4, "ttl": 10**9, "timeout": 10**6, "tags": ["a", "b"], "job_id": "new", "lifo": True}
Request = tuple[str, Message]


@pytest.fixture(autouse=True)
def memory_comes_back() -> Iterator[None]:
    yield
    probe.fail_allocations(0, 0)


@dataclass
class Case:
    """A request and what comes before it; `ID` and `IDS` stand for the first and all of the jobs made there."""

    name: str
    request: Request
    before: list[Request] = field(default_factory=list)
    waiting: list[Request] = field(default_factory=list)    # what another client waits for


PUSH: Request = ("PUSH", {"queue": "q"})
PULL: Request = ("PULLB", {"queue": "q", "count": 1000, "timeout": 0})
SEVERAL: Request = ("PULLB", {"queues": ["r", "new", "q"], "count": 1000, "timeout": 0})
GROUP: Request = ("PUSHB", {"queue": "q", "jobs": [
    {"data": n, "group_id": f"g{n % 5}", "priority": -(n % 3)} for n in range(60)]})
MANY: Request = ("PUSHB", {"queue": "q", "jobs": [{"data": n} for n in range(BATCH)]})
NAMED: Request = ("PUSHB", {"queue": "q", "jobs": [
    {"data": n, "name": "nm"[n % 2], "version": n % 3, **({"group_id": "g"} if n % 5 == 4 else {})}
    for n in range(30)]})
PARKED: Request = ("PULL", {"queue": "q", "timeout": 10**6, "reqId": "parked"})
LISTENING: list[Request] = [("HELLO", {"push": True}), ("SUBSCRIBE", {"queue": "q"})]
CASES = [
    Case("push", ("PUSH", {"queue": "q", "data": DATA})),
    Case("push with options", ("PUSH", {"queue": "q", **RARE})),
    Case("push with a name", ("PUSH", {"queue": "q", "name": "n" * 40, "version": 2})),
    Case("push with a name to a group", ("PUSH", {"queue": "q", "name": "n" * 40, "group_id": "g"})),
    Case("pull with names", (PULL[0], {**PULL[1], "names": ["n", "m"]}), [NAMED]),
    Case("pull with names that waits", (PARKED[0], {**PARKED[1], "names": ["a" * 200] * 40})),
    Case("fail of a job with a name", ("FAIL", {"id": "ID"}), [NAMED, PULL]),
    Case("drain with names", ("DRAIN", {"queue": "q"}), [NAMED]),
    Case("push to a group", ("PUSH", {"queue": "q", "group_id": "g"})),
    Case("push before others of its group", ("PUSH", {"queue": "q", "group_id": "g", "priority": 1}), [GROUP]),
    Case("pull of a group", PULL, [GROUP]),
    Case("ack of a group's job", ("ACK", {"id": "ID"}), [GROUP, PULL]),
    Case("retry of a group's job", ("FAIL", {"id": "ID"}), [GROUP, PULL]),
    Case("cancel of a group's job", ("CANCEL", {"id": "ID"}), [GROUP]),
    Case("drain with groups", ("DRAIN", {"queue": "q"}), [GROUP, PULL]),
    Case("settings of groups", ("SETGROUPS", {"queue": "q", "group_concurrency": 2, "group_rate": 1000}),
         [GROUP, PULL]),
    Case("push delayed", ("PUSH", {"queue": "q", "delay": 10**6, "lifo": True})),
    Case("push of a known id", ("PUSH", {"queue": "q", "job_id": "new"}), [("PUSH", {"queue": "q", "job_id": "new"})]),
    Case("push of a batch", MANY),
    Case("push of a batch with options", ("PUSHB", {"queue": "q", "jobs": [
        {"delay": 9 * n, "priority": n % 7, "tags": ["t"], "job_id": f"c{n}"} for n in range(BATCH // 2)]})),
    Case("pull", ("PULL", {"queue": "q", "timeout": 0}), [PUSH]),
    Case("pull of a job with rare fields", PULL, [("PUSH", {"queue": "q", "timeout": 10**6, "stall_timeout": 10**6})]),
    Case("pull that waits", PARKED),
    Case("pull of a batch", PULL, [MANY]),
    Case("pull of several queues", SEVERAL, [("PUSH", {"queue": "r"}), PUSH]),
    Case("pull of several queues by weight", ("PULLB", {**SEVERAL[1], "weights": [1, 2, 3]}),
         [("PUSH", {"queue": "r"}), PUSH]),
    Case("pull of several queues that waits", ("PULL", {"queues": [f"q{n}" for n in range(90)], "reqId": "r"})),
    Case("push to who waits in several lines", ("PUSH", {"queue": "q", "timeout": 10**6}), waiting=[
        ("PULL", {"queues": ["r", "q", "s"], "timeout": 10**6, "reqId": "parked"})]),
    Case("push to who waits", ("PUSH", {"queue": "q", "timeout": 10**6}), waiting=[PARKED]),
    Case("push to who waits, later", ("PUSH", {"queue": "q", "timeout": 10**6}), [PUSH, PULL], [PARKED]),
    Case("batch to who waits", ("PUSHB", {"queue": "q", "jobs": [{"timeout": 10**6}] * 3}), waiting=[PARKED] * 2),
    Case("ack", ("ACK", {"id": "ID"}), [PUSH, PULL]),
    Case("ack with a result", ("ACK", {"id": "ID", "result": DATA}), [PUSH, PULL]),
    Case("ack of a batch", ("ACKB", {"ids": "IDS"}), [MANY, PULL]),
    Case("fail", ("FAIL", {"id": "ID", "error": DATA}), [PUSH, PULL]),
    Case("fail with backoff", ("FAIL", {"id": "ID"}), [("PUSH", {"queue": "q", "backoff": 5}), PULL]),
    Case("fail for good", ("FAIL", {"id": "ID", "error": DATA}), [("PUSH", {"queue": "q", "max_attempts": 1}), PULL]),
    Case("fail behind others", ("FAIL", {"id": "ID"}), [PUSH, PULL, MANY]),
    Case("fail to who waits", ("FAIL", {"id": "ID"}), [("PUSH", {"queue": "q", "timeout": 10**6}), PULL], [PARKED]),
    Case("push with a retry policy", ("PUSH", {"queue": "q", "retry": {"type": "linear", "delay": 5, "jitter": 1}})),
    Case("push with a key", ("PUSH", {"queue": "q", "push_key": "p" * 700, "data": DATA})),
    Case("push of a known key", ("PUSH", {"queue": "q", "push_key": "p"}), [("PUSH", {"queue": "q", "push_key": "p"})]),
    Case("push of a batch with a key", ("PUSHB", {"queue": "q", "push_key": "p", "jobs": [{"data": DATA}] * 300})),
    Case("push that replaces", ("PUSH", {"queue": "q", "unique_key": "k", "on_duplicate": "replace", "data": DATA}),
         [("PUSH", {"queue": "q", "unique_key": "k", "tags": ["a"]})]),
    Case("fail by a policy", ("FAIL", {"id": "ID", "error": DATA}),
         [("PUSH", {"queue": "q", "retry": {"type": "fixed", "delay": 5}}), PULL]),
    Case("fail without retry", ("FAIL", {"id": "ID", "retry": False}), [PUSH, PULL]),
    Case("release", ("FAIL", {"id": "ID", "release": True, "retry_after": 5}), [PUSH, PULL]),
    Case("getjob of a dead one", ("GETJOB", {"id": "ID"}), [PUSH, PULL, ("FAIL", {"id": "ID", "retry": False})]),
    Case("progress", ("PROGRESS", {"id": "ID", "progress": 7, "message": DATA}), [PUSH, PULL]),
    Case("heartbeat", ("HEARTBEAT", {"id": "ID"}), [("PUSH", {"queue": "q", "stall_timeout": 10**6}), PULL]),
    Case("cancel", ("CANCEL", {"id": "ID"}), [PUSH]),
    Case("pause", ("PAUSE", {"queue": "q"})),
    Case("resume", ("RESUME", {"queue": "q"}), [("PAUSE", {"queue": "q"}), PUSH], [PARKED]),
    Case("hello", ("HELLO", {"session": "s" * 100})),
    Case("hello after a pull", ("HELLO", {"session": "s"}), [PUSH, PULL]),
    Case("getjob", ("GETJOB", {"id": "ID"}), [("PUSH", {"queue": "q", **RARE})]),
    Case("getresult", ("GETRESULT", {"id": "ID"}), [PUSH, PULL, ("ACK", {"id": "ID", "result": DATA})]),
    Case("push with dependencies", ("PUSH", {"queue": "q", "depends_on": "IDS", "on_parent_failure": "fail"}), [PUSH]),
    Case("push of who is dead at once", ("PUSH", {"queue": "q", "depends_on": "IDS", "on_parent_failure": "fail"}),
         [PUSH, ("DISCARD", {"id": "ID"})]),
    Case("discard of what others depend on", ("DISCARD", {"id": "ID"}), [PUSH, *(
        ("PUSH", {"queue": "q", "depends_on": "IDS", "on_parent_failure": policy, "data": DATA})
        for policy in ("wait", "fail", "run"))]),
    Case("cancel of what is waited for", ("CANCEL", {"id": "ID"}), [PUSH], [("WAITJOB", {"id": "ID"})]),
    Case("subscribe", ("SUBSCRIBE", {"queue": "q"})),
    Case("push to listeners", ("PUSH", {"queue": "q", "data": DATA}), waiting=LISTENING),
    Case("batch to listeners", MANY, waiting=LISTENING),
    Case("listqueues", ("LISTQUEUES", {}), [PUSH]),
]

DEAD = {                                    # cases that leave dead letters
    "fail for good": 1, "fail without retry": 1, "getjob of a dead one": 1, "push with dependencies": 1,
    "push of who is dead at once": 2, "discard of what others depend on": 2,
}


class Scene:
    """A server just before the request of a case."""

    def __init__(self, case: Case, codec: Codec) -> None:
        self.sim = Simulation(keep_completed=2000, keep_results=1000)
        self.ids: list[int] = []
        self.waiter = self.sim.connect(codec)
        self.client = self.sim.connect(codec)
        for cmd, fields in case.before:
            reply = self.client.ok(cmd, **self.filled(fields))
            self.ids += reply.get("ids", [reply["id"]] if "id" in reply else []) if cmd.startswith("PUSH") else []
        for cmd, fields in case.waiting:
            self.waiter.send(cmd, **self.filled(fields))
        self.request = self.client.encode(case.request[0], **self.filled(case.request[1]))

    def filled(self, fields: Message) -> Message:
        known = {"ID": self.ids[0], "IDS": self.ids} if self.ids else {}
        return {key: known.get(value, value) if isinstance(value, str) else value for key, value in fields.items()}

    def ask(self) -> list[Message]:
        """The replies to the request; none when the connection was closed instead. Memory is there again afterwards."""
        self.client.transport.kernel += self.request
        self.client.transport.pump()
        self.made = probe.allocation_requests()
        probe.fail_allocations(0, 0)
        self.sim.loop.settle()
        return self.client.replies()

    def seen(self) -> dict[str, Any]:
        """All that users can see of jobs and totals."""
        engine = self.sim.engine
        queues = [one for one in engine.queues() if any(value for key, value in one.items() if key != "name")]
        return {"jobs": [self.job(one) for one in self.ids], "stats": engine.stats(), "queues": queues}

    def job(self, job_id: int) -> Message:
        """The job, without what a failure may leave out for want of memory: texts, history, the last heartbeat."""
        shown, state = self.sim.engine.get_job(job_id, False)
        job = json.loads(shown) if shown else {}
        for name in ("progress_msg", "progress_message", "last_heartbeat", "history"):
            job.pop(name, None)
        return {**job, "state": state, "result": self.sim.engine.get_result(job_id, False)}

    def agrees(self) -> bool:
        """Whether the counts are those of the jobs; a job in limbo may stand in no line that counts."""
        engine = self.sim.engine
        states = [engine.get_state(one) for one in self.ids]
        totals = engine.stats()
        counted = {"waiting": totals["queued"], "active": totals["processing"], "delayed": totals["delayed"],
                   "failed": totals["dlq"]}
        off = sum(abs(states.count(state) - count) for state, count in counted.items())
        return off <= engine.memory()["limbo"]

    def clean_up(self) -> dict[str, int]:
        """With memory again: every job is worked off, every client goes, every queue is swept; what is still held."""
        for one in self.sim.clients:
            if not one.closed:
                one.disconnect()
        client = self.sim.connect()
        client.ok("RESUME", queue="q")
        client.ok("SETGROUPS", queue="q")
        self.sim.advance(40_000)            # limbo is tried again, leases end
        held = self.sim.engine.memory()
        assert held["limbo"] == 0
        self.work_off(client)
        self.sim.advance(10**7)             # what was delayed, and what had a lease of its own
        self.work_off(client)
        client.disconnect()
        self.sim.advance(100_000)
        return self.sim.engine.memory()


    def work_off(self, client: Client) -> None:
        """Every ready job of every queue."""
        for queue in [one["name"] for one in self.sim.engine.queues()]:
            while jobs := client.ok("PULLB", queue=queue, count=1000, timeout=0)["jobs"]:
                for job in jobs:
                    client.ok("CANCEL", id=job["id"])


@pytest.mark.parametrize("count", [1, FOR_GOOD], ids=["once", "for-good"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_allocation_fails(case: Case, codec: Codec, count: int) -> None:
    """A refusal changes nothing, a success means all of it, and nothing is left when all is done."""
    plain = Scene(case, codec)
    plain.seen()                            # as below: it may leave room that the request uses again
    probe.fail_allocations(1 << 50)         # none fails: they are counted
    reply = plain.ask()
    expected, base = plain.seen(), plain.clean_up()
    for first in range(1, plain.made + 1):
        scene = Scene(case, codec)
        before = scene.seen()
        probe.fail_allocations(first, count)
        replies = scene.ask()
        where = f"allocation {first} of {plain.made}: {replies}"
        assert scene.made >= first, where
        if replies and not replies[0]["ok"]:
            assert replies[0]["code"] in ("SERVICE_UNAVAILABLE", "INTERNAL_ERROR"), where
            assert scene.seen() == before, where
        elif replies == reply and not scene.sim.engine.memory()["limbo"] and not case.waiting:
            assert scene.seen() == expected, where
        if not replies and reply:
            assert scene.client.closed, where
        if not case.request[0].startswith("PUSH"):
            assert scene.agrees(), where
        after = scene.clean_up()
        assert (after["limbo"], after["queues"]) == (0, min(after["queues"], base["queues"])), where
        assert after["objects"] <= base["objects"], where


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_is_left_of_a_case_when_all_is_done(case: Case, codec: Codec) -> None:
    """What the test above compares with is itself without leaks, and done but for completed jobs and dead letters.

    A map of names keeps its first leaf; the empty server has one, of the queues.
    """
    scene, empty = Scene(case, codec), Scene(Case("nothing", ("PING", {})), codec)
    scene.ask()
    empty.ask()
    left, none = scene.clean_up(), empty.clean_up()
    assert none["objects"] == 1
    assert (left["completed_ids"] > 0) == (case.request[0].startswith("ACK") or case.name == "getresult")
    assert scene.sim.engine.stats() == {
        "queued": 0, "processing": 0, "delayed": 0, "dlq": DEAD.get(case.name, 0),
        "completed": left["completed_ids"]}
    if left["completed_ids"] == 0 and case.name not in DEAD:
        assert left["used"] == left["objects"] * none["used"], "something else than leaves"


def test_the_cases_reach_the_allocator() -> None:
    """A case that asks the system for no memory tests nothing: these need none, or find a place in a page."""
    none = set()
    for case in CASES:
        scene = Scene(case, JSON)
        probe.fail_allocations(1 << 50)
        scene.ask()
        if scene.made == 0:
            none.add(case.name)
    small = {"ack of a batch"} if SLOW_BUILD else set()
    assert none <= {"push of a known id", "push of a known key", "ack", "heartbeat", "cancel", "getresult",
                    "listqueues", "ack of a group's job", "retry of a group's job", "cancel of a group's job",
                    "settings of groups"} | small


@pytest.mark.parametrize("count", [1, FOR_GOOD], ids=["once", "for-good"])
@pytest.mark.parametrize("cmd", ["PULLB", "GETJOB", "GETRESULT"])
def test_a_reader_of_the_other_format_is_shown_no_other_data(codec: Codec, cmd: str, count: int) -> None:
    """Without memory to transcode there is no reply; and the next reader is shown the data again."""
    other = MSGPACK if codec is JSON else JSON
    lost = 0
    for first in range(1, 12):
        with simulation() as sim:
            client, reader = sim.connect(codec), sim.connect(other)
            done = client.push(data=None)
            client.ok("ACK", id=client.pull()["id"], result=DATA * 20)
            kept = [client.push(data=data, tags=["t"]) for data in (DATA * 20, [1, 2])]
            fields = {"PULLB": {"queue": "q", "count": 1000, "timeout": 0}, "GETJOB": {"id": kept[0]},
                      "GETRESULT": {"id": done}}[cmd]
            reader.transport.kernel += reader.encode(cmd, **fields)
            probe.fail_allocations(first, count)
            reader.transport.pump()
            probe.fail_allocations(0, 0)
            sim.loop.settle()
            told = [reply for reply in reader.replies() if reply["ok"]]
            lost += not told
            for reply in told:
                shown = reply.get("jobs") or [reply.get("job")]
                assert cmd == "GETRESULT" or [job["data"] for job in shown] == [DATA * 20, [1, 2]][:len(shown)]
                assert cmd != "GETRESULT" or reply["result"] == DATA * 20
            later = sim.connect(other)
            assert [(job["data"], job["tags"]) for job in (later.job(one) for one in kept)] == [
                (DATA * 20, ["t"]), ([1, 2], ["t"])]
            assert later.ok("GETRESULT", id=done)["result"] == DATA * 20
    assert lost


def test_lost_records_end_acknowledgement(codec: Codec) -> None:
    """A change without its record must never be confirmed, not even by a later commit."""
    losses = 0
    for first in range(1, 20):
        store = DelayedStore()
        sim = Simulation(store)
        client, other = sim.connect(codec), sim.connect(codec)
        probe.fail_allocations(first, FOR_GOOD)
        client.send("PUSH", queue="q", data=DATA)
        probe.fail_allocations(0, 0)
        lost = sim.engine.position > store.position
        if store.position:
            store.commit()
        told = [reply for reply in client.replies() if reply["ok"]]
        recorded = [one for one in store.records() if one["kind"] == "job"]
        assert len(told) <= len(recorded)
        if lost:
            assert told == [] and "records were lost" in str(sim.hub.failure)
            assert other.call("PUSH", queue="q")["code"] == "STORAGE_FAILED"
            losses += 1
    assert losses
