"""How many small jobs a second does the Python client push, and what does a single call cost?

    python perf/client.py [--jobs 100000] [--rounds 5]

On a server of its own that keeps nothing on disk. `push_many` in both clients and formats, medians; the bar is 400,000
jobs a second from one process. CPU is that of the client's process alone: on a busy machine the wall clock says little.
"""
import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from flashq._bench import servers
from flashq.client import AsyncFlashQ, FlashQ

BAR = 400_000
CALLS = 2000


def small(jobs: int) -> Iterator[Any]:
    """Jobs as a producer has them."""
    return ({"data": {"n": n}} for n in range(jobs))


def measure(work: Callable[[], Any], items: int, rounds: int) -> tuple[float, float]:
    """Items a second by the wall clock, and microseconds of CPU for each: medians."""
    rates, costs = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        rates.append(items / (time.perf_counter() - wall))
        costs.append((time.process_time() - cpu) / items * 1e6)
    return statistics.median(rates), statistics.median(costs)


def sync_rows(url: str, form: str, jobs: int, rounds: int) -> Iterator[tuple[str, float, float]]:
    """FlashQ."""
    with FlashQ(url, format=form) as client:
        yield f"FlashQ.push_many, {form}", *measure(lambda: client.push_many("bulk", small(jobs)), jobs, rounds)
        yield f"FlashQ.push one by one, {form}", *measure(
            lambda: [client.push("single", n) for n in range(CALLS)], CALLS, rounds)
        client.drain("bulk")


def async_rows(url: str, form: str, jobs: int, rounds: int) -> Iterator[tuple[str, float, float]]:
    """AsyncFlashQ."""
    with asyncio.Runner() as runner:
        client = AsyncFlashQ(url, format=form)

        async def at_once() -> None:
            await asyncio.gather(*(client.push("single", n) for n in range(CALLS)))

        yield f"AsyncFlashQ.push_many, {form}", *measure(
            lambda: runner.run(client.push_many("bulk", small(jobs))), jobs, rounds)
        yield f"AsyncFlashQ.push, {CALLS} at once, {form}", *measure(lambda: runner.run(at_once()), CALLS, rounds)
        runner.run(client.drain("bulk"))
        runner.run(client.close())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(f"{'':44} {'a second':>12} {'CPU us each':>12}")
    with servers.started(servers.FLASHQ) as target:
        for form in ("msgpack", "json"):
            for rows in (sync_rows, async_rows):
                for name, rate, cost in rows(f"flashq://127.0.0.1:{target.port}", form, given.jobs, given.rounds):
                    bar = f"  bar {BAR:,}: {'PASS' if rate >= BAR else 'MISS'}" if "push_many" in name else ""
                    print(f"{name:44} {rate:12,.0f} {cost:12.2f}{bar}", flush=True)


if __name__ == "__main__":
    main()
