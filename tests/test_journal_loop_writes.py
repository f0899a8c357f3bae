"""A loop with nothing else to do writes and syncs a group itself when the disk is quick: the same log, no thread."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flashq.storage.journal import journal
from support.journal import SEGMENT, Opened, descriptors, frame, groups, read, segment
from support.simulated import Client, Simulation

ALWAYS = (1 << 64) - 1


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Sets how quick a disk must be, in ns, and begins with: any is quick."""
    monkeypatch.setattr(journal, "QUICK_NS", ALWAYS)
    yield lambda ns: monkeypatch.setattr(journal, "QUICK_NS", ns)


@pytest.fixture
def opened(directory: Path, quick: object) -> Iterator[Opened]:
    """A journal whose thread has synced once, so that it is known how quick the disk is, and sleeps."""
    with Opened(directory) as opened:
        opened.committed()
        opened.marked()
        asleep(opened)
        yield opened


def idle(opened: Opened, payload: bytes = b"records") -> int:
    """Put a frame as a loop does that would sleep else; its position."""
    position = opened.position + 1
    opened.journal.append(frame(position, payload), position, idle=True)
    return position


def asleep(opened: Opened) -> None:
    """Wait until the log's thread has nothing to do: then, and only then, the loop is let."""
    deadline = time.monotonic() + 30
    while idle(opened) != opened.journal.durable:
        assert time.monotonic() < deadline
        opened.reach(opened.position)


def test_it_is_on_disk_and_told_when_the_call_returns(opened: Opened) -> None:
    for _ in range(5):
        position = idle(opened)
        assert opened.journal.durable == position
        assert opened.commits[-1] == (position, position)
        assert opened.journal.pending_bytes == 0
    position = opened.position
    opened.close()
    found, kept = read(opened.directory)
    assert (found.position, kept.positions, found.cut_bytes) == (position, list(range(1, position + 1)), 0)


def test_the_bell_does_not_ring_for_what_the_loop_did(opened: Opened) -> None:
    opened.until(lambda: True)      # hear what is left from before
    heard = len(opened.commits)
    idle(opened)
    opened.until(lambda: True)
    assert len(opened.commits) == heard + 1


def test_thread_and_loop_take_turns_on_one_log(opened: Opened) -> None:
    for turn in range(300):
        if turn % 3:
            idle(opened, b"x" * (turn * 7))
        else:
            opened.put(2, b"y" * 50)
    last = opened.position
    opened.reach(last)
    names = [name for name in opened.files() if name.startswith("segment")]
    opened.close()
    found, kept = read(opened.directory)
    assert kept.positions == list(range(1, last + 1))
    assert found.cut_bytes == 0
    assert len(names) > 1, "and what does not fit any more goes on in the next segment, by the thread"


def test_what_the_loop_wrote_is_stated_as_durable_before_long(directory: Path, opened: Opened) -> None:
    for _ in range(2):      # at first the thread may look at it for another reason; then it has none
        position = idle(opened)
        opened.until(lambda at=position: groups(segment(directory, 1))[-1].durable == at)
        marker = groups(segment(directory, 1))[-1]
        assert (marker.base, marker.last, marker.frames) == (position, position, b"")


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="looks into /proc at which signals a thread blocks")
def test_no_signal_interrupts_the_loop_while_it_writes(opened: Opened) -> None:
    """A sync that ended with EINTR would end the log."""
    status = Path(f"/proc/self/task/{threading.get_native_id()}/status")
    seen: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            found = re.search(r"SigBlk:\t(\w+)", status.read_text())
            assert found is not None
            seen.add(int(found[1], 16) >> signal.SIGTERM - 1 & 1)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while seen != {0, 1}:
            assert time.monotonic() < deadline
            asleep(opened)
    finally:
        over.set()
        thread.join()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_after_a_slow_sync_the_thread_does_it(directory: Path, quick: Callable[[int], None]) -> None:
    quick(0)
    with Opened(directory) as opened:
        opened.committed()
        for _ in range(3):
            position, heard = opened.position + 1, len(opened.commits)
            assert idle(opened) == position
            assert len(opened.commits) == heard, "nothing is told from within"
            opened.reach(position)


