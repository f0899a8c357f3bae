"""Checkpoints: seen when whole and covered by the log, not before; then older files go. No crash on the way matters."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flashq.storage.base import DamageError, FormatError, StorageError
from flashq.storage.journal import Journal
from flashq.storage.journal import keeper as keeping
from flashq.storage.journal.format import CHECKPOINT_MAGIC, HEAD_BYTES, checkpoint_name
from flashq.storage.journal.reader import Checkpoint
from support import disk
from support.journal import Opened, flip, frame, groups, positions, read, segment
from test_journal_log import newer


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def state(position: int) -> bytes:
    """A state that shows what went into it."""
    return b"".join(frame(one, b"state") for one in range(1, position + 1))


def complete(directory: Path) -> tuple[int, int]:
    """What a start finds is everything from 1 on, each position once; (of the checkpoint, of the log)."""
    found, kept = read(directory)
    covered = positions(bytes(kept.state))
    assert covered + kept.positions == list(range(1, found.position + 1))
    return len(covered), len(kept.positions)


def fill(opened: Opened, count: int = 20) -> int:
    """Groups over several segments; the position of the last record."""
    for _ in range(count):
        opened.committed(10, b"x" * 1000)
    return opened.position


def test_a_checkpoint_stands_for_the_log_before_it(directory: Path) -> None:
    with Opened(directory) as opened:
        position = fill(opened)
        assert opened.checkpoint(state(position)) is None
        opened.committed(3)
        assert checkpoint_name(position) in opened.files()
    assert complete(directory) == (position, 3)


def test_older_files_go_once_it_counts(directory: Path) -> None:
    with Opened(directory) as opened:
        first = fill(opened)
        opened.checkpoint(state(first))
        opened.until(lambda: not segment(directory, 1).exists())
        second = fill(opened)
        assert opened.checkpoint(state(second)) is None
        # the checkpoint, the segment that was written to when it was begun, and the next
        opened.until(lambda: opened.files()[0] == checkpoint_name(second) and len(opened.files()) == 3)
        assert len(list(directory.glob("spare-*.tmp"))) <= keeping.SPARES_KEPT
    assert complete(directory) == (second, 0)


def test_segments_that_are_needed_stay(directory: Path) -> None:
    with Opened(directory) as opened:
        begin = fill(opened, 9)
        opened.journal.checkpoint_begin(begin, 1)
        position = fill(opened)
        assert opened.journal.checkpoint_write(state(begin))
        done: list[str | None] = []
        opened.journal.checkpoint_end(position, done.append)
        opened.until(lambda: done == [None] and not segment(directory, 1).exists())
        opened.committed()
    assert complete(directory) == (begin, position + 1 - begin)


def test_a_state_taken_some_time_ago_keeps_the_log_that_it_needs(directory: Path) -> None:
    with Opened(directory) as opened:
        begin = fill(opened, 9)
        position = fill(opened)
        assert opened.checkpoint(state(begin), begin=begin) is None
    assert complete(directory) == (begin, position - begin)


def test_freed_segments_are_used_again(directory: Path) -> None:
    with Opened(directory) as opened:
        inodes = set()
        for _ in range(10):
            fill(opened, 10)
            assert opened.checkpoint(state(1)) is None
            opened.ready()
            inodes |= {stat.st_ino for stat in opened.stats("segment-*")}
        assert len(inodes) < 10, "more files than a rotation through the spares needs"
        assert opened.journal.segment[0] > 10


def test_a_freed_segment_has_lost_its_name_on_disk_before_it_is_written_to(directory: Path,
                                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power loss might bring back the name, with what is not its contents any more."""
    steps: list[str] = []

    def told(name: str, note: Callable[..., str]) -> None:
        real = getattr(keeping, name)

        def call(*args: object) -> object:
            steps.append(note(*args))
            return real(*args)

        monkeypatch.setattr(keeping, name, call)

    with Opened(directory) as opened:
        fill(opened, 10)
        told("sync_directory", lambda path: "sync")
        told("write_all", lambda fd, data, offset: "write " + os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        renames = os.rename
        monkeypatch.setattr(os, "rename", lambda old, new: (steps.append(f"free {new.name}"), renames(old, new)))
        for _ in range(5):
            assert opened.checkpoint(state(1)) is None
            fill(opened, 10)
    freed = [at for at, step in enumerate(steps) if step.startswith("free spare-0")]
    assert len(freed) > 3
    for at in freed:
        name = steps[at].removeprefix("free ")
        if f"write {name}" in steps[at:]:
            assert "sync" in steps[at:steps.index(f"write {name}", at)], name
    assert any(step.startswith("write spare-0") for step in steps)


def test_disk_use_stays_bounded(directory: Path) -> None:
    with Opened(directory) as opened:
        most = 0
        for _ in range(12):
            fill(opened, 12)
            assert opened.checkpoint(state(1)) is None
            opened.ready()
            most = max(most, opened.disk_use())
        assert most <= 10 * (1 << 16)


def test_the_size_of_log_and_checkpoint_is_told(directory: Path) -> None:
    with Opened(directory) as opened:
        assert (opened.journal.log_bytes_since_checkpoint, opened.journal.checkpoint_bytes) == (0, 0)
        position = fill(opened)
        log = opened.journal.log_bytes_since_checkpoint
        assert log >= 20 * 10 * 1000
        opened.checkpoint(state(position))
        size = (directory / checkpoint_name(position)).stat().st_size
        assert opened.journal.checkpoint_bytes == size
        assert opened.journal.log_bytes_since_checkpoint < 200
        fill(opened, 5)
        after = opened.journal.log_bytes_since_checkpoint
        assert 50_000 < after < log
    with Opened(directory) as opened:
        assert opened.journal.checkpoint_bytes == size
        assert after <= opened.journal.log_bytes_since_checkpoint <= after + (1 << 16)


def test_it_is_not_seen_before_the_log_reaches_its_end(directory: Path) -> None:
    with Opened(directory) as opened:
        position = fill(opened, 3)
        done: list[str | None] = []
        opened.journal.checkpoint_begin(position, 1)
        assert opened.journal.checkpoint_write(state(position))
        opened.journal.checkpoint_end(position + 5, done.append)
        opened.loop.run_until_complete(asyncio.sleep(0.05))     # as long as it likes: what it waits for is not there
        assert done == []
        assert not (directory / checkpoint_name(position)).exists()
        opened.committed(5)
        opened.until(lambda: done == [None])
        assert (directory / checkpoint_name(position)).exists()


def test_with_an_interval_it_does_not_wait_for_its_end(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=60_000) as opened:
        opened.committed(4)
        assert opened.checkpoint(state(4)) is None
        assert opened.journal.durable == 4


def test_many_blocks_keep_their_order(directory: Path) -> None:
    blocks = [b"".join(frame(one, bytes([block]) * 900) for one in range(50 * block + 1, 50 * block + 51))
              for block in range(60)]
    with Opened(directory) as opened:
        opened.committed(3000)
        opened.journal.checkpoint_begin(3000, 3000)
        for block in blocks:
            opened.until(lambda block=block: opened.journal.checkpoint_write(block))  # type: ignore[misc]
        done: list[str | None] = []
        opened.journal.checkpoint_end(3000, done.append)
        opened.until(lambda: done == [None])
    _found, kept = read(directory)
    assert bytes(kept.state) == b"".join(blocks)
    one = Checkpoint(directory / checkpoint_name(3000))
    assert sum(1 for _ in one.blocks()) == 60
    assert (one.end, one.jobs, one.head.begin, one.head.epoch) == (3000, 3000, 3000, 1)
    one.close()


def test_a_thread_that_is_behind_says_so(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    with Opened(directory) as opened:
        opened.committed()
        write = "flashq.storage.journal.checkpoint.CheckpointFile.write"
        monkeypatch.setattr(write, lambda self, frames: gate.wait(30))
        opened.journal.checkpoint_begin(1, 1)
        taken = 0
        while opened.journal.checkpoint_write(bytes(1 << 18)):
            taken += 1
        assert 16 <= taken <= 18
        gate.set()
        opened.until(lambda: opened.journal.checkpoint_write(b"more"))
        opened.journal.checkpoint_abort()


def test_one_that_is_given_up_leaves_nothing(directory: Path) -> None:
    with Opened(directory) as opened:
        position = fill(opened, 3)
        opened.journal.checkpoint_begin(position, 1)
        assert opened.journal.checkpoint_write(state(position))
        opened.journal.checkpoint_abort()
        opened.journal.checkpoint_abort()
        opened.until(lambda: not list(directory.glob("checkpoint-*")))
        assert opened.checkpoint(state(position)) is None, "the next one is none the worse"
    assert complete(directory) == (position, 0)


def test_closing_gives_it_up(directory: Path) -> None:
    with Opened(directory) as opened:
        position = fill(opened, 3)
        opened.journal.checkpoint_begin(position, 1)
        assert opened.journal.checkpoint_write(state(position))
    assert list(directory.glob("checkpoint-*")) == []
    assert complete(directory) == (0, position)


def test_only_one_at_a_time(directory: Path) -> None:
    with Opened(directory) as opened:
        with pytest.raises(RuntimeError):
            opened.journal.checkpoint_write(b"x")
        opened.journal.checkpoint_begin(0, 0)
        with pytest.raises(RuntimeError):
            opened.journal.checkpoint_begin(0, 0)
        opened.journal.checkpoint_abort()


def test_leftovers_of_a_crash_go_at_the_next_start(directory: Path) -> None:
    with Opened(directory) as opened:
        fill(opened, 3)
    (directory / "checkpoint-00000000000000000030.7.tmp").write_bytes(b"half")
    for number in range(9):
        (directory / f"spare-{number}.tmp").write_bytes(b"x")
    with Opened(directory) as opened:
        assert list(directory.glob("checkpoint-*.tmp")) == []
        opened.ready()
        assert len(list(directory.glob("spare-*.tmp"))) <= keeping.SPARES_KEPT


# --- what cannot be right --------------------------------------------------------------------------------------------


def checkpointed(directory: Path) -> Path:
    """A directory with a checkpoint at 4 of a log that goes on to 7, and its file."""
    with Opened(directory) as opened:
        opened.committed(4)
        assert opened.checkpoint(state(4)) is None
        opened.committed(3)
        opened.marked()
        opened.killed(directory.parent / "copy")
    shutil.rmtree(directory)
    (directory.parent / "copy").rename(directory)
    return directory / checkpoint_name(4)


def test_damage_to_each_byte_of_a_checkpoint_is_refused(directory: Path) -> None:
    path = checkpointed(directory)
    for at in range(path.stat().st_size):
        flip(path, at)
        with pytest.raises((DamageError, FormatError)) as caught:
            read(directory)
        assert isinstance(caught.value, DamageError)
        assert (caught.value.file, caught.value.offset <= at) == (path, True)
        flip(path, at)
    assert complete(directory) == (4, 3)


def test_a_checkpoint_cut_short_or_longer_is_refused(directory: Path) -> None:
    path = checkpointed(directory)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamageError):
            read(directory)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DamageError, match="goes on behind its last block"):
        read(directory)


