"""The tables of `flashq top`: its queues, how long their jobs wait and take, and the workers; a line each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from flashq.cli.harmless import harmless
from flashq.cli.output import now_ms, number, span
from flashq.cli.queues import PERCENTS, percentiles
from flashq.cli.top.readings import Row

if TYPE_CHECKING:
    from flashq.client.results import Times, WorkerInfo

LEAST_NAME, MOST_NAME, LEAST_REST = 12, 40, 12


@dataclass(frozen=True)
class Line:
    """A line of a table, before it is fitted to the screen; `key` tells it apart from the others."""

    key: str
    name: str
    cells: tuple[float | str | None, ...]
    rest: str = ""
    style: str = ""


@dataclass(frozen=True)
class Table:
    """`columns` with their widths stand between the name and the rest."""

    head: str
    columns: tuple[tuple[str, int], ...]
    rest: str
    nothing: str        # what stands there when there is no line

    def title(self, width: int) -> Text:
        """The line above the others."""
        names = "".join(f"{name:>{size}}" for name, size in self.columns)
        return Text(f"{self.head:<{self._name_width(width)}}{names}  {self.rest}".ljust(width), style="reverse")

    def fitted(self, line: Line, selected: bool, width: int) -> Text:
        """The line; what is too long for its place is cut."""
        size = self._name_width(width)
        name = harmless(line.name)
        name = name if len(name) < size else name[:size - 2] + "… "
        placed = zip(line.cells, self.columns, strict=True)
        cells = "".join(f"{_fitted(cell, wide):>{wide}}" for cell, (_, wide) in placed)
        text = Text(f"{name:<{size}}{cells}  {harmless(line.rest)}".ljust(width), style=line.style)
        if selected:
            text.stylize("bold reverse")
        return text

    def _name_width(self, width: int) -> int:
        return min(max(width - sum(size for _, size in self.columns) - LEAST_REST, LEAST_NAME), MOST_NAME)


QUEUES = Table("QUEUE", (("waiting", 9), ("delayed", 8), ("active", 7), ("dead", 7), ("done/s", 8), ("oldest", 8),
                         ("workers", 8)), "limits", "no queue holds a job")
TIMES = Table("QUEUE", tuple((f"{what} {percent}", 9) for what in ("wait", "work") for percent in PERCENTS), "",
              QUEUES.nothing)
WORKERS = Table("WORKER", (("active", 8), ("pulls", 7), ("since", 7), ("last pull", 11)), "queues",
                "nobody pulls")
TABLES = {"queues": QUEUES, "times": TIMES, "workers": WORKERS}


def queue_line(row: Row) -> Line:
    """Of the table of queues."""
    cells = (row.waiting, row.delayed, row.active, row.dead, row.done_rate, _age(row.oldest_ms), row.workers)
    return Line(row.name, row.name, cells, row.limits, _style(row))


def times_line(row: Row) -> Line:
    """Of the table of times."""
    return Line(row.name, row.name, (*_short(row.wait_ms), *_short(row.processing_ms)), "", _style(row))


def worker_line(one: "WorkerInfo") -> Line:
    """Of the table of workers. Who has no address is told by the name of the session."""
    name = one.address or one.session or "without a name"
    now = now_ms()
    cells = (one.active, one.waiting_pulls, _age(now - one.connected_at),
             _age(None if one.last_pull_at is None else now - one.last_pull_at))
    return Line(f"{name} {one.session} {one.connected_at}", name, cells, ", ".join(one.queues))


MAKERS: dict[str, Callable[[Row], Line]] = {"queues": queue_line, "times": times_line}


def _short(times: "Times") -> Sequence[str]:
    """The same for a column."""
    return [text.replace(" ", "") for text in percentiles(times)]


def _age(ms: int | None) -> str:
    return "-" if ms is None else span(ms).split()[0] if ms >= 1000 else "<1s"


def _style(row: Row) -> str:
    return "yellow" if row.paused else "red" if row.dead else ""


def _fitted(cell: float | str | None, width: int) -> str:
    """A number in less than its column, at the cost of digits."""
    if cell is None or isinstance(cell, str):
        return cell or "-"
    text = number(cell)
    for size, unit in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        if len(text) < width:
            break
        text = f"{cell / size:.1f}{unit}"
    return text
