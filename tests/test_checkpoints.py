"""When a checkpoint is begun, and that it is written in slices between which others work."""

from collections.abc import Callable
from typing import Any

import pytest

from flashq.config import load
from flashq.server.checkpoints import (
    BEHIND_MS,
    LEAST_SEGMENTS,
    LEAVE_BYTES,
    PAUSE_MS,
    RETRY_MS,
    SLICE_BYTES,
    Checkpoints,
)
from flashq.storage.base import StorageError

SEGMENT = 1 << 16
LEAST = LEAST_SEGMENTS * SEGMENT


class Snapshot:
    """Three slices."""

    def __init__(self) -> None:
        self.began = 100
        self.ended: int | None = None
        self.done, self.total = 0, 3

    def slice(self, max_bytes: int) -> bytes:
        assert max_bytes == SLICE_BYTES
        self.ended = 105
        if self.done == self.total:
            return b""
        self.done += 1
        return b"%d" % self.done


class Journal:
    """Takes notes; `behind` refuses what is written."""

    def __init__(self) -> None:
        self.log_bytes_since_checkpoint = 0
        self.checkpoint_bytes = 0
        self.failed: str | None = None
        self.full = False
        self.behind = False
        self.error: StorageError | None = None
        self.calls: list[tuple[object, ...]] = []
        self.on_done: Callable[[str | None], None] | None = None

    def checkpoint_begin(self, position: int, total: int) -> None:
        self.calls.append(("begin", position, total))

    def checkpoint_write(self, frames: bytes) -> bool:
        if self.error is not None:
            raise self.error
        if self.behind:
            return False
        self.calls.append(("write", frames))
        return True

    def checkpoint_end(self, position: int, on_done: Callable[[str | None], None]) -> None:
        self.calls.append(("end", position))
        self.on_done = on_done

    def checkpoint_abort(self) -> None:
        self.calls.append(("abort",))


class Clock:
    mono = 1_000_000


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    warning = info


class Driven:
    """The driver with everything around it in the test's hands."""

    def __init__(self, factor: int = 2, segment: int = SEGMENT) -> None:
        self.journal, self.clock, self.log = Journal(), Clock(), Log()
        self.taken = 0
        settings = load({"segment_size": segment, "checkpoint_factor": factor}, {})
        self.task = Checkpoints(self.journal, self.take, self.clock, settings, self.log)  # type: ignore[arg-type]

    def take(self) -> Snapshot:
        self.taken += 1
        return Snapshot()

    def run(self, limit: int = 20) -> list[int]:
        """Let it work until it waits for something else; the ms before each step."""
        waits = []
        for _ in range(limit):
            wait = self.task.due_in()
            if wait is None:
                break
            waits.append(wait)
            self.clock.mono += max(wait, 0)
            self.task.run()
        return waits


@pytest.fixture
def driven() -> Driven:
    return Driven()


WHOLE = [("begin", 100, 3), ("write", b"1"), ("write", b"2"), ("write", b"3"), ("end", 105)]


