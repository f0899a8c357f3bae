"""What a worker tells of its jobs: a line each, as long as there are not too many; then how many there were."""
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from flashq.tasks.context import CurrentJob
from flashq.tasks.outcome import Outcome

LINES_A_SECOND = 100        # of jobs that went well, and as many of others


class Logger(Protocol):
    """One of structlog."""

    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...


class JobLog:
    """Hears how each attempt ended. What is too much for a second is told at its end, in one line."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._second = 0
        self._good = 0
        self._bad = 0

    def __call__(self, current: CurrentJob, outcome: Outcome) -> None:
        now = time.monotonic()
        if int(now) != self._second:
            self.flush()
            self._second = int(now)
        if outcome.kind == "done":
            self._good += 1
            if self._good <= LINES_A_SECOND:
                self._logger.info("job_done", **_fields(current, now))
            return
        self._bad += 1
        if self._bad <= LINES_A_SECOND:
            kind = "dead" if outcome.kind == "failed" and current.last_attempt else outcome.kind
            self._logger.warning(f"job_{kind}", **_fields(current, now), **_reason(current, outcome))

    def flush(self) -> None:
        """Tell how many had no line of their own."""
        unsaid = max(0, self._good - LINES_A_SECOND), max(0, self._bad - LINES_A_SECOND)
        self._good = self._bad = 0
        if any(unsaid):
            self._logger.info("more_jobs", done=unsaid[0], others=unsaid[1])


def _fields(current: CurrentJob, now: float) -> dict[str, Any]:
    return {"task": current.name, "id": current.id, "queue": current.queue, "attempt": current.attempt,
            "ms": round((now - current.started) * 1000, 1)}


def _reason(current: CurrentJob, outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        return {"error": outcome.error.partition("\n")[0]}
    return {"reason": current.stop_reason} if current.stop_reason is not None else {}


class Forward(logging.Handler):
    """Hands the records of the standard library's loggers on to the structured one."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """One record; its level is kept."""
        fields = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info    # type: ignore[assignment]
        self._logger.log(record.levelno, record.getMessage(), **fields)


@contextmanager
def forwarding(source: logging.Logger, target: Any) -> Iterator[None]:
    """What comes to `source`, from INFO on, goes to `target`, too; as it was before at the end."""
    handler, level = Forward(target), source.level
    source.addHandler(handler)
    source.setLevel(logging.INFO)
    try:
        yield
    finally:
        source.setLevel(level)
        source.removeHandler(handler)
