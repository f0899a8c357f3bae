"""A crowd of connections around one server: some work honestly, most sit idle, and the rest misbehave, by a seed.

What the honest ones were told is kept in a Ledger, and must be true to the last job in the end.
"""

import asyncio
import random
import socket
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field

import uvloop

from support.garbage import noise, stream
from support.process import resident_bytes
from support.server import ServerProcess
from support.wire import CODECS, AsyncClient, Closed

QUEUE = "honest"
BACKLOG = 2000  # producers wait for workers past it
PATIENCE = 5.0  # seconds that a hostile client gives a step
GONE = (Closed, ConnectionError, TimeoutError, OSError)
RESET = struct.pack("ii", 1, 0)


@dataclass
class Ledger:
    """What honest clients were told by the server."""

    pushed: set[int] = field(default_factory=set)
    done: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)  # hostile acts by name

    @property
    def backlog(self) -> int:
        return len(self.pushed) - len(self.done)


class Swarm:
    """Runs the crowd for some seconds."""

    def __init__(self, server: ServerProcess, connections: int, seconds: float, seed: int) -> None:
        self.address = server.address
        self.pid = server.pid
        self.peak = 0  # resident bytes
        self.connections = connections
        self.seconds = seconds
        self.seed = seed
        self.ledger = Ledger()
        self.large = 0  # id of a job with a large payload
        self.over = asyncio.Event()
        self.open = 0
        self.most_open = 0

    @classmethod
    def rage(cls, server: ServerProcess, connections: int, seconds: float, seed: int) -> "Swarm":
        """Run a whole swarm to its end, on a loop of its own."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            swarm = cls(server, connections, seconds, seed)
            runner.run(swarm.run())
        return swarm

    async def run(self) -> None:
        honest = max(4, self.connections // 200)
        churning = self.connections // 8
        async with await AsyncClient.open(self.address) as client:
            self.large = (await client.ok("PUSH", queue="large", data="x" * 500_000))["id"]
        async with asyncio.TaskGroup() as workers:
            for n in range(honest):
                workers.create_task(self.worker(self.chance("worker", n)))
            async with asyncio.TaskGroup() as crowd:
                crowd.create_task(self.clock())
                for n in range(honest):
                    crowd.create_task(self.producer(self.chance("producer", n)))
                for n in range(churning):
                    crowd.create_task(self.misbehave(self.chance("bad", n)))
                for n in range(self.connections - churning - 2 * honest):
                    crowd.create_task(self.idle(self.chance("idle", n)))

    def chance(self, role: str, n: int) -> random.Random:
        return random.Random(f"{self.seed}-{role}-{n}")

    async def clock(self) -> None:
        """Ends it all; looks at the server's memory on the way."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        while loop.time() < end:
            await asyncio.sleep(min(0.5, self.seconds / 10))
            self.peak = max(self.peak, resident_bytes(self.pid))
        self.over.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not past the end."""
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return

    async def connect(self, rng: random.Random) -> AsyncClient:
        """One more connection, from an address of its own where there are many: one has only 28,000 ports."""
        here = (f"127.0.0.{rng.randint(1, 200)}", 0) if sys.platform == "linux" else None
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(*self.address, local_addr=here)
        return AsyncClient(reader, writer, CODECS[rng.choice(["json", "msgpack"])])

    # -- honest work ------------------------------------------------------------------------------------------

    async def producer(self, rng: random.Random) -> None:
        async with await self.connect(rng) as client:
            while not self.over.is_set():
                if self.ledger.backlog > BACKLOG:
                    await client.ok("PING")
                elif rng.random() < 0.5:
                    self.ledger.pushed.add((await client.ok("PUSH", queue=QUEUE, data=rng.random()))["id"])
                else:
                    jobs = [{"data": "d" * rng.randint(0, 300), "priority": rng.randint(-1, 1)} for _ in range(20)]
                    self.ledger.pushed.update((await client.ok("PUSHB", queue=QUEUE, jobs=jobs))["ids"])

    async def worker(self, rng: random.Random) -> None:
        """Until the end, and then until every job is done: also those that thieves took with them."""
        async with await self.connect(rng) as client:
            while not self.over.is_set() or self.ledger.backlog:
                pulled = await client.ok("PULLB", queue=QUEUE, count=rng.randint(1, 30), timeout=200)
                for job in pulled["jobs"]:
                    await client.send("ACK", id=job["id"], token=job["token"])
                for job in pulled["jobs"]:
                    reply = await client.receive()
                    if reply["ok"]:
                        self.ledger.done[job["id"]] += 1
                    else:
                        self.ledger.refused.append(reply["error"])

    async def idle(self, rng: random.Random) -> None:
        """Connected all the time, with a question now and then, which is answered."""
        await self.pause(rng.random() * self.seconds / 4)
        async with await self.connect(rng) as client:
            self.open += 1
            self.most_open = max(self.open, self.most_open)
            while not self.over.is_set():
                asked = str(rng.random())
                assert (await client.ok("PING", reqId=asked))["reqId"] == asked
                await self.pause(rng.uniform(0.2, 1.0) * self.seconds)

    # -- hostile acts -----------------------------------------------------------------------------------------

    async def misbehave(self, rng: random.Random) -> None:
        acts = [self.babble, self.stop_half_way, self.steal, self.park_and_leave, self.read_slowly, self.crawl]
        while not self.over.is_set():
            act = rng.choice(acts)
            self.ledger.did[act.__name__] += 1
            client = await self.connect(rng)
            try:
                async with asyncio.timeout(PATIENCE):
                    await act(client, rng)
            except GONE:
                self.ledger.did["cut"] += 1
            finally:
                self.leave(client, rng)
            await self.pause(rng.random() * 0.2)

    def leave(self, client: AsyncClient, rng: random.Random) -> None:
        """Politely, or with a reset in the middle of whatever is under way."""
        if rng.random() < 0.5:
            connected = client.writer.get_extra_info("socket")
            if connected is not None and connected.fileno() >= 0:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.writer.transport.abort()

    async def babble(self, client: AsyncClient, rng: random.Random) -> None:
        client.writer.write(stream(rng, client.codec) if rng.random() < 0.7 else noise(rng, rng.randint(1, 5000)))
        await client.writer.drain()
        if rng.random() < 0.5:
            client.writer.write_eof()
            await client.reader.read(1 << 16)

    async def stop_half_way(self, client: AsyncClient, rng: random.Random) -> None:
        frame = client.codec.encode({"cmd": "PUSH", "queue": "half", "data": "x" * rng.randint(0, 50_000)})
        client.writer.write(frame[: rng.randint(1, len(frame) - 2)])
        await client.writer.drain()
        await self.pause(rng.random())

    async def steal(self, client: AsyncClient, rng: random.Random) -> None:
        """Pull honest jobs and go, with the reply unread or half-read."""
        await client.send("PULLB", queue=QUEUE, count=rng.randint(1, 20), timeout=rng.choice([0, 50]))
        if rng.random() < 0.7:
            await client.reader.read(rng.randint(1, 500))

    async def park_and_leave(self, client: AsyncClient, rng: random.Random) -> None:
        for n in range(rng.randint(1, 5)):
            await client.send("PULL", queue=QUEUE, **({"reqId": str(n)} if rng.random() < 0.8 else {}))
            await client.send("PING")

    async def read_slowly(self, client: AsyncClient, rng: random.Random) -> None:
        """Ask for far more than is read; some are closed for it."""
        client.writer.write(client.codec.encode({"cmd": "GETJOB", "id": self.large}) * rng.randint(2, 40))
        while not self.over.is_set():
            await client.reader.read(1000)
            await self.pause(rng.random() * 3)

    async def crawl(self, client: AsyncClient, rng: random.Random) -> None:
        for byte in client.codec.encode({"cmd": "PING", "reqId": "crawl"}):
            client.writer.write(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.receive())["reqId"] == "crawl"