def test_a_missing_checkpoint_is_refused(directory: Path) -> None:
    with Opened(directory) as opened:
        position = fill(opened)
        opened.checkpoint(state(position))
        opened.until(lambda: not segment(directory, 1).exists())
    (directory / checkpoint_name(position)).unlink()
    with pytest.raises(DamageError, match="it is missing, and the log is needed from record 1 on"):
        read(directory)


def test_a_checkpoint_without_its_log_is_refused(directory: Path) -> None:
    checkpointed(directory)
    for path in directory.glob("segment-*"):
        path.unlink()
    with pytest.raises(DamageError, match=r"segment-000000000001.log .* missing, and the log is needed from record 5"):
        read(directory)


def test_a_log_that_ends_before_the_checkpoint_does_is_refused(directory: Path) -> None:
    with Opened(directory) as opened:
        fill(opened, 3)
        assert opened.checkpoint(state(20), begin=20) is None
    assert opened.position == 30
    last = [group for group in groups(segment(directory, 1)) if group.frames][-1]
    with open(segment(directory, 1), "r+b") as file:
        file.seek(last.offset)
        file.write(bytes(30_000))
    with pytest.raises(DamageError, match="stated to be durable up to record 30"):
        read(directory)


@pytest.mark.parametrize("change", ["dropped", "twice", "swapped"])
def test_blocks_that_are_whole_but_not_those_that_were_written_are_refused(directory: Path, change: str) -> None:
    with Opened(directory) as opened:
        opened.committed(4)
        opened.journal.checkpoint_begin(4, 4)
        done: list[str | None] = []
        for position in range(1, 5):
            assert opened.journal.checkpoint_write(frame(position))
        opened.journal.checkpoint_end(4, done.append)
        opened.until(lambda: done == [None])
    path = directory / checkpoint_name(4)
    whole = path.read_bytes()
    size = 8 + len(frame(1))
    blocks = [whole[at:at + size] for at in range(HEAD_BYTES, HEAD_BYTES + 4 * size, size)]
    changed = {"dropped": blocks[:-1], "twice": [*blocks, blocks[3]], "swapped": [blocks[1], blocks[0], *blocks[2:]]}
    path.write_bytes(whole[:HEAD_BYTES] + b"".join(changed[change]) + whole[HEAD_BYTES + 4 * size:])
    with pytest.raises(DamageError, match="its last block is that of another checkpoint"):
        read(directory)


