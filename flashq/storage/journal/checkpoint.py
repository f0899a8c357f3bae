"""Writing a checkpoint: a file that nobody sees before it is whole and the log reaches as far."""

import errno
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from flashq.storage.base import StorageError
from flashq.storage.journal.diskio import reserve_more
from flashq.storage.journal.files import NO_SPACE, create, storage_errors, sync_directory, sync_file, write_all
from flashq.storage.journal.format import BLOCK, FINAL, HEAD_BYTES, CheckpointHead, checkpoint_name
from flashq.storage.journal.logscan import checksum
from flashq.storage.journal.logwriter import LogWriter

QUEUED_BYTES = 4 << 20  # given and not yet written
RESERVED_BYTES = 8 << 20  # at a time, so that the disk's own bookkeeping does not come between the syncs of the log
SYNCED_BYTES = 1 << 20  # at a time, so that the log never waits for much of it
LOOK_SECONDS = 0.005  # between two looks at how far the log is

_numbers = itertools.count()


class CheckpointFile:
    """A checkpoint in a file of another name, until `publish`. All of it may raise OSError; then `discard` it.

    `make_room` is called when the disk is full; whether that helped.
    """

    def __init__(self, directory: Path, head: CheckpointHead, make_room: Callable[[], bool]) -> None:
        self.size = HEAD_BYTES
        self.path = directory / checkpoint_name(head.begin)
        self._unfinished = directory / f"{self.path.stem}.{next(_numbers)}.tmp"
        self._make_room = make_room
        self._reserved = 0
        self._synced = 0
        self._blocks = 0
        self._payload = 0
        self._heads = 0     # checksum of the heads of all blocks
        self._fd = create(self._unfinished)
        try:
            os.ftruncate(self._fd, 0)
            self._put(head.pack(), 0)
        except BaseException:
            self.discard()
            raise

    def write(self, frames: bytes) -> None:
        """One block of whole frames."""
        if not frames:
            return
        head = BLOCK.pack(len(frames), checksum(frames))
        self._heads = checksum(head, self._heads)
        self._put(head + frames, self.size)
        self._blocks += 1
        self._payload += len(frames)
        self.size += len(head) + len(frames)
        if self.size - self._synced >= SYNCED_BYTES:
            self._synced = self.size
            sync_file(self._fd)

    def finish(self, end: int, jobs: int) -> None:
        """The last block, which says that the log counts from position `end` on at the latest; all is on disk then."""
        final = FINAL.pack(end, jobs, self._blocks, self._payload, self._heads)
        self._put(BLOCK.pack(0, checksum(final)) + final, self.size)
        self.size += BLOCK.size + FINAL.size
        os.ftruncate(self._fd, self.size)   # gives back what was reserved beyond it
        sync_file(self._fd)

    def publish(self) -> None:
        """Give it its name, for good."""
        os.close(self._fd)
        self._fd = -1
        os.rename(self._unfinished, self.path)
        sync_directory(self.path.parent)

    def discard(self) -> None:
        """Away with it, unless it has its name already."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._unfinished.unlink(missing_ok=True)

    def _put(self, data: bytes, offset: int) -> None:
        while True:
            try:
                if offset + len(data) > self._reserved:
                    more = max(RESERVED_BYTES, len(data))
                    reserve_more(self._fd, offset, more)
                    self._reserved = offset + more
                write_all(self._fd, data, offset)
                return
            except OSError as error:
                if error.errno not in NO_SPACE or not self._make_room():
                    raise


class CheckpointTask:
    """One checkpoint being written, in a thread of its own. The methods are the loop's and never wait for the disk.

    `over(task)` is called in that thread at its end: when the checkpoint has its name and `counts`, has come to nothing
    by a `failure`, or was given up. `covered` is for the owner.
    """

    def __init__(self, directory: Path, head: CheckpointHead, jobs: int, covered: int, log: LogWriter,
                 make_room: Callable[[], bool], over: Callable[["CheckpointTask"], None]) -> None:
        self.head = head
        self.covered = covered
        self.size = 0
        self.counts = False
        self.failure: str | None = None
        self._directory = directory
        self._jobs = jobs
        self._log = log
        self._make_room = make_room
        self._over = over
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._waiting = 0           # bytes
        self._end: int | None = None
        self._aborted = False
        self._thread = threading.Thread(target=self._run, name="flashq-checkpoint", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether all was given, and nobody has thought better of it."""
        return self._end is not None and not self._aborted

    def write(self, frames: bytes) -> bool:
        """Take a block of whole frames; False: not yet, try again later. StorageError: it came to nothing."""
        with self._changed:
            self._check()
            if self._waiting >= QUEUED_BYTES:
                return False
            self._blocks.append(frames)
            self._waiting += len(frames)
            self._changed.notify()
        return True

    def end(self, position: int) -> None:
        """That was all; it counts once the log is durable up to `position`. StorageError: it came to nothing."""
        with self._changed:
            self._check()
            self._end = position
            self._changed.notify()

    def abort(self) -> None:
        """Never mind, unless it has its name already."""
        with self._changed:
            self._aborted = True
            self._changed.notify()

    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for its thread."""
        self._thread.join()

    def _check(self) -> None:
        if self.failure is not None:
            raise StorageError(self.failure)

    # --- in its thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with storage_errors(f"cannot write a checkpoint into {self._directory}"):
                self.counts = self._write()
        except StorageError as error:
            self._fail(str(error))
        except BaseException as error:
            self._fail(f"cannot write a checkpoint: {error!r}")
            raise
        finally:
            self._over(self)

    def _fail(self, reason: str) -> None:
        with self._changed:
            self.failure = reason
            self._blocks.clear()

    def _write(self) -> bool:
        """Whether it has its name now; else it was given up."""
        file = CheckpointFile(self._directory, self.head, self._make_room)
        try:
            while (frames := self._next()) is not None:
                file.write(frames)
            if self._end is None or self._aborted:
                return False
            file.finish(self._end, self._jobs)
            self.size = file.size
            if not self._await_log(self._end):
                return False
            file.publish()
            return True
        finally:
            file.discard()

    def _next(self) -> bytes | None:
        """The next block; None when there are no more."""
        with self._changed:
            while not self._blocks and self._end is None and not self._aborted:
                self._changed.wait()
            if self._aborted or not self._blocks:
                return None
            frames = self._blocks.popleft()
            self._waiting -= len(frames)
            return frames

    def _await_log(self, position: int) -> bool:
        """Whether the log is durable up to there; False when this was given up meanwhile."""
        while self._log.durable < position and not self._aborted:
            if self._log.failure is not None:
                raise OSError(errno.EIO, "the log has failed")
            self._log.hurry()       # again and again: the loop may not have put all of it yet
            with self._changed:
                self._changed.wait(LOOK_SECONDS)
        return not self._aborted
