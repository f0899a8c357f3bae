"""What perf/durability.py and its rooms share: a directory on a disk, servers of each durability on it, their logs."""
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashq._bench import servers
from flashq._bench.disk import synced_writes
from flashq._bench.loadgen import BenchError
from flashq._bench.workload import Target
from flashq.storage.journal.files import create, fill, reserve
from flashq.storage.journal.format import HEAD_BYTES

MODES = ("memory", "commit", "interval")
IN_MEMORY = {"tmpfs", "ramfs", "overlay"}       # the last says nothing of the disk below
MIB = 1024 * 1024
PATIENCE = 120.0            # seconds that a server may take for something that it does by itself


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def file_system(path: Path) -> str:
    """Kind of the file system that holds the path; empty where there is no /proc."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return ""
    holding = [(len(point), kind) for _, point, kind, *_ in mounts if path.is_relative_to(point)]
    return max(holding)[1] if holding else ""


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A directory of its own on a disk, removed at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    kind = file_system(parent.resolve())
    if kind in IN_MEMORY:
        raise SystemExit(f"{parent} is on {kind}, which is no disk: name a directory on one with --dir")
    with tempfile.TemporaryDirectory(prefix="durability-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def server(mode: str, folder: Path, *flags: str, heard: list[dict[str, Any]] | None = None,
           end: signal.Signals = signal.SIGTERM) -> Iterator[Target]:
    """A server of this durability, on the data directory of that name in the folder."""
    command = [*servers.FLASHQ, "--durability", mode, "--data-dir", str(folder / mode), *flags]
    with servers.started(command, heard, end) as target:
        yield target


def store_of(target: Target) -> dict[str, Any]:
    """How its journal is, as METRICS tells it."""
    with socket.create_connection((target.host, target.port), timeout=60) as client, client.makefile("rb") as reader:
        client.sendall(b'{"cmd":"METRICS"}\n')
        reply: dict[str, Any] = json.loads(reader.readline())
    store: dict[str, Any] = reply["metrics"]["store"]
    return store


def log_bytes(target: Target) -> int:
    """Where the log's next group goes, counted over all its segments since the last checkpoint, all of it written."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        store = store_of(target)
        if store["durable"] == store["position"]:
            return int(store["log_bytes"])
        time.sleep(0.01)
    raise BenchError("the log does not become durable")


def event(heard: list[dict[str, Any]], name: str, after: int = 0) -> dict[str, Any]:
    """The first event of this name behind the first `after` ones, once it is logged."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for entry in heard[after:]:
            if entry["event"] == name:
                return entry
        time.sleep(0.01)
    raise BenchError(f"the server did not log {name} in {PATIENCE:.0f} s")


class Disk:
    """A plain loop of write and fdatasync, into space that is prepared as the journal prepares its segments."""

    SMALL = 200             # bytes: about a group with one push
    SIZE = 64 * MIB         # of a file, as a segment; a new one then

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fd = -1
        self.offset = self.SIZE

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def _writes(self, data: bytes, count: int) -> list[float]:
        """Seconds that each write and its sync took."""
        if self.offset + len(data) * count > self.SIZE:
            self.close()
            path = self.folder / "plain"
            path.unlink(missing_ok=True)
            self.fd = create(path)
            reserve(self.fd, self.SIZE)
            fill(self.fd, self.SIZE, lambda: True)
            self.offset = HEAD_BYTES
        spent = synced_writes(self.fd, data, self.offset, count)
        self.offset += len(data) * count
        return [ns / 1e9 for ns in spent]

    def sync_seconds(self, count: int) -> float:
        """Median of small writes, each synced."""
        return statistics.median(self._writes(os.urandom(self.SMALL), count))

    def bytes_per_second(self, count: int) -> float:
        """Of writes of 1 MiB, each synced."""
        return count * MIB / sum(self._writes(os.urandom(MIB), count))


@dataclass(frozen=True)
class Steal:
    """Time that the hypervisor gave to others, of all processors."""

    ticks: int
    total: int

    @classmethod
    def now(cls) -> "Steal":
        try:
            fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except OSError:
            return cls(0, 0)
        return cls(fields[7], sum(fields))

    def percent_since(self) -> float:
        """Per cent of the time since then."""
        later = self.now()
        return 100 * (later.ticks - self.ticks) / max(1, later.total - self.total)


def middle(values: Iterable[float]) -> float:
    return statistics.median(values)
