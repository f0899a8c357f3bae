"""Reading a journal while it is written: what happens between two reads is no damage, and loses nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flashq.storage.base import DamageError, StorageError
from flashq.storage.journal import backup as backups
from flashq.storage.journal import shrinking
from flashq.storage.journal.facts import Survey
from flashq.storage.journal.format import GROUP_HEAD
from flashq.storage.journal.live import TRIES, Reads, owner, read_live, steadily
from flashq.storage.journal.logscan import Walk
from flashq.storage.journal.reader import RawFile, Segment
from flashq.storage.journal.survey import survey
from support.journal import SEGMENT, Kept, Opened, flip, frame, groups, positions, segment

Happens = Callable[[], None]


def nothing(*_told: object) -> None:
    """Happens."""


class Watched(Kept):
    """A replay in whose middle something happens."""

    def __init__(self, happens: Happens, at: int = 1) -> None:
        super().__init__()
        self._happens = happens
        self._left = at

    def log(self, frames: memoryview) -> None:
        super().log(frames)
        self._left -= 1
        if self._left == 0:
            self._happens()


def reading(directory: Path, happens: Happens, at: int = 1) -> tuple[Reads, Watched]:
    """A reading during which it happens, in each try."""
    reads = read_live(directory, lambda: Watched(happens, at), nothing)
    assert isinstance(reads.replay, Watched)
    return reads, reads.replay


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with Opened(tmp_path / "data") as running:
        yield running


def rotate(opened: Opened, segments: int = 1) -> None:
    """Write until that many segments more hold something."""
    target = len(opened.files()) + segments
    while len(opened.files()) < target:
        opened.committed(20, b"x" * 1000)


def test_whose_it_is(tmp_path: Path, opened: Opened) -> None:
    assert owner(tmp_path / "data") == str(os.getpid())
    opened.close()
    assert owner(tmp_path / "data") is None
    assert owner(tmp_path) is None
    assert not (tmp_path / "lock").exists()


def test_groups_written_behind_the_end_that_was_read_are_no_damage(opened: Opened) -> None:
    opened.committed(5)
    opened.marked()

    def more() -> None:
        opened.committed(1)
        opened.committed(1)     # states that the one before it is durable

    reads, kept = reading(opened.directory, more)
    assert (reads.found.position, reads.found.cut_bytes) == (5, 0)
    assert kept.positions == [1, 2, 3, 4, 5]


def test_a_segment_begun_meanwhile_is_no_damage(opened: Opened) -> None:
    opened.committed(5)
    reads, kept = reading(opened.directory, lambda: rotate(opened, 2))
    assert reads.found.position == 5
    assert kept.positions == [1, 2, 3, 4, 5]


def test_a_group_that_stays_torn_is_damage(opened: Opened) -> None:
    opened.committed(5)
    opened.committed(1)
    opened.committed(1)
    flip(segment(opened.directory, 1), groups(segment(opened.directory, 1))[1].offset + GROUP_HEAD.size)
    with pytest.raises(DamageError, match=r"segment-000000000001\.log is damaged"):
        reading(opened.directory, nothing)


def test_files_that_go_meanwhile_begin_the_reading_anew(opened: Opened) -> None:
    rotate(opened, 3)
    last = opened.position
    happened: list[int] = []

    def superseded() -> None:
        if not happened:
            happened.append(opened.position)
            assert opened.checkpoint(frame(last, b"all of it")) is None
            opened.until(lambda: not segment(opened.directory, 1).exists())

    reads, kept = reading(opened.directory, superseded)
    assert happened == [last]
    assert (reads.found.position, reads.found.begin) == (last, last)
    assert positions(bytes(kept.state)) == [last]


def test_a_file_used_again_between_opening_and_reading_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    with Opened(data) as opened:
        last = opened.committed(5)
    segment(data, 2).unlink(missing_ok=True)    # the empty one behind it
    walk = Segment.walk

    def restarted(self: Segment, *given: int) -> Walk:
        monkeypatch.undo()
        with Opened(data) as opened:
            assert opened.checkpoint(frame(last, b"all of it")) is None
            opened.until(lambda: not segment(data, 1).exists())
            rotate(opened, 3)
        return walk(self, *given)

    monkeypatch.setattr(Segment, "walk", restarted)
    reads, kept = reading(data, nothing)
    assert not segment(data, 1).exists()
    assert positions(bytes(kept.state)) == [last]
    assert reads.found.position > last


def test_files_that_go_each_time_end_it_with_a_reason(tmp_path: Path) -> None:
    left = [segment(tmp_path, number) for number in range(2 * TRIES)]
    for path in left:
        path.touch()

    def work() -> None:
        left.pop().unlink()
        raise StorageError("gone")

    with pytest.raises(StorageError, match=rf"faster than they could be read, {TRIES} times in a row"):
        steadily(tmp_path, work)
    assert len(left) == TRIES


def test_what_fails_while_no_file_goes_fails_at_once(opened: Opened) -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise StorageError("the disk is gone")

    with pytest.raises(StorageError, match="the disk is gone"):
        steadily(opened.directory, work)
    assert tries == [1]


@pytest.mark.parametrize("segments", [0, 2])
@pytest.mark.parametrize("within", [True, False])
def test_a_survey_takes_what_comes_meanwhile_for_no_damage(opened: Opened, segments: int, within: bool) -> None:
    opened.committed(3)
    opened.until(lambda: segment(opened.directory, 2).exists())
    shown: list[int] = []

    def more() -> None:
        opened.committed(2)
        opened.committed(2)
        rotate(opened, segments)

    def look(_path: Path, _offset: int, frames: memoryview) -> None:
        if not shown and within:
            more()
        shown.extend(positions(bytes(frames)))

    def advance(done: int, _total: int) -> None:
        if done == SEGMENT and not within:
            more()

    found: Survey = survey(opened.directory, look, advance)
    assert found.damages == []
    assert shown == list(range(1, found.position + 1))
    assert found.position > (3 if within or segments else 2)


def test_a_survey_leaves_out_what_goes_meanwhile(opened: Opened) -> None:
    first = opened.committed()
    assert opened.checkpoint(frame(first, b"the first")) is None
    rotate(opened, 3)
    last = opened.position
    seen: list[str] = []

    def look(path: Path, _offset: int, _frames: memoryview) -> None:
        if not seen:
            assert opened.checkpoint(frame(last, b"all of it")) is None
            opened.until(lambda: not segment(opened.directory, 1).exists())
            rotate(opened, 4)       # the files are used again
        seen.append(path.name)

    found = survey(opened.directory, look, nothing)
    assert found.damages == [] and found.gone >= 2
    assert [facts.path.exists() for facts in found.segments] == [True] * len(found.segments)
    assert found.position > 0


def test_a_checkpoint_that_goes_while_a_survey_reads_it_is_no_damage(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its space is given back piece by piece, under the eyes of who has it open."""
    monkeypatch.setattr(shrinking, "PIECE_BYTES", 1000)
    first = opened.committed()
    assert opened.checkpoint(frame(first, b"x" * 5000)) is None
    (old,) = opened.directory.glob("*.ckpt")
    last = opened.committed()

    def look(path: Path, _offset: int, _frames: memoryview) -> None:
        if path == old:
            fd = os.open(path, os.O_RDONLY)
            assert opened.checkpoint(frame(last, b"all of it")) is None
            opened.until(lambda: os.fstat(fd).st_size <= 1000)
            os.close(fd)

    found = survey(opened.directory, look, nothing)
    assert (found.damages, found.gone, found.checkpoints) == ([], 1, [])
    again = steadily(opened.directory, lambda: survey(opened.directory, lambda *_: None, nothing))
    assert (again.damages, again.position) == ([], last)


