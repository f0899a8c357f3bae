"""The store of a server that keeps its jobs in local files."""

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path

from flashq.storage.base import OnCommit, OnState, StoreState
from flashq.storage.journal.files import lock_directory, make_directory, storage_errors
from flashq.storage.journal.keeper import Keeper
from flashq.storage.journal.logwriter import LogWriter
from flashq.storage.journal.reading import Progress, Recovered, Replay
from flashq.storage.journal.recovery import recover

SMALLEST_SEGMENT = 64 << 10
GROUP_MOST = 16 << 20  # bytes written at once: what waits meanwhile is written next
PROMISES = {
    "commit": "commit: what was answered is on disk, and survives a crash of the machine",
    "interval": "interval: what was answered survives a crash of this process; of the machine, all but the last {} ms",
}


class Journal(LogWriter):
    """A log in segments, checkpoints of the state beside it, and their recovery, in one directory.

    In this order: `lock`, `load`, `open`, then records and checkpoints, then `close`, which may follow any of them.
    """

    def __init__(self, directory: Path, *, durability: str, sync_interval_ms: int, segment_size: int) -> None:
        if durability not in PROMISES:
            raise ValueError(f"durability must be one of {', '.join(PROMISES)}")
        if segment_size < SMALLEST_SEGMENT:
            raise ValueError(f"segment_size must be at least {SMALLEST_SEGMENT} bytes")
        super().__init__(each=durability == "commit", sync_interval_ms=sync_interval_ms,
                         most=min(GROUP_MOST, segment_size // 2))
        self.directory = directory
        self.durability = durability
        self.promise = PROMISES[durability].format(sync_interval_ms)
        self._segment_size = segment_size
        self._lock_fd = -1
        self._found = Recovered()
        self._keeper: Keeper | None = None
        self._loop: AbstractEventLoop | None = None
        self._bell = -1
        self._on_commit: OnCommit | None = None
        self._on_state: OnState | None = None
        self._state = StoreState()

    def lock(self) -> None:
        """Make the directory if need be, and keep every other process off it. LockedError, StorageError."""
        make_directory(self.directory)
        self._lock_fd = lock_directory(self.directory)

    def load(self, replay: Replay, progress: Callable[[Progress], None]) -> Recovered:
        """Everything that was kept into the replay. DamageError, FormatError, StorageError."""
        self._found = recover(self.directory, replay, progress)
        return self._found

    def open(self, on_commit: OnCommit, on_state: OnState, loop: AbstractEventLoop) -> None:
        """Begin a new segment behind what was loaded, with the next epoch; on disk when this returns. StorageError."""
        found = self._found
        self._on_commit, self._on_state, self._loop = on_commit, on_state, loop
        keeper = Keeper(self.directory, self, self._segment_size, found.epoch + 1, self._state_changed)
        with storage_errors(f"cannot begin a segment in {self.directory}"):
            self._bell = keeper.begin(found.number, found.ends, found.position)
        self._keeper = keeper
        keeper.release(found.begin)     # what the last process had no more time to remove
        keeper.start()
        loop.add_reader(self._bell, self._answer)

    def close(self) -> None:
        """Make durable what was put, unless there is no space for it; report it; end the log, and unlock."""
        if self._loop is not None:
            self._loop.remove_reader(self._bell)
            self.finish()
            self._answer()
            self._loop = None
        self._on_commit = self._on_state = None
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def position(self) -> int:
        """Position of the last record that was put."""
        return self.put_position

    @property
    def pending_bytes(self) -> int:
        """Bytes put and not yet written."""
        return self.waiting_bytes

    @property
    def full(self) -> bool:
        """Whether there is no space for another segment."""
        return self._keeper is not None and self._keeper.full

    @property
    def failed(self) -> str | None:
        """What ended the log, in words; None while it is fine."""
        failure = self.failure
        return None if failure is None else f"{failure[1]} failed: {os.strerror(failure[0])}"

    # --- news --------------------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        """The log's thread has got further, or has failed."""
        written, durable, failed = self.news()
        if failed:
            self._tell_state()
        elif self._on_commit is not None:
            self._on_commit(durable if self.durability == "commit" else written, durable)

    def _state_changed(self) -> None:
        """Called in the keeper's thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell_state)

    def _tell_state(self) -> None:
        state = StoreState(self.full, self.failed)
        if state != self._state and self._on_state is not None:
            self._state = state
            self._on_state(state)
