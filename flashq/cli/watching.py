"""`--watch`: the same look again and again, in its place on a terminal."""

import time
from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import RenderableType
from rich.live import Live

from flashq.cli.connection import Function, Here
from flashq.cli.values import DURATION

T = TypeVar("T")


def watch_options(function: Function) -> Function:
    """`--watch` and `--every`."""
    every = click.option("--every", type=DURATION, default="2s", show_default=True,
                         help="With --watch, time between looks.")
    watch = click.option("--watch", "-w", is_flag=True, help="Look again and again, until Ctrl-C.")
    decorated: Function = watch(every(function))
    return decorated


def watched(here: Here, watch: bool, every: int, look: Callable[[], T], drawn: Callable[[T], RenderableType],
            to_json: Callable[[T], None]) -> T:
    """Show what `look` finds, once or until Ctrl-C; what that was. JSON, and what is no terminal, gets one after the
    other."""
    if every <= 0:
        raise click.UsageError("--every: must be more than 0")
    if watch and here.out.console.is_terminal and not here.as_json:
        with Live(console=here.out.console, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                live.update(drawn(look()), refresh=True)
                time.sleep(every / 1000)
    while True:
        found = look()
        if here.as_json:
            to_json(found)
        else:
            here.out.console.print(drawn(found))
        if not watch:
            return found
        time.sleep(every / 1000)
