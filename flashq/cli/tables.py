"""What rich draws: the console, tables, names with their values."""
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flashq.cli.exits import leave_pipe
from flashq.cli.harmless import harmless

WIDE = 10_000       # columns of output that is no terminal: nothing is cut that a program may want to read


class _Console(Console):
    def on_broken_pipe(self) -> None:
        leave_pipe()


def console(stderr: bool = False) -> Console:
    """For people; without colours when it is no terminal or NO_COLOR is set, as rich has it."""
    made = _Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = WIDE
    return made


def tabled(columns: Sequence[str], rows: Iterable[Sequence[str]], headed: bool = True) -> Table:
    """A table of texts. Columns whose name begins with `#` are numbers."""
    made = plain_table()
    made.show_header = headed
    for name in columns:
        made.add_column(name.lstrip("#"), justify="right" if name.startswith("#") else "left", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(harmless(cell)) for cell in row))
    return made


def plain_table() -> Table:
    """Without lines, so that it can be cut and sorted."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def named(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, one below the other."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(Text(name), Text(harmless(value)))
    return made
