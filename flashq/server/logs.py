"""Structured logs on stderr: one event a line, as JSON for machines or as text for people."""

import os
import sys
from typing import Any, TextIO

import orjson
import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FIRST_KEYS = ("timestamp", "level", "event")


def configure(form: str, level: str, stream: TextIO | None = None) -> structlog.typing.FilteringBoundLogger:
    """The logger of this process. `form` is the setting `log_format`, `level` one of LEVELS."""
    stream = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            _json if form == "json" else _console(stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _json(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    first = {key: event.pop(key) for key in FIRST_KEYS if key in event}
    return orjson.dumps({**first, **event}, default=repr).decode()


def _console(stream: TextIO) -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=stream.isatty() and not os.environ.get("NO_COLOR"), pad_event_to=0)