def test_before_any_sync_the_disk_is_taken_for_a_slow_one(directory: Path, quick: Callable[[int], None]) -> None:
    quick(10**12)
    with Opened(directory) as opened:
        idle(opened)
        assert opened.commits == []
        opened.reach(1)


def test_with_interval_the_thread_writes(directory: Path, quick: object) -> None:
    with Opened(directory, durability="interval", sync_interval_ms=1) as opened:
        opened.committed()
        opened.marked()
        for _ in range(10):
            heard = len(opened.commits)
            idle(opened)
            assert len(opened.commits) == heard
            opened.reach(opened.position)


def test_a_group_larger_than_a_segment_is_the_thread_s(opened: Opened) -> None:
    position = idle(opened, b"L" * (2 * SEGMENT))
    assert opened.commits[-1][0] < position
    opened.reach(position)


def test_a_failed_write_of_the_loop_ends_the_log(opened: Opened) -> None:
    durable = opened.journal.durable
    # The file below the log becomes one that takes no writes.
    path = segment(opened.directory, 1)
    (fd,) = descriptors(path)
    read_only = os.open(path, os.O_RDONLY)
    os.dup2(read_only, fd)
    os.close(read_only)
    position = idle(opened)
    assert opened.journal.durable == durable < position
    (state,) = opened.states
    assert state.failed == "writing to segment 1 failed: Bad file descriptor"
    opened.put()
    assert opened.commits[-1][0] == durable


# --- fed by the hub --------------------------------------------------------------------------------------------------


def simulated(opened: Opened) -> Simulation:
    store: Any = opened.journal     # a Simulation asks for one that tests can hold back
    sim = Simulation(store, durability=opened.journal.durability)
    opened.on_commit = sim.hub.committed
    return sim


def arrives(client: Client, cmd: str, **fields: Any) -> None:
    """A read event of the loop's turn, which does not end with it."""
    client.transport.kernel += client.encode(cmd, **fields)
    client.transport.pump()


def test_what_a_turn_of_the_loop_has_recorded_is_one_group(directory: Path, quick: object) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        sim = simulated(opened)
        clients = [sim.connect() for _ in range(20)]
        sim.connect()       # who may send something, too
        for turn in range(5):
            for client in clients:
                arrives(client, "PUSH", queue="q", data=turn)
            assert opened.position == 20 * turn
            sim.loop.settle()
            assert opened.position == 20 * (turn + 1)
            opened.until(lambda: sim.engine.synced == sim.engine.position)
            assert [len(client.replies()) for client in clients] == [1] * 20
        written = [one for one in groups(segment(directory, 1)) if one.frames]
        assert [len(list(one.positions())) for one in written] == [20] * 5, "and each command has a frame of its own"


def test_nothing_is_waited_for_once_everybody_waits_for_a_reply(directory: Path, quick: object) -> None:
    with Opened(directory) as opened:
        sim = simulated(opened)
        clients = [sim.connect() for _ in range(3)]
        deadline = time.monotonic() + 30
        by_loop = False
        while not by_loop:      # the first time the log's thread does it, and perhaps once more while it is awake
            assert time.monotonic() < deadline
            before = opened.position
            for client in clients:
                assert opened.position == before
                arrives(client, "PUSH", queue="q", data=1)
            assert opened.position > before
            by_loop = opened.journal.durable == opened.position
            opened.until(lambda: sim.engine.synced == sim.engine.position)
            assert [len(client.replies()) for client in clients] == [1] * 3


@pytest.mark.parametrize("other", ["silent", "two requests out"])
def test_who_may_send_more_is_waited_for(directory: Path, quick: object, other: str) -> None:
    with Opened(directory) as opened:
        sim = simulated(opened)
        client, more = sim.connect(), sim.connect()
        if other == "two requests out":
            arrives(more, "PUSH", queue="q", data=1)
            arrives(more, "PUSH", queue="q", data=1)
        arrives(client, "PUSH", queue="q", data=1)
        assert opened.position == 0
        sim.loop.settle()
        assert opened.position > 0


