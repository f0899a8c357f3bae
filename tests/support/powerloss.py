"""What a directory may look like after a power loss at any point of a trace of the file layer.

Only what was synced is certain. Of the rest each page of a file may be there in any version it had since, torn between
two of them at a sector; the size may have any value it had; and each new, renamed or removed entry of a directory may
have happened or not, whatever became of the others: a rename is one of the two names. What a failed sync was to write
is never certain again.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from support.filelayer import Call, Kind

PAGE = 4096
SECTOR = 512
O_TRUNC = 0o1000        # of Linux, as in the trace

T = TypeVar("T")
Of = TypeVar("Of", contravariant=True)


@dataclass(slots=True)
class Change:
    """One thing that happened to the content of a file: bytes written, or another size."""

    at: int
    data: bytes | None = None   # None: the size is set
    least: bool = False         # of a size: only if the file is shorter

    def size_after(self, size: int) -> int:
        """Of a file that had `size` bytes."""
        if self.data is None:
            return max(self.at, size) if self.least else self.at
        return max(self.at + len(self.data), size)

    def pages(self, size: int) -> range:
        """Where it changes the content of such a file, zeros behind the old end included."""
        if self.data is None:
            first, end = sorted((size, self.size_after(size)))
        else:
            first, end = min(self.at, size), self.at + len(self.data)
        return range(first // PAGE, -(-end // PAGE))

    def apply(self, content: bytearray) -> None:
        size = self.size_after(len(content))
        del content[size:]
        content.extend(bytes(size - len(content)))
        if self.data is not None:
            content[self.at:self.at + len(self.data)] = self.data


class Happening(Protocol[Of]):
    """Something that happened to one of them."""

    def apply(self, state: Of, /) -> None: ...


class Kept(Generic[T]):
    """A file or a directory: what is certain of it, and what happened to it since."""

    def __init__(self, durable: T) -> None:
        self.durable = durable
        self.pending: list[Happening[T]] = []
        self.changes = 0            # ever
        self.distrusted = False     # a sync of it has failed

    def happens(self, change: Happening[T]) -> None:
        self.pending.append(change)
        self.changes += 1

    def sync(self, until: int) -> None:
        """The first `until` changes are certain, unless a sync has failed before."""
        if self.distrusted:
            return
        count = max(until - (self.changes - len(self.pending)), 0)
        for change in self.pending[:count]:
            change.apply(self.durable)
        del self.pending[:count]


class File(Kept[bytearray]):
    """Its content."""

    def now(self) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            change.apply(content)
        return bytes(content)

    def survivor(self, fate: "Fate") -> bytes:
        """What may be left of it."""
        content = bytearray(self.durable)
        versions: dict[int, list[bytes]] = {}
        sizes = [len(content)]
        for change in fate.reached(self.pending):
            assert isinstance(change, Change)
            pages = change.pages(len(content))
            for page in pages:
                versions.setdefault(page, [page_of(content, page)])
            change.apply(content)
            for page in pages:
                versions[page].append(page_of(content, page))
            sizes.append(len(content))
        size = fate.version(sizes)
        left = bytearray(self.durable)
        left.extend(bytes(max([size, *((page + 1) * PAGE for page in versions)]) - len(left)))
        for page, choices in versions.items():
            left[page * PAGE:(page + 1) * PAGE] = fate.page(choices)
        return bytes(left[:size])


def page_of(content: bytes | bytearray, page: int) -> bytes:
    return bytes(content[page * PAGE:(page + 1) * PAGE]).ljust(PAGE, b"\0")


@dataclass(slots=True)
class Renaming:
    """A change of a directory's entries: from nothing, to nothing, or from one name to another."""

    node: "Node"
    old: str | None
    new: str | None

    def apply(self, entries: "Entries") -> None:
        if self.old is not None and entries.get(self.old) is self.node:
            del entries[self.old]
        if self.new is not None:
            entries[self.new] = self.node


class Directory(Kept["Entries"]):
    """Its entries; `entries` are those of now."""

    def __init__(self, durable: "Entries") -> None:
        super().__init__(durable)
        self.entries = dict(durable)

    def rename(self, node: "Node", old: str | None, new: str | None) -> None:
        change = Renaming(node, old, new)
        change.apply(self.entries)
        self.happens(change)

    def survivor(self, fate: "Fate") -> "Entries":
        """Those that may be left."""
        left = dict(self.durable)
        for change in fate.reached(self.pending):
            if fate.happened():
                change.apply(left)
        return left


