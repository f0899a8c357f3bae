"""How many instructions does a job need? Counted by callgrind, so that a difference of a percent shows.

    python perf/instructions.py [--against CHECKOUT] [--jobs 20000]

Counts what a read event of a connection does in the core, from the bytes to the replies, per job: PUSH one at a time,
PUSHB of 1000, PULLB of 1000 with ACKB, each in both formats, jobs with no other option than `data`. With `--against`
the same is done with another checkout, which must be built, and the ratio is shown. Needs valgrind.
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flashq._bench import servers
from flashq._bench.frames import Frames, payload
from flashq._bench.workload import Bench, Result, Target

ROOT = Path(__file__).resolve().parents[1]
BATCH = 1000
COUNTED = "*connection_10Connection_feed*"      # the function whose instructions count, with all that it calls
RUNS = 3                # the least counts: the later the clock, the more stamps there are to write
WORKS = ("PUSH", "PUSHB", "PULLB + ACKB")
BAR = 1.03


def counted(checkout: Path, work: str, binary: bool, jobs: int) -> float:
    """Instructions per job of this work in a server of the checkout; callgrind counts from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", f"--toggle-collect={COUNTED}",
                   f"--log-file={folder}/log", sys.executable, *servers.SERVE]
        os.chdir(checkout)
        try:
            with servers.started(command) as target:
                done = run(target, work, binary, jobs)
        finally:
            os.chdir(ROOT)
        total = next(int(line.split(":")[1]) for line in out.read_text().splitlines() if line.startswith("totals:"))
    return total / done


def run(target: Target, work: str, binary: bool, jobs: int) -> int:
    """Do it; the jobs it was done for, warm-up included. PULLB + ACKB counts its PUSHB with it."""
    bench = Bench(target, Frames("count", payload(), binary), 2, 1)
    pushed: Result = bench.push(jobs, 1 if work == "PUSH" else BATCH, 600)
    if work == "PULLB + ACKB":
        bench.checked_drain(pushed, BATCH, 600)
    with socket.create_connection(("127.0.0.1", target.port)) as client:
        client.sendall(b'{"cmd":"METRICS"}\n')
        return int(json.loads(client.makefile().readline())["metrics"]["total_pushed"])


@dataclass(frozen=True)
class Count:
    """Instructions per job of one kind of work, here and in the other checkout."""

    work: str
    now: float
    before: float

    @property
    def ratio(self) -> float:
        return self.now / self.before


def compared(against: Path | None, jobs: int) -> Iterator[Count]:
    """Each work in each format, one after the other; without another checkout nothing differs."""
    for work in WORKS:
        for binary in (False, True):
            now = before = min(counted(ROOT, work, binary, jobs) for _ in range(RUNS))
            if against:
                before = min(counted(against.resolve(), work, binary, jobs) for _ in range(RUNS))
            name = f"PUSHB, {work}" if work == "PULLB + ACKB" else work
            yield Count(f"{name}, {'MessagePack' if binary else 'JSON'}", now, before)


def commit_of(checkout: Path) -> str:
    """What the checkout is at, in short."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, built")
    parser.add_argument("--jobs", type=int, default=20_000)
    options = parser.parse_args()
    worst = 0.0
    print("| work | instructions per job | before | ratio |\n|---|---:|---:|---:|")
    for count in compared(options.against, options.jobs):
        worst = max(worst, count.ratio)
        print(f"| {count.work} | {count.now:,.0f} | {count.before:,.0f} | {count.ratio:.3f} |", flush=True)
    return 0 if worst <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