def test_nothing_is_due_before_the_journal_has_grown(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST
    assert driven.task.due_in() is None and not driven.task.overdue
    driven.journal.log_bytes_since_checkpoint += 1
    assert driven.task.overdue and driven.task.due_in() is not None


def test_a_large_state_waits_for_a_larger_journal() -> None:
    driven = Driven(factor=3)
    driven.journal.checkpoint_bytes = LEAST
    driven.journal.log_bytes_since_checkpoint = 3 * LEAST
    assert not driven.task.overdue
    driven.journal.log_bytes_since_checkpoint += 1
    assert driven.task.overdue


def test_many_files_are_enough(driven: Driven) -> None:
    driven.task.read_back(LEAST_SEGMENTS - 1)
    assert not driven.task.overdue and driven.task.due_in() is None
    driven.task.read_back(LEAST_SEGMENTS)
    assert driven.task.overdue
    driven.run()
    assert driven.journal.calls == WHOLE and driven.journal.on_done is not None
    driven.journal.on_done(None)
    assert not driven.task.overdue and driven.task.due_in() is None


def test_a_full_disk_is_reason_enough(driven: Driven) -> None:
    """Before what is reserved is used up, for then the checkpoint would wait for a log that waits for it."""
    driven.journal.full = True
    driven.journal.log_bytes_since_checkpoint = SEGMENT
    assert not driven.task.overdue, "it would free nothing"
    driven.journal.log_bytes_since_checkpoint += 1
    assert driven.task.overdue and driven.task.due_in() is not None


def test_one_is_written_in_slices_with_pauses(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    waits = driven.run()
    assert driven.journal.calls == WHOLE
    assert waits[1:] == [PAUSE_MS] * 3
    assert driven.task.due_in() is None and not driven.task.overdue, "it is being brought to the disk"
    driven.journal.log_bytes_since_checkpoint, driven.journal.checkpoint_bytes = 10, 77
    assert driven.journal.on_done is not None
    driven.journal.on_done(None)
    ((event, fields),) = driven.log.events
    assert (event, fields["jobs"], fields["bytes"]) == ("checkpoint", 3, 77)
    assert driven.task.due_in() is None and driven.taken == 1


def test_no_pauses_when_the_journal_runs_away(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = 2 * LEAST + 1
    assert driven.run()[1:] == [0] * 3


def test_what_is_not_taken_is_given_again(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.journal.behind = True
    assert driven.run(limit=4)[1:] == [BEHIND_MS] * 3
    driven.journal.behind = False
    driven.run()
    assert driven.journal.calls == WHOLE


def test_a_failure_is_told_and_tried_again_later(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.run()
    assert driven.journal.on_done is not None
    driven.journal.on_done("no space left")
    assert driven.log.events == [("checkpoint_failed", {"reason": "no space left"})]
    assert not driven.task.overdue and driven.task.due_in() == RETRY_MS
    driven.run()
    assert driven.taken == 2 and driven.journal.calls == WHOLE * 2


def test_a_journal_that_cannot_go_on_is_told_and_tried_again_later(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.run(limit=2)
    driven.journal.error = StorageError("disk full")
    driven.task.run()
    assert driven.log.events == [("checkpoint_failed", {"reason": "disk full"})]
    assert driven.journal.calls[-1] == ("abort",) and driven.task.due_in() == RETRY_MS
    driven.journal.error = None
    driven.run()
    assert driven.journal.calls[-5:] == WHOLE


def test_a_snapshot_that_raises_leaves_nothing_half_done(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    def slice(self: Snapshot, max_bytes: int) -> bytes:
        raise MemoryError

    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    with monkeypatch.context() as patched:
        patched.setattr(Snapshot, "slice", slice)
        with pytest.raises(MemoryError):
            driven.task.run()
    assert driven.journal.calls[-1] == ("abort",)
    assert driven.task.due_in() == RETRY_MS
    driven.run()
    assert driven.journal.calls[2:] == WHOLE


@pytest.mark.parametrize(
    ("log_bytes", "checkpoint_bytes", "wanted"),
    [(LEAVE_BYTES, 0, False), (LEAVE_BYTES + 1, 0, True),
     (8 * LEAVE_BYTES, 16 * LEAVE_BYTES, False), (8 * LEAVE_BYTES + 1, 16 * LEAVE_BYTES, True)],
)
def test_a_server_that_stops_writes_a_last_one_if_the_start_gains_by_it(log_bytes: int, checkpoint_bytes: int,
                                                                       wanted: bool) -> None:
    driven = Driven(factor=100, segment=LEAVE_BYTES)
    driven.journal.log_bytes_since_checkpoint, driven.journal.checkpoint_bytes = log_bytes, checkpoint_bytes
    assert not driven.task.at_work
    driven.task.leave()
    assert driven.task.at_work is wanted
    driven.run()
    assert driven.journal.calls == (WHOLE if wanted else [])
    if driven.journal.on_done is not None:
        assert driven.task.at_work, "it is not on disk yet"
        driven.journal.on_done(None)
    assert not driven.task.at_work


def test_a_server_that_stops_lets_one_end_that_was_begun(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.run(limit=2)
    driven.journal.log_bytes_since_checkpoint = 0
    driven.task.leave()
    assert driven.task.at_work
    driven.run()
    assert driven.journal.calls == WHOLE and driven.journal.on_done is not None
    driven.journal.on_done(None)
    assert not driven.task.at_work


def test_a_server_that_stops_does_not_try_again() -> None:
    driven = Driven(segment=LEAVE_BYTES)
    driven.journal.log_bytes_since_checkpoint = LEAVE_BYTES + 1
    driven.journal.error = StorageError("no room")
    driven.task.leave()
    driven.run()
    assert driven.log.events == [("checkpoint_failed", {"reason": "no room"})]
    assert not driven.task.at_work


def test_a_server_that_stops_does_not_wait_for_the_time_of_another_try() -> None:
    driven = Driven(segment=LEAVE_BYTES)
    driven.journal.log_bytes_since_checkpoint = LEAST_SEGMENTS * LEAVE_BYTES + 1
    driven.journal.error = StorageError("no room")
    driven.task.run()
    assert driven.task.due_in() == RETRY_MS
    driven.journal.error = None
    driven.task.leave()
    waits = driven.run()
    assert waits[0] <= 0
    assert driven.journal.calls[-5:] == WHOLE


def test_a_server_that_stops_does_not_wait_for_one_that_raises(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    def slice(self: Snapshot, max_bytes: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Snapshot, "slice", slice)
    driven.journal.log_bytes_since_checkpoint = LEAVE_BYTES + 1
    driven.task.leave()
    with pytest.raises(MemoryError):
        driven.task.run()
    assert not driven.task.at_work


def test_the_end_of_the_server_ends_it(driven: Driven) -> None:
    driven.task.abort()
    assert driven.journal.calls == []
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.run(limit=2)
    driven.task.abort()
    assert driven.journal.calls == [*WHOLE[:3], ("abort",)]


def test_a_journal_that_has_failed_is_left_alone(driven: Driven) -> None:
    driven.journal.log_bytes_since_checkpoint = LEAST + 1
    driven.run(limit=2)
    driven.journal.failed = "no longer"
    assert driven.task.due_in() is None
