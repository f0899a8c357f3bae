"""A worker's log for people: a line each, jobs in columns, with colours where the terminal has them."""
import time
import traceback
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from flashq.server.logs import LEVELS

_STYLES = {10: "dim", 20: "", 30: "yellow", 40: "bold red"}
# event: mark, style
_JOBS = {"job_done": ("✓", "green"), "job_failed": ("↻", "yellow"), "job_dead": ("✗", "bold red"),
         "job_released": ("↩", "cyan"), "job_lost": ("∅", "magenta")}


class ConsoleLogger:
    """Takes what a logger of structlog does. `level` is one of those that flashq/server/logs.py has."""

    def __init__(self, level: str, stream: TextIO | None = None) -> None:
        self._level = LEVELS[level]
        self._console = Console(file=stream, stderr=stream is None, highlight=False, soft_wrap=True)

    def info(self, event: str, **fields: Any) -> None:
        """Something went as it should."""
        self.log(LEVELS["info"], event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something is worth a look."""
        self.log(LEVELS["warning"], event, **fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something went wrong."""
        self.log(LEVELS["error"], event, **fields)

    def log(self, level: int, event: str, **fields: Any) -> None:
        """One line."""
        if level < self._level:
            return
        error = fields.pop("exc_info", None)
        line = _job(event, fields) if event in _JOBS else _other(level, event, fields)
        self._console.print(Text.assemble((time.strftime("%H:%M:%S "), "dim"), line))
        if error is not None and error is not True:
            self._console.print(Text("".join(traceback.format_exception(*error)).rstrip()))


def _job(event: str, fields: dict[str, Any]) -> Text:
    mark, style = _JOBS[event]
    attempt = f"attempt {fields['attempt']}"
    line = Text.assemble(
        (f"{mark} {event.removeprefix('job_'):9}", style), (f"{fields['task'] or '-':24}", "bold"),
        f"#{fields['id']:<10} {attempt:11} {fields['ms']:>9,.1f} ms  ", (f"{fields['queue']}", "dim"))
    why = fields.get("error") or fields.get("reason")
    return Text.assemble(line, (f"  {why}", style)) if why else line


def _other(level: int, event: str, fields: dict[str, Any]) -> Text:
    line = Text(event.replace("_", " "), _STYLES.get(level, ""))
    for name, value in fields.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        line = Text.assemble(line, (f"  {name} ", "dim"), shown)
    return line
