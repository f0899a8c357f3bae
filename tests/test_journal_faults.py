"""Disks that are full or broken: nothing is reported that is not so, the fault is told, and a full disk is survived."""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flashq.storage.base import SpaceError, StorageError, StoreState
from flashq.storage.journal import keeper as keeping
from support import disk
from support.journal import SEGMENT, Kept, Opened, frame, positions, read

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is looked at again after some milliseconds."""
    monkeypatch.setattr(keeping, "RETRY_SECONDS", 0.01)


class FullDisk:
    """Refuses to reserve space while it is full."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.refused = 0
        real = keeping.reserve

        def reserve(fd: int, size: int) -> None:
            if self.full and os.fstat(fd).st_blocks * 512 < size:
                self.refused += 1
                raise NO_SPACE
            real(fd, size)

        patch.setattr(keeping, "reserve", reserve)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


# --- a full disk -----------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_while_there_is_room_left(directory: Path, full_disk: FullDisk) -> None:
    with Opened(directory) as opened:
        opened.ready()
        full_disk.full = True
        while opened.states == []:
            opened.committed(10, b"x" * 1000)
        assert opened.states == [StoreState(full=True)]
        assert opened.journal.full
        opened.committed(20, b"x" * 1000)
        full_disk.full = False
        opened.until(lambda: opened.states == [StoreState(full=True), StoreState()])
        assert not opened.journal.full
        position = opened.committed(20, b"x" * 1000)
    assert read(directory)[0].position == position


def test_when_all_is_used_up_replies_wait_until_there_is_space(directory: Path, full_disk: FullDisk) -> None:
    with Opened(directory) as opened:
        opened.ready()
        full_disk.full = True
        for _ in range(30):
            opened.put(10, b"x" * 1000)
            opened.loop.run_until_complete(asyncio.sleep(0.005))
        refused = full_disk.refused
        opened.until(lambda: full_disk.refused > refused + 3)
        stuck = opened.commits[-1][0]
        assert stuck < 300
        assert opened.journal.pending_bytes >= (300 - stuck) * 1000
        assert opened.states == [StoreState(full=True)]
        full_disk.full = False
        opened.reach(300)
        assert opened.journal.pending_bytes == 0
        opened.until(lambda: opened.states[-1] == StoreState())
    assert read(directory)[1].positions == list(range(1, 301))


def test_a_checkpoint_makes_room_on_a_full_disk(directory: Path, full_disk: FullDisk) -> None:
    with Opened(directory) as opened:
        opened.ready()
        full_disk.full = True
        while opened.states == []:
            opened.committed(10, b"x" * 1000)
        position = opened.position
        assert opened.checkpoint(b"".join(frame(one) for one in range(1, position + 1))) is None
        opened.until(lambda: opened.states[-1] == StoreState())     # what it made superfluous is used again
        opened.committed(50, b"x" * 1000)
    found, kept = read(directory)
    assert positions(bytes(kept.state)) + kept.positions == list(range(1, found.position + 1))


def test_closing_on_a_full_disk_does_not_wait_for_space(directory: Path, full_disk: FullDisk) -> None:
    opened = Opened(directory)
    full_disk.full = True
    for _ in range(40):
        opened.put(10, b"x" * 1000)
    opened.until(lambda: opened.journal.full)
    refused = full_disk.refused
    opened.until(lambda: full_disk.refused > refused + 3)
    opened.close()
    committed = opened.commits[-1][0]
    assert committed < 400
    found, _kept = read(directory)
    assert found.position == committed, "what was not written was not reported either"


def test_a_group_too_large_for_the_disk_waits(directory: Path, full_disk: FullDisk) -> None:
    with Opened(directory) as opened:
        opened.ready()
        full_disk.full = True
        opened.put(1, b"x" * 3 * SEGMENT)
        opened.until(lambda: opened.states == [StoreState(full=True)])
        assert opened.journal.written == 0
        full_disk.full = False
        opened.reach(1)
    assert len(read(directory)[1].frames) == 3 * SEGMENT + 12


def test_a_start_on_a_full_disk_is_refused(directory: Path, full_disk: FullDisk) -> None:
    full_disk.full = True
    with pytest.raises(SpaceError, match=f"cannot begin a segment in {directory}: No space left on device"):
        Opened(directory)
    assert list(directory.glob("spare-*")) == []
    full_disk.full = False
    with Opened(directory) as opened:
        opened.committed()


def test_a_start_takes_the_spare_of_the_last(directory: Path, full_disk: FullDisk) -> None:
    with Opened(directory) as opened:
        opened.committed()
        opened.ready()
    full_disk.full = True
    with Opened(directory) as opened:
        opened.committed()
        opened.until(lambda: opened.journal.full)
    assert read(directory)[0].position == 2


