"""The real hub, connections, engine and cold tier in this process, on time, transports and a store in the test's hands.

Nothing here sleeps or listens: time passes when `advance` is called, and bytes move when a client sends or takes them.
"""

import heapq
import itertools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flashq import commands
from flashq._core import fieldtable, records
from flashq._core.connection import Connection
from flashq._core.engine import Engine
from flashq.config import load
from flashq.server.wiring import wire
from support.wire import JSON, Codec, Message

START_MONO = 1_000_000
START_WALL = 1_700_000_000_000
EPOCH = 7
SHARDS = 32
RECOVER = os.environ.get("FLASHQ_TEST_RECOVER") == "1"  # every simulation ends with a recovery of what it recorded


class Handle:
    """What call_later gives back."""

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop:
    """Two clocks in ms and the timers set on them; nothing fires but in `settle`."""

    def __init__(self) -> None:
        self.mono = START_MONO
        self.wall = START_WALL
        self._timers: list[tuple[int, int, Handle]] = []
        self._order = itertools.count()

    def clock(self) -> tuple[int, int]:
        return self.wall, self.mono

    def call_later(self, seconds: float, callback: Callable[..., object], *args: Any) -> Handle:
        handle = Handle(callback, args)
        # Rounding first: 0.001 * 1000 is a little more than 1.
        when = self.mono + math.ceil(round(seconds * 1000, 3))
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def next_due(self) -> int | None:
        """When the next timer fires; None without one."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def fire_next(self) -> None:
        """Fire the first timer, which must not be a cancelled one."""
        handle = heapq.heappop(self._timers)[2]
        handle.callback(*handle.args)

    def settle(self) -> None:
        """Fire what is due now, and what becomes due by that."""
        for _ in range(100_000):
            due = self.next_due()
            if due is None or due > self.mono:
                return
            self.fire_next()
        raise AssertionError("timers that set each other off for ever")

    def advance(self, ms: int) -> None:
        """Let time pass, stopping at each timer on the way."""
        end = self.mono + ms
        while (due := self.next_due()) is not None and due <= end:
            self._pass(max(due - self.mono, 0))
            self.settle()
        self._pass(end - self.mono)

    def _pass(self, ms: int) -> None:
        self.mono += ms
        self.wall += ms


class Transport:
    """One connection's wire: what the server wrote lies in `sent` until the client takes it."""

    def __init__(self, loop: VirtualLoop, protocol: Connection) -> None:
        self.loop = loop
        self.protocol = protocol
        self.sent = bytearray()             # on its way or arrived
        self.writes: list[int] = []         # size of each write
        self.taking = True                  # whether the client reads
        self.high_water = 1 << 16
        self.writing_paused = False
        self.reading_paused = False
        self.kernel = bytearray()           # sent by the client, not yet read by the server
        self.closing = False
        self.lost = False

    def get_extra_info(self, name: str) -> None:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        self.high_water = high

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0 if self.taking else len(self.sent)

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes) and data, "an empty write"
        assert not self.closing and not self.lost, "written after close"
        self.sent += data
        self.writes.append(len(data))
        if not self.taking and not self.writing_paused and len(self.sent) > self.high_water:
            self.writing_paused = True
            self.protocol.pause_writing()

    def pause_reading(self) -> None:
        assert not self.reading_paused
        self.reading_paused = True

    def resume_reading(self) -> None:
        assert self.reading_paused
        self.reading_paused = False
        if self.kernel:
            self.loop.call_later(0, self.pump)

    def pump(self) -> None:
        """Hand on what the client has sent, unless the server does not want it now."""
        if self.kernel and not self.reading_paused and not self.lost:
            data = bytes(self.kernel)
            self.kernel.clear()
            self.protocol.data_received(data)

    def take(self) -> None:
        """The client reads again, and all there is."""
        self.taking = True
        if self.writing_paused:
            self.writing_paused = False
            self.protocol.resume_writing()
        if self.closing:
            self.loop.call_later(0, self.lose)

    def close(self) -> None:
        self.closing = True
        if self.taking:
            self.loop.call_later(0, self.lose)

    def abort(self) -> None:
        self.closing = True
        self.loop.call_later(0, self.lose)

    def lose(self) -> None:
        """The connection is gone."""
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(None)