def test_who_left_is_not_waited_for(directory: Path, quick: object) -> None:
    with Opened(directory) as opened:
        sim = simulated(opened)
        client, gone = sim.connect(), sim.connect()
        arrives(gone, "PUSH", queue="q", data=1)
        arrives(gone, "PUSH", queue="q", data=1)
        gone.disconnect()
        sim.loop.settle()
        before = opened.position
        opened.until(lambda: sim.engine.synced == before)
        arrives(client, "PUSH", queue="q", data=1)
        assert opened.position == before + 1


def test_a_large_batch_does_not_wait_for_the_end_of_the_turn(directory: Path, quick: object) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        sim = simulated(opened)
        client = sim.connect()
        sim.connect()
        arrives(client, "PUSH", queue="q", data=1)
        assert opened.position == 0
        arrives(client, "PUSHB", queue="q", jobs=[{"data": "x" * 100}] * 1000)
        assert opened.position == 1001
        opened.reach(1001)
        assert len(client.replies()) == 2


def test_batches_of_a_turn_share_a_sync(directory: Path, quick: object) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        sim = simulated(opened)
        clients = [sim.connect() for _ in range(20)]     # of fewer the disk begins earlier
        for client in clients[:3]:
            arrives(client, "PUSHB", queue="q", jobs=[{"data": "x" * 100}] * 700)       # about 95 kB of records
        assert opened.position == 2100
        sim.loop.settle()
        opened.until(lambda: sim.engine.synced == 2100)
        assert [len(client.replies()) for client in clients[:4]] == [1, 1, 1, 0]
        (written,) = [one for one in groups(segment(directory, 1)) if one.frames]
        assert written.last == 2100 and len(list(written.positions())) == 3


def test_many_batches_do_not_wait_for_the_end_of_the_turn(directory: Path, quick: object) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        sim = simulated(opened)
        clients = [sim.connect() for _ in range(7)]
        for client in clients[:6]:
            arrives(client, "PUSHB", queue="q", jobs=[{"data": "x" * 100}] * 700)
        opened.until(lambda: opened.journal.durable >= 2800)
        sim.loop.settle()
        opened.until(lambda: sim.engine.synced == 4200)


def test_who_asks_for_the_disk_does_not_wait_for_the_end_of_the_turn(directory: Path) -> None:
    with Opened(directory, durability="interval", sync_interval_ms=100_000) as opened:
        sim = simulated(opened)
        client = sim.connect()
        arrives(client, "PUSH", queue="q", data=1)
        arrives(client, "SYNC")
        assert opened.position == 1
        opened.until(lambda: opened.journal.durable == 1)


def test_requests_that_keep_coming_leave_the_writing_to_the_thread(directory: Path, quick: object) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        sim = simulated(opened)
        client = sim.connect()
        sim.connect()
        client.send("PUSH", queue="q", data=0)
        opened.until(lambda: sim.engine.synced == 1)
        put, told = [], len(opened.commits)

        def busy() -> None:
            arrives(client, "PUSH", queue="q", data=1)
            put.append(opened.position)
            if len(put) < 20:
                sim.loop.call_later(0, busy)

        busy()
        sim.loop.settle()
        assert put[0] == 1 < put[10], "some turns later it is put, although more comes with each"
        if len(opened.commits) > told:
            assert opened.commits[told][0] == 21, "told from within only at the end, when nothing more came"
        opened.until(lambda: sim.engine.synced == 21)


def test_what_was_recorded_last_is_handed_over_at_the_end(directory: Path, quick: object) -> None:
    with Opened(directory) as opened:
        sim = simulated(opened)
        client, _ = sim.connect(), sim.connect()
        arrives(client, "PUSH", queue="q", data=1)
        sim.hub.keep()
        assert opened.position == 1
        sim.hub.close_all()
    assert read(directory)[0].position == 1
