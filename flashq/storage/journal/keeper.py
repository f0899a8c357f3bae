"""Keeps segments ready for the thread that writes the log, and lets go of those that are no longer needed.

A thread of its own: to reserve space may take long, and neither the loop nor the log must wait for it.
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flashq.storage.journal.files import NO_SPACE, create, fill, reserve, sync_directory, sync_file, write_all
from flashq.storage.journal.format import SPARE_GLOB, SegmentHead, checkpoints_in, segment_name, segments_in
from flashq.storage.journal.logwriter import LogWriter
from flashq.storage.journal.shrinking import PAUSE_SECONDS, Shrinking

SPARES = 1  # reserved files beside the segment that is written to and the one after it
SPARES_KEPT = 5  # as many of those that are no longer needed are used again, which spares the disk work
BLOCK_BYTES = 512  # of st_blocks
FIRST_FILL_SECONDS = 0.25  # of a start may go into making its segment quicker to write to
BUSY_BYTES = 64 << 10  # of log, while a piece is filled: groups are large then, and need no help
RETRY_SECONDS = 1.0  # after the disk was found full


class Keeper:
    """Owner of the files of a data directory while its log is written. `on_change` is called in its thread when
    `full` has changed."""

    def __init__(self, directory: Path, writer: LogWriter, segment_size: int, epoch: int,
                 on_change: Callable[[], None]) -> None:
        self.full = False
        self._directory = directory
        self._writer = writer
        self._size = segment_size
        self._epoch = epoch
        self._on_change = on_change
        self._number = 0  # of the last segment
        self._filled_at = 0  # bytes of log when the last piece of a file was filled
        self._covered: tuple[int, int] | None = None  # by a checkpoint: what it makes superfluous is still to go
        self._shrinking = Shrinking()
        self._lock = threading.Lock()  # for what follows
        self._spares: list[Path] = []
        self._lean = False  # without spares: a checkpoint needs their space
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="flashq-segments", daemon=True)

    def begin(self, number: int, position: int) -> int:
        """Go on behind segment `number` with a new one, and start the log's thread on it: its descriptor for news.
        OSError."""
        self._number = number
        self._spares = self._leftovers()
        until = time.monotonic() + FIRST_FILL_SECONDS
        fd, head = self._make(self._size, lambda: time.monotonic() < until)
        return self._writer.begin(fd, head.number, head.size, head.salt, position)

    def _leftovers(self) -> list[Path]:
        """Spares of the last process that hold a whole segment; others go."""
        found: list[Path] = []
        for path in self._directory.glob(SPARE_GLOB):
            if len(found) < SPARES_KEPT and self._is_whole(path):
                found.append(path)
            else:
                path.unlink()
        return found

    def _is_whole(self, path: Path) -> bool:
        """Whether the file has all the space of a segment, and no holes."""
        status = path.stat()
        return status.st_size == self._size <= status.st_blocks * BLOCK_BYTES

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, once the log's has ended."""
        self._closing = True
        self._writer.poke()
        if self._thread.ident is not None:
            self._thread.join()
        self._shrinking.close()

    def release(self, begin: int, segment: int) -> None:
        """A checkpoint begun at that position counts: older ones go, and segments before the one it needs."""
        with self._lock:
            self._covered = begin, segment
        self._writer.poke()

    def give_up_spare(self) -> bool:
        """Delete a spare, so that a checkpoint has room; no new one is made before `recover_spares`."""
        with self._lock:
            self._lean = True
            if not self._spares:
                return False
            spare = self._spares.pop()
            os.truncate(spare, 0)       # free at once, though it may just be filled
            spare.unlink()
            return True

    def recover_spares(self) -> None:
        """What was given up for a checkpoint is wanted back."""
        with self._lock:
            self._lean = False
        self._writer.poke()

    # --- in its thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        code = errno.EIO
        try:
            while not self._closing:
                full = self._serve()
                self._shrinking.step()
                self._writer.await_need(PAUSE_SECONDS if self._shrinking else RETRY_SECONDS if full else -1)
            return
        except OSError as error:
            code = error.errno or code
            self._writer.fail(code)
        except BaseException:
            self._writer.fail(code)
            raise

    def _serve(self) -> bool:
        """Do what is to be done; whether there was no space for some of it."""
        self._close_retired()
        try:
            self._tidy_up()
            while size := self._writer.wanted_size(self._size):
                self._close_retired()   # the one before must be gone when the log leaves another
                self._offer(size)
            while not self._lean and len(self._spares) < SPARES:
                self._make_spare()
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            self._set_full(True)
            return True
        if not self._lean:
            self._set_full(False)
        return False

    def _close_retired(self) -> None:
        if (retired := self._writer.take_retired()) is not None:
            os.close(retired)

    def _set_full(self, full: bool) -> None:
        if full != self.full:
            self.full = full
            self._writer.tell_full(full)
            self._on_change()

    def _offer(self, size: int) -> None:
        fd, head = self._make(size, self._has_time)
        unused = self._writer.offer(fd, head.number, head.size, head.salt)
        if unused is not None:      # too small for what is waiting, so it stays empty
            os.close(unused)

    def _make(self, size: int, has_time: Callable[[], bool]) -> tuple[int, SegmentHead]:
        """A new segment, open, with room for `size` bytes; filled as far as there is time."""
        taken = self._take_spare()
        spare = taken or self._reserve(size)
        head = SegmentHead(self._epoch, self._number + 1, size, int.from_bytes(os.urandom(4)))
        try:
            if taken is None:
                self._fill(spare, has_time)
            return self._name(spare, head), head
        except BaseException:
            if spare.exists():      # else it has its name, and stays empty
                self._add_spare(spare)
            raise

    def _name(self, spare: Path, head: SegmentHead) -> int:
        """Make a spare that segment; its descriptor."""
        fd = create(spare)
        try:
            reserve(fd, head.size)
            write_all(fd, head.pack(), 0)
            sync_file(fd)
            os.rename(spare, self._directory / segment_name(head.number))
            self._number = head.number
            sync_directory(self._directory)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _reserve(self, size: int) -> Path:
        """A new file of that size, which is no segment yet."""
        path = self._directory / f"spare-{os.urandom(8).hex()}.tmp"
        fd = create(path)
        try:
            reserve(fd, size)
            sync_file(fd)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(fd)
        return path

    def _make_spare(self) -> None:
        """One more, filled as long as it is not given up."""
        spare = self._reserve(self._size)
        self._add_spare(spare)
        self._fill(spare, lambda: self._has_time() and spare in self._spares)

    def _fill(self, spare: Path, has_time: Callable[[], bool]) -> None:
        """Make it quicker to write to, as long as there is time."""
        try:
            fd = os.open(spare, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        self._filled_at = self._writer.log_bytes
        try:
            fill(fd, self._size, has_time)
        finally:
            os.close(fd)

    def _has_time(self) -> bool:
        """Whether nobody waits for a segment, and the log is not so busy that filling would only take its processor."""
        before, self._filled_at = self._filled_at, self._writer.log_bytes
        return not self._closing and not self._writer.wanted_size(0) and self._filled_at - before <= BUSY_BYTES

    def _take_spare(self) -> Path | None:
        with self._lock:
            return self._spares.pop() if self._spares else None

    def _add_spare(self, spare: Path) -> None:
        with self._lock:
            self._spares.append(spare)

    def _tidy_up(self) -> None:
        """Let go of what a checkpoint made superfluous: as much of it as can go now."""
        if self._shrinking.full:
            return
        with self._lock:
            covered, self._covered = self._covered, None
        if covered is None:
            return
        done = False
        try:
            done = self._let_go(*covered)
        finally:
            if not done:
                with self._lock:
                    self._covered = self._covered or covered

    def _let_go(self, begin: int, segment: int) -> bool:
        """Delete checkpoints begun before, and segments before that number, or make spares of these. False: some are
        still there, until others have given their space back."""
        for at, path in checkpoints_in(self._directory).items():
            if at < begin:
                self._shrinking.remove(path)
        recycled: list[Path] = []
        done = True
        for number, path in segments_in(self._directory).items():
            if number >= segment:
                break
            if len(self._spares) + len(recycled) < SPARES_KEPT and self._is_whole(path):
                recycled.append(self._directory / f"spare-{number:012}.tmp")
                path.rename(recycled[-1])
            elif self._shrinking.full:
                done = False        # nor those behind it: numbers have no gap
                break
            else:
                self._shrinking.remove(path)
        sync_directory(self._directory)     # before any of them is written to
        for spare in recycled:
            self._add_spare(spare)
        return done
