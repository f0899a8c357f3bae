"""What a server begins with: an engine, and the journal that was read back into it before anybody may ask anything."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from flashq import commands
from flashq._core import fieldtable
from flashq._core.engine import Engine
from flashq._core.replay import Replay
from flashq.config import Settings
from flashq.server.clock import Reading, machine_clock
from flashq.server.kept import SERVER_SPACE
from flashq.storage.journal import Journal as LocalJournal
from flashq.storage.memory import MemoryStore

EPOCH_START = 1_704_067_200  # 2024-01-01 UTC, in seconds since 1970
EPOCH_BITS = 21  # a delivery token is epoch << 32 | number, and must stay below 2^53
TELL_SECONDS = 1.0
MIB = 1024 * 1024
# A machine that crashes under `interval` may have shown more ids than the log tells of, in each shard at most so many:
# a minute of --sync-interval at several million pushes a second. Of 2^48 sequences that is next to nothing.
IDS_LOST = 1 << 28
DURABILITY_KEY = (SERVER_SPACE, b"durability")      # of the last start

Entries = Mapping[tuple[int, bytes], bytes]     # (space, key) -> value: what rooms of the server layer keep


class Progress(Protocol):
    """How far the reading is."""

    @property
    def bytes_done(self) -> int: ...
    @property
    def bytes_total(self) -> int: ...
    @property
    def jobs(self) -> int: ...


class Recovered(Protocol):
    """What the reading found."""

    @property
    def position(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def cut_bytes(self) -> int: ...


class Journal(Protocol):
    """What the server asks of a store that keeps something. StorageError from `lock`, `load` and `open`."""

    durability: str
    promise: str

    @property
    def position(self) -> int: ...
    @property
    def durable(self) -> int: ...
    @property
    def full(self) -> bool: ...
    @property
    def failed(self) -> str | None: ...
    @property
    def pending_bytes(self) -> int: ...
    @property
    def log_bytes_since_checkpoint(self) -> int: ...
    @property
    def checkpoint_bytes(self) -> int: ...
    def lock(self) -> None: ...
    def load(self, replay: Any, progress: Callable[[Progress], None]) -> Recovered: ...
    def open(self, on_commit: Callable[[int, int], None], on_state: Callable[[Any], None], loop: Any) -> None: ...
    def hurry(self) -> None: ...
    def checkpoint_begin(self, begin_position: int, total_jobs: int) -> None: ...
    def checkpoint_write(self, frames: bytes) -> bool: ...
    def checkpoint_end(self, end_position: int, on_done: Callable[..., None]) -> None: ...
    def checkpoint_abort(self) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Beginning:
    """An engine that may serve. Owner: the server, which closes the journal; without one jobs live in memory only."""

    engine: Engine
    durability: str
    promise: str
    journal: Journal | None = None
    entries: Entries = field(default_factory=dict)
    segments: int = 0       # of the journal that were read


def begin(settings: Settings, log: Any, clock: Reading = machine_clock) -> Beginning:
    """The engine of these settings, with everything that its data directory holds. StorageError."""
    fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
    seed = int.from_bytes(os.urandom(8), "little") or 1
    engine = Engine(settings.engine_limits(), seed, boot_epoch(time.time()))
    if settings.durability == "memory":
        return Beginning(engine, MemoryStore.durability, MemoryStore.promise)
    journal = open_journal(settings)
    journal.lock()
    try:
        entries, segments = _recover(engine, journal, settings, log, clock)
    except BaseException:
        journal.close()
        raise
    return Beginning(engine, journal.durability, journal.promise, journal, entries, segments)


def open_journal(settings: Settings) -> Journal:
    """The journal of these settings, not locked yet."""
    return LocalJournal(
        Path(settings.data_dir),
        durability=settings.durability,
        sync_interval_ms=settings.sync_interval,
        segment_size=settings.segment_size,
    )


def boot_epoch(seconds: float) -> int:
    """A number for this start of a process that keeps nothing, different from that of any within the last 24 days."""
    return (int(seconds) - EPOCH_START) % (1 << EPOCH_BITS) or 1


def _recover(
    engine: Engine, journal: Journal, settings: Settings, log: Any, clock: Reading
) -> tuple[Entries, int]:
    started = time.monotonic()
    engine.tick(*clock())               # what is still open of a window depends on the time
    replay = Replay(engine)
    teller = Teller(log, settings.log_format, sys.stderr)
    found = journal.load(replay, teller)
    teller.end()
    engine.epoch = (found.epoch + 1) % (1 << EPOCH_BITS) or 1
    engine.tick(*clock())               # leases count from here on
    lossy = replay.entries.get(DURABILITY_KEY) == b"interval"
    counts = replay.finish(IDS_LOST if lossy else 0)
    engine.commit(found.position)
    if found.segments:      # else there was nothing to read
        log.info("recovered", jobs=replay.jobs, records=found.records, seconds=round(time.monotonic() - started, 3),
                 segments=found.segments, cut_bytes=found.cut_bytes, position=found.position, **counts)
    return replay.entries, found.segments


class Teller:
    """Tells how far the reading is, about once a second: people on one line of their terminal, others by an event."""

    def __init__(self, log: Any, form: str, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._stream = stream if form == "console" and stream.isatty() else None
        self._clock = clock
        self._started = clock()
        self._next = self._started + TELL_SECONDS
        self._told = False

    def __call__(self, progress: Progress) -> None:
        """Say it if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + TELL_SECONDS
        done = progress.bytes_done / max(progress.bytes_total, 1)
        left = round((now - self._started) * (1 - done) / done) if done else None
        percent = int(100 * done)
        if self._stream is None:
            self._log.info("recovering", jobs=progress.jobs, bytes=progress.bytes_done, of=progress.bytes_total,
                           percent=percent, seconds_left=left)
            return
        wait = "" if left is None else f", {left} s left"
        size = f"{progress.bytes_done // MIB:,} of {progress.bytes_total // MIB:,} MB"
        self._told = True
        print(f"\rrecovering: {percent} %, {progress.jobs:,} jobs, {size}{wait}    ", end="", file=self._stream,
              flush=True)

    def end(self) -> None:
        """The line is finished."""
        if self._stream is not None and self._told:
            print(file=self._stream, flush=True)
