"""What a start makes of a log that was not closed: torn tails are cut for good, and nothing durable is ever missed."""

import os
import shutil
import struct
from pathlib import Path

import pytest

from flashq.storage.base import DamageError
from flashq.storage.journal import logscan
from flashq.storage.journal.format import GROUP_HEAD, HEAD_BYTES, MARK, read_segment_head, segment_name
from flashq.storage.journal.reading import Nothing, Reading
from support.journal import SEGMENT, Kept, Opened, flip, frame, groups, read, segment


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def killed(directory: Path, counts: list[int], durability: str = "commit", marked: bool = False) -> Path:
    """What a server that committed groups of so many frames leaves behind when it is killed."""
    with Opened(directory.parent / "running", durability, sync_interval_ms=60_000) as opened:
        for count in counts:
            opened.committed(count)
        if marked:
            opened.marked()
        return opened.killed(directory)


def image(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_killed_server_has_lost_nothing(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    found, kept = read(directory)
    assert (found.position, kept.positions, found.cut_bytes, found.cut_file) == (6, [1, 2, 3, 4, 5, 6], 0, None)


@pytest.mark.parametrize("part", ["header", "payload"])
def test_a_torn_group_is_cut_and_its_bytes_are_counted(directory: Path, part: str) -> None:
    killed(directory, [1, 2, 3])
    last = groups(segment(directory, 1))[-1]
    flip(segment(directory, 1), last.offset + (40 if part == "header" else GROUP_HEAD.size))
    found, kept = read(directory)
    assert (found.position, kept.positions) == (3, [1, 2, 3])
    assert found.cut_file == "segment-000000000001.log"
    assert found.cut_bytes == (GROUP_HEAD.size if part == "header" else last.size)


def test_a_group_of_which_nothing_came_to_the_disk_is_not_missed(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    last = groups(segment(directory, 1))[-1]
    with open(segment(directory, 1), "r+b") as file:
        file.seek(last.offset)
        file.write(bytes(last.size))
    found, _kept = read(directory)
    assert (found.position, found.cut_bytes, found.cut_file) == (3, 0, None)


def test_what_was_cut_stays_cut(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    last = groups(segment(directory, 1))[-1]
    torn = segment(directory, 1).read_bytes()
    flip(segment(directory, 1), last.offset + last.size - 1)
    assert read(directory)[0].position == 3
    end = groups(segment(directory, 1))[-1]
    assert (end.offset, end.is_end, end.base, end.last, end.durable) == (last.offset, True, 3, 3, 3)
    # The rest of the group comes to light after all: it does not count any more.
    with open(segment(directory, 1), "r+b") as file:
        file.seek(end.offset + end.size)
        file.write(torn[end.offset + end.size:])
    for _ in range(3):
        found, kept = read(directory)
        assert (found.position, kept.positions, found.cut_bytes) == (3, [1, 2, 3], 0)


def test_the_log_goes_on_behind_what_was_cut(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    last = groups(segment(directory, 1))[-1]
    flip(segment(directory, 1), last.offset + last.size - 1)
    with Opened(directory) as opened:
        assert (opened.position, opened.found.cut_bytes) == (3, last.size)
        opened.committed(4)
    found, kept = read(directory)
    assert (found.position, kept.positions, found.cut_bytes) == (7, [1, 2, 3, 4, 5, 6, 7], 0)


def test_a_second_reading_changes_nothing(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    read(directory)
    before = image(directory)
    assert read(directory)[0].position == 6
    assert {**image(directory), "lock": b""} == {**before, "lock": b""}


def test_reading_for_inspection_changes_nothing(directory: Path) -> None:
    killed(directory, [1, 2, 3])
    flip(segment(directory, 1), groups(segment(directory, 1))[-1].offset + 50)
    before = image(directory)
    found = Reading(directory, Nothing(), lambda progress: None).run()
    assert (found.position, found.cut_file) == (3, "segment-000000000001.log")
    assert image(directory) == before


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("within", [0, 4, 8, 16, 24, 40, 44, 48, 60])
def test_damage_before_the_last_group_is_refused(directory: Path, at: int, within: int) -> None:
    killed(directory, [1, 2, 3, 4])
    damaged = groups(segment(directory, 1))[at]
    flip(segment(directory, 1), damaged.offset + within)
    before = image(directory)
    with pytest.raises(DamageError) as caught:
        read(directory)
    assert (caught.value.file, caught.value.offset) == (segment(directory, 1), damaged.offset)
    assert caught.value.record == [0, 1, 3][at]
    assert f"stated to be durable up to record {[1, 3, 6, 10][2]}" in str(caught.value)
    assert f"flashq journal verify {directory}" in str(caught.value)
    assert {**image(directory), "lock": b""} == {**before, "lock": b""}, "nothing is touched"


def test_a_marker_makes_damage_to_the_last_group_known(directory: Path) -> None:
    killed(directory, [1, 2, 3], marked=True)
    last, marker = groups(segment(directory, 1))[-2:]
    assert marker.frames == b""
    for at in (last.offset, last.offset + 44, last.offset + GROUP_HEAD.size, marker.offset - 1):
        shutil.copytree(directory, directory.parent / "copy")
        flip(segment(directory.parent / "copy", 1), at)
        with pytest.raises(DamageError) as caught:
            read(directory.parent / "copy")
        assert caught.value.offset == last.offset
        shutil.rmtree(directory.parent / "copy")


def test_a_torn_marker_is_no_loss(directory: Path) -> None:
    killed(directory, [1, 2], marked=True)
    flip(segment(directory, 1), groups(segment(directory, 1))[-1].offset + 20)
    found, _kept = read(directory)
    assert (found.position, found.cut_bytes) == (3, GROUP_HEAD.size)


def test_groups_behind_a_torn_one_are_cut_with_it_when_nothing_was_synced(directory: Path) -> None:
    killed(directory, [1, 2, 3, 4], "interval")
    second, third, fourth = groups(segment(directory, 1))[1:]
    flip(segment(directory, 1), second.offset + GROUP_HEAD.size + 3)
    found, kept = read(directory)
    assert (found.position, kept.positions) == (1, [1])
    assert found.cut_bytes == second.size + third.size + fourth.size
    with Opened(directory) as opened:
        opened.committed(1)
    assert read(directory)[0].position == 2


def test_damage_in_an_earlier_segment_is_refused(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(20):
            opened.committed(10, b"x" * 1000)
    victim = groups(segment(directory, 2))[-1]
    flip(segment(directory, 2), victim.offset + 100)
    with pytest.raises(DamageError) as caught:
        read(directory)
    assert (caught.value.file, caught.value.offset) == (segment(directory, 2), victim.offset)
    assert "segment-000000000003.log does not go on from there" in str(caught.value)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_segment_is_refused(directory: Path, number: int) -> None:
    with Opened(directory) as opened:
        for _ in range(20):
            opened.committed(10, b"x" * 1000)
    segment(directory, number).unlink()
    with pytest.raises(DamageError, match=segment_name(number)) as caught:
        read(directory)
    assert "missing" in str(caught.value)
    assert caught.value.file == segment(directory, number)


def test_stale_groups_of_an_earlier_use_of_the_file_do_not_count(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(60):
            opened.committed(10, b"x" * 1000)
            if opened.position % 50 == 0:
                assert opened.checkpoint(frame(opened.position)) is None
        before = opened.journal.segment
        while opened.journal.segment == before:
            opened.committed(10, b"x" * 1000)
        position = opened.committed(1)
        copy = opened.killed(directory.parent / "copy")
    active = [path for path in sorted(copy.glob("segment-*")) if groups(path)][-1]
    stale = active.read_bytes()[HEAD_BYTES:]
    assert stale.count(b"FQG1") > len(groups(active)), "the file was not used before"
    found, kept = read(copy)
    assert (found.position, found.cut_bytes) == (position, 0)
    assert kept.positions == list(range(601, position + 1))


def test_a_payload_cannot_pass_for_a_group(directory: Path) -> None:
    """A client that guesses number and position of a segment still does not know the salt."""
    with Opened(directory) as opened:
        opened.committed(1)
        salt = 0
        forged = logscan.group_head(MARK, 0, 1, 99, 99, 99, salt, salt)
        opened.committed(1, forged * 20)
        opened.killed(directory.parent / "copy")
    copy = directory.parent / "copy"
    last = groups(segment(copy, 1))[-1]
    flip(segment(copy, 1), last.offset)
    found, _kept = read(copy)
    assert (found.position, found.cut_bytes) == (1, 0), "torn, and not taken for damage below position 99"
    head = read_segment_head(segment(copy, 1), segment(copy, 1).read_bytes()[:HEAD_BYTES])
    real = logscan.group_head(MARK, 0, 1, 99, 99, 99, head.salt, head.salt)
    assert logscan.find_heads(forged + real, 1, head.salt) == (1, 99, 2 * GROUP_HEAD.size)


def test_each_segment_has_a_salt_of_its_own(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(10):
            opened.committed(10, b"x" * 1000)
    heads = [read_segment_head(path, path.read_bytes()[:HEAD_BYTES]) for path in directory.glob("segment-*")]
    assert len({head.salt for head in heads}) == len(heads) > 2


# --- what is wrong though its checksums are right --------------------------------------------------------------------


def forge(path: Path, payload: bytes, base: int, last: int, number: int = 1, size: int | None = None) -> None:
    """Put a group behind the last one, as a writer with a bug might."""
    head = read_segment_head(path, path.read_bytes()[:HEAD_BYTES])
    at = max((group.offset + group.size for group in groups(path)), default=HEAD_BYTES)
    crc = logscan.checksum(payload, head.salt)
    group = logscan.group_head(MARK, size or len(payload), number, base, last, base, crc, head.salt)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(group + payload)


@pytest.mark.parametrize(
    ("payload", "base", "last", "reason"),
    [
        (frame(5), 4, 5, "does not follow the one before it"),
        (frame(4), 3, 5, "do not reach its last position"),
        (frame(4) + frame(4), 3, 4, "the position of a frame"),
        (frame(3) + frame(4), 3, 4, "the position of a frame"),
        (frame(4) + frame(6), 3, 5, "the position of a frame"),
        (frame(4)[:-1], 3, 4, "a frame does not fit"),
        (frame(4) + b"12345", 3, 4, "a frame's header is cut off"),
        (struct.pack("<IQ", 7, 4), 3, 4, "a frame does not fit"),
        (b"", 3, 4, "do not reach its last position"),
    ],
)
def test_a_whole_group_that_cannot_be_right_is_damage(directory: Path, payload: bytes, base: int, last: int,
                                                      reason: str) -> None:
    killed(directory, [1, 2])
    forge(segment(directory, 1), payload, base, last)
    with pytest.raises(DamageError, match=reason) as caught:
        read(directory)
    assert caught.value.record == 3


def test_a_group_of_another_segment_does_not_count(directory: Path) -> None:
    killed(directory, [1, 2])
    forge(segment(directory, 1), frame(4), 3, 4, number=2)
    assert read(directory)[0].position == 3


def test_a_group_beyond_its_segment_is_damage(directory: Path) -> None:
    killed(directory, [1, 2])
    forge(segment(directory, 1), frame(4), 3, 4, size=SEGMENT)
    with pytest.raises(DamageError, match="beyond the end of the segment"):
        read(directory)


class Damaged(ValueError):
    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


class Choosy(Kept):
    """A replay that does not believe one frame."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.unwanted = struct.pack("<Q", position)

    def log(self, frames: memoryview) -> None:
        if (at := bytes(frames).find(self.unwanted)) >= 0:
            raise Damaged(at + 8, "an unknown record")


@pytest.mark.parametrize("position", [1, 2, 5, 57, 100, 199, 200])
def test_what_a_replay_does_not_believe_is_told_with_its_place(directory: Path, position: int) -> None:
    with Opened(directory) as opened:
        for _ in range(20):
            opened.committed(10, b"x" * 1000)
    with pytest.raises(DamageError, match="an unknown record") as caught:
        Reading(directory, Choosy(position), lambda progress: None).run()
    error = caught.value
    places = [place for group in groups(error.file) for place in group.positions()]
    index = [place[2] for place in places].index(position)
    assert (error.offset, error.record) == (places[index][0] + 12, index)


def test_another_error_of_a_replay_is_not_taken_for_damage(directory: Path) -> None:
    class Buggy(Kept):
        def log(self, frames: memoryview) -> None:
            raise ValueError("a bug")

    killed(directory, [1])
    with pytest.raises(ValueError, match="a bug"):
        Reading(directory, Buggy(), lambda progress: None).run()


# --- progress and room -----------------------------------------------------------------------------------------------


def test_progress_rises_to_the_whole(directory: Path) -> None:
    with Opened(directory) as opened:
        for _ in range(20):
            opened.committed(10, b"x" * 1000)
        opened.checkpoint(frame(200) * 50)
        for _ in range(20):
            opened.committed(10, b"x" * 1000)
    with Opened(directory) as opened:
        steps = [(one.bytes_done, one.bytes_total) for one in opened.progress]
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] > 100_000


def test_starts_in_a_row_take_little_of_the_disk(directory: Path) -> None:
    size = 1 << 24
    for _ in range(4):
        with Opened(directory, segment_size=size) as opened:
            opened.committed()
    read(directory)
    taken = sum(path.stat().st_blocks * 512 for path in directory.glob("segment-*"))
    assert len(list(directory.glob("segment-*"))) >= 4
    if os.uname().sysname == "Linux":
        assert taken < size, "what segments had reserved was not given back"


def test_a_window_smaller_than_a_group_grows(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Opened(directory, segment_size=1 << 20) as opened:
        for count in (1, 400, 2, 3000, 1):
            opened.committed(count)
    monkeypatch.setattr("flashq.storage.journal.reading.WINDOW", 64)
    _found, kept = read(directory)
    assert kept.positions == list(range(1, 3405))
    flip(segment(directory, 1), groups(segment(directory, 1))[1].offset + 1000)
    with pytest.raises(DamageError, match="after 1 good records: the checksum of a group does not match"):
        read(directory)


@pytest.mark.parametrize("window", [48, 49, 64, 100, 130])
def test_a_header_across_two_windows_is_seen(directory: Path, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    killed(directory, [1, 2, 3, 4, 5])
    second = groups(segment(directory, 1))[1]
    flip(segment(directory, 1), second.offset)
    monkeypatch.setattr("flashq.storage.journal.reading.WINDOW", window)
    with pytest.raises(DamageError, match="stated to be durable up to record 10"):
        read(directory)
