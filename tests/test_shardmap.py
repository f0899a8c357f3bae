"""Id table and name map against dicts."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flashq._core.probe import allocation_requests, fail_allocations
from flashq._core.probetables import IdTableProbe, NameMapProbe

LEAF = 512
SEGMENT = 64            # buckets of a name map at least
NAMES = 2               # a bucket, at most so many on average
NOTHING = 2**64 - 1
SEQUENCES = st.one_of(
    st.integers(0, 3 * LEAF),
    st.integers(0, 2**48 - 1),
    st.builds(lambda power, by: max(0, 2**power + by), st.integers(0, 47), st.integers(-3, 3)),
)


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    fail_allocations(0, 0)


def pages_needed(sequences: set[int]) -> tuple[int, int]:
    """Pages and height of the lowest tree over these sequences."""
    if not sequences:
        return 0, 0
    height = max(0, (max(sequences).bit_length() + 8) // 9 - 1)
    return sum(len({s >> (9 * (level + 1)) for s in sequences}) for level in range(height + 1)), height


class IdTable(RuleBasedStateMachine):
    """Present entries as a dict; its pages are exactly those that a tree over them needs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = IdTableProbe()
        self.held: dict[int, int] = {}
        self.stamp = 0

    def put_one(self, sequence: int) -> None:
        self.stamp += 1
        if sequence in self.held:
            self.table.replace(sequence, self.stamp)
        else:
            assert self.table.put(sequence, self.stamp) == 0
        self.held[sequence] = self.stamp

    @rule(sequences=st.lists(SEQUENCES, max_size=20))
    def put(self, sequences: list[int]) -> None:
        for sequence in sequences:
            self.put_one(sequence)

    @rule(start=SEQUENCES, count=st.integers(1, 2 * LEAF))
    def put_run(self, start: int, count: int) -> None:
        for sequence in range(start, start + count):
            self.put_one(sequence)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.integers(1, 3))
    def remove(self, data: st.DataObject, share: int) -> None:
        start = data.draw(st.integers(0, len(self.held) - 1))
        for sequence in list(self.held)[start::share]:
            self.table.remove(sequence)
            del self.held[sequence]
            assert self.table.get(sequence) == 0

    @rule(sequence=SEQUENCES)
    def remove_absent(self, sequence: int) -> None:
        if sequence not in self.held:
            self.table.remove(sequence)

    @rule(start=SEQUENCES | st.integers(0, 2**64 - 1))
    def neighbours(self, start: int) -> None:
        assert self.table.next(start) == min((s for s in self.held if s >= start), default=NOTHING)
        assert self.table.previous(start) == max((s for s in self.held if s <= start), default=NOTHING)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), by=st.integers(-1, 1))
    def neighbours_of_one(self, data: st.DataObject, by: int) -> None:
        self.neighbours(max(0, data.draw(st.sampled_from(sorted(self.held))) + by))

    @rule(sequence=SEQUENCES | st.integers(0, 2**64 - 1))
    def get(self, sequence: int) -> None:
        assert self.table.get(sequence) == self.held.get(sequence, 0)

    @rule(sequence=SEQUENCES, n=st.integers(1, 7))
    def put_without_memory(self, sequence: int, n: int) -> None:
        if sequence in self.held:
            return
        fail_allocations(n, 1 << 60)
        status = self.table.put(sequence, 1)
        fail_allocations(0, 0)
        if status == 0:
            self.held[sequence] = 1

    @invariant()
    def agrees(self) -> None:
        assert len(self.table) == len(self.held)
        assert (self.table.pages, self.table.height) == pages_needed(set(self.held))
        assert self.table.objects == self.table.pages

    def teardown(self) -> None:
        for sequence, value in self.held.items():
            assert self.table.get(sequence) == value
        self.table.close()
        assert (len(self.table), self.table.pages, self.table.objects) == (0, 0, 0)


TestIdTable = IdTable.TestCase
TestIdTable.settings = settings(max_examples=60, stateful_step_count=25)


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_put_far_away_without_memory_leaves_the_table_as_it_was(refused: int) -> None:
    """Where each leaf is a malloc of its own; elsewhere one page holds them all, and the put succeeds."""
    table = IdTableProbe()
    assert table.put(0, 50) == 0
    before = (len(table), table.pages, table.height, table.objects)
    fail_allocations(1, refused)
    status = table.put(LEAF * LEAF, 1)
    fail_allocations(0, 0)
    if status == 0:
        table.remove(LEAF * LEAF)
    assert (len(table), table.pages, table.height, table.objects) == before
    assert (table.get(0), table.get(LEAF * LEAF)) == (50, 0)


