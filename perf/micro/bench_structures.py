"""What one operation on heap, ready index, id table and slab costs, at ten thousand things and at a million.

The difference between the two sizes is what cache misses cost; more than that would be a structure that does not scale.
Compare two versions: save with `-o`, then `python -m pyperf compare_to before.json after.json --table`.
"""

from collections.abc import Callable
from random import Random

import pyperf

from flashq._core.probe import HeapProbe, MemoryProbe
from flashq._core.probetables import IdTableProbe, ReadyProbe

SIZES = {"10k": 10_000, "1m": 1_000_000}
BASE = 123_456_789  # ids of a server that has run for a while: the table is four levels high
INNER = 1000


def timed(run: Callable[[int], None]) -> Callable[[int], float]:
    """A function of `loops` that runs INNER operations each and returns seconds."""

    def func(loops: int) -> float:
        start = pyperf.perf_counter()
        run(loops * INNER)
        return pyperf.perf_counter() - start

    return func


def lazily(make: Callable[[], Callable[[int], None]]) -> Callable[[int], float]:
    """Sets up at the first call, so that a worker process builds only what it measures."""
    made: list[Callable[[int], float]] = []

    def func(loops: int) -> float:
        if not made:
            made.append(timed(make()))
        return made[0](loops)

    return func


def heap_pop_push(size: int) -> Callable[[int], None]:
    heap, random = HeapProbe(size), Random(1)
    for node in range(size):
        heap.push(node, random.getrandbits(24), node)
    return heap.bench_pop_push


def ready_fifo(size: int) -> Callable[[int], None]:
    ready = ReadyProbe()
    for id in range(size):
        ready.push(id, 0, id)
    return ready.bench_pop_push


def ready_levels(size: int, levels: int) -> Callable[[int], None]:
    ready, random = ReadyProbe(), Random(1)
    for id in range(size):
        ready.push(id, random.randrange(levels), id)
    return lambda loops: ready.bench_levels(loops, levels)


def ids_get(size: int, shuffled: bool) -> Callable[[int], None]:
    table = IdTableProbe()
    for sequence in range(BASE, BASE + size):
        table.put(sequence, 1)
    return lambda loops: table.bench_get(loops, BASE, size, shuffled)


def slab_replace(size: int) -> Callable[[int], None]:
    memory = MemoryProbe(128)
    things = memory.take_many(size)
    return lambda loops: memory.bench_replace(loops, things)


def slab_fill_drain(size: int) -> Callable[[int], None]:
    memory = MemoryProbe(128)
    return lambda loops: memory.bench_fill_drain(loops, size)


def main() -> None:
    runner = pyperf.Runner()
    for name, size in SIZES.items():
        benches: dict[str, Callable[[], Callable[[int], None]]] = {
            "heap pop and push": lambda size=size: heap_pop_push(size),
            "ready pop and push, one level": lambda size=size: ready_fifo(size),
            "ready pop and push, 1000 levels": lambda size=size: ready_levels(size, 1000),
            "id get in order": lambda size=size: ids_get(size, False),
            "id get at random": lambda size=size: ids_get(size, True),
            "slab give and take at random": lambda size=size: slab_replace(size),
            "slab fill and drain": lambda size=size: slab_fill_drain(size),
        }
        for title, make in benches.items():
            runner.bench_time_func(f"{title} ({name})", lazily(make), inner_loops=INNER)


if __name__ == "__main__":
    main()
