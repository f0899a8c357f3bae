"""When the whole state is written anew, so that the journal before it can go, and how: in slices beside the traffic."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from flashq.config import Settings
from flashq.server.durable import Journal
from flashq.storage.base import StorageError

LEAVE_BYTES = 1 << 20       # of journal that a start reads in no time
LEAST_SEGMENTS = 4          # of journal, however small the state is
SLICE_BYTES = 1 << 20       # about a millisecond of work
PAUSE_MS = 1                # after each: half of the time is for the requests
BEHIND_MS = 5               # what was given is not written yet
RETRY_MS = 10_000           # after a checkpoint that came to nothing


class Snapshot(Protocol):
    """The state, slice by slice."""

    @property
    def began(self) -> int: ...
    @property
    def ended(self) -> int | None: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    def slice(self, max_bytes: int) -> bytes: ...


class Clock(Protocol):
    """What is asked of the engine here."""

    @property
    def mono(self) -> int: ...


class Checkpoints:
    """Writes checkpoints, one at a time, as a background task. `take` makes a snapshot of what there is now.

    The directory holds at most two checkpoints (the last, and the one that is written), the journal up to when one is
    begun, and what comes in while it is written.
    """

    def __init__(self, journal: Journal, take: Callable[[], Snapshot], clock: Clock, settings: Settings,
                 log: Any) -> None:
        self._journal = journal
        self._take = take
        self._clock = clock
        self._factor = settings.checkpoint_factor
        self._least = LEAST_SEGMENTS * settings.segment_size
        self._log = log
        self._snapshot: Snapshot | None = None
        self._frames: bytes | None = None   # a slice that was not taken yet
        self._ending = False                # all was given, and is not yet on disk
        self._next = 0                      # monotonic ms of the next step
        self._started = 0.0
        self._jobs = 0
        self._owed = False                  # whatever the journal's size
        self._leaving = False

    def read_back(self, segments: int) -> None:
        """A start read so many segments, each of which may hold little: starts alone must not fill the disk."""
        self._owed = segments >= LEAST_SEGMENTS

    def leave(self) -> None:
        """The server stops: a last one, if the next start has less to read then."""
        self._leaving = True
        log = self._journal.log_bytes_since_checkpoint
        self._owed = self._owed or log > max(LEAVE_BYTES, self._journal.checkpoint_bytes // 2)
        self._next = 0                      # also soon after one that came to nothing: there is no later time

    @property
    def at_work(self) -> bool:
        """Whether one is being written, or is still to be before the server leaves."""
        return self._snapshot is not None or self._ending or (self._leaving and self._owed)

    @property
    def overdue(self) -> bool:
        """Whether one should begin; who sees the journal grow asks, and rings."""
        idle = self._snapshot is None and not self._ending
        return idle and self._clock.mono >= self._next and self._is_wanted()

    def _has_grown(self, times: int) -> bool:
        return self._journal.log_bytes_since_checkpoint > times * self._limit

    def _is_wanted(self) -> bool:
        return self._owed or self._has_grown(1) or self._makes_room()

    def _makes_room(self) -> bool:
        """Whether the disk is full and a checkpoint would free some: it must come before the reserve is used up."""
        return self._journal.full and self._journal.log_bytes_since_checkpoint > self._least // LEAST_SEGMENTS

    @property
    def _limit(self) -> int:
        return max(self._least, self._factor * self._journal.checkpoint_bytes)

    def due_in(self) -> int | None:
        """Nothing while the last part is brought to the disk."""
        if self._journal.failed or self._ending or (self._snapshot is None and not self._is_wanted()):
            return None
        return self._next - self._clock.mono

    def run(self) -> None:
        """One slice."""
        try:
            self._step()
        except StorageError as error:
            self.abort()
            self._came_to_nothing(str(error))
        except Exception:
            self.abort()
            self._put_off()
            raise

    def _step(self) -> None:
        if self._snapshot is None:
            self._snapshot = self._take()
            self._started = time.monotonic()
            self._journal.checkpoint_begin(self._snapshot.began, self._snapshot.total)
        if self._frames is None:
            self._frames = self._snapshot.slice(SLICE_BYTES)
        if not self._frames:
            self._end(self._snapshot)
        elif self._journal.checkpoint_write(self._frames):
            self._frames = None
            # The journal grows faster than this is written, or nobody asks for anything any more: it comes first now.
            self._next = self._clock.mono + (0 if self._leaving or self._has_grown(2) else PAUSE_MS)
        else:
            self._next = self._clock.mono + BEHIND_MS

    def _end(self, snapshot: Snapshot) -> None:
        assert snapshot.ended is not None
        self._jobs = snapshot.total
        self._ending = True
        self._snapshot = self._frames = None
        self._journal.checkpoint_end(snapshot.ended, self._on_done)

    def _on_done(self, error: str | None) -> None:
        self._ending = False
        if error is None:
            self._owed = False
            self._log.info("checkpoint", seconds=round(time.monotonic() - self._started, 3), jobs=self._jobs,
                           bytes=self._journal.checkpoint_bytes)
        else:
            self._came_to_nothing(error)

    def _came_to_nothing(self, reason: str) -> None:
        self._log.warning("checkpoint_failed", reason=reason)
        self._put_off()

    def _put_off(self) -> None:
        self._owed = self._owed and not self._leaving   # the journal says the same, and there is no other time
        self._next = self._clock.mono + RETRY_MS

    def abort(self) -> None:
        """Nothing half-done is left behind."""
        if self._snapshot is not None or self._ending:
            self._snapshot = self._frames = None
            self._ending = False
            self._journal.checkpoint_abort()
