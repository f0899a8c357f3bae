"""A simulated server and its model, led through one random history, step by step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flashq.config import Settings
from support.history import SHORT, Requests, Times
from support.look import View, differences, expected, look
from support.model_parts import SHARDS, Message
from support.model_restart import RestartModel
from support.simulated import EPOCH, Client, Simulation
from support.wire import CODECS

QUEUES = ("a", "b.2", "ü")
LIMITS = {"lease": 30_000, "disconnect_grace": 5_000, "lost_workers": 3}
KEEPING = {"keep_completed": 1000, "keep_results": 1000}
# Then jobs must not say how long they are kept. Which of them are still whole is not told to the journal.
FORGETTING = {"keep_completed": 12, "keep_results": 1000}
IDLE_MS = 60_000
CONNECTIONS = 2


@dataclass(frozen=True)
class Step:
    """A request of one of the connections, or time that passes, or a hang-up."""

    who: int = 0
    request: Message | None = None
    ms: int = 0


def model_of(sim: Simulation) -> RestartModel:
    """A model of a new server that knows where each queue's ids go on, from one job that is gone again."""
    probe = sim.connect()
    ids = {name: probe.push(name) for name in QUEUES}
    for job_id in ids.values():
        probe.ok("CANCEL", id=job_id)
    probe.disconnect()
    return first_model(ids, sim.loop.wall, sim.loop.mono, EPOCH, sim.settings)


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
    """`sim` and `model`; each step goes to both, and their replies are compared."""

    def __init__(self, sim: Simulation, model: RestartModel, rng: random.Random, times: Times = SHORT) -> None:
        self.sim = sim
        self.model = model
        self.rng = rng
        self.requests = Requests(rng, QUEUES, times=times)
        self.requests.keeping = sim.settings.keep_completed >= KEEPING["keep_completed"]
        self.pairs = [self._connected() for _ in range(CONNECTIONS)]

    def _connected(self) -> tuple[Client, Any]:
        codec = CODECS[self.rng.choice(["json", "msgpack"])]
        return self.sim.connect(codec), self.model.connect(len(self.model.clients))

    def choose(self) -> Step:
        """What comes next."""
        who = self.rng.randrange(CONNECTIONS)
        chosen = self.rng.random()
        if chosen < 0.12:
            return Step(ms=self.rng.choice([1, 4, 39, 41, 999, 5001, 29_999, 61_000]))
        if chosen < 0.14:
            return Step(who)
        return Step(who, self.requests.next(self.model))

    def step(self, step: Step) -> None:
        """Take it on both sides."""
        if step.request is not None:
            self.ask(step.who, step.request)
        elif step.ms:
            self.pass_time(step.ms)
        else:
            wire, client = self.pairs[step.who]
            self.avoid_meeting(LIMITS["lease"])
            wire.disconnect()
            self.model.disconnect(client)
            self.pairs[step.who] = self._connected()

    def ask(self, who: int, request: Message) -> None:
        wire, client = self.pairs[who]
        wire.send_raw(wire.codec.encode(request))
        self.model.request(client, request)
        self.model.advance(0)           # a job may be over its time when it comes back from its worker
        self.settle()
        found, wanted = wire.replies(), client.replies
        client.replies = []
        assert found == wanted, f"{request}: {found} and not {wanted}"

    def settle(self) -> None:
        """What was asked is answered: a store that needs time for it gets it here."""

    def avoid_meeting(self, wait: int) -> None:
        """Connections whose time ends at the same instant end in no defined order."""
        while any(owner.due == self.model.mono + wait for owner in self.model.owners):
            self.pass_time(1)

    def pass_time(self, ms: int) -> None:
        """Up to each deadline, and past it."""
        end = self.model.mono + ms
        while self.model.mono < end:
            due = min(self.model.deadlines(), default=end)
            step = min(max(due - self.model.mono - 1, 1), end - self.model.mono)
            self.sim.advance(step)
            self.model.advance(step)
            self.forget_idle_queues()

    def forget_idle_queues(self) -> None:
        """The server may forget queues that nobody needs, some time after the last use."""
        known = {one["name"] for one in self.sim.engine.queues()}
        for name in set(self.model.queues) - known:
            assert self.model.is_idle(name) and self.model.mono - self.model.queues[name].touched >= IDLE_MS, name
            del self.model.queues[name]

    def compare(self) -> None:
        """All that can be seen."""
        self.sim.engine.run_due()       # completed jobs over the limits go in slices: now all
        self.forget_idle_queues()
        told = differences(expected(self.model), self.look())
        assert told == [], "\n".join(told[:20])

    def look(self) -> View:
        return look(asking(self.sim), self.model.queues, self.model.issued)


def asking(sim: Simulation) -> Any:
    """Asks a simulated server, over a connection of its own."""

    def ask(requests: Sequence[Message]) -> list[Message]:
        client = sim.connect()
        replies = [client.call(**request) for request in requests]
        client.disconnect()
        return replies

    return ask