class Fate:
    """What chance makes of all that is uncertain at one power loss.

    Often all of it is gone or all is there, or what happened until some moment; else a mixture without an order.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.in_order = rng.random() < 0.3
        self.luck = 1.0 if self.in_order else rng.choice([0.0, 0.1, 0.5, 0.5, 0.9, 1.0])
        self.torn = rng.choice([0.0, 0.3, 1.0])

    def reached(self, changes: list[T]) -> list[T]:
        """Those that may have happened, or be seen in part."""
        return changes[:self.rng.randint(0, len(changes))] if self.in_order else changes

    def happened(self) -> bool:
        return self.rng.random() < self.luck

    def version(self, choices: list[T]) -> T:
        """The newest, with luck; without any, the oldest."""
        if self.happened():
            return choices[-1]
        return choices[0] if self.luck == 0 else self.rng.choice(choices)

    def page(self, choices: list[bytes]) -> bytes:
        """One of them, or the one torn by another."""
        one = self.version(choices)
        if self.luck == 0 or self.rng.random() >= self.torn:
            return one
        other = self.rng.choice(choices)
        at = self.rng.randrange(0, PAGE, SECTOR)
        if self.rng.random() < 0.5:
            return one[:at] + other[at:]
        sectors = range(0, PAGE, SECTOR)
        return b"".join(self.rng.choice([one, other])[start:start + SECTOR] for start in sectors)


Node = File | Directory
Entries = dict[str, Node]


class Disk:
    """Follows a trace, call by call. What lies in `initial` was there before it, for certain."""

    def __init__(self, calls: Iterable[Call], initial: Path | None = None) -> None:
        self.calls = list(calls)
        self.at = 0             # calls followed
        self.root = Directory({}) if initial is None else read_in(initial)
        self._open: dict[tuple[int, int], Node] = {}
        self._syncs: dict[tuple[int, int], int] = {}
        self._handlers: dict[Kind, Callable[[Call], None]] = {
            Kind.OPEN: self._opened, Kind.CLOSE: self._closed, Kind.WRITE: self._written, Kind.SYNC: self._sync_begins,
            Kind.SYNC_END: self._synced, Kind.ALLOCATE: self._allocated, Kind.TRUNCATE: self._truncated,
            Kind.RENAME: self._renamed, Kind.UNLINK: self._unlinked, Kind.MKDIR: self._directory_made,
        }

    def play(self, until: int | None = None) -> "Disk":
        """Follow the calls before number `until`, or all."""
        end = len(self.calls) if until is None else until
        for call in self.calls[self.at:end]:
            self._follow(call)
        self.at = max(self.at, end)
        return self

    def write_now(self, target: Path) -> None:
        """The directory as it is for those who look while there is power."""
        write_out(target, self.root, lambda one: one.entries, File.now)

    def lose_power(self, rng: random.Random, target: Path) -> None:
        """The directory as it may be found afterwards."""
        fate = Fate(rng)
        write_out(target, self.root, lambda one: one.survivor(fate), lambda one: one.survivor(fate))

    # --- the calls --------------------------------------------------------------------------------------------------

    def _follow(self, call: Call) -> None:
        if call.result < 0 and call.kind != Kind.SYNC_END:
            return
        handler = self._handlers.get(call.kind)
        if handler is not None:     # of a mark there is nothing to be done
            handler(call)

    def _file(self, call: Call) -> File:
        node = self._open[call.pid, call.fd]
        assert isinstance(node, File)
        return node

    def _place(self, path: str) -> tuple[Directory, str]:
        """The directory of a path, and the name there."""
        *folders, name = path.split("/")
        directory = self.root
        for folder in folders:
            found = directory.entries[folder]
            assert isinstance(found, Directory)
            directory = found
        return directory, name

    def _opened(self, call: Call) -> None:
        if call.path == "":
            self._open[call.pid, call.fd] = self.root
            return
        directory, name = self._place(call.path)
        if name not in directory.entries:
            directory.rename(File(bytearray()), None, name)
        node = directory.entries[name]
        if call.a & O_TRUNC and isinstance(node, File):
            node.happens(Change(0))
        self._open[call.pid, call.fd] = node

    def _closed(self, call: Call) -> None:
        del self._open[call.pid, call.fd]

    def _written(self, call: Call) -> None:
        self._file(call).happens(Change(call.a, call.data))

    def _truncated(self, call: Call) -> None:
        self._file(call).happens(Change(call.a))

    def _allocated(self, call: Call) -> None:
        self._file(call).happens(Change(call.a, least=True))

    def _sync_begins(self, call: Call) -> None:
        self._syncs[call.pid, call.tid] = self._open[call.pid, call.fd].changes

    def _synced(self, call: Call) -> None:
        """What happened before the sync began is certain now."""
        node, until = self._open[call.pid, call.fd], self._syncs.pop((call.pid, call.tid))
        if call.result < 0:
            node.distrusted = True
        node.sync(until)

    def _directory_made(self, call: Call) -> None:
        directory, name = self._place(call.path)
        directory.rename(Directory({}), None, name)

    def _unlinked(self, call: Call) -> None:
        directory, name = self._place(call.path)
        directory.rename(directory.entries[name], name, None)

    def _renamed(self, call: Call) -> None:
        (directory, old), (other, new) = self._place(call.path), self._place(call.second)
        assert directory is other, "a move between directories is not followed"
        directory.rename(directory.entries[old], old, new)


def write_out(
    target: Path, directory: Directory, entries: Callable[[Directory], Entries], content: Callable[[File], bytes]
) -> None:
    """A directory with all that is in it."""
    target.mkdir(0o700, exist_ok=True)
    for name, node in entries(directory).items():
        if isinstance(node, Directory):
            write_out(target / name, node, entries, content)
        else:
            (target / name).write_bytes(content(node))


def read_in(source: Path) -> Directory:
    """The other way round: all is certain."""
    return Directory({
        path.name: read_in(path) if path.is_dir() else File(bytearray(path.read_bytes())) for path in source.iterdir()
    })
