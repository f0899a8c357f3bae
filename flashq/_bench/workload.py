"""Workloads by name, on top of the generator: connect, run, and say what it cost on both sides."""
import socket
import time
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from flashq._bench import process
from flashq._bench.frames import Frames, marks
from flashq._bench.histogram import Histogram
from flashq._bench.loadgen import BenchError, Generator, Outcome
from flashq._bench.traffic import Work

AFTERMATH_SECONDS = 0.005           # what the server does behind its last reply is part of the cost
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}


@dataclass(frozen=True)
class Target:
    """Where the server is: a TCP address or a Unix socket, and how to be let in."""

    host: str = "127.0.0.1"
    port: int = 6789
    path: str = ""
    token: str = ""
    pid: int | None = None

    def connect(self) -> socket.socket:
        """One connection."""
        if self.path:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.path)
        else:
            sock = socket.create_connection((self.host, self.port), timeout=10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def server_pid(self) -> int | None:
        """The server's process, where it can be found out."""
        if self.pid is not None or not (self.path or self.port):
            return self.pid
        if not self.path:
            return process.listener_pid(self.host, self.port)
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        with self.connect() as sock:
            return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")

    def generator(self, connections: int, frames: Frames) -> Generator:
        """That many connections, authenticated when there is a token, for runs in the frames' format."""
        generator = Generator([self.connect() for _ in range(connections)], frames.binary)
        if self.token:
            generator.run(Work.FIXED, frames.encode("AUTH", token=self.token), count=1)
        return generator


@dataclass
class Result:
    """One measured run: jobs (or messages), time, and CPU of both sides; latencies in microseconds."""

    items: int
    requests: int
    seconds: float
    generator_cpu_seconds: float
    server_cpu_seconds: float | None
    server_waited_seconds: float | None
    bytes_in: int
    bytes_out: int
    latency_us: dict[str, float]
    paced: bool = False
    id_sum: int = field(repr=False, default=0)

    @property
    def per_second(self) -> float:
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def server_ns(self) -> float | None:
        """CPU of the server for one item."""
        return self.server_cpu_seconds * 1e9 / max(1, self.items) if self.server_cpu_seconds is not None else None

    @property
    def generator_ns(self) -> float:
        return self.generator_cpu_seconds * 1e9 / max(1, self.items)

    @property
    def generator_limited(self) -> bool:
        """The generator's core was full and the server's was not: the throughput is the generator's."""
        if self.paced or not self.seconds or self.generator_cpu_seconds / self.seconds <= 0.9:
            return False
        return self.server_cpu_seconds is None or self.server_cpu_seconds / self.seconds < 0.9

    def as_dict(self) -> dict[str, Any]:
        """Everything, with what is derived from it; for --json."""
        derived = {"per_second": self.per_second, "server_cpu_ns_per_item": self.server_ns,
                   "generator_cpu_ns_per_item": self.generator_ns, "generator_was_limit": self.generator_limited}
        return asdict(self) | derived


def microseconds(latency: Histogram) -> dict[str, float]:
    """Percentiles and the maximum."""
    shown = {name: latency.percentile(percent) / 1000 for name, percent in PERCENTILES.items()}
    return {**shown, "max": latency.max_ns / 1000, "mean": latency.mean_ns / 1000}


def measured(pid: int | None, run: Callable[[], Outcome], paced: bool = False) -> tuple[Result, Outcome]:
    """Run it, with the server's CPU before and after. A paced run waits by spinning: its generator CPU says nothing."""
    before = process.cost(pid) if pid is not None else None
    outcome = run()
    if pid is not None:
        time.sleep(AFTERMATH_SECONDS)
    after = process.cost(pid) if pid is not None else None
    spent = process.Cost(after.cpu_ns - before.cpu_ns, after.waited_ns - before.waited_ns) if before and after else None
    return Result(
        items=outcome.items,
        requests=outcome.requests,
        seconds=outcome.wall_ns / 1e9,
        generator_cpu_seconds=outcome.cpu_ns / 1e9,
        server_cpu_seconds=spent.cpu_ns / 1e9 if spent else None,
        server_waited_seconds=spent.waited_ns / 1e9 if spent else None,
        bytes_in=outcome.bytes_in,
        bytes_out=outcome.bytes_out,
        latency_us=microseconds(outcome.latency),
        paced=paced,
        id_sum=outcome.id_sum,
    ), outcome


class Bench:
    """Connections to one server, and the workloads over them. `pid`: whose CPU to read."""

    def __init__(self, target: Target, frames: Frames, connections: int = 10, depth: int = 1) -> None:
        self.frames = frames
        self.depth = depth
        self.pid = target.server_pid()
        self.generator = target.generator(connections, frames)
        self.outcome: Outcome | None = None
        self.numbered = 0           # jobs that carry a number, so far

    def _measure(self, work: Work, frame: bytes = b"", **options: Any) -> Result:
        options = {"depth": self.depth, **options}
        paced = work == Work.DELIVER
        result, self.outcome = measured(self.pid, lambda: self.generator.run(work, frame, **options), paced)
        return result

    def push(self, count: int, batch: int = 1, seconds: float = 60.0, delay_ms: int = 0, **options: Any) -> Result:
        """`count` jobs at most (0: no such end), one by one or in whole batches; `delay_ms` only one by one."""
        if batch == 1:
            frame = self.frames.push(delay=delay_ms) if delay_ms else self.frames.push()
            return self._measure(Work.PUSH, frame, count=count, seconds=seconds, **options)
        return self._measure(Work.PUSHB, self.frames.push_batch(batch), count=-(-count // batch), batch=batch,
                             seconds=seconds, **options)

    def push_tied(self, count: int, batch: int, seconds: float = 60.0, **options: Any) -> Result:
        """As `push` in batches, each job with a unique key, tags and a custom id that no other of this Bench has."""
        frame = self.frames.push_tied(batch)
        result = self._measure(Work.PUSHB, frame, count=-(-count // batch), batch=batch, seconds=seconds,
                               marks=marks(frame), marks_each=2, first_number=self.numbered, **options)
        self.numbered += result.items
        return result

    def process(self, batch: int = 1, seconds: float = 60.0, **options: Any) -> Result:
        """Pull and acknowledge until the queue is empty."""
        options = {"job_tail": self.frames.job_tail, "seconds": seconds, **options}
        if batch == 1:
            return self._measure(Work.PULL_ACK, self.frames.pull(), **self.frames.with_id("ACK"), **options)
        return self._measure(Work.PULLB_ACKB, self.frames.pull_batch(batch), batch=batch,
                             **self.frames.with_ids("ACKB"), **options)

    def pull(self, count: int, **options: Any) -> Result:
        """Pull and do not acknowledge; the ids stand in `outcome.ids`."""
        return self._measure(Work.PULL, self.frames.pull(), count=count, keep=count, job_tail=self.frames.job_tail,
                             **options)

    def by_id(self, command: str, ids: "array[int]", **options: Any) -> Result:
        """One request for each id: ACK, CANCEL, or GETJOB, whose job is checked."""
        work = Work.GET_BY_ID if command == "GETJOB" else Work.BY_ID
        return self._measure(work, given=ids, job_tail=self.frames.job_tail, **self.frames.with_id(command), **options)

    def echo(self, count: int, batch: int = 1, seconds: float = 60.0, **options: Any) -> Result:
        """The push frames against a server that sends back what it gets; items are messages."""
        frame = self.frames.push() if batch == 1 else self.frames.push_batch(batch)
        return self._measure(Work.ECHO, frame, count=count, seconds=seconds, **options)

    def latency(self, count: int, rate: float, seconds: float = 60.0) -> Result:
        """From push to delivery, one job at a time; needs two connections."""
        return self._measure(Work.DELIVER, self.frames.pull(60_000), depth=1, count=count, seconds=seconds, rate=rate,
                             probe=self.frames.push(), job_tail=self.frames.job_tail, **self.frames.with_id("ACK"))

    def checked_drain(self, pushed: Result, batch: int, seconds: float = 60.0) -> Result:
        """Process what `pushed` pushed; raises BenchError unless exactly those jobs came."""
        drained = self.process(batch, seconds)
        if drained.items != pushed.items or drained.id_sum != pushed.id_sum:
            raise BenchError(f"pushed {pushed.items} jobs and processed {drained.items}, or not the same ones: "
                             "is the queue used by others?")
        return drained
