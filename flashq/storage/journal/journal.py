"""The store of a server that keeps its jobs in local files."""

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path

from flashq.storage.base import OnCommit, OnState, StoreState
from flashq.storage.journal.checkpoint import CheckpointTask
from flashq.storage.journal.files import lock_directory, make_directory, storage_errors
from flashq.storage.journal.format import CheckpointHead
from flashq.storage.journal.keeper import Keeper
from flashq.storage.journal.logwriter import LogWriter
from flashq.storage.journal.reading import Progress, Recovered, Replay
from flashq.storage.journal.recovery import recover

OnDone = Callable[[str | None], None]

SMALLEST_SEGMENT = 64 << 10
GROUP_MOST = 4 << 20  # bytes written at once: more makes the disk no faster, and what waits then waits longer
QUICK_NS = 1_000_000  # of a write and its sync: with a disk that is no slower an idle loop does not wake the thread
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
                         most=min(GROUP_MOST, segment_size // 2), quick_ns=QUICK_NS)
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
        self._checkpoint: CheckpointTask | None = None
        self._checkpoint_bytes = 0
        self._covered_bytes = 0     # of the log, by the last checkpoint
        self._needed = 0            # number of the segment from which on the log is needed beside it
        self._on_done: OnDone | None = None
        self._threads: list[CheckpointTask] = []    # that may still run

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
        keeper = Keeper(self.directory, self, self._segment_size, found.epoch + 1, self._state_changed)
        with storage_errors(f"cannot begin a segment in {self.directory}"):
            self._bell = keeper.begin(found.number, found.position)
        self._on_commit, self._on_state, self._loop = on_commit, on_state, loop
        self._checkpoint_bytes = found.checkpoint_bytes
        self._keeper = keeper
        self._needed = found.needed
        keeper.release(found.begin, found.needed)   # what the last process had no more time to remove
        keeper.start()
        loop.add_reader(self._bell, self.hear)

    def close(self) -> None:
        """Make durable what was put, unless there is no space for it; report it; end the log, and unlock. A checkpoint
        that is not finished is given up."""
        self.checkpoint_abort()
        for task in self._threads:
            task.join()
        if self._loop is not None:
            self._loop.remove_reader(self._bell)
            self.finish()
            self.hear()
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

    # --- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def log_bytes_since_checkpoint(self) -> int:
        """How much log a start would have to read."""
        return self._found.log_bytes + self.log_bytes - self._covered_bytes

    @property
    def checkpoint_bytes(self) -> int:
        """Size of the last checkpoint; 0 before the first."""
        return self._checkpoint_bytes

    def checkpoint_begin(self, begin_position: int, total_jobs: int) -> None:
        """Begin a checkpoint of what the log holds up to there, and perhaps of some of what comes behind it."""
        if self._checkpoint is not None or self._keeper is None:
            raise RuntimeError("a checkpoint is being written, or the journal is not open")
        number, base = self.segment
        # The log from there on is needed, and from before only if the state was taken some time ago.
        head = CheckpointHead(self._found.epoch + 1, begin_position, number if begin_position >= base else self._needed)
        covered = self._found.log_bytes + self.log_bytes
        task = CheckpointTask(self.directory, head, total_jobs, covered, self, self._keeper.give_up_spare,
                              self._checkpoint_over)
        self._checkpoint = task
        self._threads = [task, *(one for one in self._threads if one.is_alive())]

    def checkpoint_write(self, frames: bytes) -> bool:
        """Add whole frames; False: its thread is behind, so call again later. StorageError: it came to nothing."""
        return self._begun().write(frames)

    def checkpoint_end(self, end_position: int, on_done: OnDone) -> None:
        """The state was told as it was at `end_position` or before. `on_done(None)` comes on the loop's thread when the
        checkpoint counts, and `on_done(reason)` when it came to nothing. StorageError: it did so already."""
        task = self._begun()
        self._on_done = on_done
        task.end(end_position)

    def checkpoint_abort(self) -> None:
        """Give up the one that is being written, if any; `on_done` is not called."""
        task, self._checkpoint = self._checkpoint, None
        if task is not None:
            task.abort()

    def _begun(self) -> CheckpointTask:
        if self._checkpoint is None:
            raise RuntimeError("no checkpoint was begun")
        return self._checkpoint

    def _checkpoint_over(self, task: CheckpointTask) -> None:
        """Called in its thread."""
        keeper, loop = self._keeper, self._loop
        if keeper is not None:
            keeper.recover_spares()
            if task.counts:
                keeper.release(task.head.begin, task.head.segment)
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._tell_done, task)

    def _tell_done(self, task: CheckpointTask) -> None:
        if task.counts:
            self._checkpoint_bytes, self._covered_bytes, self._needed = task.size, task.covered, task.head.segment
        if task is self._checkpoint and task.ended:
            self._checkpoint, on_done = None, self._on_done
            if on_done is not None:
                on_done(task.failure)

    # --- news --------------------------------------------------------------------------------------------------------

    def told(self) -> None:
        """The log has got further, or has failed."""
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
