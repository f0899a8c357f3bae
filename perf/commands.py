"""What do commands on single jobs, pages, ties and bulk removal cost beside a million jobs, and whom do they hold up?

    python perf/commands.py [--jobs 1000000] [--quick] [--against CHECKOUT] [--json] [--write-docs]

What `make bench-commands` runs. Commands on single jobs go out 100 deep over 4 connections, each id once. Pages and
waits are the slowest a client sees. Beside DRAIN and OBLITERATE, and while the memory of their jobs is given back,
another queue gets a push every millisecond. `--against` counts instructions, here and in another checkout, which must
be built (perf/instructions.py).
"""
import argparse
import json
import random
import socket
import statistics
import sys
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import instructions
import page
from page import Row

from flashq._bench import servers
from flashq._bench.frames import Frames, payload
from flashq._bench.loadgen import BenchError
from flashq._bench.traffic import Work
from flashq._bench.workload import Bench, Result, Target

BATCH = 1000
CONNECTIONS = 4
DEPTH = 100
SAMPLE = 150_000                # ids at most, for commands on single jobs
TRIES = 7                       # of each page
PAGE = 100
STATES = ("waiting", "delayed", "active", "completed", "failed")
SHARES = {"delayed": 0.1, "active": 0.05, "failed": 0.05}       # of all jobs, the rest waits
COMPLETED = 5000                # as many as a server keeps whole
PUSHES_PER_SECOND = 1000        # to the other queue
HOUR_MS = 3_600_000
SINGLE_BAR = 200_000            # a second
TIED_BAR = 1_000_000            # a second
PAGE_BAR_MS = 10.0
PAUSE_BAR_MS = 10.0


@dataclass(frozen=True)
class Size:
    """How much is measured; `seconds` is how long the other queue is watched."""

    jobs: int
    rounds: int
    attempts: int
    seconds: float


FULL = Size(jobs=1_000_000, rounds=3, attempts=6, seconds=3.0)
QUICK = Size(jobs=100_000, rounds=1, attempts=2, seconds=1.0)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Caller:
    """One request at a time, in JSON, and how long each took."""

    def __init__(self, target: Target) -> None:
        self.sock = target.connect()
        self.sock.settimeout(60)
        self.frames = Frames("many", payload())
        self.reader = self.sock.makefile("rb")

    def __call__(self, command: str, **fields: Any) -> tuple[dict[str, Any], float]:
        """The reply, and ms until it was here."""
        frame = self.frames.encode(command, **fields)
        begin = time.perf_counter_ns()
        self.sock.sendall(frame)
        line = self.reader.readline()
        spent = (time.perf_counter_ns() - begin) / 1e6
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            raise BenchError(f"{command}: {reply['error']}")
        return reply, spent

    def close(self) -> None:
        self.reader.close()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def settled(attempt: Callable[[], float], bar: float, attempts: int) -> float:
    """The least of a few attempts, no more of them than it takes to come under the bar.

    What the size of the data causes comes again, a pause of the machine does not.
    """
    least = attempt()
    for _ in range(attempts - 1):
        if least <= bar:
            break
        least = min(least, attempt())
    return least


def rate_row(work: str, runs: list[Result], bar: int) -> Row:
    """The median of their throughput against the bar, and what a job cost the server."""
    speed = statistics.median(run.per_second for run in runs)
    costs = [run.server_ns for run in runs if run.server_ns is not None]
    spent = f"server CPU {statistics.median(costs):,.0f} ns each, " if costs else ""
    limit = "; the generator was the limit" if any(run.generator_limited for run in runs) else ""
    generator = statistics.median(run.generator_ns for run in runs)
    return Row(work, f"{speed:,.0f}/s", f">= {bar:,}/s", speed >= bar, f"{spent}generator {generator:,.0f} ns{limit}")


# --- single jobs

def head_of(command: str, **fields: Any) -> dict[str, bytes]:
    """As Frames.with_id in JSON, with more fields before the id."""
    return {"id_head": Frames("", {}).encode(command, **fields)[:-2] + b',"id":', "id_tail": b"}\n"}


def ids_of(bench: Bench) -> "array[int]":
    """What the last run was told to keep."""
    assert bench.outcome is not None
    return bench.outcome.ids


