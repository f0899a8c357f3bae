"""`flashq journal verify`: read and check every byte of a data directory."""

from pathlib import Path

import click
from rich.console import Console

from flashq._core.replay import DamagedRecord
from flashq.cli.journal.common import Bar, data_directory, print_json, size_text
from flashq.cli.journal.report import Report, as_dict, examine, print_damages, print_end
from flashq.cli.journal.state import State
from flashq.cli.json_option import json_option
from flashq.storage.base import DamageError
from flashq.storage.journal.facts import Damage
from flashq.storage.journal.reading import Nothing


@click.command(name="verify")
@click.option("--deep", is_flag=True, help="Load all jobs as a start does, and check their counts. Takes their memory.")
@json_option()
@data_directory
def command(directory: Path, deep: bool, as_json: bool) -> None:
    """Read and check all files: checksums, the chain of the log, the form of each record.

    Goes on behind damage, and lists all of it. Nothing is changed, and a server may be using the directory: what it
    writes at the moment is no damage. Status 1 when something is damaged.
    """
    with Bar() as bar:
        report, replay = examine(directory, bar, (lambda: State(directory)) if deep else Nothing)
    if isinstance(replay, State):
        _check(report, replay)
    if as_json:
        print_json(as_dict(report))
    else:
        _print(Console(), report)
    raise SystemExit(1 if report.damages or report.refusal else 0)


def _check(report: Report, state: State) -> None:
    """Whether the records of the whole log make sense together."""
    assert report.found is not None
    try:
        report.counts = state.finish()
    except DamagedRecord as error:
        file = report.found.last_file or report.directory
        report.damages.append(Damage(file, 0, 0, error.reason, "unknown"))
        report.refusal = str(DamageError(file, 0, 0, error.reason))
        return
    report.damages += [Damage(report.directory, 0, 0, reason, "nothing") for reason in state.miscounted()]


def _print(console: Console, report: Report) -> None:
    seen = report.survey
    print_damages(console, report)
    print_end(console, report)
    if report.counts is not None:
        console.print("jobs: " + ", ".join(f"{number:,} {state}" for state, number in report.counts.items()),
                      soft_wrap=True, highlight=False)
    if not report.damages and report.refusal is None:
        read = sum(one.size for one in seen.checkpoints) + sum(one.end for one in seen.segments)
        console.print(f"[green]OK[/green]: {len(seen.checkpoints)} checkpoints, {len(seen.segments)} segments, "
                      f"{sum(one.groups for one in seen.segments):,} groups, "
                      f"{sum(report.log.values()) + sum(report.state.values()):,} records, {size_text(read)}",
                      soft_wrap=True, highlight=False)
    elif report.damages:
        console.print(f"[red]{len(report.damages)} damaged places[/red]", highlight=False)
