"""docs/tasks.md, docs/worker.md and README's quick start are so: their programs run, and print what they should."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flashq.cli.worker import command
from flashq.tasks.options import BACKOFF, RETRIES, Backoff, PushSettings, TaskSettings
from flashq.worker.feed import PREFETCH_SECONDS
from flashq.worker.joblog import LINES_A_SECOND
from flashq.worker.pulse import EVERY_SECONDS, PARTS
from flashq.worker.worker import DRAIN_SECONDS
from support import pages
from support.clients import url_of
from support.server import PROJECT_ROOT, ServerProcess, server_environment
from support.tasks import WorkerProcess

TASKS, WORKER = pages.DOCS / "tasks.md", pages.DOCS / "worker.md"
SAID = {
    TASKS: {
        "Quick start": ["(400, 300)", "sent to a@b.c, 2 times", "sent to d@e.f, 1 times (30, 60)"],
        "Arguments and results": ["times - send: argument 'times' must be int, not str 'twice'", "2026-01-03 00:00:00"],
        "Settings of a task": ["True", "weather KeyError", "rain"],
        "Later, many, and by the clock": [
            f"{[f'sent to {to} times' for to in ('a@b.c, 1', 'd@e.f, 3', 'x@y.z, 1', 'u@v.w, 2')]} []"],
        "In the handler": ["3 1"],
        "One after the other, side by side": ["6561", "[1, 4]", "30", "41", "100"],
        "Middleware": ["acme"],
    },
    WORKER: {"In a program of your own": ["3", "1"]},
}


@pytest.fixture
def importable(tmp_path: Path, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for a page's `tasks.py`, which the programs of the page import."""
    monkeypatch.setenv("FLASHQ_URL", url_of(server))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("tasks", None)
    yield tmp_path
    module = sys.modules.pop("tasks", None)
    if module is not None:
        module.app.close()


def test_programs_of_the_tasks_page(importable: Path, server: ServerProcess) -> None:
    worker = WorkerProcess(importable, pages.module(TASKS, "tasks"), server, module="tasks")
    try:
        pages.check(pages.printed(TASKS, url_of(server)), SAID[TASKS])
        worker.stop()
    finally:
        worker.kill()


def test_programs_of_the_worker_page(importable: Path, server: ServerProcess) -> None:
    (importable / "tasks.py").write_text(pages.module(WORKER, "tasks"))
    pages.check(pages.printed(WORKER, url_of(server)), SAID[WORKER])


def test_commands_of_the_worker_page(importable: Path, server: ServerProcess) -> None:
    (lines,) = pages.blocks(WORKER, "sh")
    workers: list[WorkerProcess] = []
    try:
        for line in lines.splitlines():
            program, name, target, *flags = shlex.split(line)
            assert (program, name, target) == ("flashq", "worker", "tasks:app")
            workers.append(WorkerProcess(importable, pages.module(WORKER, "tasks"), server, *flags, module="tasks"))
        for worker in workers:
            worker.wait_for("worker_started", int(worker.flag("--processes", "1")))
        for worker in workers:
            worker.stop()
    finally:
        for worker in workers:
            worker.kill()


def test_the_quick_start_of_the_readme(importable: Path, server: ServerProcess) -> None:
    """As a new user does it: a file, a worker, and the file run as a program."""
    (program,) = (one for one in pages.blocks(PROJECT_ROOT / "README.md", "python") if "@app.task" in one)
    worker = WorkerProcess(importable, program, server, module="tasks")
    try:
        done = subprocess.run([sys.executable, "tasks.py"], cwd=importable, capture_output=True, text=True, timeout=60,
                              env=server_environment({"FLASHQ_URL": url_of(server)}), check=True)
        assert done.stdout == "sent to a@b.c, 2 times\n"
        worker.stop()
    finally:
        worker.kill()


def test_all_settings_are_listed_with_their_defaults() -> None:
    text = TASKS.read_text(encoding="utf-8")
    table = text.split("## Settings of a task")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    settings = {**PushSettings.__annotations__, **TaskSettings.__annotations__}
    assert sorted(named) == sorted(settings)
    assert set(named[-4:]) == set(settings) - set(PushSettings.__annotations__)
    assert f"| `retries` | {RETRIES} |" in table and f"| `backoff` | `Backoff({BACKOFF})` |" in table
    plain = " ".join(text.split())
    waits = [BACKOFF * 2**turn for turn in range(RETRIES)]
    assert f"waits of up to {', '.join(map(str, waits[:-1]))} and {waits[-1]} seconds" in plain
    assert Backoff.jitter == 0.5 and Backoff.type == "exponential" and "of each at least half" in plain


def test_options_and_numbers_of_the_worker_page() -> None:
    text = " ".join(WORKER.read_text(encoding="utf-8").split())
    known = {flag for option in command.params for flag in option.opts} | {"--help", "--disconnect-grace"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
    assert f"in the last {PREFETCH_SECONDS * 1000:.0f} ms" in text
    assert f"`--drain-timeout` ({DRAIN_SECONDS:.0f} s)" in text
    assert f"Beyond {LINES_A_SECOND} a second" in text
    assert EVERY_SECONDS == 5 and "within five seconds" in text and PARTS == 3 and "heartbeat three times" in text
