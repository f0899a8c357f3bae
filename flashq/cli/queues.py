"""`flashq queues` and `flashq stats`: what there is, and how fast it goes."""

import time
from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from flashq.cli.connection import Here, client_command
from flashq.cli.output import harmless, number, plain, plain_table, span
from flashq.cli.values import DURATION

if TYPE_CHECKING:
    from flashq.client.results import Metrics, QueueInfo, Stats

COLUMNS = ("queue", "#waiting", "#delayed", "#active", "#dead", "#completed", "limits")


@client_command("queues")
def queues(here: Here) -> None:
    """List the queues that hold jobs or are paused, with their counts and limits."""
    found = here.client.list_queues()
    if here.as_json:
        for one in found:
            here.out.json(one)
    else:
        here.out.table(COLUMNS, map(row, found))


def row(one: "QueueInfo") -> tuple[str, ...]:
    """A queue of the list."""
    counts = (one.pending - one.delayed, one.delayed, one.processing, one.dlq, one.completed)
    return one.name, *map(number, counts), limits(one)


def limits(one: "QueueInfo") -> str:
    """What holds a queue back, in words."""
    parts = ["paused"] if one.paused else []
    parts += [f"{one.rate_limit}/s"] if one.rate_limit is not None else []
    parts += [f"{one.concurrency_limit} at once"] if one.concurrency_limit is not None else []
    if one.groups is not None:
        rate = f", {one.groups.rate}/s" if one.groups.rate is not None else ""
        parts.append(f"groups {one.groups.concurrency} at once{rate}{', fair' if one.groups.fair else ''}")
    return "; ".join(parts)


@client_command("stats")
@click.option("--watch", "-w", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--every", type=DURATION, default="2s", show_default=True, help="With --watch, time between looks.")
def stats(here: Here, watch: bool, every: int) -> None:
    """Show the totals of the server: jobs by state, rates, latency, and how far the disk is.

    With --json and --watch there is a line for each look. `flashq top` shows the queues as well.
    """
    if not watch:
        _show(here, *_look(here))
        return
    if every <= 0:
        raise click.UsageError("--every: must be more than 0")
    if here.as_json or not here.out.console.is_terminal:
        while True:
            _show(here, *_look(here))
            time.sleep(every / 1000)
    with Live(console=here.out.console, auto_refresh=False) as live:
        while True:
            live.update(_table(*_look(here)), refresh=True)
            time.sleep(every / 1000)


def _look(here: Here) -> "tuple[Stats, Metrics]":
    return here.client.stats(), here.client.metrics()


def _show(here: Here, counts: "Stats", metrics: "Metrics") -> None:
    if here.as_json:
        shown = plain(metrics)
        del shown["queues"]
        here.out.json({**{key: plain(value) for key, value in vars(counts).items()
                          if key not in ("ok", "success", "reqId")}, "metrics": shown})
    else:
        here.out.console.print(_table(counts, metrics))


def _table(counts: "Stats", metrics: "Metrics") -> Group:
    now = plain_table()
    for name in ("waiting", "delayed", "active", "dead", "completed"):
        now.add_column(name, justify="right")
    now.add_row(*map(number, (counts.queued, counts.delayed, counts.processing, counts.dlq, counts.completed)))
    store = metrics.store
    lines = [
        f"since the start: {metrics.total_pushed:,} pushed, {metrics.total_completed:,} completed, "
        f"{metrics.total_failed:,} dead",
        f"last minute: {metrics.jobs_per_second:,.1f} completed/s; from push to end {span(metrics.avg_latency_ms)} on "
        "average",
        f"storage: {store.durability}, {store.health}; {store.pending_bytes:,} bytes not written, "
        f"{store.log_bytes:,} since the last checkpoint",
    ]
    return Group(now, *(Text(harmless(line)) for line in lines))
