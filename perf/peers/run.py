"""How many empty jobs a second does one worker of Celery, RQ, arq, Dramatiq and flashQ do? How fast are they pushed?

    python perf/peers/run.py [--seconds 4] [--turns 5] [--only celery,rq] [--out build/peers.json] [--write-docs]

Side by side: every turn of one contestant is followed by a turn of the next, each on a fresh server. A turn pushes so
many jobs that their work lasts some seconds, then starts one worker; its speed is taken between the first job done and
the last, so that its start does not count. Medians of the turns. Bar: flashQ does ten times the jobs of the best peer.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environment
import processes
from contestants import CONTESTANTS, Contestant
from results import Results, Turn, page
from rich.console import Console

PROGRAMS = Path(__file__).resolve().parent / "programs"
sys.path.insert(0, str(PROGRAMS))
from tally import Tally  # noqa: E402  # it lies with the programs, which count by it

FEWEST, MOST = 1000, 600_000    # jobs of a turn
LOOK_SECONDS = 0.002
TURN_SECONDS = 180.0


def play(one: Contestant, jobs: int, folder: Path) -> Turn:
    """Push, then let one worker do all. RuntimeError shows the worker's log when it does not."""
    with tempfile.TemporaryDirectory(prefix="flashq-peers-") as name, one.server(Path(name)) as found:
        tally, log, python = Tally(f"{name}/tally"), Path(name) / "worker.log", one.python(folder)
        env = {**os.environ, **found, **one.worker_env, "TALLY": tally.path, "PYTHONPATH": str(PROGRAMS)}
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


def main() -> int:
    """Exit status 1 when the bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="that the work of a turn should last")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--folder", type=Path, default=environment.FOLDER, help="of the peers' environments")
    parser.add_argument("--out", type=Path, default=environment.PROJECT / "build" / "peers.json")
    parser.add_argument("--write-docs", action="store_true", help="renew the part of docs/performance.md")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name]
    unknown = set(names) - {one.name for one in CONTESTANTS}
    if unknown or given.turns < 1 or given.seconds <= 0:
        parser.error(f"no such contestant: {', '.join(unknown)}" if unknown else "turns and seconds must be over 0")
    chosen = [one for one in CONTESTANTS if not names or one.name in names]
    if any(one.is_peer for one in chosen):
        processes.redis_program()
    for one in chosen:
        if one.is_peer:
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
    results = Results(told, given.folder)
    out = Console(width=None if sys.stdout.isatty() else 160)
    results.show(out)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results.report(), indent=2) + "\n")
    out.print(f"written to {given.out}", highlight=False)
    if given.write_docs:
        page.renew(page.PEERS, results.document(" ".join(["python perf/peers/run.py", *sys.argv[1:]])))
    return 0 if all(row.passed for row in results.rows()) else 1


if __name__ == "__main__":
    sys.exit(main())
