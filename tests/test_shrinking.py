"""Files that are removed: without a name at once, their space given back piece by piece, no descriptor left."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashq.storage.journal import shrinking
from flashq.storage.journal.shrinking import Shrinking
from support.journal import Opened, frame, segment

PIECE = 8192


@pytest.fixture
def going(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shrinking]:
    monkeypatch.setattr(shrinking, "PIECE_BYTES", PIECE)
    files = Shrinking()
    yield files
    files.close()


def removed(going: Shrinking, path: Path, size: int) -> int:
    """A second descriptor of a file of that size that has been removed."""
    path.write_bytes(b"x" * size)
    fd = os.open(path, os.O_RDONLY)
    going.remove(path)
    assert not path.exists()
    return fd


def test_the_space_goes_back_piece_by_piece(going: Shrinking, tmp_path: Path) -> None:
    first = removed(going, tmp_path / "first", 3 * PIECE + 5)
    second = removed(going, tmp_path / "second", 10)
    sizes = []
    while going:
        going.step()
        sizes.append((os.fstat(first).st_size, len(going)))
    assert sizes == [(2 * PIECE + 5, 2), (PIECE + 5, 2), (5, 2), (5, 1), (5, 0)]
    going.step()
    assert os.fstat(second).st_nlink == 0
    os.close(first)
    os.close(second)


def test_what_cannot_be_removed_leaves_no_descriptor(going: Shrinking, tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OSError):
            going.remove(path)
    assert (len(going), len(os.listdir("/dev/fd"))) == (0, before)


def test_without_a_descriptor_all_of_it_goes_at_once(going: Shrinking, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3 * PIECE)

    def refuse(*_args: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        going.remove(path)
    assert (path.exists(), len(going)) == (False, 0)


def test_what_cannot_be_made_shorter_goes_at_once(going: Shrinking, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    fds = [removed(going, tmp_path / name, 3 * PIECE) for name in ("first", "second")]

    def refuse(_fd: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        going.step()
    assert (len(going), os.fstat(fds[0]).st_size) == (1, 3 * PIECE)
    going.step()
    assert (len(going), os.fstat(fds[1]).st_size) == (1, 2 * PIECE)
    for fd in fds:
        os.close(fd)


def test_many_segments_go_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(shrinking, "FILES_MOST", 2)
    most, real = 0, Shrinking.remove

    def remove(files: Shrinking, path: Path) -> None:
        nonlocal most
        real(files, path)
        most = max(most, len(files))

    monkeypatch.setattr(Shrinking, "remove", remove)
    with Opened(tmp_path / "data") as opened:
        for _ in range(25):
            opened.committed(1, b"x" * 60_000)
        last = opened.journal.segment[0]
        assert last > 20
        assert opened.checkpoint(frame(opened.position, b"all of it")) is None
        opened.until(lambda: not segment(opened.directory, last - 1).exists())
        assert next(name for name in opened.files() if name.endswith(".log")) == segment(opened.directory, last).name
        assert most == 2
        opened.until(lambda: not _gone_but_open(opened.directory))
        opened.committed()


def test_old_checkpoints_go_and_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking, "PIECE_BYTES", 1000)
    with Opened(tmp_path / "data") as opened:
        for _ in range(3):
            position = opened.committed(1, b"x" * 5000)
            assert opened.checkpoint(frame(position, b"s" * 5000)) is None
        opened.until(lambda: len([name for name in opened.files() if name.endswith(".ckpt")]) == 1)
        opened.until(lambda: not _gone_but_open(opened.directory))


def _gone_but_open(directory: Path) -> list[str]:
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            continue
    return [link for link in links if link.startswith(str(directory)) and link.endswith("(deleted)")]
