"""The power-loss simulator itself: what is synced stays, and each kind of thing that is not can be lost, alone."""

import errno
import itertools
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.filelayer import Call, Kind
from support.powerloss import PAGE, SECTOR, Disk

SEEDS = 400
O_CREAT = 0o100
Files = dict[str, bytes | None]


class Tape:
    """A trace as one process would make it, with one descriptor a file, numbered from 1; 0 is the root."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._call(Kind.OPEN, 0)

    def _call(self, kind: Kind, fd: int = -1, a: int = 0, path: str = "", second: str = "", data: bytes = b"",
              result: int = 0, tid: int = 1) -> None:
        self.calls.append(Call(kind, 1, tid, fd, result, a, len(data), path, second, data))

    def open(self, path: str, fd: int = 1) -> None:
        self._call(Kind.OPEN, fd, O_CREAT, path)

    def write(self, at: int, data: bytes, fd: int = 1) -> None:
        self._call(Kind.WRITE, fd, at, data=data)

    def truncate(self, size: int) -> None:
        self._call(Kind.TRUNCATE, 1, size)

    def allocate(self, size: int) -> None:
        self._call(Kind.ALLOCATE, 1, size)

    def rename(self, old: str, new: str) -> None:
        self._call(Kind.RENAME, path=old, second=new)

    def unlink(self, path: str) -> None:
        self._call(Kind.UNLINK, path=path)

    def mkdir(self, path: str) -> None:
        self._call(Kind.MKDIR, path=path)

    def sync_begins(self, fd: int = 1, tid: int = 1) -> None:
        self._call(Kind.SYNC, fd, tid=tid)

    def sync_ends(self, fd: int = 1, tid: int = 1, result: int = 0) -> None:
        self._call(Kind.SYNC_END, fd, tid=tid, result=result)

    def sync(self, *fds: int) -> None:
        for fd in fds:
            self.sync_begins(fd)
            self.sync_ends(fd)

    def outcomes(self, home: Path, initial: Path | None = None) -> list[Files]:
        """What some hundred power losses at the end of it leave."""
        disk = Disk(self.calls, initial).play()
        home.mkdir(exist_ok=True)
        found = []
        for seed in range(SEEDS):
            target = home / str(seed)
            disk.lose_power(random.Random(seed), target)
            found.append({str(path.relative_to(target)): None if path.is_dir() else path.read_bytes()
                          for path in target.rglob("*")})
        return found

    def contents(self, home: Path, initial: Path | None = None) -> set[bytes]:
        """Those of the file `f`, which is always there."""
        found = {one["f"] for one in self.outcomes(home, initial)}
        assert None not in found
        return found  # type: ignore[return-value]  # just asserted

    def names(self, home: Path) -> set[tuple[str, ...]]:
        return {tuple(sorted(one)) for one in self.outcomes(home)}


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def settled(tape: Tape) -> Tape:
    """One with a file `f` of two pages, synced with its entry."""
    tape.open("f")
    tape.write(0, b"a" * 2 * PAGE)
    tape.sync(1, 0)
    return tape


# --- contents ---------------------------------------------------------------------------------------------------------


def test_what_is_synced_is_certain(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b" * PAGE)
    settled.truncate(PAGE)
    settled.allocate(PAGE + 7)
    settled.sync(1)
    assert settled.contents(tmp_path) == {b"b" * PAGE + bytes(7)}


def test_what_was_there_before_is_certain(tape: Tape, tmp_path: Path) -> None:
    (tmp_path / "old" / "folder").mkdir(parents=True)
    (tmp_path / "old" / "folder" / "deep").write_bytes(b"d")
    (tmp_path / "old" / "f").write_bytes(b"x")
    found = tape.outcomes(tmp_path, tmp_path / "old")
    assert all(one == {"f": b"x", "folder": None, "folder/deep": b"d"} for one in found)


def test_pages_are_lost_in_any_order(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b" * PAGE)
    settled.write(PAGE, b"c" * PAGE)
    found = settled.contents(tmp_path)
    whole = {first * PAGE + second * PAGE for first in (b"a", b"b") for second in (b"a", b"c")}
    assert whole <= found


def test_pages_are_torn_at_sectors(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b" * PAGE)
    found = settled.contents(tmp_path)
    for content in found:
        sectors = [content[at:at + SECTOR] for at in range(0, len(content), SECTOR)]
        assert set(sectors) <= {b"a" * SECTOR, b"b" * SECTOR}
        assert set(sectors[PAGE // SECTOR:]) == {b"a" * SECTOR}, "a page nobody wrote"
    mixed = {content for content in found if b"ab" in content and b"ba" in content}
    assert mixed and len(found) > 10
    assert any(content.startswith(b"a") and b"b" in content for content in found), "the first sector alone is lost"


def test_a_page_may_be_of_any_time_since_the_sync(settled: Tape, tmp_path: Path) -> None:
    for letter in b"bcd":
        settled.write(100, bytes([letter]) * 10)
    assert {content[100:110] for content in settled.contents(tmp_path)} == {b"a" * 10, b"b" * 10, b"c" * 10, b"d" * 10}


def test_growth_may_be_there_or_not_and_with_or_without_its_bytes(settled: Tape, tmp_path: Path) -> None:
    settled.write(2 * PAGE, b"b" * 100)
    old = b"a" * 2 * PAGE
    assert settled.contents(tmp_path) == {old, old + b"b" * 100, old + bytes(100)}


@pytest.mark.parametrize("change", [Tape.allocate, Tape.truncate], ids=["fallocate", "ftruncate"])
def test_a_size_may_be_lost(settled: Tape, tmp_path: Path, change: Callable[[Tape, int], None]) -> None:
    change(settled, 2 * PAGE + 50)
    assert settled.contents(tmp_path) == {b"a" * 2 * PAGE, b"a" * 2 * PAGE + bytes(50)}


def test_what_was_cut_off_may_come_back(settled: Tape, tmp_path: Path) -> None:
    settled.truncate(PAGE)
    found = settled.contents(tmp_path)
    assert {b"a" * PAGE, b"a" * 2 * PAGE} <= found
    settled.sync(1)
    assert settled.contents(tmp_path / "synced") == {b"a" * PAGE}


def test_what_is_written_during_a_sync_is_not_certain(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b")
    settled.sync_begins(tid=2)
    settled.write(1, b"c")
    settled.sync_ends(tid=2)
    assert {content[:3] for content in settled.contents(tmp_path)} == {b"baa", b"bca"}


def test_a_sync_that_has_only_begun_makes_nothing_certain(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b")
    settled.sync_begins()
    assert {content[:2] for content in settled.contents(tmp_path)} == {b"aa", b"ba"}


def test_syncs_of_two_threads_do_not_disturb_each_other(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b")
    settled.sync_begins(tid=2)
    settled.write(1, b"c")
    settled.sync_begins(tid=3)
    settled.sync_ends(tid=3)
    settled.write(2, b"d")
    settled.sync_ends(tid=2)
    assert {content[:3] for content in settled.contents(tmp_path)} == {b"bca", b"bcd"}


def test_after_a_failed_sync_nothing_more_is_certain(settled: Tape, tmp_path: Path) -> None:
    """The system may have marked the pages as clean: later syncs succeed and write nothing."""
    settled.write(0, b"b")
    settled.sync_begins()
    settled.sync_ends(result=-errno.EIO)
    settled.sync(1)
    assert {content[:1] for content in settled.contents(tmp_path)} == {b"a", b"b"}


def test_time_before_the_end_of_the_tape(settled: Tape, tmp_path: Path) -> None:
    """One disk, followed step by step, with a power loss after each."""
    disk = Disk(settled.calls)
    seen = Counter[int]()
    for end in range(len(settled.calls) + 1):
        disk.play(end)
        for seed in range(20):
            target = tmp_path / f"{end}-{seed}"
            disk.lose_power(random.Random(seed), target)
            seen[end] += (target / "f").exists() and (target / "f").read_bytes() == b"a" * 2 * PAGE
    assert seen[len(settled.calls)] == 20
    assert [seen[end] for end in range(3)] == [0, 0, 0] and 0 < seen[4] < 20


# --- entries ----------------------------------------------------------------------------------------------------------


def test_a_new_entry_may_be_lost_although_its_file_is_synced(tape: Tape, tmp_path: Path) -> None:
    tape.open("f")
    tape.write(0, b"x")
    tape.sync(1)
    assert tape.names(tmp_path) == {(), ("f",)}
    tape.sync(0)
    assert tape.contents(tmp_path / "synced") == {b"x"}


def test_an_entry_may_be_there_without_the_content(tape: Tape, tmp_path: Path) -> None:
    tape.open("f")
    tape.write(0, b"x")
    tape.sync(0)
    assert tape.contents(tmp_path) == {b"", b"x", b"\0"}


def test_entries_are_lost_in_any_order(tape: Tape, tmp_path: Path) -> None:
    for fd, name in enumerate("abc", 1):
        tape.open(name, fd)
    assert tape.names(tmp_path) == {
        names for count in range(4) for names in itertools.combinations("abc", count)
    }


def test_a_rename_is_one_of_the_two_names(settled: Tape, tmp_path: Path) -> None:
    settled.rename("f", "g")
    assert settled.names(tmp_path) == {("f",), ("g",)}
    settled.sync(0)
    assert settled.names(tmp_path / "synced") == {("g",)}


def test_a_rename_over_another_file_leaves_one_of_them(settled: Tape, tmp_path: Path) -> None:
    settled.open("new", 2)
    settled.write(0, b"new", 2)
    settled.sync(2, 0)
    settled.rename("new", "f")
    found = settled.outcomes(tmp_path)
    old = {"f": b"a" * 2 * PAGE, "new": b"new"}
    assert old in found and {"f": b"new"} in found and all(one in (old, {"f": b"new"}) for one in found)


def test_a_removed_file_may_come_back(settled: Tape, tmp_path: Path) -> None:
    settled.unlink("f")
    assert settled.names(tmp_path) == {(), ("f",)}
    settled.sync(0)
    assert settled.names(tmp_path / "synced") == {()}


def test_one_of_two_removals_may_have_happened(settled: Tape, tmp_path: Path) -> None:
    settled.open("g", 2)
    settled.sync(0)
    settled.unlink("f")
    settled.unlink("g")
    assert settled.names(tmp_path) == {(), ("f",), ("g",), ("f", "g")}


def test_a_later_rename_may_be_there_without_an_earlier_removal(settled: Tape, tmp_path: Path) -> None:
    settled.open("g", 2)
    settled.sync(0)
    settled.unlink("f")
    settled.rename("g", "h")
    assert settled.names(tmp_path) == {("h",), ("f", "h"), ("g",), ("f", "g")}


def test_a_new_directory_may_be_lost_with_all_in_it(tape: Tape, tmp_path: Path) -> None:
    tape.mkdir("d")
    tape.open("d", 2)
    tape.open("d/f", 3)
    tape.sync(2, 3)
    assert tape.names(tmp_path) == {(), ("d", "d/f")}
    tape.sync(0)
    assert tape.names(tmp_path / "synced") == {("d", "d/f")}


def test_a_file_written_through_an_old_name_is_the_same_file(settled: Tape, tmp_path: Path) -> None:
    settled.rename("f", "g")
    settled.write(0, b"b")
    settled.sync(1, 0)
    assert settled.outcomes(tmp_path)[0] == {"g": b"b" + b"a" * (2 * PAGE - 1)}


def test_the_same_seed_leaves_the_same(settled: Tape, tmp_path: Path) -> None:
    settled.write(0, b"b" * 2 * PAGE)
    settled.open("g", 2)
    assert settled.outcomes(tmp_path / "once") == settled.outcomes(tmp_path / "again")
