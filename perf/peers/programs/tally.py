"""How many jobs were done, counted in a file that the benchmark reads: a thread's own number in a slot of its own.

A handler calls `done()`, which costs well under a microsecond and asks nobody. TALLY names the file.
"""
import mmap
import os
import struct
import threading

SLOTS = 256
_SLOT = struct.Struct("=Q")


class _Slot:
    """One that nobody else writes to."""

    def __init__(self) -> None:
        path = os.environ["TALLY"]
        self.pid = os.getpid()
        self.at = _claimed(path) * _SLOT.size
        self.count = 0
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SLOTS * _SLOT.size)


def _claimed(path: str) -> int:
    for number in range(SLOTS):
        try:
            os.close(os.open(f"{path}.{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return number
    raise RuntimeError(f"more than {SLOTS} threads count")


_own = threading.local()


def done() -> None:
    """One more. A process that was forked off counts by itself."""
    slot = getattr(_own, "slot", None)
    if slot is None or slot.pid != os.getpid():
        slot = _own.slot = _Slot()
    slot.count += 1
    _SLOT.pack_into(slot.map, slot.at, slot.count)


class Tally:
    """The reader's side: makes the file anew."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(SLOTS * _SLOT.size))
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * _SLOT.size)

    def read(self) -> int:
        """All that was done so far."""
        return sum(count for (count,) in _SLOT.iter_unpack(self._map[:]))
