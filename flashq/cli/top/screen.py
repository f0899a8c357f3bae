"""The screen of `flashq top` as lines of text, for any size of terminal; what is selected, sorted and asked."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.text import Text

from flashq.cli.harmless import harmless
from flashq.cli.output import number, span
from flashq.cli.queues import percentiles
from flashq.cli.top.readings import Row, View
from flashq.cli.top.tables import MAKERS, TABLES, Line, worker_line
from flashq.cli.top.watcher import Action

ORDERS: dict[str, Callable[[Row], tuple[float, str]]] = {
    "name": lambda row: (0, row.name),
    "waiting": lambda row: (-row.waiting, row.name),
    "active": lambda row: (-row.active, row.name),
    "dead": lambda row: (-row.dead, row.name),
    "done/s": lambda row: (-(row.done_rate or 0), row.name),
    "oldest": lambda row: (-(row.oldest_ms or 0), row.name),
    "workers": lambda row: (-row.workers, row.name),
    "wait p95": lambda row: (-(row.wait_ms.p95 or 0), row.name),
    "work p95": lambda row: (-(row.processing_ms.p95 or 0), row.name),
}
KEYS = "↑↓ select  p pause/resume  r retry dead  s sort  v view  q quit"
HEAD_LINES, FOOT_LINES = 8, 2


@dataclass
class State:
    """What the user has chosen. `question` is open until y or another key."""

    selected: str | None = None     # queue
    worker: str | None = None       # likewise, by the key of its line
    shown: str = "queues"           # which of TABLES
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

    def lines(self, view: View | None) -> list[Line]:
        """Of the table that is shown."""
        rows = self.rows(view)
        if self.shown != "workers":
            return [MAKERS[self.shown](row) for row in rows]
        found = [worker_line(one) for one in (view.worker_list if view is not None else ())]
        if found and not any(line.key == self.worker for line in found):
            self.worker = found[0].key
        return found

    @property
    def key(self) -> str | None:
        """Of the line that is selected."""
        return self.worker if self.shown == "workers" else self.selected

    def move(self, lines: Sequence[Line], by: int) -> None:
        """Select another one, so many below."""
        if lines:
            at = next((at for at, line in enumerate(lines) if line.key == self.key), 0)
            key = lines[min(max(at + by, 0), len(lines) - 1)].key
            if self.shown == "workers":
                self.worker = key
            else:
                self.selected = key

    def turn(self) -> None:
        """To the next table."""
        names = list(TABLES)
        self.shown, self.first = names[(names.index(self.shown) + 1) % len(names)], 0


def draw(view: View | None, error: str | None, lost_at: float, title: str, state: State, width: int,
         height: int) -> Group:
    """Exactly `height` lines of at most `width` columns."""
    table, body = TABLES[state.shown], state.lines(view)
    lines = [*_head(view, error, lost_at, title, width), table.title(width)]
    room = max(height - len(lines) - FOOT_LINES, 0)
    at = next((at for at, line in enumerate(body) if line.key == state.key), 0)
    state.first = max(min(state.first, at, max(len(body) - room, 0)), at - room + 1, 0)
    shown = body[state.first:state.first + room]
    if state.shown != "workers":        # then those of before: their ages are there at once when one comes back
        state.names = frozenset(line.key for line in shown)
    lines += [table.fitted(line, line.key == state.key, width) for line in shown]
    if view is not None and not body and room:
        lines.append(Text(table.nothing))
    del lines[max(height - FOOT_LINES, 0):]
    lines += [Text("")] * (height - FOOT_LINES - len(lines))
    lines.append(Text(harmless(state.question or state.message), style="bold yellow" if state.question else ""))
    lines.append(Text(f"{KEYS} ({_order(view, state)})", style="dim"))
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
    head.append(Text(f"workers {view.workers:,}, busy {view.busy_workers:,}   waiting pulls {view.waiting_pulls:,}   "
                     f"connections {view.connections:,}"))
    wait, work = (", ".join(percentiles(times)) for times in (view.wait_ms, view.processing_ms))
    head.append(Text(f"p50, p95, p99 of waiting: {wait}; of work: {work}"))
    head.append(Text(f"storage {view.durability}, {view.health}, {view.unwritten_bytes:,} bytes not written",
                     style="" if view.health == "ok" else "bold red"))
    return [*head, Text("")]


def _order(view: View | None, state: State) -> str:
    """How the lines are sorted; of workers, how many there are where not all are shown."""
    if state.shown != "workers":
        return state.order
    return "" if view is None else f"{len(view.worker_list):,} of {view.workers:,}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{number(value)}/s"
