"""The indexed heap against a sorted list."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flashq._core.probe import HeapProbe, fail_allocations

NODES = 400
KEYS = st.integers(0, 30) | st.integers(0, 2**64 - 1)


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    fail_allocations(0, 0)


class Heap(RuleBasedStateMachine):
    """What is in it, as a dict; what comes first, as the smallest of that."""

    def __init__(self) -> None:
        super().__init__()
        self.heap = HeapProbe(NODES)
        self.held: dict[int, tuple[int, int]] = {}

    @rule(pairs=st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=100))
    def push(self, pairs: list[tuple[int, int]]) -> None:
        free = [node for node in range(NODES) if node not in self.held]
        for node, pair in zip(free, pairs, strict=False):
            assert self.heap.push(node, *pair) == 0
            self.held[node] = pair

    @precondition(lambda self: self.held)
    @rule(data=st.data(), key=KEYS, tie=KEYS)
    def move(self, data: st.DataObject, key: int, tie: int) -> None:
        node = data.draw(st.sampled_from(sorted(self.held)))
        self.heap.move(node, key, tie)
        self.held[node] = (key, tie)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        for node in data.draw(st.lists(st.sampled_from(sorted(self.held)), unique=True, min_size=1)):
            self.heap.remove(node)
            del self.held[node]

    @rule(count=st.integers(1, NODES))
    def pop(self, count: int) -> None:
        for _ in range(min(count, len(self.held))):
            key, tie, node = self.heap.first() or (-1, -1, -1)
            assert (key, tie) == self.held[node] == min(self.held.values())
            self.heap.remove(node)
            del self.held[node]

    @invariant()
    def agrees(self) -> None:
        assert len(self.heap) == len(self.held)
        assert self.heap.positions_hold()
        first = self.heap.first()
        assert (first and first[:2]) == (min(self.held.values()) if self.held else None)


TestHeap = Heap.TestCase
TestHeap.settings = settings(max_examples=50, stateful_step_count=20)


def test_equal_keys_come_by_their_tie() -> None:
    heap = HeapProbe(100)
    for node in range(100):
        heap.push(node, 7, (node * 37) % 100)
    seen = []
    while first := heap.first():
        seen.append(first[1])
        heap.remove(first[2])
    assert seen == list(range(100))


def test_the_array_shrinks_with_what_it_holds() -> None:
    heap = HeapProbe(100_000)
    for node in range(100_000):
        assert heap.push(node, node, 0) == 0
    assert 100_000 < heap.cap < 200_000
    for node in range(100_000):
        assert heap.cap <= max(4 * (len(heap) + 1), 1024)
        heap.remove(node)
    assert heap.cap <= 1024
    assert heap.positions_hold()


def test_a_push_without_memory_changes_nothing() -> None:
    heap = HeapProbe(200)
    fail_allocations(1, 1000)
    assert heap.push(0, 1, 1) < 0
    assert (len(heap), heap.first()) == (0, None)
    fail_allocations(0, 0)
    size = 0
    while len(heap) + 1 < max(heap.cap, 1) or size == 0:
        assert heap.push(size, 1000 - size, 0) == 0
        size += 1
    before = heap.first()
    fail_allocations(1)
    assert heap.push(size, 0, 0) < 0
    assert (len(heap), heap.first()) == (size, before)
    assert heap.positions_hold()
    assert heap.push(size, 0, 0) == 0
    assert heap.first() == (0, 0, size)


def test_reserved_room_needs_no_memory() -> None:
    heap = HeapProbe(5000)
    assert heap.reserve(5000) == 0
    fail_allocations(1, 1 << 60)
    assert [heap.push(node, 5000 - node, 0) for node in range(5000)] == [0] * 5000
    assert heap.reserve(2**32 - 1) < 0
    assert heap.first() == (1, 0, 4999)


def test_a_refused_shrink_loses_nothing() -> None:
    heap = HeapProbe(3000)
    for node in range(3000):
        heap.push(node, node, 0)
    fail_allocations(1, 1 << 60)
    for node in range(2990):
        heap.remove(node)
    assert heap.cap > 3000
    assert heap.first() == (2990, 0, 2990)
    assert heap.positions_hold()
