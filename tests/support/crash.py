"""Kills a server at random moments of random work by several clients, starts it again, and asks it what they know.

A kill comes after so many replies, or at a file operation by the file layer. Which requests were under way then is the
machine's business; everything else comes from the seed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop

from flashq.config import Settings
from support.filelayer import Action, FileLayer, Kind
from support.ledger import Ledger, now_ms
from support.look import Ask
from support.model_parts import SHARDS, Message
from support.server import ServerProcess
from support.shared import QUEUE, Shared
from support.simulated import simulation
from support.twin import first_model
from support.wire import CODECS, AsyncClient, Client, Closed

SHARES = 3
WORKERS = 2
CHUNK = 100         # requests at a time, when all is looked at
REPLIES = 400       # at most, before a kill
FLAGS = ("--data-dir", "data", "--segment-size", "64KB", "--checkpoint-factor", "1", "--lease", "10m",
         "--keep-completed", "1000000", "--keep-results", "1000000", "--keep-result-bytes", "1GB")
# Kinds of calls in which a kill may come, and after about how many of them.
CALLS = {Kind.WRITE: 150, Kind.SYNC: 150, Kind.OPEN: 12, Kind.RENAME: 6, Kind.ALLOCATE: 4, Kind.UNLINK: 4,
         Kind.CLOSE: 8}
GONE = (Closed, ConnectionError, OSError)


class Crash:
    """One directory, and a server on it that is killed again and again."""

    def __init__(self, home: Path, seed: int, durability: str = "commit") -> None:
        print(f"crash test of seed {seed}, {durability}, in {home}")
        self.home = home
        self.rng = random.Random(seed)
        self.flags = (*FLAGS, "--durability", durability)
        self.layer = FileLayer(home, home)
        self.server: ServerProcess | None = None
        self.epoch = 0
        self.kills = 0
        self.replies = 0
        self.over = False
        self.did: Counter[str] = Counter()
        self.shared = Shared(random.Random(f"{seed}-shared"))
        self.start()
        self.ledgers = [self.ledger(number, names) for number, names in enumerate(names_of_own_shards(SHARES))]

    # --- the server -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Also, now and then, in spite of a kill while it starts."""
        if self.kills and self.rng.random() < 0.3:
            kind = self.rng.choice([Kind.WRITE, Kind.SYNC, Kind.OPEN, Kind.RENAME, Kind.ALLOCATE, Kind.UNLINK])
            self.layer.rule(0, kind, self.rng.choice([Action.KILL, Action.KILL_AFTER]), first=self.rng.randint(1, 6))
            with suppress(AssertionError):
                self.server = ServerProcess(self.home, *self.flags, env=self.layer.env)
                self.kill("before its first request")
        self.layer.clear()
        self.server = ServerProcess(self.home, *self.flags, env=self.layer.env)
        self.look_at_epoch()

    def look_at_epoch(self) -> None:
        assert self.server is not None
        with self.server.client() as client:
            client.ok("PUSH", queue="epochs")
            job = client.ok("PULL", queue="epochs", timeout=0)["job"]
            assert client.ok("ACK", id=job["id"], token=job["token"])
            epoch = job["token"] >> 32
        assert epoch > self.epoch, "tokens of before the start would be good again"
        self.epoch = epoch

    def kill(self, when: str) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.check_log()
        self.kills += 1
        self.did[f"killed {when}"] += 1

    def ledger(self, number: int, names: Sequence[str]) -> Ledger:
        """A share of the server: queues whose ids only it moves on."""
        assert self.server is not None
        with self.server.client() as client:
            ids = {name: client.ok("PUSH", queue=name)["id"] for name in names}
            for job_id in ids.values():
                client.ok("CANCEL", id=job_id)
        settings = Settings(lease=600_000, keep_completed=1_000_000, keep_results=1_000_000)
        model = first_model(ids, now_ms(), now_ms(), self.epoch, settings)
        return Ledger(model, random.Random(f"{self.rng.random()}-{number}"), f"s{number}-")

    # --- a round ----------------------------------------------------------------------------------------------------

    def round(self) -> None:
        """Work, a kill, a start, and a look at everything."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.work_until_killed())
        self.start()
        self.check()

    async def work_until_killed(self) -> None:
        assert self.server is not None
        left = self.rng.randint(1, REPLIES)
        if self.rng.random() < 0.4:
            kind, most = self.rng.choice(list(CALLS.items()))
            action = self.rng.choice([Action.KILL, Action.KILL_AFTER])
            self.layer.rule(0, kind, action, first=self.rng.randint(1, most))
            self.did[f"armed at {kind.name}"] += 1
            left = REPLIES
        await self.work(left, lambda alive: self.kill("from outside" if alive else "by a call"))

    async def work(self, replies: int, end: Callable[[bool], None] | None = None) -> None:
        """All at once, until there were so many replies or the server has gone; `end` hears whether it is alive, in
        the middle of everything. Without it each client stops after its next reply.
        """
        assert self.server is not None
        self.replies, self.over = 0, False
        async with asyncio.TaskGroup() as crowd:
            for ledger in self.ledgers:
                crowd.create_task(self.own_work(ledger))
            for _ in range(WORKERS):
                crowd.create_task(self.shared_work())
            while self.replies < replies and self.server.process.poll() is None:
                await asyncio.sleep(0)
            if end is not None:
                end(self.server.process.poll() is None)
            self.over = end is None

    async def connect(self) -> AsyncClient:
        assert self.server is not None
        return await AsyncClient.open(self.server.address, CODECS[self.rng.choice(["json", "msgpack"])])

    async def own_work(self, ledger: Ledger) -> None:
        with suppress(*GONE):
            async with await self.connect() as client:
                while not self.over:
                    requests = ledger.choose()
                    await asyncio.sleep(ledger.pause_before(requests))
                    asked = ledger.sent(requests)
                    client.writer.write(b"".join(map(client.codec.encode, requests)))
                    for one in asked:
                        ledger.answered(one, await client.receive())
                        self.replies += 1

    async def shared_work(self) -> None:
        with suppress(*GONE):
            async with await self.connect() as client:
                await self.shared.reclaim(client)
                while not self.over:
                    await self.shared.step(client)
                    self.replies += 1

    # --- looking ----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        assert self.server is not None
        with self.server.client(CODECS[self.rng.choice(["json", "msgpack"])]) as client:
            ask = asking(client)
            for ledger in self.ledgers:
                ledger.check(ask, self.epoch)
            self.shared.check(ask)
            self.check_totals(client)
            for ledger in self.ledgers:
                self.go_on(client, ledger)

    def check_totals(self, client: Client) -> None:
        """The whole is the sum of its parts."""
        stats = client.ok("STATS")
        parts = stats["queues"]
        names = {"queued": "waiting", "processing": "active", "delayed": "delayed", "dlq": "failed"}
        assert {key: stats[key] for key in names} == {
            key: sum(one[name] for one in parts.values()) for key, name in names.items()}
        known = {QUEUE, "epochs", *(name for ledger in self.ledgers for name in ledger.model.shards)}
        assert set(parts) <= known
        for ledger in self.ledgers:
            for one in ledger.model.counts():
                assert {name: parts[one["name"]][name] for name in names.values()} == {
                    name: one[name] for name in names.values()}
        assert stats["completed"] >= sum(ledger.model.completed for ledger in self.ledgers) + len(self.shared.done)

    def go_on(self, client: Client, ledger: Ledger) -> None:
        """Where its ids go on."""
        model = ledger.model
        for name, shard in model.shards.items():
            job_id = client.ok("PUSH", queue=name)["id"]
            client.ok("CANCEL", id=job_id)
            assert job_id % SHARDS == shard and job_id // SHARDS >= model.sequences[shard], f"id {job_id} is used again"
            model.sequences[shard] = job_id // SHARDS + 1
            model.queue(name)

    def end(self) -> None:
        """Everything that is shared gets done; a stop and a start change nothing."""
        assert self.server is not None

        async def finish() -> None:
            async with await self.connect() as client:
                await self.shared.finish(client)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(finish())
        self.server.stop()
        self.start()
        self.check()
        assert self.server is not None
        self.server.stop()
        done = f"{len(self.shared.done)} of {len(self.shared.pushed)} shared jobs done"
        print(f"{self.kills} kills: {dict(self.did)}; {done}; {dict(self.shared.did)}")

    def close(self) -> None:
        if self.server is not None:
            self.server.kill()


def run_crashes(home: Path, seed: int, rounds: int, durability: str = "commit") -> Crash:
    """So many kills."""
    crash = Crash(home, seed, durability)
    try:
        for _ in range(rounds):
            crash.round()
        crash.end()
    finally:
        crash.close()
    return crash


def asking(client: Client) -> Ask:
    """Asks over one connection, many at once."""

    def ask(requests: list[Message]) -> list[Message]:
        replies: list[Message] = []
        for at in range(0, len(requests), CHUNK):
            chunk = requests[at:at + CHUNK]
            client.send_raw(b"".join(map(client.codec.encode, chunk)))
            replies += [client.receive() for _ in chunk]
        return replies

    return ask


def names_of_own_shards(shares: int, each: int = 3) -> list[list[str]]:
    """Queue names such that no two are in one shard: then each share alone moves on the ids of its own."""
    names: dict[int, str] = {}
    with simulation() as sim:
        client = sim.connect()
        taken = {client.push(name) % SHARDS for name in (QUEUE, "epochs")}
        number = 0
        while len(names) < shares * each:
            shard = client.push(f"q{number}") % SHARDS
            if shard not in taken:
                names.setdefault(shard, f"q{number}")
            number += 1
    chosen: list[Any] = list(names.values())
    return [chosen[at * each:(at + 1) * each] for at in range(shares)]
