"""`flashq top`: the loop of looking, drawing and keys."""

import os
import sys
import time
from typing import TYPE_CHECKING

import click
from rich.live import Live

from flashq.cli.connection import Here, client_command, endpoint_of
from flashq.cli.exits import Exit
from flashq.cli.output import counted, plain
from flashq.cli.tables import console
from flashq.cli.top.keys import single_keys
from flashq.cli.top.readings import History, Row, View
from flashq.cli.top.screen import HEAD_LINES, ORDERS, State, draw
from flashq.cli.top.watcher import Watcher, look
from flashq.cli.values import DURATION

if TYPE_CHECKING:
    from flashq.client import FlashQ

KEY_SECONDS = 0.1       # so soon after a reading, or a change of the size, it is on the screen
JSON_WORKERS = 100
SCREEN_WORKERS = 1000   # at most; the others are counted
CALL_SECONDS = 2.0      # a server that does not answer within that shows as lost


@client_command("top")
@click.option("--every", type=DURATION, default="1s", show_default=True, help="Time between two looks.")
@click.option("--count", "-n", type=click.IntRange(1), help="With --json, end after so many looks.")
def command(here: Here, every: int, count: int | None) -> None:
    """Show the queues live: depths, rates, how old the oldest waiting job is, latencies, workers, limits.

    \b
    ↑ ↓ k j  select a queue         p  pause it, or resume it
    PgUp PgDn Home End              r  let its dead letters run again; asks first
    s  sort by another column       q  quit
    v  show the queues, how long their jobs wait and take (p50, p95, p99), or the workers

    Rates are those of the last few looks, percentiles those of the last one to two minutes, the average that of the
    last 1000 completed jobs that are kept. A worker is a connection that holds jobs, waits in a pull, or pulled in the
    last 30 seconds; it is busy while it holds jobs. A server that does not answer shows as such, and is asked again
    until it is back. With --json there is an object for each look, with the first 100 workers, and no terminal is
    needed.
    """
    if every <= 0:
        raise click.UsageError("--every: must be more than 0")
    if here.as_json:
        _lines(here, every, count)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or here.out.console.is_dumb_terminal:
        raise click.UsageError("top needs a terminal, and not a dumb one: say --json, or use `flashq stats --watch`")
    title = f"flashQ {here.client.connect().version}  {endpoint_of(here.url)}"
    watcher = Watcher(here.client, every / 1000, min(here.seconds, CALL_SECONDS))
    watcher.start()
    try:
        _show(watcher, title)
    finally:
        watcher.stop()


def _lines(here: Here, every: int, count: int | None) -> None:
    history, names, looks = History(), frozenset[str](), 0
    while count is None or looks < count:
        view = history.add(look(here.client, names, JSON_WORKERS, here.seconds))
        names = frozenset(row.name for row in view.rows)
        here.out.json({"time": int(time.time() * 1000), **plain(view)})
        looks += 1
        if looks != count:
            time.sleep(every / 1000)


def _show(watcher: Watcher, title: str) -> None:
    """Until q."""
    screen = console()
    state = State()
    seen: object = None
    with single_keys() as typed, Live(console=screen, screen=True, auto_refresh=False) as live:
        while True:
            if watcher.crash is not None:
                raise watcher.crash
            size = os.get_terminal_size(sys.stdout.fileno())
            watcher.names = state.names
            now = (size, watcher.changes, int(time.time()), state.key, state.shown, state.order, state.question,
                   state.message)
            if now != seen:
                seen = now
                if watcher.said:
                    state.message, watcher.said = watcher.said, ""
                screen.width, screen.height = size
                live.update(draw(watcher.view, watcher.error, watcher.lost_at, title, state, *size), refresh=True)
            for key in typed.wait(KEY_SECONDS):
                if key in ("q", "escape") and not state.question:
                    return
                press(key, state, watcher, size.lines)
            if typed.closed:
                raise SystemExit(int(Exit.INTERRUPTED))


def press(key: str, state: State, watcher: Watcher, height: int) -> None:
    """What a key does."""
    if state.question:
        if key in ("y", "Y") and state.action is not None:
            watcher.do(state.action)
        state.question, state.action = "", None
        return
    lines = state.lines(watcher.view)
    page = max(height - HEAD_LINES - 3, 1)
    moves = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "home": -len(lines), "end": len(lines)}
    row = _selected(state, watcher.view)
    if key in moves:
        state.move(lines, moves[key])
    elif key == "v":
        state.turn()
        watcher.workers = SCREEN_WORKERS if state.shown == "workers" else 0
        watcher.look_now()
    elif key == "s" and state.shown != "workers":
        names = list(ORDERS)
        state.order = names[(names.index(state.order) + 1) % len(names)]
    elif key == "p" and row is not None:
        _pause(row, watcher)
    elif key == "r" and row is not None:
        _ask_retry(row, state)
    elif key == "redraw":
        state.message = ""


def _selected(state: State, view: View | None) -> Row | None:
    """The queue that keys act on."""
    if state.shown == "workers":
        return None
    return next((row for row in state.rows(view) if row.name == state.selected), None)


def _pause(row: Row, watcher: Watcher) -> None:
    def act(client: "FlashQ") -> str:
        if row.paused:
            client.resume(row.name, deadline=CALL_SECONDS)
            return f"{row.name} is not paused"
        client.pause(row.name, deadline=CALL_SECONDS)
        return f"{row.name} is paused"

    watcher.do(act)


def _ask_retry(row: Row, state: State) -> None:
    if not row.dead:
        state.message = f"{row.name} has no dead letters"
        return

    def act(client: "FlashQ") -> str:
        count = client.retry_dead_letters(row.name, deadline=CALL_SECONDS)
        return f"let {counted(count, 'job')} of {row.name} run again"

    state.question, state.action = f"Let {counted(row.dead, 'dead letter')} of {row.name} run again? y/n", act
