"""The cron entries: which are due, in what order, and what a late clock does to them. The time is passed in.

The table knows no queue and no engine: `run` is given a function that pushes. A firing and the advance of its slot are
one step: whatever the push does, the slot is used up, and nothing else runs between the two.
"""
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from flashq.scheduler.schedule import Schedule

Catchup = Literal["none", "last", "all"]
Overlap = Literal["allow", "skip"]

LATE_MS = 60_000        # a slot older than this was missed
MAX_CAUGHT_UP = 1000    # missed slots that `all` makes up for in a row; then the newest follows
SPARE_HEAP = 64


@dataclass(slots=True, eq=False)
class Entry:
    """One cron entry. `frame` is the push it makes, as the engine takes it."""

    name: str
    queue: str
    frame: bytes
    shown: dict[str, object]            # what CRONLIST tells beside the counters
    schedule: Schedule
    limit: int | None                   # firings, then it goes
    catchup: Catchup
    overlap: Overlap
    next_run: int                       # ms since 1970: the slot that comes next
    size: int                           # bytes that it counts for
    made: int = 0                       # ms since 1970: when it was set up
    executions: int = 0
    skipped: int = 0                    # slots that fired nothing: missed, or the job before was not done
    last_job: int | None = None         # of those that skip slots
    caught_up: int = 0                  # missed slots made up for in a row
    listed: bool = field(default=True)  # still in the table


class CronTable:
    """Owns the entries of one server, by name. The caller keeps their number and size in bounds."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._slots: list[tuple[int, int, Entry]] = []  # heap; those of entries that are gone or moved are passed over
        self._order = itertools.count()
        self.size = 0                   # bytes of all entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """By name."""
        return (self._entries[name] for name in sorted(self._entries))

    def find(self, name: str) -> Entry | None:
        """The entry of this name."""
        return self._entries.get(name)

    def put(self, entry: Entry) -> None:
        """Add it; it replaces the one of the same name."""
        self.remove(entry.name)
        self._entries[entry.name] = entry
        self.size += entry.size
        self._wait(entry)

    def remove(self, name: str) -> bool:
        """Whether there was one."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return False
        entry.listed = False
        self.size -= entry.size
        if len(self._slots) > 2 * len(self._entries) + SPARE_HEAP:
            self._slots = [slot for slot in self._slots if slot[2].listed]
            heapq.heapify(self._slots)
        return True

    def of_queue(self, queue: str) -> list[str]:
        """The names of the entries that push to a queue."""
        return [entry.name for entry in self._entries.values() if entry.queue == queue]

    def due(self) -> int | None:
        """When the next slot comes, in ms since 1970."""
        while self._slots and not self._slots[0][2].listed:
            heapq.heappop(self._slots)
        return self._slots[0][0] if self._slots else None

    def run(self, now: int, push: Callable[[Entry], int | None], is_open: Callable[[int], bool],
            keep: Callable[[Entry, bool], None], budget: int) -> None:
        """Use up the slots that are due, oldest first, at most `budget` of them.

        `push` makes an entry's job and returns its id, None when it was refused; `is_open` tells whether a job is
        still to be done. `keep` notes what an entry is now; if it says so, together with the push that follows.
        """
        while budget > 0 and (due := self.due()) is not None and due <= now:
            budget -= 1
            entry = heapq.heappop(self._slots)[2]
            fires = self._advance(entry, now) and not (
                entry.overlap == "skip" and entry.last_job is not None and is_open(entry.last_job)
            )
            if fires:
                entry.executions += 1
            else:
                entry.skipped += 1
            if entry.limit is not None and entry.executions >= entry.limit:
                self.remove(entry.name)
            if entry.listed:
                self._wait(entry)
            keep(entry, fires)
            if fires:
                job = push(entry)
                if entry.overlap == "skip" and entry.listed:
                    entry.last_job = job    # which the next slot asks for
                    keep(entry, False)

    def _wait(self, entry: Entry) -> None:
        heapq.heappush(self._slots, (entry.next_run, next(self._order), entry))

    def _advance(self, entry: Entry, now: int) -> bool:
        """Move the entry past the slot that is due; whether that slot fires."""
        slot = entry.next_run
        following = entry.schedule.next_after(slot)
        late = following is not None and following <= now
        if not late:
            fires = now - slot <= LATE_MS or entry.catchup != "none"
            entry.caught_up = 0
        elif entry.catchup == "all" and entry.caught_up < MAX_CAUGHT_UP:
            fires = True
            entry.caught_up += 1
        else:
            # Only the newest of the slots behind counts: it is next, and this one and those between fire nothing.
            following = entry.schedule.last_until(now, slot)
            fires = False
        if following is None:
            self.remove(entry.name)     # no slot ever comes again
        else:
            entry.next_run = following
        return fires
