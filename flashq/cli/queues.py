"""`flashq queues` and `flashq stats`: what there is, and how fast it goes."""

from typing import TYPE_CHECKING, Any

import click
from rich.console import Group
from rich.text import Text

from flashq.cli.connection import Here, client_command
from flashq.cli.harmless import harmless
from flashq.cli.output import number, plain, span
from flashq.cli.tables import plain_table, tabled
from flashq.cli.watching import watch_options, watched

if TYPE_CHECKING:
    from flashq.client import FlashQ
    from flashq.client.results import Metrics, QueueInfo, Stats, Times

PERCENTS = ("p50", "p95", "p99")
TENTHS_MS = 10_000      # below that a whole second is more than they are wrong by
COLUMNS = ("queue", "#waiting", "#delayed", "#active", "#dead", "#completed", "limits")


@client_command("queues")
@click.option("--all", "whole", is_flag=True, help="Empty ones, too, that the server still knows.")
@watch_options
def queues(here: Here, whole: bool, watch: bool, every: int) -> None:
    """List the queues that hold jobs, are paused or have limits, with their counts and limits."""
    def look() -> "list[QueueInfo]":
        return [one for one in here.client.list_queues() if whole or _counts(here.client, one)]

    def to_json(found: "list[QueueInfo]") -> None:
        for one in found:
            here.out.json(one)

    watched(here, watch, every, look, lambda found: tabled(COLUMNS, map(row, found)), to_json)


def _counts(client: "FlashQ", one: "QueueInfo") -> bool:
    """Whether there is anything to say of it. Jobs that wait for others are in none of the counts of the list."""
    if limits(one) or one.pending or one.processing or one.dlq or one.completed:
        return True
    return client.get_job_counts(one.name).waiting_children > 0


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


def percentiles(times: "Times") -> list[str]:
    """p50, p95 and p99, in words."""
    found: list[float | None] = [getattr(times, percent) for percent in PERCENTS]
    return ["-" if ms is None else "<1 ms" if ms < 1 else f"{ms / 1000:.1f}s" if 1000 <= ms < TENTHS_MS else span(ms)
            for ms in found]


@client_command("stats")
@watch_options
def stats(here: Here, watch: bool, every: int) -> None:
    """Show the totals of the server: jobs by state, rates, latencies, workers, and how far the disk is.

    `flashq top` shows the queues as well.
    """
    watched(here, watch, every, lambda: _look(here), lambda found: _table(*found),
            lambda found: here.out.json(_object(*found)))


def _look(here: Here) -> "tuple[Stats, Metrics]":
    return here.client.stats(), here.client.metrics()


def _object(counts: "Stats", metrics: "Metrics") -> dict[str, Any]:
    """Both in one; what METRICS says of the queues, STATS has too."""
    shown = plain(metrics)
    del shown["queues"]
    kept = {key: value for key, value in plain(counts).items() if key not in ("ok", "success", "reqId")}
    return {**kept, "metrics": shown}


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
        f"p50, p95, p99 of waiting: {', '.join(percentiles(metrics.wait_ms))}; of work: "
        f"{', '.join(percentiles(metrics.processing_ms))}",
        f"workers {metrics.workers:,}, busy {metrics.busy_workers:,}; waiting pulls {metrics.waiting_pulls:,}; "
        f"connections {metrics.connections:,}",
        f"storage: {store.durability}, {store.health}; {store.pending_bytes:,} bytes not written, "
        f"{store.log_bytes:,} since the last checkpoint",
    ]
    return Group(now, *(Text(harmless(line)) for line in lines))
