"""Where each group is synced the log is written past the page cache, in whole blocks: the same log as through it."""

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest

from support.journal import SEGMENT, Opened, descriptors, frame, groups, read, segment

BLOCK = 4096

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system writes through its page cache only")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """On a file system that can be written so."""
    probe = os.open(tmp_path / "probe", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.fcntl(probe, fcntl.F_SETFL, os.O_DIRECT)
    except OSError as error:
        assert error.errno == errno.EINVAL
        pytest.skip(f"the file system of {tmp_path} is written through the page cache only")
    finally:
        os.close(probe)
    return tmp_path / "data"


def is_direct(opened: Opened, number: int = 1) -> bool:
    """Whether this process writes that segment past the cache."""
    (fd,) = descriptors(segment(opened.directory, number))
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)


@pytest.mark.parametrize(
    ("durability", "segment_size", "direct"),
    [("commit", SEGMENT, True), ("commit", SEGMENT + 1, False), ("interval", SEGMENT, False)],
)
def test_only_a_log_that_is_synced_at_once_and_ends_with_a_block_is(
    directory: Path, durability: str, segment_size: int, direct: bool
) -> None:
    with Opened(directory, durability=durability, segment_size=segment_size) as opened:
        opened.committed()
        assert is_direct(opened) is direct
        while opened.journal.segment[0] == 1:
            opened.committed(1, b"x" * 5000)
        assert is_direct(opened, opened.journal.segment[0]) is direct
    assert read(directory)[0].position == opened.position


@pytest.mark.parametrize("segment_size", [1 << 23, (1 << 23) + 1])
def test_groups_of_any_size_stand_where_they_should(directory: Path, segment_size: int) -> None:
    """Around the ends of blocks, and of the buffer that they pass through."""
    sizes = [0, 1, BLOCK - 200, BLOCK, BLOCK + 1, 3 * BLOCK, (1 << 20) - 300, 1 << 20, (1 << 20) + BLOCK, 3 << 20]
    generator = random.Random(1)
    expected = bytearray()
    with Opened(directory, segment_size=segment_size) as opened:
        for size in [*sizes, *(generator.randrange(0, 3 * BLOCK) for _ in range(300))]:
            payload = generator.randbytes(size)
            expected += frame(opened.position + 1, payload)
            opened.committed(1, payload)
            assert not _beyond(opened), "zeros up to the end of the block, and nothing of what the file held before"
    found, kept = read(directory)
    assert bytes(kept.frames) == expected
    assert found.cut_bytes == 0


def _beyond(opened: Opened) -> bytes:
    """What stands between the last group and the end of its block."""
    number, _base = opened.journal.segment
    path = segment(opened.directory, number)
    last = groups(path)[-1]
    end = last.offset + last.size
    with open(path, "rb") as file:
        file.seek(end)
        rest = file.read(-end % BLOCK)
    if groups(path)[-1].offset != last.offset:      # the thread has put a marker there meanwhile
        return _beyond(opened)
    return rest.strip(b"\0")


def test_no_segment_grows(directory: Path) -> None:
    """A block is written whole: the last one must not reach beyond what is reserved."""
    with Opened(directory) as opened:
        for turn in range(200):
            opened.committed(1, b"x" * (turn * 17))
        opened.committed(1, b"L" * (2 * SEGMENT + 77))
        opened.committed()
        sizes = [(directory / name).stat().st_size for name in opened.files() if name.startswith("segment")]
    assert len(sizes) > 5
    assert all(size % BLOCK == 0 for size in sizes)
    assert sorted(set(sizes))[0] == SEGMENT
    assert read(directory)[0].position == 202
