"""What every store promises; the one there is so far keeps it."""

from collections.abc import Callable

import pytest

from flashq.storage.base import Store
from flashq.storage.memory import MemoryStore


@pytest.fixture(params=[MemoryStore])
def store(request: pytest.FixtureRequest) -> Store:
    """Each implementation in turn."""
    make: Callable[[], Store] = request.param
    return make()


def test_every_position_is_reported_once_the_store_is_closed(store: Store) -> None:
    committed: list[int] = []
    store.open(committed.append)
    for position in (3, 10, 11):
        store.append(b"records", position)
    store.close()
    assert committed[-1] == 11
    assert committed == sorted(committed)


def test_nothing_is_reported_after_close(store: Store) -> None:
    committed: list[int] = []
    store.open(committed.append)
    store.close()
    assert committed == []


def test_a_store_says_what_a_crash_loses(store: Store) -> None:
    assert store.durability in ("commit", "interval", "memory")
    assert store.promise.startswith(store.durability)