def test_a_newer_checkpoint_is_refused(directory: Path) -> None:
    path = checkpointed(directory)
    newer(path, CHECKPOINT_MAGIC)
    with pytest.raises(FormatError, match=f"{path.name} has format version 2"):
        read(directory)


def test_a_checkpoint_under_another_name_is_refused(directory: Path) -> None:
    path = checkpointed(directory)
    path.rename(directory / checkpoint_name(5))
    with pytest.raises(DamageError, match=f"its header is that of {path.name}"):
        read(directory)


def test_the_newest_of_several_is_taken(directory: Path) -> None:
    path = checkpointed(directory)
    older = directory / checkpoint_name(1)
    older.write_bytes(b"whatever: nobody looks")
    assert complete(directory) == (4, 3)
    with Opened(directory) as opened:
        opened.until(lambda: not older.exists())
        assert path.exists()


# --- crashes and faults ----------------------------------------------------------------------------------------------


def test_a_crash_at_any_step_leaves_what_can_be_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the directory is taken before each change of a file, all through two checkpoints."""
    copies = directory.parent / "copies"
    committed: list[int] = []
    lock = threading.Lock()
    real = {name: getattr(os, name) for name in disk.CHANGES}

    def before(name: str) -> None:
        with lock, monkeypatch.context() as unwatched:
            for other, call in real.items():
                unwatched.setattr(os, other, call)
            known = opened.commits[-1][0] if opened.commits else 0
            opened.killed(copies / str(len(committed)))
            committed.append(known)

    with Opened(directory) as opened:
        fill(opened, 12)
        disk.watch(monkeypatch, before)
        opened.checkpoint(state(120))
        fill(opened, 12)
        opened.checkpoint(state(240))
        opened.ready()
        opened.until(lambda: not (directory / checkpoint_name(120)).exists())
    monkeypatch.undo()
    assert len(committed) > 30
    for number, known in enumerate(committed):
        covered, followed = complete(copies / str(number))
        assert covered in (0, 120, 240)
        assert known <= covered + followed <= 240


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_checkpoint_that_cannot_be_written_comes_to_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch,
                                                              code: int) -> None:
    with Opened(directory) as opened:
        position = fill(opened, 3)
        opened.ready()
        with monkeypatch.context() as patch:
            def refuse(*_args: object) -> None:
                raise OSError(code, os.strerror(code))

            patch.setattr("flashq.storage.journal.checkpoint.write_all", refuse)
            opened.journal.checkpoint_begin(position, 1)
            with pytest.raises(StorageError, match=os.strerror(code)):
                opened.until(lambda: not opened.journal.checkpoint_write(state(position)))
            opened.journal.checkpoint_abort()
        opened.until(lambda: not list(directory.glob("checkpoint-*")))
        assert opened.states == [], "the log is none the worse"
        opened.committed(2)
        assert opened.checkpoint(state(position), begin=position) is None
    assert complete(directory) == (position, 2)


def test_one_that_fails_at_its_end_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Opened(directory) as opened:
        position = fill(opened, 3)
        with monkeypatch.context() as patch:
            patch.setattr("flashq.storage.journal.checkpoint.CheckpointFile.finish", refuse)
            reason = opened.checkpoint(state(position))
        assert reason == f"cannot write a checkpoint into {directory}: Input/output error"
        opened.committed()
    assert complete(directory) == (0, position + 1)


def test_what_is_put_after_its_end_is_hurried_too(directory: Path) -> None:
    """A loop hands over what a turn has recorded at the end of it, which may be after the checkpoint's own end."""
    hurried: list[int] = []

    class Hurried(Journal):
        def hurry(self) -> None:
            super().hurry()
            hurried.append(self.put_position)

    with Opened(directory, durability="interval", sync_interval_ms=1_000_000, journal=Hurried) as opened:
        position = opened.put()
        done: list[str | None] = []
        opened.journal.checkpoint_begin(position, 1)
        opened.until(lambda: opened.journal.checkpoint_write(state(position)))
        opened.journal.checkpoint_end(position + 1, done.append)
        opened.until(lambda: position in hurried)
        assert done == []
        opened.put()
        opened.until(lambda: done == [None])


def test_a_spare_makes_room_for_a_checkpoint(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flashq.storage.journal import checkpoint as writing

    real = writing.write_all

    def while_there_is_room(fd: int, data: bytes, offset: int) -> None:
        if list(directory.glob("spare-*")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, data, offset)

    with Opened(directory) as opened:
        position = fill(opened, 3)
        monkeypatch.setattr(writing, "write_all", while_there_is_room)
        opened.ready()
        while (reason := opened.checkpoint(state(position))) is not None:
            assert "No space left" in reason    # the spare was not finished just then: an attempt after that finds it
            opened.ready()
        opened.until(lambda: opened.spares() == 1)
    assert complete(directory) == (position, 0)


def test_the_header_of_a_checkpoint_is_as_large_as_stated(directory: Path) -> None:
    path = checkpointed(directory)
    assert path.read_bytes()[:8] == CHECKPOINT_MAGIC
    assert path.stat().st_size == HEAD_BYTES + 8 + len(state(4)) + 8 + 40
