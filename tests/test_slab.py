"""The core's memory: objects that neither move nor overlap, pages that go back to the system."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flashq._core.probe import MALLOC_SLABS, MemoryProbe, allocation_requests, blob_bytes, fail_allocations
from support.server import server_environment

PAGE = 65536
SIZES = [1, 15, 16, 17, 255, 256, 257, 288, 289, 511, 512, 513, 2048, 2049, 4095, 4096, 4097, 65536, 1 << 20]

pages_only = pytest.mark.skipif(MALLOC_SLABS, reason="this build has no pages: each object is a malloc of its own")


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    fail_allocations(0, 0)


class Slab(RuleBasedStateMachine):
    """Each object keeps the byte it was filled with while others come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryProbe(48)
        self.live: dict[int, tuple[int, int]] = {}
        self.stamp = 0

    def keep(self, address: int, size: int) -> None:
        assert address % 16 == 0
        assert address not in self.live
        self.stamp = (self.stamp + 1) % 251
        self.memory.fill(address, size, self.stamp)
        self.live[address] = (size, self.stamp)

    @rule(count=st.integers(1, 3000))
    def take(self, count: int) -> None:
        for address in self.memory.take_many(count):
            self.keep(address, 48)

    @rule(size=st.one_of(st.integers(1, 9000), st.sampled_from(SIZES)))
    def take_blob(self, size: int) -> None:
        self.keep(self.memory.take_blob(size), size)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), share=st.sampled_from([1, 2, 7]))
    def give(self, data: st.DataObject, share: int) -> None:
        start = data.draw(st.integers(0, len(self.live) - 1))
        for address in list(self.live)[start::share]:
            size, stamp = self.live.pop(address)
            assert self.memory.read(address, size) == bytes([stamp]) * size
            self.release(address, size)

    def release(self, address: int, size: int) -> None:
        if size == 48:
            self.memory.give(address)
        else:
            self.memory.give_blob(address, size)

    @rule()
    def trim(self) -> None:
        self.memory.trim()

    @invariant()
    def counted(self) -> None:
        assert self.memory.objects == len(self.live)
        assert self.memory.used == sum(blob_bytes(size) for size, _ in self.live.values())

    def teardown(self) -> None:
        for address, (size, stamp) in self.live.items():
            assert self.memory.read(address, size) == bytes([stamp]) * size
            self.release(address, size)
        assert (self.memory.objects, self.memory.used) == (0, 0)
        self.memory.trim()
        assert self.memory.mapped == 0


TestSlab = Slab.TestCase
TestSlab.settings = settings(max_examples=40, stateful_step_count=20)


