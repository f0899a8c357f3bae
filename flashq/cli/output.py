"""How results are printed: lines of JSON for programs; tables and times for people, with nothing that a job says
taken for a command to the terminal."""

import dataclasses
import io
import json
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from flashq.cli.harmless import harmless

if TYPE_CHECKING:
    from rich.console import Console

CUT = 60            # characters of a payload in a table
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"))
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_text(value: Any) -> str:
    """Compact JSON on one line; what the client's results are made of included. Large integers stay as they are."""
    return _encode(plain(value))


def plain(value: Any) -> Any:
    """Results of the client as dicts, with keys that a newer server adds as well."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: plain(item) for key, item in vars(value).items()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def short(value: Any, width: int = CUT) -> str:
    """A payload in a cell."""
    text = harmless(_encode(plain(value)))
    return text if len(text) <= width else text[:width - 1] + "…"


def lines_of(text: str) -> list[str]:
    """Of a traceback, say. Other characters that Python ends a line at are none to a terminal."""
    return text.replace("\r\n", "\n").split("\n")


def first_line(text: str, width: int = 1000) -> str:
    """Of an error with a traceback, what a cell has room for; `…` stands for what is left out."""
    line, *others = lines_of(text.strip())
    shown = harmless(f"{line} …" if others else line)
    return shown if len(shown) <= width else shown[:width - 1] + "…"


def now_ms() -> int:
    """By this machine's clock."""
    return int(time.time() * 1000)


def span(ms: float) -> str:
    """A length of time, in its two largest units: 2d 4h, 3m 5s, 820 ms."""
    if ms < 1000:
        return f"{max(ms, 0):.0f} ms"
    rest, parts = int(ms), list[str]()
    for size, unit in _UNITS:
        if rest >= size or parts:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return " ".join(part for part in parts[:2] if not part.startswith("0") or len(parts) == 1)


def moment(ms: int) -> str:
    """A time of the server, in UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def when(ms: int) -> str:
    """The same, and how far off that is."""
    away = ms - now_ms()
    return f"{moment(ms)} ({'in ' + span(away) if away > 0 else span(-away) + ' ago'})"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 job`, `2,000 jobs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float) -> str:
    """With commas."""
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:,.1f}"


class Output:
    """Of one command: results on stdout, notes on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._ascii = "utf" not in (sys.stdout.encoding or "").lower()
        if self._ascii and not as_json and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")    # a terminal that lacks an arrow still shows the rest

    @cached_property
    def console(self) -> "Console":
        """For tables and colours. What prints neither does not load rich."""
        from flashq.cli.tables import console

        return console()

    def json(self, value: Any) -> None:
        """One object on one line."""
        click.echo(json.dumps(plain(value), separators=(",", ":")) if self._ascii else json_text(value))

    def line(self, text: str, style: str = "") -> None:
        """For people."""
        if not style:
            print(harmless(text), flush=True)   # click would write UTF-8 where it is not wanted
            return
        from rich.text import Text

        self.console.print(Text(harmless(text), style=style), soft_wrap=True)

    def lines(self, head: str, text: str) -> None:
        """A text of several lines: the first one behind `head`, the others below, further from the margin."""
        first, *others = lines_of(text.rstrip("\r\n"))
        self.line(f"{head}: {first}" if first else head)
        for line in others:
            self.line(f"      {line}")

    def note(self, text: str) -> None:
        """Beside the result: on stderr."""
        click.echo(harmless(text), err=True)

    def said(self, text: str, **values: Any) -> None:
        """A result either way: a sentence, or the values as an object."""
        if self.as_json:
            self.json(values)
        else:
            self.line(text)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], headed: bool = True) -> None:
        """Rows below each other; `tabled` says what columns are."""
        from flashq.cli.tables import tabled

        self.console.print(tabled(columns, rows, headed))

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values, one below the other."""
        from flashq.cli.tables import named

        self.console.print(named(rows))