def singles(target: Target, size: Size) -> list[Row]:
    """CHANGEPRIORITY, PROMOTE and CANCEL, while `size.jobs` wait."""
    bench = Bench(target, Frames("many", payload()), CONNECTIONS, DEPTH)
    every = -(-size.jobs // SAMPLE)
    bench.push(size.jobs, BATCH, 600, depth=1, keep=size.jobs // every, keep_every=every)
    ids = list(ids_of(bench))
    random.Random(1).shuffle(ids)
    runs: dict[str, list[Result]] = {}
    for turn in range(size.rounds):
        chosen = array("Q", ids[turn::size.rounds])
        for priority in (3, 1_000_000):
            result = bench._measure(Work.BY_ID, given=chosen, **head_of("CHANGEPRIORITY", priority=priority))
            runs.setdefault(f"CHANGEPRIORITY to {priority:,}", []).append(result)
        bench.push(len(chosen), 1, delay_ms=HOUR_MS, keep=len(chosen))
        runs.setdefault("PROMOTE", []).append(bench.by_id("PROMOTE", ids_of(bench)))
        runs.setdefault("CANCEL", []).append(bench.by_id("CANCEL", chosen))
    bench.generator.close()
    return [rate_row(f"{name} beside {size.jobs:,} waiting jobs", found, SINGLE_BAR) for name, found in runs.items()]


# --- ties

def tied(size: Size) -> list[Row]:
    """Batches of jobs that each have a unique key, tags and a custom id."""
    rows = []
    for binary in (False, True):
        runs = []
        for _ in range(size.rounds):
            with servers.started(servers.FLASHQ) as target:
                bench = Bench(target, Frames("tied", payload(), binary), CONNECTIONS)
                runs.append(bench.push_tied(size.jobs, BATCH, 600))
                bench.generator.close()
        work = f"PUSHB of {BATCH} with unique key, tags and custom id, {'MessagePack' if binary else 'JSON'}"
        rows.append(rate_row(work, runs, TIED_BAR))
    return rows


# --- pages

def fill_states(target: Target, jobs: int) -> Bench:
    """`jobs` jobs of one queue in all states. Whoever closes the Bench loses the active ones."""
    bench = Bench(target, Frames("many", payload()), CONNECTIONS)
    count = {state: int(share * jobs) for state, share in SHARES.items()}

    def push(count: int, **options: Any) -> None:
        """In batches, or a last one that is smaller."""
        job = {"data": bench.frames.data, **options}
        for batch, times in ((BATCH, count // BATCH), (count % BATCH, 1)):
            if batch and times:
                frame = bench.frames.encode("PUSHB", queue="many", jobs=[job] * batch)
                bench._measure(Work.PUSHB, frame, count=times, batch=batch, seconds=600)

    completed = min(COMPLETED, jobs // 10)
    push(completed)
    bench.process(BATCH)
    push(count["failed"], max_attempts=1)
    bench.pull(count["failed"], depth=DEPTH)
    bench.by_id("FAIL", ids_of(bench), depth=DEPTH)
    push(count["active"])
    bench.pull(count["active"], depth=DEPTH)
    push(count["delayed"], delay=HOUR_MS)
    push(jobs - completed - sum(count.values()))
    return bench


def page_row(call: Caller, name: str, filters: dict[str, str], attempts: int) -> Row:
    """The first, the middle and the last page of what the filters leave, each the slowest of its tries."""
    total = int(call("GETJOBS", limit=1, **filters)[0]["total"])
    found = {}

    def slowest(offset: int) -> float:
        times = []
        for _ in range(TRIES):
            reply, spent = call("GETJOBS", limit=PAGE, offset=offset, **filters)
            if len(reply["jobs"]) != PAGE:
                raise BenchError(f"{name}: {len(reply['jobs'])} jobs from {offset} of {total}")
            times.append(spent)
        return max(times)

    for where, offset in (("first", 0), ("middle", (total - PAGE) // 2), ("last", total - PAGE)):
        found[where] = settled(lambda offset=offset: slowest(offset), PAGE_BAR_MS, attempts)   # type: ignore[misc]
    worst = max(found.values())
    pages = ", ".join(f"{where} {spent:.1f}" for where, spent in found.items())
    return Row(f"GETJOBS, a page of {PAGE}: {name}", f"{worst:.1f} ms", f"< {PAGE_BAR_MS:.0f} ms", worst < PAGE_BAR_MS,
               f"{total:,} jobs; {pages} ms")


def pages(target: Target, size: Size) -> list[Row]:
    """Pages of all jobs, of a queue's, and of its jobs in each state."""
    held = fill_states(target, size.jobs)
    call = Caller(target)
    kinds: dict[str, dict[str, str]] = {"all queues": {}, "one queue": {"queue": "many"}}
    kinds |= {f"one queue, {state}": {"queue": "many", "state": state} for state in STATES}
    rows = [page_row(call, name, filters, size.attempts) for name, filters in kinds.items()]
    call.close()
    held.generator.close()
    return rows


# --- bulk removal

def removal(target: Target, command: str, jobs: int, seconds: float) -> tuple[float, float]:
    """ms until the answer, and the longest wait of the other queue's pushes beside it and the clean-up after it."""
    bench, other = Bench(target, Frames("many", payload()), CONNECTIONS), Bench(target, Frames("other", payload()), 1)
    bench.push(jobs, BATCH, 600)
    call = Caller(target)
    before, _ = call("COUNT", queue="many")
    push = other.frames.push()
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(other._measure, Work.FIXED, push, probe=push, rate=PUSHES_PER_SECOND, seconds=seconds)
        time.sleep(seconds / 4)
        _, answer = call(command, queue="many")
        watched.result()
    after, _ = call("COUNT", queue="many")
    if before["count"] != jobs or after["count"] != 0:
        raise BenchError(f"{command} left {after['count']} of {before['count']} jobs")
    call.close()
    assert other.outcome is not None
    for one in (bench, other):
        one.generator.close()
    return answer, other.outcome.probe.max_ns / 1e6


def removal_rows(target: Target, command: str, size: Size) -> list[Row]:
    """Both of its bars, on a queue that is filled anew for each attempt."""
    jobs = size.jobs // BATCH * BATCH
    answers, waits = [], []
    for _ in range(size.attempts):
        answer, wait = removal(target, command, jobs, size.seconds)
        answers.append(answer)
        waits.append(wait)
        if min(answers) < PAUSE_BAR_MS and min(waits) < PAUSE_BAR_MS:
            break
    bar = f"< {PAUSE_BAR_MS:.0f} ms"
    rows = []
    for work, found in ((f"{command} of {jobs:,} jobs: the answer", answers),
                        ("the same: longest wait of another queue's pushes", waits)):
        detail = f"attempts: {', '.join(f'{spent:.1f}' for spent in found)} ms"
        rows.append(Row(work, f"{min(found):.1f} ms", bar, min(found) < PAUSE_BAR_MS, detail))
    return rows


# --- all of it

def instruction_rows(against: Path) -> list[Row]:
    """Jobs that use no option but `data`, here and in the other checkout."""
    commit, bar = instructions.commit_of(against), instructions.BAR
    return [Row(f"instructions per plain job, {count.work}", f"{count.ratio:.3f} x {commit}", f"<= {bar} x",
                count.ratio <= bar, f"{count.now:,.0f}, {count.before:,.0f} before")
            for count in instructions.compared(against, 20_000)]


def measure(size: Size, against: Path | None) -> list[Row]:
    """All bars; those of instructions only with another checkout."""
    say("  single jobs")
    with servers.started(servers.FLASHQ) as target:
        rows = singles(target, size)
    say("  ties")
    rows += tied(size)
    say("  pages")
    with servers.started(servers.FLASHQ) as target:
        rows += pages(target, size)
    for command in ("DRAIN", "OBLITERATE"):
        say(f"  {command}")
        with servers.started(servers.FLASHQ) as target:
            rows += removal_rows(target, command, size)
    if against:
        say("  instructions")
        rows += instruction_rows(against)
    return rows


def document(rows: list[Row], size: Size, command: str) -> str:
    """Its part of docs/performance.md."""
    return f"""{page.made_by(command)}

Commands on single jobs go out {DEPTH} deep over {CONNECTIONS} connections, each id once; rates are medians of
{size.rounds} runs. Pages are asked for {TRIES} times each, by a client that asks for nothing else, and the slowest
counts. While a queue is drained or obliterated, and for {size.seconds:.0f} s around that, another queue gets a push
every millisecond. Pages and removals with a wait over the bar are repeated, up to {size.attempts} times, and the best
counts: a pause of the data comes again, one of the machine does not. callgrind counts the instructions of the core.

{page.machine_list()}

{page.table(rows)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, help="jobs beside which it is measured, at least 2000")
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs, each run once")
    parser.add_argument("--against", type=Path, help="another checkout, built: count instructions too")
    parser.add_argument("--json", action="store_true", help="everything, as JSON on stdout")
    parser.add_argument("--write-docs", action="store_true", help="write its part of docs/performance.md")
    options = parser.parse_args()
    if options.write_docs and options.against is None:
        parser.error("the page shows instructions too: name an older checkout with --against")
    size = QUICK if options.quick else FULL
    if options.jobs:
        size = Size(options.jobs, size.rounds, size.attempts, size.seconds)
    rows = measure(size, options.against)
    if options.json:
        print(json.dumps({"machine": page.machine(), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(page.table(rows))
    if options.write_docs:
        told = ["CHECKOUT" if word == str(options.against) else word for word in sys.argv[1:]]
        page.renew(page.COMMANDS, document(rows, size, " ".join(["python perf/commands.py", *told])))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