class Client:
    """A client whose requests are executed before `send` returns, unless they must wait."""

    def __init__(self, sim: "Simulation", codec: Codec) -> None:
        self.sim = sim
        self.codec = codec
        self.protocol = Connection(sim.hub)
        self.transport = Transport(sim.loop, self.protocol)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]  # what the server asks of one
        sim.loop.settle()

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, or the client."""
        return self.transport.lost

    def encode(self, cmd: str, **fields: Any) -> bytes:
        return self.codec.encode({"cmd": cmd, **fields})

    def send(self, cmd: str, **fields: Any) -> None:
        self.send_raw(self.encode(cmd, **fields))

    def send_raw(self, data: bytes) -> None:
        """Bytes that arrive in one read event."""
        self.transport.kernel += data
        self.transport.pump()
        self.sim.loop.settle()

    def replies(self) -> list[Message]:
        """What has arrived since the last look; nothing when the client does not read."""
        found = []
        while self.transport.taking and (message := self.codec.take(self.transport.sent)) is not None:
            found.append(message)
        return found

    def call(self, cmd: str, **fields: Any) -> Message:
        """Send a request that is answered at once, alone; the reply."""
        assert self.replies() == []
        self.send(cmd, **fields)
        found = self.replies()
        assert len(found) == 1, f"{cmd} {fields}: {found}"
        return found[0]

    def ok(self, cmd: str, **fields: Any) -> Message:
        reply = self.call(cmd, **fields)
        assert reply["ok"] is True, f"{cmd} {fields}: {reply}"
        return reply

    def error(self, cmd: str, **fields: Any) -> str:
        """The text of a request that must be refused."""
        reply = self.call(cmd, **fields)
        assert reply["ok"] is False, f"{cmd} {fields}: {reply}"
        return str(reply["error"])

    def push(self, queue: str = "q", **options: Any) -> int:
        """The id of a new job."""
        return int(self.ok("PUSH", queue=queue, **options)["id"])

    def push_many(self, count: int, queue: str = "q", **options: Any) -> list[int]:
        """The ids of new jobs that are all alike; past a thousand, a multiple of that."""
        jobs = [{"data": 1, **options}] * min(count, 1000)
        batches = (self.ok("PUSHB", queue=queue, jobs=jobs) for _ in range(count // len(jobs)))
        return [job_id for batch in batches for job_id in batch["ids"]]

    def pull(self, queue: str = "q", **fields: Any) -> Message:
        """The job that a pull without waiting delivers; it must find one."""
        job = self.ok("PULL", queue=queue, **{"timeout": 0, **fields})["job"]
        assert isinstance(job, dict), f"{queue} has no ready job"
        return job

    def pulls_nothing(self, queue: str = "q") -> bool:
        return self.ok("PULL", queue=queue, timeout=0)["job"] is None

    def state(self, job_id: int) -> str:
        return str(self.ok("GETSTATE", id=job_id)["state"])

    def job(self, job_id: int) -> Message:
        """The whole Job; it must exist."""
        job = self.ok("GETJOB", id=job_id)["job"]
        assert isinstance(job, dict)
        return job

    def finish(self) -> None:
        """Half-close: no more requests, replies are still read."""
        if not self.protocol.eof_received() and not self.transport.closing:
            self.transport.close()
        self.sim.loop.settle()

    def disconnect(self) -> None:
        """Hang up."""
        self.transport.lose()
        self.sim.loop.settle()

    def stop_taking(self) -> None:
        self.transport.taking = False

    def take(self) -> None:
        self.transport.take()
        self.sim.loop.settle()


class DelayedStore:
    """A store whose commits come when the test says so; keeps every record."""

    def __init__(self, at_once: bool = False) -> None:
        self.at_once = at_once
        self.sim: Simulation | None = None
        self.log = bytearray()
        self.position = 0
        self.positions: list[int] = []
        self.hurries = 0
        self.pending_bytes = 0

    def append(self, frames: bytes, position: int) -> None:
        assert frames and position > self.position, "positions only grow"
        self.log += frames
        self.position = position
        self.positions.append(position)
        if self.at_once:
            self.commit()

    def hurry(self) -> None:
        self.hurries += 1

    def commit(self, position: int | None = None, synced: int | None = None) -> None:
        """Everything appended, or what stands up to `position`, is durable now; on disk up to `synced`, or likewise."""
        assert self.sim is not None
        self.sim.hub.committed(self.position if position is None else position, synced)
        if not self.at_once:
            self.sim.loop.settle()

    def records(self) -> list[dict[str, Any]]:
        """Every record so far, with the position of its frame."""
        return [{**record, "position": at} for at, group in records.decode(bytes(self.log)) for record in group]


class Simulation:
    """One server. `settings` are those of flashq/config.py, as numbers or text.

    `fill` may put jobs into the engine before it serves; `clock` is (wall ms, monotonic ms) of the start. Or `engine`
    is one that is filled, and `loop` one that does more.
    """

    def __init__(self, store: Any = None, fill: Callable[[Engine], object] | None = None,
                 clock: tuple[int, int] = (START_WALL, START_MONO), loop: VirtualLoop | None = None,
                 engine: Engine | None = None, **settings: Any) -> None:
        fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
        durability = "memory" if store is None else "commit"
        self.settings = load({"memory_limit": 1 << 40, "durability": durability, **settings}, {})
        self.loop = loop or VirtualLoop()
        self.loop.wall, self.loop.mono = clock
        self.engine = engine or Engine(self.settings.engine_limits(), 12345, EPOCH)
        self.engine.tick(*self.loop.clock())
        if fill is not None:
            fill(self.engine)
        self.events: list[tuple[str, dict[str, object]]] = []
        self.clients: list[Client] = []
        self.store = store
        self.wired = wire(self.engine, self.settings, self.loop, self._on_event, store, self.loop.clock)
        self.hub, self.dispatcher = self.wired.hub, self.wired.dispatcher
        self.background = self.wired.background
        self.rooms = self.dispatcher.rooms
        if isinstance(store, DelayedStore):
            store.sim = self

    def _on_event(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def connect(self, codec: Codec = JSON) -> Client:
        client = Client(self, codec)
        self.clients.append(client)
        return client

    def advance(self, ms: int) -> None:
        self.loop.advance(ms)

    def faults(self) -> list[tuple[str, dict[str, object]]]:
        """Logged events that only a bug makes: exceptions that a callback had to swallow."""
        return [one for one in self.events if one[0].endswith("_failed") or "Error(" in str(one[1].get("reason"))]

    def close(self) -> None:
        """Hang up every client and see that no callback failed."""
        for client in self.clients:
            if not client.closed:
                client.disconnect()
        assert self.faults() == []
        assert self.hub.connections == 0


@contextmanager
def simulation(store: DelayedStore | None = None, **settings: Any) -> Iterator[Simulation]:
    """A server that is checked at its end."""
    if RECOVER and store is None:
        store = DelayedStore(at_once=True)
    sim = Simulation(store, **settings)
    yield sim
    if RECOVER and store is not None:
        assert_recovers(sim, store)
    sim.close()


def assert_recovers(sim: Simulation, store: DelayedStore) -> None:
    """What the records say is what there is: by the log alone, and by a checkpoint made now."""
    from support import recovered  # which needs this module

    store.commit()
    ids = recovered.ids_of(store)
    live = recovered.picture(sim.engine, ids)
    recovered.assert_same(live, recovered.picture(recovered.recovered(sim, bytes(store.log)), ids))
    checkpoint = recovered.checkpoint_of(sim.engine)
    recovered.assert_same(live, recovered.picture(recovered.recovered(sim, bytes(store.log), checkpoint), ids))
