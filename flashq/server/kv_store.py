"""The key-value store: bounded in keys and bytes, with times to live. The time is passed in.

A value is kept as compact JSON, so that its size is known and both protocols can be answered. Keys that ran out are
gone for every reader at once; their memory comes back with `sweep`, which looks at a few at a time.
"""
from dataclasses import dataclass

OVERHEAD = 200  # bytes that an entry takes beside key and value


@dataclass(slots=True)
class Entry:
    """One key's value."""

    value: bytes
    deadline: int | None    # ms of the caller's clock; None = never
    place: int = -1         # index in KvStore._mortal; -1 = not there


class KvStore:
    """Owns the entries of one server."""

    def __init__(self, max_keys: int, max_bytes: int) -> None:
        self._entries: dict[str, Entry] = {}
        self._mortal: list[str] = []    # keys with a deadline, in no order: removal swaps the last one in
        self._cursor = 0                # how far the sweep has come in it
        self._max_keys = max_keys
        self._max_bytes = max_bytes
        self.size = 0                   # bytes of all entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def has_mortal(self) -> bool:
        """Whether a sweep could find anything."""
        return bool(self._mortal)

    def get(self, key: str, now: int) -> Entry | None:
        """The live entry."""
        entry = self._entries.get(key)
        return None if entry is None or _over(entry, now) else entry

    def put(self, items: dict[str, tuple[bytes, int | None]], now: int) -> bool:
        """Set all of these keys (value, deadline), or none when they would not fit; whether they did."""
        if not self._fits(items):
            self.sweep(now, len(self._mortal))  # full of keys that ran out is not full
            if not self._fits(items):
                return False
        for key, (value, deadline) in items.items():
            self.remove(key, now)
            self.add(key, value, deadline)
        return True

    def add(self, key: str, value: bytes, deadline: int | None) -> None:
        """A key that is not there, whatever the bounds say."""
        self._entries[key] = Entry(value, None)
        self.size += _size(key, value)
        self.expire(key, deadline)

    def _fits(self, items: dict[str, tuple[bytes, int | None]]) -> bool:
        known = {key: entry for key in items if (entry := self._entries.get(key)) is not None}
        keys = len(self._entries) + len(items) - len(known)
        size = self.size + sum(_size(key, value) for key, (value, _) in items.items())
        size -= sum(_size(key, entry.value) for key, entry in known.items())
        return keys <= self._max_keys and size <= self._max_bytes

    def expire(self, key: str, deadline: int | None) -> None:
        """Give a key that is there another deadline."""
        entry = self._entries[key]
        entry.deadline = deadline
        if deadline is None and entry.place >= 0:
            self._make_immortal(entry)
        elif deadline is not None and entry.place < 0:
            entry.place = len(self._mortal)
            self._mortal.append(key)

    def remove(self, key: str, now: int) -> bool:
        """Whether a live entry went."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self.size -= _size(key, entry.value)
        if entry.place >= 0:
            self._make_immortal(entry)
        return not _over(entry, now)

    def _make_immortal(self, entry: Entry) -> None:
        last = self._mortal.pop()
        if entry.place < len(self._mortal):
            self._mortal[entry.place] = last
            self._entries[last].place = entry.place
        entry.place = -1

    def keys(self, now: int) -> list[str]:
        """Every live key."""
        return [key for key, entry in self._entries.items() if not _over(entry, now)]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._mortal.clear()
        self.size = 0

    def sweep(self, now: int, budget: int) -> bool:
        """Look at up to `budget` keys with a deadline and remove those that ran out; whether the round goes on."""
        while budget > 0 and self._cursor < len(self._mortal):
            budget -= 1
            key = self._mortal[self._cursor]
            if _over(self._entries[key], now):
                self.remove(key, now)           # another key stands at the cursor now
            else:
                self._cursor += 1
        if self._cursor < len(self._mortal):
            return True
        self._cursor = 0
        return False


def _over(entry: Entry, now: int) -> bool:
    return entry.deadline is not None and entry.deadline <= now


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value) + OVERHEAD