def test_a_checkpoint_that_goes_while_it_is_copied_begins_the_backup_anew(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shrinking, "PIECE_BYTES", 1000)
    first = opened.committed()
    assert opened.checkpoint(frame(first, b"x" * 5000)) is None
    last = opened.committed()
    gone: list[Path] = []

    class Late(RawFile):
        """It is asked for its size after it went."""

        def __init__(self, path: Path) -> None:
            super().__init__(path)
            if path.suffix == ".ckpt" and not gone:
                gone.append(path)
                assert opened.checkpoint(frame(last, b"all of it")) is None
                opened.until(lambda: os.fstat(self.fd).st_size <= 1000)
                self.size = os.fstat(self.fd).st_size

    monkeypatch.setattr(backups, "RawFile", Late)
    copied = backups.backup(opened.directory, tmp_path / "copy", nothing)
    assert (len(gone), copied.position) == (1, last)
    assert copied.checkpoint is not None and copied.checkpoint != gone[0].name


def test_a_survey_that_finds_nothing_any_more_begins_anew(opened: Opened) -> None:
    rotate(opened, 1)
    happened: list[int] = []

    def look(_path: Path, _offset: int, _frames: memoryview) -> None:
        while not happened or len(happened) < 2:
            rotate(opened, 3)
            happened.append(opened.position)
            assert opened.checkpoint(frame(opened.position, b"all of it")) is None
            opened.until(lambda: not segment(opened.directory, 2).exists())

    found = steadily(opened.directory, lambda: survey(opened.directory, look, nothing))
    assert (found.damages, found.checkpoint is not None) == ([], True)
    assert found.position == opened.position
