"""Hot commands make no Python object per job: all allocations are counted while 100,000 jobs pass."""

import gc
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from flashq._core.probeobjects import count_allocations
from support.simulated import Client, Simulation, simulation
from support.wire import Codec

JOBS = 100_000
BATCH = 1000
# Of one read event, whatever it holds: the clock's two numbers, the reply's bytes, the transport's call; and once for
# each 100 kB of replies. Even one object a job would be 1000.
PER_EVENT = 60


@pytest.fixture
def sim() -> Iterator[Simulation]:
    # Nothing is kept of completed jobs: what the limits do is not what is counted here.
    with simulation(keep_completed=2, keep_results=0) as running:
        yield running


class Counted:
    """A client whose requests are counted; its replies are read outside of that."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.most = 0           # allocations of one event
        self.jobs = 0

    def send(self, data: bytes, jobs: int) -> list[dict[str, Any]]:
        """One read event that is about so many jobs; its replies."""
        self.client.transport.sent.clear()
        self.client.transport.writes.clear()
        made = count_allocations(self.client.protocol.data_received, data)
        replies = self.client.replies()
        assert replies and all(reply["ok"] for reply in replies)
        self.most = max(self.most, made)
        self.jobs += jobs
        return replies


def test_the_counter_sees_a_single_object() -> None:
    """Also one that is gone at once, unless it comes from a free list."""

    def none(data: bytes) -> None:
        """Nothing."""

    def one(data: bytes) -> None:
        data + b"x"

    def thousand(data: bytes) -> None:
        for _ in range(1000):
            data + b"x"

    base = count_allocations(none, b"abc")
    assert count_allocations(one, b"abc") == base + 1
    assert count_allocations(thousand, b"abc") >= base + 1000


@pytest.mark.parametrize("payload", [None, 7, {"to": "a@b.c", "list": [1, 2.5, True], "text": 'quoted "ü"\n' * 5}])
def test_batches_make_no_object_per_job(sim: Simulation, codec: Codec, payload: Any) -> None:
    jobs = JOBS if payload is None else JOBS // 5
    client = sim.connect(codec)
    push, pull, ack = Counted(client), Counted(client), Counted(client)
    push_frame = client.encode("PUSHB", queue="q", jobs=[{"data": payload}] * BATCH)
    pull_frame = client.encode("PULLB", queue="q", count=BATCH, timeout=0)
    for _ in range(jobs // BATCH):
        assert len(push.send(push_frame, BATCH)[0]["ids"]) == BATCH
        (reply,) = pull.send(pull_frame, BATCH)
        ids, tokens = [job["id"] for job in reply["jobs"]], [job["token"] for job in reply["jobs"]]
        assert ack.send(client.encode("ACKB", ids=ids, tokens=tokens), BATCH)[0]["count"] == BATCH
    assert push.jobs == pull.jobs == ack.jobs == jobs
    assert max(push.most, pull.most, ack.most) <= PER_EVENT, (push.most, pull.most, ack.most)


def test_pipelined_requests_make_no_object_per_job(sim: Simulation, codec: Codec) -> None:
    client = sim.connect(codec)
    counted = {cmd: Counted(client) for cmd in ("PUSH", "PULL", "PROGRESS", "HEARTBEAT", "FAIL", "ACK")}
    push_frames = b"".join(
        client.encode("PUSH", queue="q", data={"n": n}, priority=n % 3, reqId=f"r{n}") for n in range(BATCH))
    pull_frames = client.encode("PULL", queue="q", timeout=0) * BATCH
    for _ in range(JOBS // BATCH // 20):
        counted["PUSH"].send(push_frames, BATCH)
        jobs = [reply["job"] for reply in counted["PULL"].send(pull_frames, BATCH)]
        for cmd, fields in (("PROGRESS", {"progress": 5}), ("HEARTBEAT", {}), ("FAIL", {"error": "e"})):
            counted[cmd].send(b"".join(
                client.encode(cmd, id=job["id"], token=job["token"], **fields) for job in jobs), BATCH)
        jobs = [reply["job"] for reply in counted["PULL"].send(pull_frames, BATCH)]
        counted["ACK"].send(b"".join(client.encode("ACK", id=job["id"], result=[1, "two"]) for job in jobs), BATCH)
    most = {cmd: one.most for cmd, one in counted.items()}
    assert max(most.values()) <= PER_EVENT, most


def test_push_options_make_no_object_per_job(sim: Simulation, codec: Codec) -> None:
    client = sim.connect(codec)
    counted = Counted(client)
    options = {"priority": 3, "delay": 10**9, "ttl": 10**10, "timeout": 5, "max_attempts": 3, "backoff": 9,
               "lifo": True, "tags": ["a", "b"], "stall_timeout": 1000, "remove_on_complete": True,
               "remove_on_fail": True}
    for batch in range(5):
        jobs = [{**options, "job_id": f"{batch}-{n}"} for n in range(BATCH)]
        counted.send(client.encode("PUSHB", queue="q", jobs=jobs), BATCH)
    assert counted.most <= PER_EVENT


def test_waiting_pulls_and_due_jobs_make_no_object_per_job(sim: Simulation, codec: Codec) -> None:
    """Jobs handed to parked pulls, by a push and by the timer."""
    worker, client = sim.connect(codec), sim.connect(codec)
    worker.send_raw(b"".join(worker.encode("PULL", queue="q", reqId=f"{n}") for n in range(BATCH)))
    made = count_allocations(client.protocol.data_received, client.encode("PUSHB", queue="q", jobs=[{}] * BATCH))
    assert len(worker.replies()) == BATCH
    assert made <= PER_EVENT, "for two connections"
    client.replies()
    client.send("PUSHB", queue="q", jobs=[{"delay": 5}] * 10 * 16)
    worker.send("PULLB", queue="q", count=BATCH, timeout=10)
    made = count_allocations(sim.advance, 5)
    assert sim.engine.stats()["delayed"] == 0
    assert made <= 2 * PER_EVENT, "several slices"


def test_memory_of_the_interpreter_does_not_grow_with_the_jobs(sim: Simulation, codec: Codec) -> None:
    """Nothing is kept either: 100 times the jobs waiting, and no object more."""
    client = sim.connect(codec)
    frame = client.encode("PUSHB", queue="q", jobs=[{"data": [1]}] * BATCH)
    counts = []
    for batches in (2, 198):
        for _ in range(batches):
            client.transport.sent.clear()
            client.transport.writes.clear()
            client.protocol.data_received(frame)
        gc.collect()
        counts.append(sys.getallocatedblocks())
    assert sim.engine.stats()["queued"] == 200 * BATCH
    assert abs(counts[1] - counts[0]) < 200
