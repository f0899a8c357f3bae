"""perf/peers measures what it says: jobs are counted by all threads and processes, and the comparison runs."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.peers import peer
from support.server import PROJECT_ROOT, server_environment
from support.tools import need_tool

FOLDER = PROJECT_ROOT / "perf" / "peers"
COUNTING = """
import os, sys, threading
from tally import Tally, done
tally = Tally(os.environ["TALLY"])

def work():
    for _ in range(1000):
        done()

work()
child = os.fork()
if child == 0:
    work()
    os._exit(0)
os.waitpid(child, 0)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(tally.read())
"""


def run(*flags: str, out: Path) -> dict[str, Any]:
    """The report of a short comparison. Whether the bar holds is no matter here."""
    command = [sys.executable, str(FOLDER / "run.py"), "--seconds", "0.2", "--turns", "1", "--out", str(out), *flags]
    done = subprocess.run(command, cwd=out.parent, env=server_environment(), capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode in (0, 1) and out.is_file(), done.stdout + done.stderr
    report: dict[str, Any] = json.loads(out.read_text())["contestants"]
    return report


def test_every_thread_and_process_counts(tmp_path: Path) -> None:
    env = {**os.environ, "TALLY": str(tmp_path / "tally"), "PYTHONPATH": str(FOLDER / "programs")}
    done = subprocess.run([sys.executable, "-c", COUNTING], env=env, capture_output=True, text=True, timeout=60,
                          check=True)
    assert done.stdout == "10000\n"


def test_our_side_runs(tmp_path: Path) -> None:
    report = run("--only", "flashq memory", out=tmp_path / "report.json")
    (ours,) = report.values()
    assert ours["jobs_per_second"] > 0 and ours["pushed_per_second"] > 0
    assert ours["versions"].keys() == {"flashq-server"} and len(ours["turns"]) == 1


def test_the_bar_is_held_against_the_best_peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    results = importlib.import_module("results")

    def turns(*rates: float) -> list[Any]:
        return [results.Turn(1000, 1.0, rate, 1.0, 1.0) for rate in rates]

    found = results.Results({"celery": turns(900, 1000, 9000), "rq": turns(500), "flashq memory": turns(10_000),
                             "flashq commit": turns(9_990)}, tmp_path)
    assert [(row.measured, row.passed) for row in found.rows()] == [("10.0 x celery", True), ("10.0 x celery", False)]
    assert results.Results({"flashq memory": turns(1)}, tmp_path).rows() == []


@pytest.mark.slow
def test_all_of_them_run(tmp_path: Path) -> None:
    need_tool("redis-server")
    names = ("celery", "rq", "arq", "dramatiq")
    for name in names:
        peer(name)
    report = run("--only", ",".join((*names, "flashq commit")), out=tmp_path / "report.json")
    assert set(report) == {*names, "flashq commit"}
    assert all(one["jobs_per_second"] > 0 for one in report.values())


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(FOLDER / "run.py"), "--only", "sidekiq"], cwd=tmp_path,
                          env=server_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "no such contestant: sidekiq" in done.stderr
