"""The file layer of filelayer.c: built, switched on for a process, steered by its control block, and its trace read.

Faults take effect at once, also in a process that runs. The control block counts calls, so that a test can fail the
first, the second, … until one is never reached.
"""

import atexit
import functools
import mmap
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from support.tools import lacking, need_tool

SOURCE = Path(__file__).with_name("filelayer.c")
FOR_EVER = 2**32 - 1
RULES = 16

# In step with filelayer.h.
_HEAD = struct.Struct("<IHHIIiiiiqq")
_FRONT = struct.Struct("<QIIII16Q")
_RULE = struct.Struct("<IIIIiI40s")
_HOLD, _SKIP, _HELD, _CALLS = 8, 12, 16, 24


class Kind(IntEnum):
    """What a call does. Syncs have two records; marks are what tests wrote between the calls."""

    OPEN = 1
    WRITE = 2
    SYNC = 3
    ALLOCATE = 4
    RENAME = 5
    UNLINK = 6
    TRUNCATE = 7
    MKDIR = 8
    CLOSE = 9
    SYNC_END = 10
    MARK = 11


class Action(IntEnum):
    """What becomes of a call: not done, half of a write done, half done and failed, done and failed, killed there.

    SLOW is for writes and syncs: they take so many microseconds more as `error` says.
    """

    FAIL = 1
    SHORT = 2
    TORN = 3
    FAIL_AFTER = 4
    KILL = 5
    KILL_AFTER = 6
    SLOW = 7


@dataclass(frozen=True, slots=True)
class Call:
    """A record of the trace: a call of a process, or a mark. What `a` and `b` are depends on the kind.

    OPEN: flags, and whether the file was there. WRITE: offset, size asked for. ALLOCATE, TRUNCATE: the size that the
    file has, or at least has, from here on.
    """

    kind: Kind
    pid: int
    tid: int
    fd: int
    result: int         # -errno when it failed
    a: int
    b: int
    path: str           # under the root; the old one of a rename
    second: str         # the new one
    data: bytes


class FileLayer:
    """One control block and one trace, of all processes that are started with `env`. `root` must exist."""

    def __init__(self, home: Path, root: Path) -> None:
        if sys.platform != "linux":
            lacking("the file layer knows the calls of Linux")
        self.root = root.resolve()
        self.trace_path = home / "trace"
        control = home / "control"
        size = _FRONT.size + RULES * _RULE.size
        control.write_bytes(bytes(size))
        self.trace_path.touch(0o600)
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), size)
        # The sanitizer's library must come first.
        preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), library()]))
        self.env = {
            "LD_PRELOAD": preload,
            "FILELAYER_ROOT": str(self.root),
            "FILELAYER_TRACE": str(self.trace_path),
            "FILELAYER_CONTROL": str(control),
        }

    # --- faults -----------------------------------------------------------------------------------------------------

    def rule(
        self, number: int, kind: Kind, action: Action, error: int = 0, *, first: int = 1, count: int = FOR_EVER,
        pattern: str = "",
    ) -> None:
        """From the `first` call of a kind on, counted from now, `count` calls end so; of names that match only."""
        assert len(pattern.encode()) < 40
        self._control[self._place(number)] = _RULE.pack(kind, action, first, count, error, 0, pattern.encode())

    def seen(self, number: int) -> int:
        """How many calls have matched the rule."""
        return int(_RULE.unpack(self._control[self._place(number)])[5])

    def clear(self) -> None:
        """No rules, no limit, nothing held."""
        for number in range(RULES):
            self._control[self._place(number)] = bytes(_RULE.size)
        self.limit(0)
        self.hold(False)

    def limit(self, size: int) -> None:
        """From now on files under the root may take so many bytes; 0 for any."""
        self._control[:8] = size.to_bytes(8, "little")

    def hold(self, wanted: bool) -> None:
        """While wanted, a sync does not return."""
        self._control[_HOLD:_HOLD + 4] = wanted.to_bytes(4, "little")

    def skip_syncs(self) -> None:
        """Syncs are traced and do not reach the disk, which is faster."""
        self._control[_SKIP:_SKIP + 4] = (1).to_bytes(4, "little")

    @property
    def held(self) -> int:
        """Syncs that wait now."""
        return int.from_bytes(self._control[_HELD:_HELD + 4], "little")

    def calls(self, kind: Kind) -> int:
        """How many there were so far, of all processes."""
        at = _CALLS + 8 * kind
        return int.from_bytes(self._control[at:at + 8], "little")

    def _place(self, number: int) -> slice:
        at = _FRONT.size + number * _RULE.size
        return slice(at, at + _RULE.size)

    # --- the trace --------------------------------------------------------------------------------------------------

    def mark(self, data: bytes) -> None:
        """Note something in the trace, behind all that has happened: what is known by now."""
        mark(self.trace_path, data)

    def trace(self) -> list[Call]:
        """All calls and marks so far, in order."""
        return list(calls_in(self.trace_path.read_bytes()))


@functools.cache
def library() -> str:
    """The path of the compiled layer, which lasts as long as this process."""
    home = tempfile.TemporaryDirectory(prefix="filelayer-")
    atexit.register(home.cleanup)
    built = str(Path(home.name, "filelayer.so"))
    flags = ("-O1", "-g", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra", "-Werror")
    subprocess.run([need_tool("cc"), *flags, "-o", built, str(SOURCE)], check=True)
    return built


def mark(trace: Path, data: bytes) -> None:
    """As FileLayer.mark, for a process that has only the path of the trace."""
    size = _HEAD.size + len(data)
    head = _HEAD.pack(size, Kind.MARK, 0, 0, len(data), os.getpid(), 0, -1, 0, 0, 0)
    fd = os.open(trace, os.O_WRONLY | os.O_APPEND)
    try:
        assert os.write(fd, head + data) == size
    finally:
        os.close(fd)


def calls_in(trace: bytes) -> Iterator[Call]:
    """The records of a trace; one that a kill has cut off at the end counts as not there."""
    at = 0
    while at + _HEAD.size <= len(trace):
        size, kind, path_size, second_size, data_size, pid, tid, fd, result, a, b = _HEAD.unpack_from(trace, at)
        if at + size > len(trace):
            return
        path = at + _HEAD.size
        second = path + path_size
        data = second + second_size
        yield Call(
            Kind(kind), pid, tid, fd, result, a, b, os.fsdecode(trace[path:second]), os.fsdecode(trace[second:data]),
            trace[data:data + data_size],
        )
        at += size