@given(st.integers(1, 1 << 20))
def test_a_blob_wastes_at_most_an_eighth(size: int) -> None:
    cost = blob_bytes(size)
    assert cost % 16 == 0
    assert size <= cost <= max(size + 31, size * 9 // 8 + 16)


@pytest.mark.parametrize("size", SIZES)
def test_blobs_of_a_size_lie_apart(size: int) -> None:
    memory = MemoryProbe()
    starts = sorted(memory.take_blob(size) for _ in range(40))
    assert all(after - before >= size for before, after in pairwise(starts))
    assert memory.used == 40 * blob_bytes(size)
    for start in starts:
        memory.give_blob(start, size)
    assert (memory.objects, memory.used) == (0, 0)


@pages_only
def test_a_fresh_page_is_handed_out_in_ascending_order() -> None:
    things = MemoryProbe(128).take_many(512)
    assert sum(after - before == 128 for before, after in pairwise(things)) >= 510


@pages_only
def test_nearly_full_pages_are_filled_first() -> None:
    """After a third of all went in order, new things fill holes: no page is added."""
    memory = MemoryProbe(128)
    things = memory.take_many(50_000)
    for thing in things[::3]:
        memory.give(thing)
    mapped = memory.mapped
    assert set(memory.take_many(len(things[::3]))) == set(things[::3])
    assert memory.mapped == mapped


@pages_only
def test_pages_unused_for_a_window_go_back_but_64() -> None:
    memory = MemoryProbe(128)
    things = memory.take_many(200_000)
    full = memory.mapped
    for thing in things:
        memory.give(thing)
    assert full >= 200_000 * 128
    assert memory.mapped == full
    memory.window()
    memory.decay(1000)
    assert memory.mapped == full, "they were in use since the window before"
    memory.window()
    memory.decay(10)
    assert memory.mapped == full - 10 * PAGE
    memory.decay(1000)
    assert memory.mapped == 64 * PAGE
    memory.trim()
    assert memory.mapped == 0
    again = memory.take_many(200_000)
    assert memory.mapped == full
    assert len(set(again)) == 200_000


@pages_only
def test_pages_needed_again_within_the_window_stay() -> None:
    memory = MemoryProbe(128)
    things = memory.take_many(200_000)
    for thing in things:
        memory.give(thing)
    full = memory.mapped
    memory.window()
    for thing in memory.take_many(150_000):
        memory.give(thing)
    memory.window()
    memory.decay(1000)
    assert full - memory.mapped <= 50_000 * 128 + 2 * PAGE


def test_closing_forgets_what_is_still_live() -> None:
    memory = MemoryProbe()
    memory.take_many(10_000)
    memory.take_blob(100_000)
    memory.close()
    assert (memory.objects, memory.used, memory.mapped) == (0, 0, 0)
    assert memory.take() != 0


def test_each_request_to_the_system_may_be_refused() -> None:
    """A page, an arena and a large blob: the refused call returns nothing and changes nothing."""
    memory = MemoryProbe(1024)
    sizes = [100, 5000, 300]
    for n in range(1, 20):
        fail_allocations(n)
        taken = [(memory.take(), 0) for _ in range(5)] + [(memory.take_blob(size), size) for size in sizes]
        made = allocation_requests()
        fail_allocations(0, 0)
        kept = [(start, size) for start, size in taken if start]
        assert len(taken) - len(kept) == (1 if made >= n else 0)
        assert memory.objects == len(kept)
        for start, size in kept:
            if size:
                memory.give_blob(start, size)
            else:
                memory.give(start)
        assert (memory.objects, memory.used) == (0, 0)
        memory.trim()
        if made < n:
            break
    assert n >= 5


def run_script(script: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own; -P, or the sources of the working directory would stand before the build under test."""
    command = [sys.executable, "-P", "-c", script]
    return subprocess.run(command, env=server_environment(), capture_output=True, check=False)


RESIDENT = """
from pathlib import Path
from flashq._core.probe import MemoryProbe

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

memory = MemoryProbe(128)
things = memory.take_many(1_000_000)
memory.give(things.pop())
for thing in things:
    memory.fill(thing, 128, 1)
order = {order}
full = resident()
for thing in order:
    memory.give(thing)
memory.window()
memory.window()
memory.decay(10_000)
print(full, resident(), memory.objects)
"""


@pages_only
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the resident size on Linux only")
@pytest.mark.parametrize("order", ["things", "sorted(things, key=lambda t: t * 0x9E3779B97F4A7C15 % 2**64)"])
def test_a_million_objects_go_back_to_the_system(order: str) -> None:
    """In the order they came as well as at random, the resident size falls by all but the cached pages."""
    script = RESIDENT.replace("{order}", order)
    out = run_script(script)
    assert out.returncode == 0
    full, empty, objects = map(int, out.stdout.split())
    assert objects == 0
    assert full - empty > 1_000_000 * 128 - 64 * PAGE - (8 << 20)


@pytest.mark.skipif(not MALLOC_SLABS, reason="only the sanitizer build sees single objects")
@pytest.mark.parametrize("size", [128, 5000])
def test_the_sanitizer_sees_an_object_used_after_it_was_given_back(size: int) -> None:
    script = (
        "from flashq._core.probe import MemoryProbe\n"
        f"memory = MemoryProbe()\nblob = memory.take_blob({size})\nmemory.give_blob(blob, {size})\n"
        "memory.fill(blob, 1, 1)\n"
    )
    done = run_script(script)
    assert done.returncode != 0
    assert b"heap-use-after-free" in done.stderr
