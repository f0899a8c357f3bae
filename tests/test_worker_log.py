"""What a worker tells of its jobs: lines for people and for machines, and not too many of them."""

import io
import logging
from typing import Any

import pytest

from flashq.cli import worker as worker_cli
from flashq.client.readers import make_job
from flashq.server.logs import LEVELS
from flashq.tasks.context import CurrentJob
from flashq.tasks.outcome import DONE, Outcome
from flashq.worker import console, joblog
from flashq.worker.joblog import LINES_A_SECOND, JobLog, forwarding


class Lines:
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.kept.append({"event": event, **fields})

    warning = info

    def log(self, level: int, event: str, **fields: Any) -> None:
        self.info(event, level=level, **fields)


class Silent:
    def report(self, current: CurrentJob, call: Any) -> None:
        raise AssertionError


def current(**fields: Any) -> CurrentJob:
    job = {"id": 97, "queue": "mail", "name": "send", "attempts": 0, "max_attempts": 2, **fields}
    return CurrentJob(make_job(job), Silent())


def test_a_line_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblog.time, "monotonic", lambda: 5.25)
    lines = Lines()
    log, one, last = JobLog(lines), current(), current(attempts=1)
    one.started = last.started = 5.0
    log(one, DONE)
    log(one, Outcome("failed", error="ValueError: no\n  File …"))
    log(last, Outcome("failed", error="ValueError: no"))
    one.stop("cancelled")
    log(one, Outcome("lost"))
    same = {"task": "send", "id": 97, "queue": "mail", "ms": 250.0}
    assert lines.kept == [
        {"event": "job_done", **same, "attempt": 1},
        {"event": "job_failed", **same, "attempt": 1, "error": "ValueError: no"},
        {"event": "job_dead", **same, "attempt": 2, "error": "ValueError: no"},
        {"event": "job_lost", **same, "attempt": 1, "reason": "cancelled"}]


def test_what_is_too_much_for_a_second_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 7.0
    monkeypatch.setattr(joblog.time, "monotonic", lambda: now)
    lines = Lines()
    log = JobLog(lines)
    for _ in range(LINES_A_SECOND + 25):
        log(current(), DONE)
    for _ in range(LINES_A_SECOND + 3):
        log(current(), Outcome("dead", error="x"))
    assert len(lines.kept) == 2 * LINES_A_SECOND
    now = 8.0
    log(current(), DONE)
    assert lines.kept[-2:] == [{"event": "more_jobs", "done": 25, "others": 3}, lines.kept[0] | {"ms": 8000.0}]
    log.flush()
    assert len(lines.kept) == 2 * LINES_A_SECOND + 2


def test_the_log_for_people() -> None:
    out = io.StringIO()
    logger = console.ConsoleLogger("info", out)
    fields = {"task": "send", "id": 97, "queue": "mail", "attempt": 2, "ms": 1234.56}
    logger.info("job_done", **fields)
    logger.warning("job_dead", **fields, error="ValueError: [bold]no")
    logger.info("worker_started", queues=["mail", "news"], concurrency=8)
    logger.log(10, "not shown")
    done, dead, started = (line.partition(" ")[2].split() for line in out.getvalue().splitlines())
    assert done == ["✓", "done", "send", "#97", "attempt", "2", "1,234.6", "ms", "mail"]
    assert dead[:2] == ["✗", "dead"] and dead[-2:] == ["ValueError:", "[bold]no"]
    assert started == ["worker", "started", "queues", "mail,", "news", "concurrency", "8"]
    assert tuple(LEVELS) == worker_cli.LEVELS


def test_records_of_the_standard_library_are_forwarded() -> None:
    out, lines = io.StringIO(), Lines()
    for target in (lines, console.ConsoleLogger("info", out)):
        logger = logging.Logger("flashq.worker", logging.ERROR)
        with forwarding(logger, target):
            try:
                raise ValueError("inner")
            except ValueError:
                logger.exception("pulling failed: %s", "why")
            logger.info("more")
        logger.error("not any more")
        assert logger.level == logging.ERROR and not logger.handlers
    assert [line["event"] for line in lines.kept] == ["pulling failed: why", "more"]
    assert lines.kept[0]["event"] == "pulling failed: why" and lines.kept[0]["level"] == logging.ERROR
    assert "pulling failed: why" in out.getvalue() and "ValueError: inner" in out.getvalue()
