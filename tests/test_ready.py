"""The ready jobs of a queue against sorting them."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flashq._core.probe import MALLOC_SLABS, blocks_held, fail_allocations
from flashq._core.probetables import ReadyProbe

IN_NONE, IN_FIFO, IN_LIFO, IN_RETURNED = range(4)
PRIORITIES = st.integers(-3, 3) | st.sampled_from([-(2**31), 2**31 - 1])


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    fail_allocations(0, 0)


@dataclass
class Job:
    priority: int
    run_at: int
    pushed: int
    lifo: bool
    id: int

    def rank(self) -> tuple[int, int, int, int]:
        """Smaller comes sooner."""
        if self.lifo:
            return (-self.priority, 0, -self.pushed, 0)
        return (-self.priority, 1, self.run_at, self.id)


class Ready(RuleBasedStateMachine):
    """The next job is the smallest rank of those in it."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = ReadyProbe(seed=7)
        self.held: dict[int, Job] = {}
        self.ids = list(range(1, 3000))
        random.Random(5).shuffle(self.ids)
        self.pushes = 0

    def push_one(self, priority: int, run_at: int, lifo: bool) -> int:
        job = Job(priority, run_at, self.pushes, lifo, self.ids[self.pushes % len(self.ids)] + 3000 * self.pushes)
        self.pushes += 1
        status = self.ready.push(job.id, priority, run_at, lifo)
        if status == 0:
            self.held[job.id] = job
        return status

    @rule(jobs=st.lists(st.tuples(PRIORITIES, st.integers(0, 20), st.booleans()), min_size=1, max_size=40))
    def push(self, jobs: list[tuple[int, int, bool]]) -> None:
        for job in jobs:
            assert self.push_one(*job) == 0

    @rule(priority=PRIORITIES, run_at=st.integers(0, 20), lifo=st.booleans())
    def push_without_memory(self, priority: int, run_at: int, lifo: bool) -> None:
        fail_allocations(1, 1 << 60)
        self.push_one(priority, run_at, lifo)
        fail_allocations(0, 0)

    @rule(count=st.integers(1, 60))
    def pop(self, count: int) -> None:
        for _ in range(min(count, len(self.held))):
            expected = min(self.held.values(), key=Job.rank)
            assert self.ready.first() == expected.id
            assert self.ready.remove(expected.id) == IN_NONE
            del self.held[expected.id]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.held)))
        assert self.ready.where(id) in ({IN_LIFO} if self.held[id].lifo else {IN_FIFO, IN_RETURNED})
        assert self.ready.remove(id) == IN_NONE
        del self.held[id]

    @rule()
    def trim(self) -> None:
        self.ready.trim()

    @invariant()
    def agrees(self) -> None:
        assert len(self.ready) == len(self.held)
        levels = len({job.priority for job in self.held.values()})
        assert self.ready.levels_in_use == levels
        assert self.ready.objects in (levels, levels + 1)
        assert self.ready.first() == (min(self.held.values(), key=Job.rank).id if self.held else None)

    def teardown(self) -> None:
        if len(self.held) % 2:
            self.pop(len(self.held))
            self.trim()
        else:
            self.ready.close()
        assert (len(self.ready), self.ready.objects) == (0, 0)


TestReady = Ready.TestCase
TestReady.settings = settings(max_examples=80, stateful_step_count=25)


def test_jobs_in_order_stand_in_the_list_and_latecomers_in_the_heap() -> None:
    ready = ReadyProbe()
    for id, run_at in [(1, 10), (2, 10), (3, 12), (4, 11), (5, 12), (6, 9)]:
        assert ready.push(id, 0, run_at) == 0
    places = [ready.where(id) for id in range(1, 7)]
    assert places == [IN_FIFO, IN_FIFO, IN_FIFO, IN_RETURNED, IN_FIFO, IN_RETURNED]
    order = []
    while (id := ready.first()) is not None:
        order.append(id)
        ready.remove(id)
    assert order == [6, 1, 2, 4, 3, 5]


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_many_levels_make_no_deep_tree(order: str) -> None:
    """Also when a client chooses the priorities to hurt: the depth follows from the seed alone."""
    count = 1_000_000 if order == "rising" else 100_000
    priorities = list(range(-count // 2, count // 2))
    if order == "falling":
        priorities.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(priorities)
    ready = ReadyProbe(seed=99)
    for id, priority in enumerate(priorities):
        ready.push(id, priority)
    assert ready.levels_in_use == count
    assert ready.depth < 3.5 * math.log2(count)
    by_priority = sorted(range(count), key=lambda id: -priorities[id])
    for id in by_priority[:2000]:
        assert ready.first() == id
        ready.remove(id)
    ready.close()
    assert ready.objects == 0


def test_a_queue_of_one_job_keeps_its_level() -> None:
    ready = ReadyProbe()
    ready.push(1, 5)
    ready.remove(1)
    assert (len(ready), ready.levels_in_use, ready.objects) == (0, 0, 1)
    fail_allocations(1, 1 << 60)
    for id in range(2, 50):
        assert ready.push(id, id) == 0
        assert ready.first() == id
        ready.remove(id)
    ready.trim()
    assert ready.objects == 0
    assert ready.push(60) < 0
    assert (len(ready), ready.levels_in_use, ready.first()) == (0, 0, None)


def test_a_latecomer_without_memory_changes_nothing() -> None:
    ready = ReadyProbe()
    assert ready.push(10, 0, 100) == 0
    fail_allocations(1, 1 << 60)
    assert ready.push(5, 0, 50) < 0
    assert (len(ready), ready.first(), ready.levels_in_use) == (1, 10, 1)
    assert ready.push(11, 0, 100) == 0
    fail_allocations(0, 0)
    assert ready.push(5, 0, 50) == 0
    assert (ready.first(), ready.where(5)) == (5, IN_RETURNED)


@pytest.mark.parametrize("closing", [True, False])
def test_the_heap_of_latecomers_goes_with_its_level(closing: bool) -> None:
    before = blocks_held()
    ready = ReadyProbe()
    for id in range(100, 0, -1):
        assert ready.push(id, id % 3, id) == 0
    assert blocks_held() - before == 3 + (3 if MALLOC_SLABS else 0)
    if closing:
        ready.close()
    while (id := ready.first()) is not None:
        ready.remove(id)
    ready.trim()
    assert (blocks_held(), ready.objects) == (before, 0)
