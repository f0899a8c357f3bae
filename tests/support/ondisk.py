"""A simulated server whose journal is a real one, in a directory: its threads and files are real, its time is not."""

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flashq import commands
from flashq._core import fieldtable
from flashq.config import load
from flashq.server import checkpoints
from flashq.server.durable import DURABILITY_KEY, begin
from flashq.server.storekeeper import StoreKeeper
from flashq.storage.journal import journal
from support.simulated import START_MONO, START_WALL, Client, Simulation, VirtualLoop
from support.wire import JSON, Codec, Message

SEGMENT = 8 << 10       # smaller than a server may choose: histories are short
PATIENCE = 60.0     # seconds for a disk that does what it is told


class DiskLoop(VirtualLoop):
    """A virtual loop that hears of what real threads have done, when it is told to listen."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._bell, selectors.EVENT_READ, self._called)
        self._closed = False

    def add_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> None:
        self._selector.register(fd, selectors.EVENT_READ, lambda: callback(*args))

    def remove_reader(self, fd: int) -> bool:
        self._selector.unregister(fd)
        return True

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any) -> None:
        with self._lock:
            self._calls.append((callback, args))
            if not self._closed:
                os.eventfd_write(self._bell, 1)

    def is_closed(self) -> bool:
        return self._closed

    def _called(self) -> None:
        os.eventfd_read(self._bell)
        while self._calls:
            callback, args = self._calls.popleft()
            callback(*args)

    def listen(self, seconds: float = 0.0) -> None:
        """Hear what threads have to say; without anything, wait so long for the first of it."""
        for key, _ in self._selector.select(seconds):
            key.data()
        self.settle()

    def listen_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE} s"
            self.listen(1.0)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self._bell)
        self._selector.close()


class Log:
    """What a server logs, kept."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, /, **fields: Any) -> None:
        self.events.append((event, fields))

    debug = warning = error = info

    def last(self, event: str) -> dict[str, Any]:
        return [fields for name, fields in self.events if name == event][-1]


class PatientClient(Client):
    """Its calls wait for the disk."""

    def __init__(self, sim: "OnDisk", codec: Codec) -> None:
        super().__init__(sim, codec)
        self.disk = sim.disk

    def call(self, cmd: str, **fields: Any) -> Message:
        found = self.replies()
        self.send(cmd, **fields)
        assert found == []

        def answered() -> bool:
            found.extend(self.replies())
            return bool(found)

        if not answered():
            self.disk.listen_until(answered)
        assert len(found) == 1, f"{cmd} {fields}: {found}"
        return found[0]


class OnDisk(Simulation):
    """What a directory holds, as a server that may serve it. StorageError, as `begin` raises it.

    `writes`: whether it goes on with the journal; else it is only looked at.
    """

    def __init__(
        self, directory: Path, clock: tuple[int, int] = (START_WALL, START_MONO), *, writes: bool = True, **given: Any
    ) -> None:
        fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
        options = {"memory_limit": 1 << 40, "durability": "commit", "log_format": "json", "data_dir": str(directory),
                   **given}
        small = replace(load(options, {}), segment_size=SEGMENT)
        self.log = Log()
        with patch.object(journal, "SMALLEST_SEGMENT", SEGMENT):
            beginning = begin(small, self.log, lambda: clock)
        assert beginning.journal is not None
        self.journal = beginning.journal
        self.disk = DiskLoop()
        self.recovered_position = self.journal.position if writes else int(self.log.last("recovered")["position"])
        store, durability = (self.journal, options["durability"]) if writes else (None, "memory")
        super().__init__(store, clock=clock, loop=self.disk, engine=beginning.engine,
                         **{**options, "durability": durability})
        if writes:
            self.keeper = StoreKeeper(self.journal, self.wired, small, self.log)
            self.keeper.open(beginning, self.disk)
        else:
            entries = beginning.entries
            self.rooms.restore({name: value for name, value in entries.items() if name != DURABILITY_KEY})

    def connect(self, codec: Codec = JSON) -> PatientClient:
        client = PatientClient(self, codec)
        self.clients.append(client)
        return client

    def wait_for_disk(self) -> None:
        """Until everything so far is on disk, and the server has heard of it."""
        self.disk.listen_until(lambda: self.engine.synced >= self.engine.position)

    def shut(self) -> None:
        """End as a server does that is told to."""
        self.background.close()
        self.hub.close_all()
        self.keeper.close()
        self.disk.close()


def loop_writes(always: bool) -> None:
    """In this process the loop writes in the place of the log's thread whenever that sleeps, or never."""
    journal.QUICK_NS = (1 << 64) - 1 if always else 0


def often(factor: int = 1) -> None:
    """In this process checkpoints begin as soon as there is a segment more to read than needed."""
    checkpoints.LEAST_SEGMENTS = factor