def test_what_could_not_be_filled_is_used_all_the_same(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may reserve space and refuse to write there: each attempt must not leave a file behind."""
    refused: list[int] = []
    real = keeping.fill

    def refuse(fd: int, size: int, wanted: Callable[[], bool]) -> None:
        if len(refused) == 3:
            return real(fd, size, wanted)
        refused.append(fd)
        raise NO_SPACE

    with Opened(directory) as opened:
        opened.ready()
        monkeypatch.setattr(keeping, "fill", refuse)
        opened.until(lambda: opened.journal._keeper is not None and opened.journal._keeper.give_up_spare())
        for _ in range(20):
            opened.committed(10, b"x" * 6000)
        opened.journal._keeper.recover_spares()     # type: ignore[union-attr]
        opened.until(lambda: len(refused) == 3 and not opened.journal.full)
        opened.ready()
        assert len(list(directory.glob("spare-*"))) == 1
        assert opened.journal.failed is None


def test_space_is_looked_at_before_it_is_taken(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that takes all there is, and then fails, would take it from others for a moment."""
    attempts: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda fd, offset, size: attempts.append(size))
    room = os.statvfs(directory.parent)
    with pytest.raises(SpaceError, match="No space left on device"):
        Opened(directory, segment_size=(room.f_bavail + 1000) * room.f_frsize)
    assert attempts == []
    assert list(directory.iterdir()) == [directory / "lock"]


# --- a broken disk ---------------------------------------------------------------------------------------------------


def log_fd(directory: Path, number: int) -> int:
    """The descriptor by which the log's thread writes to a segment."""
    name = str(directory / f"segment-{number:012}.log")
    found = [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.realpath(f"/proc/self/fd/{fd}") == name]
    assert len(found) == 1
    return found[0]


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="finds the log's descriptor in /proc")


def break_writes(fd: int) -> None:
    """Writing fails with ENOSPC from now on."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, fd, inheritable=False)
    os.close(full)


def break_syncs(fd: int) -> None:
    """Writing works, syncing fails with EINVAL."""
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, fd, inheritable=False)
    os.close(null)


@needs_proc
@pytest.mark.parametrize("durability", ["commit", "interval"])
@pytest.mark.parametrize(
    ("break_it", "words"),
    [(break_writes, "writing to segment 1 failed: No space left on device"),
     (break_syncs, "syncing segment 1 failed: Invalid argument")],
)
def test_a_failed_write_or_sync_is_the_end(directory: Path, durability: str, break_it: object, words: str) -> None:
    assert callable(break_it)
    opened = Opened(directory, durability, sync_interval_ms=1)
    opened.committed(3)
    opened.until(lambda: opened.journal.durable == 3)
    break_it(log_fd(directory, 1))
    opened.put(2)
    opened.until(lambda: opened.states != [])
    assert opened.states == [StoreState(failed=words)]
    assert opened.journal.failed == words
    commits = list(opened.commits)
    assert all(synced <= 3 for _position, synced in commits)
    for _ in range(100):
        opened.put(1, b"x" * 10_000)
    assert opened.journal.pending_bytes <= 2 * 19, "what can never be reported is not kept"
    opened.loop.run_until_complete(asyncio.sleep(0.01))
    opened.close()
    assert opened.commits == commits, "nothing more was reported"
    assert opened.states == [StoreState(failed=words)]
    assert read(directory)[0].position == 3


@pytest.mark.parametrize("call", ["open", "pwrite", "posix_fallocate", "fsync", "rename"])
def test_a_segment_that_cannot_be_prepared_is_the_end(directory: Path, monkeypatch: pytest.MonkeyPatch,
                                                      call: str) -> None:
    with Opened(directory) as opened:
        opened.committed(3)
        opened.ready()

        def refuse(*_args: object, **_options: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, call, refuse)
        for _ in range(30):
            opened.put(10, b"x" * 1000)
        opened.until(lambda: opened.states != [])
        (state,) = opened.states
        assert state.failed is not None and "preparing the segment after" in state.failed
        assert state.failed.endswith("Input/output error")
        monkeypatch.undo()
    committed = opened.commits[-1][0]
    assert read(directory)[0].position >= committed


def life(directory: Path) -> list[int]:
    """A start, several segments, a checkpoint and an end; what was reported as durable on the way."""
    synced = [0]
    try:
        opened = Opened(directory)
    except StorageError:
        return synced
    try:
        for turn in range(6):
            opened.put(10, b"x" * 3000)
            opened.until(lambda: opened.commits[-1:] >= [(opened.position, 0)] or opened.journal.failed is not None)
            if turn in (2, 4) and opened.journal.failed is None:
                state = b"".join(frame(position) for position in range(1, opened.position + 1))
                opened.checkpoint(state)
    except StorageError:
        pass
    finally:
        opened.close()
        synced += [commit[1] for commit in opened.commits]
    return synced


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_each_call_that_fails_loses_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The whole life of a journal, again and again, each time with the next call failing."""
    number = 0
    seen: set[str] = set()
    while True:
        number += 1
        with monkeypatch.context() as patch:
            failing = disk.FailingCall(patch, number, code)
            synced = life(directory)
        if failing.happened is None:
            break
        seen.add(failing.happened)
        if directory.exists():
            kept = Kept()
            with Opened(directory) as opened:
                kept = opened.kept
                position = opened.committed()
            covered = positions(bytes(kept.state))
            assert covered + kept.positions == list(range(1, position)), f"call {number}, {failing.happened}"
            assert position > max(synced), f"call {number}, {failing.happened}"
            shutil.rmtree(directory)
    assert number > 40
    assert seen >= {"open", "pwrite", "posix_fallocate", "fsync", "rename", "unlink", "mkdir"}
