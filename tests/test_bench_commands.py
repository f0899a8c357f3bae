"""`make bench-commands`: jobs with ties from the load generator, the measurement itself, and its part of the page."""

import importlib
import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flashq._bench.frames import MARK, Frames, marks, payload
from flashq._bench.loadgen import BenchError
from flashq._bench.traffic import Work
from flashq._bench.workload import Bench, Target
from support.server import ServerProcess

PERF = Path(__file__).parent.parent / "perf"
FORMATS = pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])


@pytest.fixture(scope="module")
def commands() -> Iterator[ModuleType]:
    """perf/commands.py as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PERF))
        yield importlib.import_module("commands")


# --- jobs that each carry a number


@pytest.fixture
def target(server: ServerProcess) -> Target:
    return Target(port=server.address[1], pid=server.pid)


@FORMATS
def test_each_job_has_a_number_of_its_own(server: ServerProcess, target: Target, binary: bool) -> None:
    bench = Bench(target, Frames(f"tied-{binary}", payload(), binary), 3, 2)
    bench.numbered = 1_000_000 * binary
    for _ in range(2):
        assert bench.push_tied(300, 50).items == 300
    with server.client() as client:
        jobs = client.ok("GETJOBS", queue=f"tied-{binary}", limit=1000)["jobs"]
    expected = [f"{1_000_000 * binary + number:010}" for number in range(600)]
    assert sorted(job["unique_key"] for job in jobs) == [f"user-{digits}" for digits in expected]
    assert all(job["custom_id"] == job["unique_key"].replace("user", "mail") for job in jobs)
    assert all(job["tags"] == ["welcome", "en"] and job["data"] == payload() for job in jobs)


def test_a_number_that_two_jobs_share_is_noticed(target: Target) -> None:
    bench = Bench(target, Frames("shared-number", payload()), 1)
    frame = bench.frames.push_tied(50)
    with pytest.raises(BenchError, match="increase"):
        bench.generator.run(Work.PUSHB, frame, count=1, batch=50, marks=marks(frame), marks_each=4)


@pytest.mark.parametrize(
    ("work", "places", "each"),
    [(Work.PUSH, [55], 1), (Work.PUSH, [0, 2**32 - 1], 1), (Work.PUSH, [0], 0), (Work.ECHO, [0], 1)],
)
def test_marks_outside_of_a_push_are_refused(target: Target, work: Work, places: list[int], each: int) -> None:
    bench = Bench(target, Frames("marks", payload()), 1)
    with pytest.raises(ValueError, match="marks"):
        bench.generator.run(work, b"x" * 64, count=1, marks=array("I", places), marks_each=each)


def test_marks_are_found() -> None:
    assert list(marks(f"a{MARK}{MARK}b{MARK[1:]}c{MARK}".encode())) == [1, 11, 32]


# --- the measurement


def test_every_bar_is_measured(commands: ModuleType) -> None:
    rows = commands.measure(commands.Size(jobs=2000, rounds=1, attempts=1, seconds=0.2), None)
    names = "\n".join(row.work for row in rows)
    for work in ("CHANGEPRIORITY", "PROMOTE", "CANCEL", "custom id, JSON", "custom id, MessagePack", "all queues",
                 "one queue", "waiting", "delayed", "active", "completed", "failed", "DRAIN", "OBLITERATE"):
        assert work in names
    assert len(rows) == 4 + 2 + 7 + 4
    assert all(row.measured and row.bar and row.detail for row in rows)


def test_instructions_become_rows(commands: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [commands.instructions.Count("PUSH, JSON", 1030, 1000), commands.instructions.Count("PUSHB", 1031, 1000)]
    monkeypatch.setattr(commands.instructions, "compared", lambda against, jobs: iter(counts))
    monkeypatch.setattr(commands.instructions, "commit_of", lambda checkout: "abc1234")
    rows = commands.instruction_rows(Path("older"))
    assert [(row.measured, row.passed) for row in rows] == [("1.030 x abc1234", True), ("1.031 x abc1234", False)]


def test_a_wait_that_does_not_come_again_does_not_count(commands: ModuleType) -> None:
    waits = iter([30.0, 12.0, 4.0, 1.0])
    assert commands.settled(lambda: next(waits), 10.0, 6) == 4.0
    waits = iter([30.0, 12.0, 4.0, 1.0])
    assert commands.settled(lambda: next(waits), 10.0, 2) == 12.0


# --- the command and the page


def run(commands: ModuleType, monkeypatch: pytest.MonkeyPatch, *flags: str, passed: bool = True) -> int:
    row = commands.Row("CANCEL", "3/s", ">= 2/s", passed, "a detail")
    monkeypatch.setattr(commands, "measure", lambda size, against: [row])
    monkeypatch.setattr("sys.argv", ["perf/commands.py", *flags])
    status: int = commands.main()
    return status


def test_the_exit_code_says_whether_a_bar_was_missed(
    commands: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(commands, monkeypatch) == 0
    assert "| CANCEL | 3/s | >= 2/s | PASS | a detail |" in capsys.readouterr().out
    assert run(commands, monkeypatch, "--json", passed=False) == 1
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["rows"][0]["passed"] is False
    with pytest.raises(SystemExit):
        run(commands, monkeypatch, "--write-docs")
    assert "--against" in capsys.readouterr().err


def test_each_program_renews_its_own_part_of_the_page(
    commands: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = commands.page
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    server = f"{page.SERVER}\n\nA table.\n\n## Growth\n\nAnother.\n\n"
    by_hand = f"{page.BY_HAND}\n\nWritten\n\nby hand.\n"
    page.PAGE.write_text(server + by_hand)
    for _ in range(2):
        run(commands, monkeypatch, "--against", "/some/where", "--write-docs")
        text = page.PAGE.read_text()
        assert text.startswith(f"{server}{page.COMMANDS}\n\n") and text.endswith(f"\n\n{by_hand}")
        assert text.count("| CANCEL |") == 1 and "/some/where" not in text
    page.renew(page.SERVER, "Newer.\n")
    assert page.PAGE.read_text() == f"{page.SERVER}\n\nNewer.\n\n" + text[len(server):]