@pytest.mark.parametrize("refused", [1, 2, 3, 4])
def test_a_put_without_memory_leaves_the_table_as_it_was(refused: int) -> None:
    """Leaves are so large that nearly each is a request of its own: fill a page of them first."""
    table = IdTableProbe()
    assert table.put(5, 50) == 0
    fillers = 0
    while True:
        fail_allocations(1, 1 << 60)
        fillers += 1
        status = table.put(fillers * LEAF, 1)
        fail_allocations(0, 0)
        if status != 0:
            break
    before = (len(table), table.pages, table.height, table.objects)
    fail_allocations(1, refused)
    assert table.put(2**40, 1) < 0
    fail_allocations(0, 0)
    assert (len(table), table.pages, table.height, table.objects) == before
    assert (table.get(5), table.get(2**40)) == (50, 0)
    assert table.put(2**40, 7) == 0
    assert table.get(2**40) == 7


def test_a_moving_window_of_ids_keeps_few_pages() -> None:
    table = IdTableProbe()
    for sequence in range(60_000):
        assert table.put(sequence, sequence + 1) == 0
        if sequence >= 1000:
            assert table.get(sequence - 1000) == sequence - 999
            table.remove(sequence - 1000)
    assert len(table) == 1000
    assert table.pages <= 3 + table.height


SAME_HASH = st.integers(0, 39).map(lambda number: b"same-%02d" % number)


class NameMap(RuleBasedStateMachine):
    """Names as a dict; some share one hash, more than a bucket has slots for, so that chains and splits meet."""

    def __init__(self) -> None:
        super().__init__()
        self.map = NameMapProbe()
        self.held: dict[bytes, int] = {}

    @staticmethod
    def hash_of(name: bytes) -> int | None:
        return len(name) if name.startswith(b"same") else None

    @rule(names=st.lists(st.binary(max_size=3) | SAME_HASH, max_size=30))
    def add(self, names: list[bytes]) -> None:
        for name in names:
            if name not in self.held:
                self.held[name] = len(self.held) + 1
                assert self.map.add(name, self.held[name], self.hash_of(name)) == 0

    @rule(prefix=st.binary(max_size=2), count=st.integers(500, 2500))
    def add_many(self, prefix: bytes, count: int) -> None:
        self.add([b"%s/%d" % (prefix, i) for i in range(count)])

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.integers(1, 3))
    def remove(self, data: st.DataObject, share: int) -> None:
        start = data.draw(st.integers(0, len(self.held) - 1))
        for name in list(self.held)[start::share]:
            self.map.remove(name)
            del self.held[name]

    @rule(name=st.binary(max_size=3) | SAME_HASH)
    def find(self, name: bytes) -> None:
        assert self.map.find(name, self.hash_of(name)) == self.held.get(name)
        if name not in self.held and self.hash_of(name) is None:
            assert self.map.absent(name)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def is_not_absent(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        assert not self.map.absent(name, self.hash_of(name))

    @invariant()
    def agrees(self) -> None:
        assert len(self.map) == len(self.held)

    def teardown(self) -> None:
        for name, value in self.held.items():
            assert self.map.find(name, self.hash_of(name)) == value
        self.map.close()
        assert (self.map.objects, self.map.buckets) == (0, 0)


TestNameMap = NameMap.TestCase
TestNameMap.settings = settings(max_examples=40, stateful_step_count=15)


def test_buckets_follow_the_count_both_ways() -> None:
    names = [b"custom-%d" % i for i in range(50_000)]
    table = NameMapProbe()
    for i, name in enumerate(names):
        assert table.add(name, i) == 0
    assert table.buckets == 50_000 // NAMES
    assert table.fullest() < 16
    assert all(table.find(name) == i for i, name in enumerate(names))
    for name in names:
        table.remove(name)
    assert (len(table), table.buckets, table.objects) == (0, SEGMENT, 1)


@pytest.mark.parametrize("shift", [0, 5, 16, 27, 40, 59])
def test_hashes_of_one_shard_still_spread(shift: int) -> None:
    """Wherever the shard's five bits stand in the hash, equal ones do not crowd the buckets."""
    table = NameMapProbe()
    low = (1 << shift) - 1
    for i in range(5000):
        mixed = (i * 0xBF58476D1CE4E5B9 + 12345) % 2**59
        assert table.add(b"%d" % i, i, (mixed & low) | (13 << shift) | (mixed & ~low) << 5) == 0
    assert table.fullest() < 15


def test_names_go_in_without_memory_for_more_buckets() -> None:
    table = NameMapProbe()
    fail_allocations(1, 1 << 60)
    assert table.add(b"none", 1) < 0
    assert (len(table), table.find(b"none")) == (0, None)
    fail_allocations(0, 0)
    assert table.add(b"first", 1) == 0
    fail_allocations(1, 1 << 60)
    for i in range(20_000):
        assert table.add(b"%d" % i, i) == 0
    assert allocation_requests() > 0
    assert table.buckets < 20_000 // NAMES
    assert all(table.find(b"%d" % i) == i for i in range(20_000))
    fail_allocations(0, 0)
    buckets = table.buckets
    assert table.add(b"last", 1) == 0
    assert table.buckets == buckets + 1
