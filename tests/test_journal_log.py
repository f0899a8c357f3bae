"""The log of the journal: what is put comes back after a restart, in groups, segments and epochs as they should be."""

import asyncio
import itertools
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flashq.storage.base import DamageError, FormatError, LockedError, StorageError
from flashq.storage.journal import Journal, keeper
from flashq.storage.journal.format import (
    END_MARK,
    GROUP_HEAD,
    HEAD_BYTES,
    MARK,
    SEGMENT_MAGIC,
    SegmentHead,
    read_segment_head,
)
from flashq.storage.journal.logscan import checksum
from support.journal import SEGMENT, Opened, frame, groups, positions, read, segment


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_an_empty_directory_begins_at_nothing(directory: Path) -> None:
    with Opened(directory) as opened:
        assert (opened.found.position, opened.found.epoch, opened.found.records) == (0, 0, 0)
        assert opened.files()[0] == "segment-000000000001.log"
    found, kept = read(directory)
    assert (found.position, found.epoch, bytes(kept.frames)) == (0, 1, b"")


def test_frames_come_back_as_they_were_put(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.committed(3, b"first")
        opened.committed(1, bytes(range(256)) * 40)
        opened.committed(5, b"")
    found, kept = read(directory)
    expected = b"".join(frame(position, b"first") for position in (1, 2, 3))
    expected += frame(4, bytes(range(256)) * 40)
    assert bytes(kept.frames) == expected + b"".join(frame(position, b"") for position in range(5, 10))
    assert (found.position, found.records, found.frames, found.cut_bytes) == (9, 9, 9, 0)


def test_groups_stand_on_disk_as_the_format_says(directory: Path) -> None:
    """Written by what logformat.pxd says of them, and read here by format.py, which readers go by."""
    with Opened(directory) as opened:
        opened.committed(2)
        opened.committed(3, bytes(9000))
    content = segment(directory, 1).read_bytes()
    salt = read_segment_head(segment(directory, 1), content[:HEAD_BYTES]).salt
    at, reached, marks = HEAD_BYTES, 0, list[int]()
    while END_MARK not in marks:
        head = content[at : at + GROUP_HEAD.size]
        mark, size, number, base, last, durable, payload_crc, head_crc = GROUP_HEAD.unpack(head)
        payload = content[at + GROUP_HEAD.size : at + GROUP_HEAD.size + size]
        assert (number, base, payload_crc, head_crc) == (1, reached, checksum(payload, salt), checksum(head[:-4], salt))
        assert last == (positions(payload) or [base])[-1] and durable <= base
        at, reached = at + GROUP_HEAD.size + size, last
        marks.append(mark)
    assert set(marks[:-1]) == {MARK} and len(marks) > 2 and reached == 5


def test_a_frame_may_hold_many_records(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.journal.append(frame(7) + frame(1007), 1007)
        opened.until(lambda: opened.commits[-1:] == [(1007, 1007)])
    found, kept = read(directory)
    assert (found.position, kept.positions) == (1007, [7, 1007])


def test_positions_and_epochs_go_on_over_restarts(directory: Path) -> None:
    for start in range(5):
        with Opened(directory) as opened:
            assert (opened.position, opened.found.epoch) == (4 * start, start)
            assert opened.kept.positions == list(range(1, 4 * start + 1))
            opened.committed(4)


def test_what_was_put_and_not_yet_written_is_on_disk_after_close(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(50):
            opened.put(3, b"x" * 500)
    assert opened.commits[-1] == (150, 150)
    assert read(directory)[0].position == 150


def test_what_comes_while_a_group_is_written_is_the_next_group(directory: Path) -> None:
    with Opened(directory, segment_size=1 << 22) as opened:
        opened.committed()
        for _ in range(1999):
            opened.put()
        opened.reach(2000)
        assert len(opened.commits) < 1000
        written = [one for one in groups(segment(directory, 1)) if one.frames]
    assert 1 < len(written) < 1000
    assert [position for one in written for _at, _size, position in one.positions()] == list(range(1, 2001))
    for before, after in itertools.pairwise(written):
        assert (after.base, after.offset) == (before.last, before.offset + before.size)
        assert after.durable == before.last, "each was synced before the next was written"


@pytest.mark.parametrize("segment_size", [SEGMENT, 1 << 24])
def test_large_frames_are_not_copied_and_keep_their_order(directory: Path, segment_size: int) -> None:
    with Opened(directory, segment_size=segment_size) as opened:
        for turn in range(60):      # more than there are buffers between the loop and the thread
            opened.put(1, bytes([turn]) * (40_000 if turn % 3 else 10))
        opened.reach(60)
    _found, kept = read(directory)
    expected = b"".join(frame(turn + 1, bytes([turn]) * (40_000 if turn % 3 else 10)) for turn in range(60))
    assert bytes(kept.frames) == expected


def test_the_log_goes_on_in_the_next_segment(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(40):
            opened.committed(10, b"x" * 1000)
        names = opened.files()
    numbers = [int(name[8:20]) for name in names]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 5
    assert {(directory / name).stat().st_size for name in names} == {SEGMENT}
    found, kept = read(directory)
    assert kept.positions == list(range(1, 401))
    assert found.position == 400


@pytest.mark.parametrize("size", [SEGMENT - 300, SEGMENT, 5 * SEGMENT])
def test_a_group_larger_than_a_segment_gets_one_of_its_own(directory: Path, size: int) -> None:
    with Opened(directory) as opened:
        opened.committed()
        opened.committed(1, b"L" * size)
        opened.committed()
        opened.committed(1, b"M" * size)
    found, kept = read(directory)
    assert bytes(kept.frames) == frame(1) + frame(2, b"L" * size) + frame(3) + frame(4, b"M" * size)
    assert found.position == 4
    with Opened(directory) as opened:
        opened.committed()
    assert read(directory)[0].position == 5


@pytest.mark.parametrize("payload", [0, 1, 47, 48, 49, 95, 96, 97])
def test_a_segment_may_be_filled_to_its_last_byte(directory: Path, payload: int) -> None:
    """Room for the end of a segment always stays, whatever the size of the last group."""
    with Opened(directory) as opened:
        free = SEGMENT - HEAD_BYTES - 48 - 12
        opened.committed(1, b"x" * (free - 48 - payload))
        opened.marked()
        opened.committed()
        opened.marked()
    found, kept = read(directory)
    assert (found.position, kept.positions) == (2, [1, 2])


@pytest.mark.parametrize("left", [0, 1, 47, 48, 49, 96])
def test_the_end_of_a_segment_always_has_room(directory: Path, left: int) -> None:
    """Whatever the first group leaves of its segment: what does not leave enough goes to a larger one."""
    with Opened(directory) as opened:
        opened.committed(1, b"x" * (SEGMENT - HEAD_BYTES - 48 - 12 - left))
    for start in (1, 2):
        with Opened(directory) as opened:
            assert opened.position == start
            opened.committed()


def test_an_idle_log_states_that_all_is_durable(directory: Path, tmp_path: Path) -> None:
    with Opened(directory) as opened:
        opened.committed(3)
        opened.marked()
        opened.killed(tmp_path / "copy")
    first, marker = groups(segment(tmp_path / "copy", 1))
    assert (first.last, first.durable, first.is_end) == (3, 0, False)
    assert (marker.base, marker.last, marker.durable, marker.frames, marker.is_end) == (3, 3, 3, b"", False)


def test_one_marker_is_enough(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.committed()
        opened.marked()
        written = opened.journal.log_bytes
        opened.loop.run_until_complete(asyncio.sleep(0.12))     # more than twice as long as it waits for one
        assert opened.journal.log_bytes == written


def test_a_closed_log_says_that_it_ends(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.committed(3)
    assert (groups(segment(directory, 1))[-1].is_end, groups(segment(directory, 1))[-1].durable) == (True, 3)


def test_each_start_begins_a_segment_with_the_next_epoch(directory: Path) -> None:
    for _ in range(3):
        with Opened(directory) as opened:
            opened.committed()
    heads = {}
    for path in sorted(directory.glob("segment-*.log")):
        head = read_segment_head(path, path.read_bytes()[:HEAD_BYTES])
        heads[head.number] = head.epoch
    used = [number for number in heads if any(group.frames for group in groups(segment(directory, number)))]
    assert [heads[number] for number in used] == [1, 2, 3]
    assert list(heads) == sorted(heads) and list(heads.values()) == sorted(heads.values())


# --- interval --------------------------------------------------------------------------------------------------------


def test_with_an_interval_a_group_is_committed_before_it_is_synced(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=60_000) as opened:
        opened.put(2)
        opened.until(lambda: opened.commits[-1:] == [(2, 0)])
        assert (opened.journal.written, opened.journal.durable) == (2, 0)
        opened.committed(3)
        assert opened.commits[-1] == (5, 0)
        opened.journal.hurry()
        opened.until(lambda: opened.commits[-1] == (5, 5))


def test_hurrying_holds_for_what_was_put_before(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=60_000) as opened:
        opened.put(2)
        opened.journal.hurry()
        opened.until(lambda: opened.commits[-1:] == [(2, 2)])
        opened.committed(1)
        assert opened.commits[-1] == (3, 2), "what comes later waits for the interval"


def test_after_the_interval_all_is_synced(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=100) as opened:
        started = time.monotonic()
        opened.committed(2)
        assert opened.commits[-1] == (2, 0)
        opened.until(lambda: opened.commits[-1] == (2, 2))
        assert 0.1 <= time.monotonic() - started < 5


def test_a_segment_is_synced_before_the_log_leaves_it(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=60_000) as opened:
        for _ in range(10):
            opened.committed(10, b"x" * 1000)
    second = groups(segment(directory, 2))[0]
    assert second.durable == second.base > 0


def test_with_an_interval_close_syncs_everything(directory: Path) -> None:
    with Opened(directory, "interval", sync_interval_ms=60_000) as opened:
        opened.put(7)
    assert opened.commits[-1] == (7, 7)
    assert read(directory)[0].position == 7


# --- the directory ---------------------------------------------------------------------------------------------------


def test_files_and_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"
    with Opened(directory) as opened:
        opened.committed()
        opened.checkpoint(frame(1))
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_second_journal_is_told_who_has_the_directory(directory: Path) -> None:
    with Opened(directory), pytest.raises(LockedError, match=rf"{directory} is in use by .* {os.getpid()}:"):
        Opened(directory)
    with Opened(directory) as opened:
        opened.committed()


def test_a_process_that_died_holds_no_lock(directory: Path) -> None:
    program = "import sys, os, pathlib; from support.journal import Opened\n"
    program += "Opened(pathlib.Path(sys.argv[1])).committed(4); os._exit(9)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program, str(directory)], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (9, b"")
    assert read(directory)[0].position == 4


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("mine")
    with pytest.raises(StorageError, match=f"cannot use the data directory {path}: it is no directory"):
        Opened(path)
    with pytest.raises(StorageError, match=r"cannot use the data directory .*"):
        Opened(path / "below")
    assert path.read_text() == "mine"


def test_a_directory_that_cannot_be_written_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)    # for root every directory can be written
    with pytest.raises(StorageError, match=f"cannot use the data directory {directory}: this user may not read and"):
        Opened(directory)


def newer(path: Path, magic: bytes) -> None:
    """Write the header anew with a version that does not exist yet."""
    head = path.read_bytes()[: HEAD_BYTES - 4]
    assert head.startswith(magic)
    head = head[:8] + struct.pack("<I", 2) + head[12:]
    with open(path, "r+b") as file:
        file.write(head + struct.pack("<I", checksum(head)))


def test_a_newer_version_is_refused_and_left_alone(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.committed()
    newer(segment(directory, 1), SEGMENT_MAGIC)
    before = segment(directory, 1).read_bytes()
    with pytest.raises(FormatError, match=r"segment-000000000001\.log has format version 2"):
        Opened(directory)
    assert segment(directory, 1).read_bytes() == before


@pytest.mark.parametrize("size", [0, 1, HEAD_BYTES - 1, HEAD_BYTES, SEGMENT - 1, SEGMENT + 1])
def test_a_segment_of_another_size_than_stated_is_damaged(directory: Path, size: int) -> None:
    with Opened(directory) as opened:
        opened.committed()
    os.truncate(segment(directory, 1), size)
    with pytest.raises(DamageError) as caught:
        Opened(directory)
    assert caught.value.file == segment(directory, 1)


def test_a_segment_under_another_number_is_damaged(directory: Path) -> None:
    with Opened(directory) as opened:
        opened.committed()
    segment(directory, 1).rename(segment(directory, 9))
    with pytest.raises(DamageError, match="its header is that of segment 1"):
        Opened(directory)


def test_settings_are_checked(directory: Path) -> None:
    with pytest.raises(ValueError, match="durability"):
        Journal(directory, durability="memory", sync_interval_ms=50, segment_size=SEGMENT)
    with pytest.raises(ValueError, match="segment_size"):
        Journal(directory, durability="commit", sync_interval_ms=50, segment_size=SEGMENT - 1)


def test_a_header_round_trips() -> None:
    head = SegmentHead(epoch=7, number=1 << 40, size=1 << 33, salt=0xFFFFFFFF)
    assert len(head.pack()) == HEAD_BYTES
    assert read_segment_head(Path("x"), head.pack()) == head


def test_a_journal_that_was_never_opened_can_be_closed(directory: Path) -> None:
    journal = Journal(directory, durability="commit", sync_interval_ms=50, segment_size=SEGMENT)
    journal.close()
    journal.lock()
    journal.close()
    assert positions(b"") == []


def test_space_is_filled_ahead_while_the_log_is_calm(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Callable[[], bool]] = []
    monkeypatch.setattr(keeper, "fill", lambda _fd, _size, wanted: asked.append(wanted))
    with Opened(directory, segment_size=1 << 22) as opened:
        opened.until(lambda: len(asked) == 3)
        goes_on = asked[-1]
        assert goes_on()
        opened.committed(1, b"x" * keeper.BUSY_BYTES)
        assert not goes_on(), "large groups need no help, and the processor is wanted for them"
        opened.committed(1, b"x" * 100)
        assert goes_on()
