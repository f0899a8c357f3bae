"""What every store promises; each that there is keeps it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flashq.storage.base import Store, StoreState
from flashq.storage.journal import Journal
from flashq.storage.memory import MemoryStore
from support.journal import Kept, frame

Make = Callable[[Path], Store]


def journal(durability: str) -> Make:
    def make(directory: Path) -> Store:
        store = Journal(directory, durability=durability, sync_interval_ms=10, segment_size=1 << 16)
        store.lock()
        store.load(Kept(), lambda progress: None)
        return store

    return make


STORES: dict[str, Make] = {
    "memory": lambda directory: MemoryStore(),
    "commit": journal("commit"),
    "interval": journal("interval"),
}


class Opened:
    """A store on a loop of its own, and what it has said."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.loop = asyncio.new_event_loop()
        self.commits: list[tuple[int, int]] = []
        self.states: list[StoreState] = []
        store.open(lambda position, synced: self.commits.append((position, synced)), self.states.append, self.loop)

    def until(self, done: Callable[[], bool]) -> None:
        async def watch() -> None:
            while not done():
                await asyncio.sleep(0.001)

        self.loop.run_until_complete(asyncio.wait_for(watch(), 30))


@pytest.fixture(params=list(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Each implementation in turn."""
    running = Opened(STORES[request.param](tmp_path / "data"))
    yield running
    running.store.close()
    running.loop.close()


def test_every_position_is_reported_once_the_store_is_closed(opened: Opened) -> None:
    for position in (3, 10, 11):
        opened.store.append(frame(position), position)
    opened.store.close()
    assert opened.commits[-1] == (11, 11)
    assert opened.commits == sorted(opened.commits)


def test_nothing_is_reported_after_close(opened: Opened) -> None:
    opened.store.close()
    before = list(opened.commits)
    opened.loop.run_until_complete(asyncio.sleep(0.01))
    assert opened.commits == before
    assert all(position == 0 for position, _synced in before)


def test_a_record_is_reported_without_another_call(opened: Opened) -> None:
    opened.store.append(frame(5), 5)
    opened.until(lambda: opened.commits[-1:] == [(5, 5)])


def test_what_survives_a_crash_of_the_machine_never_passes_what_is_committed(opened: Opened) -> None:
    for position in range(1, 200):
        opened.store.append(frame(position), position)
        if position % 20 == 0:
            opened.until(lambda: bool(opened.commits))
    opened.store.close()
    assert all(0 <= synced <= position <= 199 for position, synced in opened.commits)
    assert opened.commits == sorted(opened.commits)
    assert [synced for _, synced in opened.commits] == sorted(synced for _, synced in opened.commits)
    assert opened.states == [], "nothing is wrong"


def test_closing_twice_is_fine(opened: Opened) -> None:
    opened.store.append(frame(1), 1)
    opened.store.close()
    opened.store.close()
    assert opened.commits[-1] == (1, 1)


def test_a_store_says_what_a_crash_loses(opened: Opened) -> None:
    assert opened.store.durability in ("commit", "interval", "memory")
    assert opened.store.promise.startswith(opened.store.durability)
