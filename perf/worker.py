"""How many jobs a second does one Worker run, and what does one cost it?

    python perf/worker.py [--jobs 100000] [--rounds 5] [--concurrency 100]

On a server of its own that keeps nothing on disk. Jobs are pushed before; the clock runs from the worker's start to the
answer to its last acknowledgement. Medians; the bar is 60,000 a second for an empty async handler in one process. CPU
is that of the worker's process alone: on a busy machine the wall clock says little.
"""
import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import uvloop

from flashq import App, Worker
from flashq._bench import servers
from flashq.tasks import Task

BAR = 60_000
SHARE = {"threads": 0.1}        # of the jobs, for what is slower by so much


def tasks_of(app: App) -> dict[str, Task[..., object]]:
    """What is measured, by name."""

    async def empty() -> None:
        pass

    async def result(n: int) -> int:
        return n

    async def yields() -> None:
        await asyncio.sleep(0)

    def threads() -> None:
        pass

    return {made.__name__: app.task(queue=made.__name__)(made)      # type: ignore[dict-item]
            for made in (empty, result, yields, threads)}


async def turn(app: App, task: Task[..., object], jobs: int, concurrency: int) -> tuple[float, float]:
    """Jobs a second by the wall clock, and microseconds of CPU for each."""
    arguments = (1,) if task.name == "result" else ()
    await task.push_many_async(arguments for _ in range(jobs))
    worker = Worker(app, queues=[task.queue], concurrency=concurrency, max_jobs=jobs)
    wall, cpu = time.perf_counter(), time.process_time()
    await worker.run()
    return jobs / (time.perf_counter() - wall), (time.process_time() - cpu) / jobs * 1e6


async def measure(url: str, jobs: int, rounds: int, concurrency: int) -> AsyncIterator[tuple[str, float, float]]:
    """Each kind of handler: jobs a second, and microseconds of CPU for each; medians."""
    app = App(url)
    for name, task in tasks_of(app).items():
        count = int(jobs * SHARE.get(name, 1))
        turns = [await turn(app, task, count, concurrency) for _ in range(rounds)]
        rate, cost = (statistics.median(column) for column in zip(*turns, strict=True))
        yield name, rate, cost
    await app.close_async()


async def show(url: str, jobs: int, rounds: int, concurrency: int) -> None:
    """A line for each kind of handler."""
    async for name, rate, cost in measure(url, jobs, rounds, concurrency):
        bar = f"  bar {BAR:,}: {'PASS' if rate >= BAR else 'MISS'}" if name == "empty" else ""
        print(f"{name:20} {rate:12,.0f} {cost:12.2f}{bar}", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=100)
    given = parser.parse_args()
    print(f"{'handler':20} {'a second':>12} {'CPU us each':>12}")
    with servers.started(servers.FLASHQ) as target, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(show(f"flashq://127.0.0.1:{target.port}", given.jobs, given.rounds, given.concurrency))


if __name__ == "__main__":
    main()
