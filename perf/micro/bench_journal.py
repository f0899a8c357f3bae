"""What the journal adds to the disk: from a record to its commit, bytes a second, and how fast a start reads them back.

Beside each figure stands what a plain write and fdatasync of the same size takes on the same disk. `--directory` says
where; what is made there is removed.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from flashq.storage.journal import Journal
from flashq.storage.journal.logscan import checksum
from flashq.storage.journal.reading import Nothing, Reading

RECORD = 100  # bytes of a small frame
LARGE = 5000  # bytes of one where making frames must not be what is measured
PENDING = 8 << 20  # bytes on their way: more wait for the disk


def frames(first: int, count: int, size: int = RECORD) -> bytes:
    """Frames of one record each."""
    payload = bytes(size - 12)
    return b"".join(struct.pack("<IQ", size - 4, first + at) + payload for at in range(count))


def plain(directory: Path, size: int, count: int) -> list[float]:
    """Seconds of each write and fdatasync of `size` bytes, appended."""
    fd = os.open(directory / "plain", os.O_RDWR | os.O_CREAT)
    data = bytes(size)
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        os.write(fd, data)
        os.fdatasync(fd)
        taken.append(time.perf_counter() - start)
    os.close(fd)
    (directory / "plain").unlink()
    return taken


class Running:
    """An open journal, with an event for each commit."""

    def __init__(self, directory: Path, durability: str, segment_size: int) -> None:
        self.journal = Journal(directory, durability=durability, sync_interval_ms=50, segment_size=segment_size)
        self.journal.lock()
        self.journal.load(Nothing(), lambda progress: None)
        self.committed = 0
        self.waiter: asyncio.Future[None] | None = None
        self.journal.open(self._on_commit, print, asyncio.get_running_loop())

    def _on_commit(self, position: int, _synced: int) -> None:
        self.committed = position
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def news(self) -> None:
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter


async def latency(directory: Path, durability: str, count: int) -> list[float]:
    """Seconds from a put to its commit, one record at a time."""
    running = Running(directory, durability, 64 << 20)
    taken = []
    for position in range(1, count + 1):
        data = frames(position, 1)
        start = time.perf_counter()
        running.journal.append(data, position)
        while running.committed < position:
            await running.news()
        taken.append(time.perf_counter() - start)
    running.journal.close()
    return taken


async def throughput(directory: Path, durability: str, chunk: int, total: int, size: int = LARGE) -> float:
    """Bytes a second, in puts of about `chunk` bytes, made of frames of `size` bytes."""
    running = Running(directory, durability, 64 << 20)
    count = chunk // size
    prepared = bytearray(frames(1, count, size))    # positions must rise: those of later puts are filled in
    step = struct.Struct("<Q")
    position = 0
    start = time.perf_counter()
    while position * size < total:
        for at in range(count):
            step.pack_into(prepared, at * size + 4, position + at + 1)
        position += count
        running.journal.append(bytes(prepared), position)
        await asyncio.sleep(0)
        while running.journal.pending_bytes > PENDING:
            await running.news()
    while running.committed < position:
        await running.news()
    seconds = time.perf_counter() - start
    running.journal.close()
    return position * size / seconds


def reading(directory: Path) -> tuple[float, float]:
    """Records and bytes a second."""
    start = time.perf_counter()
    found = Reading(directory, Nothing(), lambda progress: None).run()
    seconds = time.perf_counter() - start
    return found.records / seconds, found.log_bytes / seconds


def crc(table: bool) -> float:
    """Bytes a second."""
    data = bytes(1 << 20)
    count = 50 if table else 500
    start = time.perf_counter()
    for _ in range(count):
        checksum(data, 0, table)
    return count * len(data) / (time.perf_counter() - start)


def told(taken: list[float]) -> str:
    ordered = sorted(taken)
    return f"{1e6 * statistics.median(ordered):8.0f} us median {1e6 * ordered[len(ordered) * 99 // 100]:8.0f} us p99"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path.cwd())
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    less = 10 if options.quick else 1
    place = Path(tempfile.mkdtemp(prefix="bench-journal-", dir=options.directory))

    def fresh(name: str, run: Callable[[Path], object]) -> None:
        shutil.rmtree(place / "data", ignore_errors=True)
        print(f"{name:52}{run(place / 'data')}", flush=True)

    def rate(directory: Path, durability: str, chunk: int) -> str:
        return f"{uvloop.run(throughput(directory, durability, chunk, (1 << 30) // less)) / 1e6:8.0f} MB/s"

    try:
        print(f"{'plain write and fdatasync, 100 bytes':52}{told(plain(place, RECORD, 5000 // less))}")
        for durability in ("commit", "interval"):
            fresh(f"put to commit, {durability}, 100 bytes",
                  lambda to, how=durability: told(uvloop.run(latency(to, how, 20000 // less))))  # type: ignore[misc]
        print(f"{'plain write and fdatasync, 1 MiB':52}"
              f"{(1 << 20) / statistics.median(plain(place, 1 << 20, 500 // less)) / 1e6:8.0f} MB/s")
        for durability in ("commit", "interval"):
            for chunk in (16_000, 250_000):
                fresh(f"log, {durability}, puts of {chunk // 1000} kB",
                      lambda to, how=durability, size=chunk: rate(to, how, size))  # type: ignore[misc]
        shutil.rmtree(place / "data")
        uvloop.run(throughput(place / "data", "interval", 250_000, (300 << 20) // less, RECORD))
        records, speed = reading(place / "data")
        print(f"{'reading back':52}{speed / 1e6:8.0f} MB/s   {records / 1e6:8.1f} million records/s")
        print(f"{'CRC-32C, by the processor / by tables':52}{crc(False) / 1e9:8.1f} / {crc(True) / 1e9:.1f} GB/s")
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
