"""A simulated server and its model, led through one random history, step by step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flashq.config import Settings
from support.history import SHORT, Requests, Times
from support.look import View, compare, differences, expected, look
from support.model_parts import SHARDS, Message
from support.model_parts import Client as ModelClient
from support.model_restart import RestartModel
from support.simulated import Client, Simulation
from support.wire import CODECS

QUEUES = ("a", "b.2", "ü")
LIMITS = {"lease": 30_000, "disconnect_grace": 5_000, "lost_workers": 3}
KEEPING = {"keep_completed": 1000, "keep_results": 1000}
# Then jobs must not say how long they are kept. Which of them are still whole is not told to the journal.
FORGETTING = {"keep_completed": 12, "keep_results": 1000}
IDLE_MS = 60_000
CONNECTIONS = 2


@dataclass(frozen=True)
class Op:
    """One thing that happens to a server, and to its model."""

    kind: str                   # ask, pass (of time), hang up (and connect again), forget (a queue that nobody needs)
    who: int = 0
    request: Message | None = None
    ms: int = 0
    name: str = ""


def lead(model: RestartModel, clients: list[ModelClient], op: Op) -> list[Message]:
    """Let it happen to the model; the replies that it must give."""
    if op.kind == "ask":
        assert op.request is not None
        client = clients[op.who]
        model.request(client, op.request)
        model.advance(0)                # a job may be over its time when it comes back from its worker
        replies, client.replies = client.replies, []
        return replies
    if op.kind == "pass":
        model.advance(op.ms)
    elif op.kind == "forget":
        del model.queues[op.name]
    else:
        assert op.kind == "hang up"
        model.disconnect(clients[op.who])
        clients[op.who] = model.connect(op.who)
    return []


def model_of(sim: Simulation) -> RestartModel:
    """A model of a new server that knows where each queue's ids go on, from one job that is gone again."""
    probe = sim.connect()
    ids = {name: probe.push(name) for name in QUEUES}
    for job_id in ids.values():
        probe.ok("CANCEL", id=job_id)
    probe.disconnect()
    return first_model(ids, sim.loop.wall, sim.loop.mono, sim.engine.epoch, sim.settings)


def first_model(ids: dict[str, int], wall: int, mono: int, epoch: int, settings: Settings) -> RestartModel:
    """One of a server in which there is nothing: `ids` were the first of the queues, and are gone."""
    sequences: dict[int, int] = {}
    for job_id in ids.values():
        sequences[job_id % SHARDS] = max(sequences.get(job_id % SHARDS, 0), job_id // SHARDS + 1)
    model = RestartModel(
        wall, mono, epoch, {name: job_id % SHARDS for name, job_id in ids.items()}, sequences,
        lease=settings.lease, grace=settings.disconnect_grace, lost_workers=settings.lost_workers,
        keep_completed=settings.keep_completed, keep_results=settings.keep_results,
    )
    for name in ids:
        model.queue(name)
    return model


class Twin:
    """`sim` and `model`; all that happens to the one happens to the other, and their replies are compared."""

    def __init__(self, sim: Simulation, model: RestartModel, rng: random.Random, times: Times = SHORT) -> None:
        self.sim = sim
        self.model = model
        self.rng = rng
        self.requests = Requests(rng, QUEUES, times=times)
        self.requests.keeping = sim.settings.keep_completed >= KEEPING["keep_completed"]
        self.wires = [self._connected() for _ in range(CONNECTIONS)]
        self.clients = [model.connect(number) for number in range(CONNECTIONS)]

    def _connected(self) -> Client:
        return self.sim.connect(CODECS[self.rng.choice(["json", "msgpack"])])

    def step(self) -> None:
        """Something happens."""
        who = self.rng.randrange(CONNECTIONS)
        chosen = self.rng.random()
        if chosen < 0.12:
            self.pass_time(self.rng.choice([1, 4, 39, 41, 999, 5001, 29_999, 61_000]))
        elif chosen < 0.14:
            self.avoid_meeting(LIMITS["lease"])
            self.happens(Op("hang up", who))
        else:
            self.happens(Op("ask", who, self.requests.next(self.model)))

    def happens(self, op: Op) -> None:
        """To both."""
        replies = lead(self.model, self.clients, op)
        if op.kind == "ask":
            assert op.request is not None
            wire = self.wires[op.who]
            wire.send_raw(wire.codec.encode(op.request))
            self.expect(op, replies)
        elif op.kind == "pass":
            self.sim.advance(op.ms)
        elif op.kind == "hang up":
            self.wires[op.who].disconnect()
            self.wires[op.who] = self._connected()

    def expect(self, op: Op, replies: list[Message]) -> None:
        """These replies, now."""
        check_reply(op, replies, self.wires[op.who].replies())

    def avoid_meeting(self, wait: int) -> None:
        """Connections whose time ends at the same instant end in no defined order."""
        while any(owner.due == self.model.mono + wait for owner in self.model.owners):
            self.pass_time(1)

    def pass_time(self, ms: int) -> None:
        """Up to each deadline, and past it."""
        end = self.model.mono + ms
        while self.model.mono < end:
            due = min(self.model.deadlines(), default=end)
            self.happens(Op("pass", ms=min(max(due - self.model.mono - 1, 1), end - self.model.mono)))
            self.forget_idle_queues()

    def forget_idle_queues(self) -> None:
        """The server may forget queues that nobody needs, some time after the last use."""
        known = {one["name"] for one in self.sim.engine.queues()}
        for name in sorted(set(self.model.queues) - known):
            assert self.model.is_idle(name) and self.model.mono - self.model.queues[name].touched >= IDLE_MS, name
            self.happens(Op("forget", name=name))

    def compare(self) -> None:
        """All that can be seen."""
        self.sim.engine.run_due()       # completed jobs over the limits go in slices: now all
        self.forget_idle_queues()
        told = differences(expected(self.model), self.look())
        assert told == [], "\n".join(told[:20])

    def look(self) -> View:
        return look(asking(self.sim), self.model.queues, self.model.issued)


def check_reply(op: Op, wanted: object, found: object) -> None:
    told = list(compare("reply", wanted, found))
    assert told == [], f"{op.request}: {told}"


def asking(sim: Simulation) -> Any:
    """Asks a simulated server, over a connection of its own."""

    def ask(requests: Sequence[Message]) -> list[Message]:
        client = sim.connect()
        replies = [client.call(**request) for request in requests]
        client.disconnect()
        return replies

    return ask


def go_on(sim: Simulation, model: RestartModel) -> None:
    """The model learns from a server that was started again where its ids go on: each queue has one that is gone."""
    probe = sim.connect()
    for name, shard in model.shards.items():
        job_id = probe.push(name)
        probe.ok("CANCEL", id=job_id)
        assert (job_id % SHARDS, job_id // SHARDS >= model.sequences[shard]) == (shard, True), "an id is used again"
        model.sequences[shard] = job_id // SHARDS + 1
        model.queue(name)
    probe.disconnect()
    # What a rate limit lets through is nothing at first.
    sim.advance(1)
    model.advance(1)
