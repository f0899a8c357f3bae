"""How many empty jobs a second does one worker of Celery, RQ, arq, Dramatiq and flashQ do? How fast are they pushed?

    python perf/peers/run.py [--seconds 4] [--turns 5] [--only celery,rq] [--out build/peers.json]

Side by side: every turn of one contestant is followed by a turn of the next, each on a fresh server. A turn pushes so
many jobs that their work lasts some seconds, then starts one worker; its speed is taken between the first job done and
the last, so that its start does not count. Medians of the turns. Bar: flashQ does ten times the jobs of the best peer.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import environment
import processes
from contestants import CONTESTANTS, CORES, Contestant
from rich.console import Console
from rich.table import Table

PROGRAMS = Path(__file__).resolve().parent / "programs"
sys.path.insert(0, str(PROGRAMS))
from tally import Tally  # noqa: E402  # it lies with the programs, which count by it

BAR = 10.0
FEWEST, MOST = 1000, 600_000    # jobs of a turn
LOOK_SECONDS = 0.002
TURN_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One contestant once. Rates are jobs a second; the start is up to the first job done."""

    jobs: int
    push_rate: float
    rate: float
    seconds: float
    start_seconds: float


def play(one: Contestant, jobs: int, folder: Path) -> Turn:
    """Push, then let one worker do all. RuntimeError shows the worker's log when it does not."""
    with tempfile.TemporaryDirectory(prefix="flashq-peers-") as name, one.server(Path(name)) as found:
        tally, log, python = Tally(f"{name}/tally"), Path(name) / "worker.log", one.python(folder)
        env = {**os.environ, **found, **one.environment, "TALLY": tally.path, "PYTHONPATH": str(PROGRAMS)}
        pushed = subprocess.run([python, PROGRAMS / "push_jobs.py", one.module, str(jobs)], env=env, check=True,
                                stdout=subprocess.PIPE, text=True, timeout=TURN_SECONDS)
        launched = time.monotonic()
        with processes.running([python, *one.worker], env, log, group=True) as worker:
            processes.wait_until(lambda: tally.read() > 0, worker, log, TURN_SECONDS)
            first, begun = tally.read(), time.monotonic()
            processes.wait_until(lambda: tally.read() >= jobs, worker, log, TURN_SECONDS)
            ended = time.monotonic()
    seconds = max(ended - begun, LOOK_SECONDS)
    return Turn(jobs, jobs / float(pushed.stdout), (jobs - first) / seconds, seconds, begun - launched)


def enough(one: Contestant, seconds: float, folder: Path) -> int:
    """Jobs for a turn of about so long, found by trying."""
    jobs = FEWEST
    while True:
        turn = play(one, jobs, folder)
        if turn.seconds >= seconds / 8 or jobs == MOST:
            return min(max(int(turn.rate * seconds), FEWEST), MOST)
        jobs = min(jobs * 8, MOST)


def _median(turns: list[Turn], what: str) -> float:
    return statistics.median(getattr(turn, what) for turn in turns)


def show(told: dict[str, list[Turn]], console: Console) -> None:
    """The table, and whether the bar holds."""
    table = Table(title=f"Empty jobs, one worker, {CORES} cores; medians")
    table.add_column()
    for title in ("jobs/s", "pushed/s", "start s", "jobs a turn"):
        table.add_column(title, justify="right")
    for title in ("concurrency", "durability"):
        table.add_column(title)
    for one in CONTESTANTS:
        if turns := told.get(one.name):
            table.add_row(
                one.name, f"{_median(turns, 'rate'):,.0f}", f"{_median(turns, 'push_rate'):,.0f}",
                f"{_median(turns, 'start_seconds'):.2f}", f"{turns[0].jobs:,}", one.concurrency, one.durability)
    console.print(table)
    for one in CONTESTANTS:
        if one.name in told:
            console.print(f"{one.name}: {one.settings}", highlight=False)


def verdict(told: dict[str, list[Turn]], console: Console) -> bool:
    """Whether every flashQ that ran does ten times the best peer; True when one side did not run."""
    peers = {name: _median(turns, "rate") for name, turns in told.items() if not name.startswith("flashq")}
    if not peers:
        return True
    best = max(peers, key=lambda name: peers[name])
    held = True
    for name, turns in told.items():
        if name.startswith("flashq"):
            times = _median(turns, "rate") / peers[best]
            held &= times >= BAR
            console.print(f"{name}: {times:.1f} x {best}, bar {BAR:.0f} x: {'PASS' if times >= BAR else 'MISS'}")
    return held


def report(told: dict[str, list[Turn]], folder: Path) -> dict[str, object]:
    """Everything, for a file."""
    return {
        "cores": CORES, "load": os.getloadavg(), "bar": BAR,
        "redis_server": processes.redis_version() if environment.PACKAGES.keys() & told.keys() else None,
        "contestants": {
            one.name: {
                "concurrency": one.concurrency, "settings": one.settings, "durability": one.durability,
                "command": one.worker, "versions": one.versions(folder),
                "jobs_per_second": _median(told[one.name], "rate"),
                "pushed_per_second": _median(told[one.name], "push_rate"),
                "start_seconds": _median(told[one.name], "start_seconds"),
                "turns": [asdict(turn) for turn in told[one.name]],
            } for one in CONTESTANTS if one.name in told
        },
    }


def main() -> int:
    """Exit status 1 when the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="that the work of a turn should last")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--folder", type=Path, default=environment.FOLDER, help="of the peers' environments")
    parser.add_argument("--out", type=Path, default=environment.PROJECT / "build" / "peers.json")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name]
    unknown = set(names) - {one.name for one in CONTESTANTS}
    if unknown or given.turns < 1 or given.seconds <= 0:
        parser.error(f"no such contestant: {', '.join(unknown)}" if unknown else "turns and seconds must be over 0")
    chosen = [one for one in CONTESTANTS if not names or one.name in names]
    if any(one.name in environment.PACKAGES for one in chosen):
        processes.redis_program()
    for one in chosen:
        if one.name in environment.PACKAGES:
            environment.make(one.name, given.folder)
    console = Console(stderr=True)
    jobs = {}
    for one in chosen:
        jobs[one.name] = enough(one, given.seconds, given.folder)
        console.print(f"{one.name}: {jobs[one.name]:,} jobs a turn", highlight=False)
    told: dict[str, list[Turn]] = {one.name: [] for one in chosen}
    for number in range(given.turns):
        for one in chosen:
            told[one.name].append(play(one, jobs[one.name], given.folder))
            console.print(f"turn {number + 1}: {one.name} {told[one.name][-1].rate:,.0f} jobs/s", highlight=False)
    out = Console(width=None if sys.stdout.isatty() else 160)
    show(told, out)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(report(told, given.folder), indent=2) + "\n")
    held = verdict(told, out)
    out.print(f"written to {given.out}", highlight=False)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
