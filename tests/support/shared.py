"""Work that several clients share, and what they were told of it: nothing is lost, nothing that is done comes back."""

import random
from collections import Counter
from dataclasses import dataclass, field

from support.ledger import NOTHING_DONE
from support.look import Ask
from support.model_parts import Message
from support.wire import AsyncClient

QUEUE = "shared"


@dataclass
class Shared:
    """What is known of the jobs of one queue."""

    rng: random.Random
    pushed: set[int] = field(default_factory=set)           # acknowledged
    done: set[int] = field(default_factory=set)             # likewise
    perhaps_done: set[int] = field(default_factory=set)     # the ACK was on its way at a crash
    open_pushes: int = 0                                    # jobs of pushes on their way
    open_acks: dict[int, int] = field(default_factory=dict)  # id to token
    held: dict[int, int] = field(default_factory=dict)      # delivered: id to token
    did: Counter[str] = field(default_factory=Counter)

    async def push(self, client: AsyncClient) -> None:
        count = self.rng.randint(1, 20)
        self.open_pushes += count
        reply = await client.call("PUSHB", queue=QUEUE, jobs=[{"data": n, "max_attempts": 1} for n in range(count)])
        if self.failed(reply):
            return
        self.open_pushes -= count
        if not reply["ok"]:
            assert reply["code"] in NOTHING_DONE, reply
            return
        assert not self.pushed.intersection(reply["ids"]), "an id is used again"
        self.pushed.update(reply["ids"])

    async def pull(self, client: AsyncClient) -> None:
        reply = await client.call("PULLB", queue=QUEUE, count=self.rng.randint(1, 20), timeout=0)
        for job in reply.get("jobs", []):
            assert job["id"] not in self.done, f"job {job['id']} was done, and comes back"
            self.held[job["id"]] = job["token"]

    async def ack(self, client: AsyncClient) -> None:
        if self.held:
            job_id = self.rng.choice(list(self.held))
            await self.ack_of(client, job_id, self.held.pop(job_id))

    async def ack_of(self, client: AsyncClient, job_id: int, token: int) -> bool | None:
        """Whether it was taken; None when nobody knows."""
        self.open_acks[job_id] = token
        reply = await client.call("ACK", id=job_id, token=token)
        if self.failed(reply):
            return None
        del self.open_acks[job_id]
        if reply["ok"]:
            assert job_id not in self.done, f"job {job_id} is done twice"
            self.done.add(job_id)
        self.did["ack" if reply["ok"] else reply["code"]] += 1
        return bool(reply["ok"])

    def failed(self, reply: Message) -> bool:
        """Whether nobody knows what became of the request."""
        return reply.get("code") == "STORAGE_FAILED"

    async def step(self, client: AsyncClient) -> None:
        await self.rng.choice([self.push, self.pull, self.pull, self.ack, self.ack, self.ack])(client)

    def check(self, ask: Ask) -> None:
        """After a crash: each job is in one state, and in one that it may be in."""
        states: dict[int, str] = {}
        for state in ("waiting", "delayed", "active", "completed", "failed"):
            for job_id in listed(ask, state):
                assert job_id not in states, f"job {job_id} is {state} and {states[job_id]}"
                states[job_id] = state
        self.perhaps_done |= set(self.open_acks)
        unheard = set(states) - self.pushed
        assert len(unheard) <= self.open_pushes, f"jobs that nobody asked for: {unheard}"
        assert self.pushed <= set(states), f"lost: {self.pushed - set(states)}"
        completed = {job_id for job_id, state in states.items() if state == "completed"}
        assert self.done <= completed, f"done, and not so any more: {self.done - completed}"
        assert completed <= self.done | self.perhaps_done, "done by nobody"
        assert set(states.values()) <= {"waiting", "active", "completed"}
        self.pushed |= unheard
        self.done = completed
        self.open_pushes = 0
        self.open_acks.clear()

    async def reclaim(self, client: AsyncClient) -> None:
        """Tokens of before the crash are good for what is still held, and for nothing else."""
        for job_id, token in list(self.held.items()):
            if self.rng.random() < 0.5 and self.held.pop(job_id, None) is not None:
                shown = await client.call("GETJOB", id=job_id)
                if self.failed(shown):
                    return
                may = shown["state"] == "active" and shown["job"]["token"] == token
                assert await self.ack_of(client, job_id, token) in (may, None), f"{shown}, token {token}"

    async def finish(self, client: AsyncClient) -> None:
        """Everything is done in the end, by whoever gets it."""
        for job_id, token in list(self.held.items()):
            await self.ack_of(client, job_id, token)
        self.held.clear()
        while jobs := (await client.ok("PULLB", queue=QUEUE, count=1000, timeout=0))["jobs"]:
            for job in jobs:
                assert await self.ack_of(client, job["id"], job["token"])


def listed(ask: Ask, state: str) -> list[int]:
    """All jobs of the queue in a state."""
    found: list[int] = []
    total = 1
    while len(found) < total:
        request: Message = {"cmd": "GETJOBS", "queue": QUEUE, "state": state, "limit": 1000, "offset": len(found)}
        (page,) = ask([request])
        total = page["total"]
        assert page["jobs"] or total == 0
        found += [job["id"] for job in page["jobs"]]
    return found
