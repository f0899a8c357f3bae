"""What the Python side costs: the client's pushes, a Worker, the import.

    python perf/python.py [--jobs 100000] [--rounds 5] [--write-docs]

The measurements of perf/client.py and perf/worker.py, which tell more, and the time that fresh interpreters need for an
import, as bars and as a part of docs/performance.md. Servers keep nothing on disk. Exit status 1 when a bar is missed.
"""
import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time

import client
import page
import uvloop
import worker
from page import Row

from flashq._bench import servers

IMPORT_BAR_MS = 60
BARRED = ("import flashq", *(f"from flashq import {name}" for name in ("FlashQ", "AsyncFlashQ", "App")))
IMPORTED = (*BARRED, "from flashq import Worker")       # the last one is the start of a process that stays
IMPORTS = 15            # interpreters for each
TIMED = "import time; began = time.perf_counter(); {}; print((time.perf_counter() - began) * 1e3)"
CONCURRENCY = 100       # of the worker


def client_rows(url: str, jobs: int, rounds: int) -> list[Row]:
    """Both clients in both formats; a bar for `push_many`."""
    rows = []
    for form in ("msgpack", "json"):
        for measured in (client.sync_rows, client.async_rows):
            for name, rate, cost in measured(url, form, jobs, rounds):
                print(f"  {name}: {rate:,.0f}/s", file=sys.stderr)
                bar = "push_many" in name
                rows.append(Row(name, f"{rate:,.0f}/s", f">= {client.BAR:,}/s" if bar else "",
                                not bar or rate >= client.BAR, f"{cost:.2f} us of CPU in the client for each"))
    return rows


async def worker_rows(url: str, jobs: int, rounds: int) -> list[Row]:
    """Each kind of handler; a bar for the empty one."""
    rows = []
    async for name, rate, cost in worker.measure(url, jobs, rounds, CONCURRENCY):
        print(f"  Worker, {name}: {rate:,.0f}/s", file=sys.stderr)
        bar = name == "empty"
        rows.append(Row(f"Worker, handler `{name}`", f"{rate:,.0f} jobs/s", f">= {worker.BAR:,} jobs/s" if bar else "",
                        not bar or rate >= worker.BAR, f"{cost:.2f} us of CPU in the worker for each"))
    return rows


def import_rows() -> list[Row]:
    """The package alone, and with the names that programs begin with, in turns."""
    times: dict[str, list[float]] = {line: [] for line in IMPORTED}
    with tempfile.TemporaryDirectory() as compiled:     # as installed: with bytecode, whatever the environment says
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = compiled
        for turn in range(IMPORTS + 1):
            for line in IMPORTED:
                done = subprocess.run([sys.executable, "-c", TIMED.format(line)], check=True, text=True,
                                      stdout=subprocess.PIPE, env=environment)
                if turn:        # the first one compiles
                    times[line].append(float(done.stdout))
    rows = []
    for line, taken in times.items():
        took, bar = statistics.median(taken), line in BARRED
        rows.append(Row(f"`{line}`", f"{took:.1f} ms", f"<= {IMPORT_BAR_MS} ms" if bar else "",
                        not bar or took <= IMPORT_BAR_MS, f"{min(taken):.1f} to {max(taken):.1f} ms"))
    return rows


def document(rows: list[Row], jobs: int, rounds: int) -> str:
    """The body of the part of the page."""
    return f"""{page.made_by("python perf/python.py --write-docs")}

One process for the server (memory mode), one for the client or the worker. {jobs:,} jobs of `{{"n": 1}}` in a turn,
medians of {rounds} turns; the worker runs {CONCURRENCY} at a time, of jobs that were pushed before, and its time counts
from its start to the answer to its last acknowledgement. The handlers:
`empty` returns nothing, `result` a number, `yields` suspends once, `threads` is synchronous. Imports: medians of
{IMPORTS} fresh interpreters, whose bytecode was compiled before.

{page.machine_list()}

{page.table(rows)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write-docs", action="store_true", help="renew the part of docs/performance.md")
    given = parser.parse_args()
    began = time.monotonic()
    rows = import_rows()
    with servers.started(servers.FLASHQ) as target, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        url = f"flashq://127.0.0.1:{target.port}"
        rows = client_rows(url, given.jobs, given.rounds) + runner.run(
            worker_rows(url, given.jobs, given.rounds)) + rows
    print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(page.table(rows))
    if given.write_docs:
        page.renew(page.PYTHON, document(rows, given.jobs, given.rounds))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
