"""Every byte of a small journal is flipped: all that was acknowledged is there, or the start says where it is not."""

import os
import shutil
from pathlib import Path

import pytest

from flashq.storage.base import DamageError
from flashq.storage.journal.format import checkpoint_name
from flashq.storage.journal.reader import Segment
from flashq.storage.journal.reading import Nothing, Reading
from support.journal import Kept, Opened, flip, frame, groups, positions, read, segment

LAST = 14


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a checkpoint and four starts, the last of which was killed when all was marked as durable."""
    directory = tmp_path_factory.mktemp("journal") / "data"
    for start in range(3):
        with Opened(directory) as opened:
            opened.committed()
            opened.committed(2)
            if start == 1:
                state = b"".join(frame(position) for position in range(1, 6))
                assert opened.checkpoint(state, begin=5) is None
    with Opened(directory) as opened:
        for _ in range(5):
            opened.committed()
        opened.marked()
        return opened.killed(directory.parent / "killed")


def everything(directory: Path) -> list[int]:
    """Reads without closing the log, so that the directory can be used again."""
    kept = Kept()
    Reading(directory, kept, lambda progress: None).run()
    return positions(bytes(kept.state)) + kept.positions


def test_what_is_damaged_here_is_whole_at_first(original: Path) -> None:
    assert everything(original) == list(range(1, LAST + 1))


def names(directory: Path) -> list[Path]:
    return sorted([*directory.glob("segment-*"), *directory.glob("checkpoint-*")])


def used(path: Path) -> int:
    """Bytes up to the last that is not zero."""
    return len(path.read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize(
    "bits", [0x01, pytest.param(0x80, marks=pytest.mark.slow), pytest.param(0xFF, marks=pytest.mark.slow)]
)
def test_a_flipped_byte_loses_nothing_silently(original: Path, tmp_path: Path, bits: int) -> None:
    directory = Path(shutil.copytree(original, tmp_path / "data"))
    fine: dict[str, list[int]] = {}
    for path in names(directory):
        for at in range(used(path) + 100):
            if at >= path.stat().st_size:
                break
            flip(path, at, bits)
            try:
                assert everything(directory) == list(range(1, LAST + 1)), (path, at)
                fine.setdefault(path.name, []).append(at)
            except DamageError as error:
                assert error.file == path or path.name in str(error), (path, at, error)
                assert error.file.parent == directory
                assert 0 <= error.offset <= at
                assert f"see: flashq journal verify {directory}" in str(error) and "\n" not in str(error)
            flip(path, at, bits)
    assert everything(directory) == list(range(1, LAST + 1))
    for path in names(directory):
        assert all(at >= held(path) for at in fine.get(path.name, [])), path.name


def held(path: Path) -> int:
    """Bytes of a file that must all be right: of a checkpoint every one, of a segment up to its last frame."""
    if path.suffix == ".ckpt":
        return path.stat().st_size
    one = Segment(path)
    one.close()
    whole = groups(path)
    last = [at for at, group in enumerate(whole) if group.frames and group.last > 5]
    return whole[last[-1]].offset + whole[last[-1]].size if last else 64


def test_a_file_that_is_cut_short_is_refused(original: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(original, tmp_path / "data"))
    for path in names(directory):
        whole = path.read_bytes()
        for size in sorted({*range(0, min(used(path) + 60, len(whole))), len(whole) - 1}, reverse=True):
            os.truncate(path, size)
            with pytest.raises(DamageError) as caught:
                everything(directory)
            assert caught.value.file == path
        path.write_bytes(whole)


def test_a_file_that_is_not_there_is_missed(original: Path, tmp_path: Path) -> None:
    """Each that is needed, but the last, which is reserved ahead and empty."""
    directory = Path(shutil.copytree(original, tmp_path / "data"))
    found = Reading(directory, Nothing(), lambda progress: None).run()
    assert found.number - found.needed >= 3
    for number in range(found.needed, found.number):
        moved = segment(directory, number).rename(tmp_path / "away")
        with pytest.raises(DamageError, match="missing") as caught:
            everything(directory)
        assert caught.value.file == segment(directory, number)
        moved.rename(segment(directory, number))
    (directory / checkpoint_name(5)).unlink()
    with pytest.raises(DamageError, match="missing"):
        everything(directory)


def test_a_flipped_byte_behind_the_last_marker_is_a_torn_tail(original: Path, tmp_path: Path) -> None:
    """What no marker covers yet may be lost by damage, and only that; the log then ends before it for good."""
    directory = Path(shutil.copytree(original, tmp_path / "data"))
    path = max(path for path in directory.glob("segment-*") if groups(path))
    marker = groups(path)[-1]
    assert not marker.frames
    for at in range(marker.offset, marker.offset + marker.size):
        flip(path, at)
        found = Reading(directory, Nothing(), lambda progress: None).run()
        assert found.position == LAST
        flip(path, at)
    flip(path, marker.offset)
    for _ in range(2):
        assert read(directory)[0].position == LAST
    assert groups(segment(directory, int(path.stem[8:])))[-1].is_end
