"""The screen of `flashq top` as lines of text, for any size of terminal; what is selected, sorted and asked."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.text import Text

from flashq.cli.harmless import harmless
from flashq.cli.output import number, span
from flashq.cli.top.readings import Row, View
from flashq.cli.top.watcher import Action

ORDERS: dict[str, Callable[[Row], tuple[float, str]]] = {
    "name": lambda row: (0, row.name),
    "waiting": lambda row: (-row.waiting, row.name),
    "active": lambda row: (-row.active, row.name),
    "dead": lambda row: (-row.dead, row.name),
    "done/s": lambda row: (-(row.done_rate or 0), row.name),
    "oldest": lambda row: (-(row.oldest_ms or 0), row.name),
}
KEYS = "↑↓ select  p pause/resume  r retry dead  s sort  q quit"
HEAD_LINES, FOOT_LINES = 6, 2
NUMBERS = (("waiting", 9), ("delayed", 8), ("active", 7), ("dead", 7), ("done/s", 8), ("oldest", 8))
LEAST_NAME, MOST_NAME = 12, 40


@dataclass
class State:
    """What the user has chosen. `question` is open until y or another key."""

    selected: str | None = None
    order: str = "name"
    first: int = 0                  # row at the top of the list
    question: str = ""
    action: Action | None = None    # what a yes does
    message: str = ""
    names: frozenset[str] = field(default_factory=frozenset)    # on the screen

    def rows(self, view: View | None) -> list[Row]:
        """In the order chosen; one is always selected, if there is any."""
        found = sorted(view.rows if view is not None else (), key=ORDERS[self.order])
        if found and not any(row.name == self.selected for row in found):
            self.selected = found[0].name
        return found

    def move(self, rows: Sequence[Row], by: int) -> None:
        """Select another one, so many below."""
        if rows:
            at = next((at for at, row in enumerate(rows) if row.name == self.selected), 0)
            self.selected = rows[min(max(at + by, 0), len(rows) - 1)].name


def draw(view: View | None, error: str | None, lost_at: float, title: str, state: State, width: int,
         height: int) -> Group:
    """Exactly `height` lines of at most `width` columns."""
    rows = state.rows(view)
    lines = _head(view, error, lost_at, title, width)
    lines.append(_columns(width))
    room = max(height - len(lines) - FOOT_LINES, 0)
    at = next((at for at, row in enumerate(rows) if row.name == state.selected), 0)
    state.first = max(min(state.first, at, max(len(rows) - room, 0)), at - room + 1, 0)
    shown = rows[state.first:state.first + room]
    state.names = frozenset(row.name for row in shown)
    lines += [_row(row, row.name == state.selected, width) for row in shown]
    if view is not None and not rows and room:
        lines.append(Text("no queue holds a job"))
    del lines[max(height - FOOT_LINES, 0):]
    lines += [Text("")] * (height - FOOT_LINES - len(lines))
    lines.append(Text(harmless(state.question or state.message), style="bold yellow" if state.question else ""))
    lines.append(Text(f"{KEYS} ({state.order})", style="dim"))
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return Group(*lines[:height])


def _head(view: View | None, error: str | None, lost_at: float, title: str, width: int) -> list[Text]:
    clock = time.strftime("%H:%M:%S UTC", time.gmtime())
    head = [Text(f"{title:<{max(width - len(clock) - 1, 0)}} {clock}", style="bold")]
    if error is not None:
        away = span((time.monotonic() - lost_at) * 1000)
        head.append(Text(f" NO CONNECTION for {away}, trying again: {harmless(error)} ", style="bold white on red"))
    if view is None:
        return head + [Text("")] * (HEAD_LINES - 1 - len(head))
    if error is None:
        head.append(Text(f"pushed {_rate(view.pushed_rate)}   completed {_rate(view.done_rate)}   "
                         f"dead {_rate(view.dead_rate)}   push to end {span(view.latency_ms)} on average"))
    head.append(Text(f"waiting {view.waiting:,}   delayed {view.delayed:,}   active {view.active:,}   "
                     f"dead {view.dead:,}   in {len(view.rows):,} queues"))
    head.append(Text(f"storage {view.durability}, {view.health}, {view.unwritten_bytes:,} bytes not written",
                     style="" if view.health == "ok" else "bold red"))
    return [*head, Text("")]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{number(value)}/s"


def _name_width(width: int) -> int:
    return min(max(width - sum(size for _, size in NUMBERS) - 12, LEAST_NAME), MOST_NAME)


def _columns(width: int) -> Text:
    numbers = "".join(f"{name:>{size}}" for name, size in NUMBERS)
    return Text(f"{'QUEUE':<{_name_width(width)}}{numbers}  limits".ljust(width), style="reverse")


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


def _row(row: Row, selected: bool, width: int) -> Text:
    size = _name_width(width)
    name = harmless(row.name)
    name = name if len(name) < size else name[:size - 2] + "… "
    oldest = "-" if row.oldest_ms is None else span(row.oldest_ms).split()[0] if row.oldest_ms >= 1000 else "<1s"
    cells = (row.waiting, row.delayed, row.active, row.dead, row.done_rate, oldest)
    numbers = "".join(f"{_fitted(cell, wide):>{wide}}" for cell, (_, wide) in zip(cells, NUMBERS, strict=True))
    line = Text(f"{name:<{size}}{numbers}  {row.limits}".ljust(width))
    if row.dead:
        line.stylize("red")
    if row.paused:
        line.stylize("yellow")
    if selected:
        line.stylize("bold reverse")
    return line
