"""`flashq journal export`: the jobs of a data directory as they are at its end, for other programs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console

from flashq._core.replay import DamagedRecord
from flashq.cli.files import check_new, replacing
from flashq.cli.journal.common import Bar, data_directory, note_json, note_of, running
from flashq.cli.journal.sqlite import write_tables
from flashq.cli.journal.state import State
from flashq.cli.json_option import json_option
from flashq.storage.base import DamageError
from flashq.storage.journal.live import read_live
from flashq.storage.journal.reading import Recovered

OFTEN = 1000  # jobs between two looks at the bar


@click.command(name="export")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write lines of JSON into this file instead of stdout.")
@click.option("--sqlite", "database", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Make an SQLite database of jobs, logs, queues, counts, keys and cron entries instead.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option("Tell how many jobs it wrote as an object {jobs, position, running} on stderr; errors as well.")
@data_directory
def command(directory: Path, output: Path | None, database: Path | None, force: bool, as_json: bool) -> None:
    """Write all jobs as they are at the end of the log: an object a line with what GETJOB shows, and result and logs.

    The jobs are loaded into the memory of this process. Nothing in the directory is changed, and a server may be using
    it: the export then holds everything that was acknowledged before this began.
    """
    if output is not None and database is not None:
        raise click.UsageError("--output and --sqlite exclude each other")
    target = output or database
    if target is not None:
        check_new(target, force)
    pid = running(directory)
    with Bar() as bar:
        state, found = load(directory, bar)
        if database is not None:
            with replacing(database) as unfinished:
                write_tables(unfinished, state, found, directory, lambda ids: _shown(ids, state, bar))
        elif output is not None:
            with replacing(output) as unfinished, unfinished.open("wb") as out:
                _write_lines(out, state, bar)
        else:
            _write_lines(sys.stdout.buffer, state, bar)
            sys.stdout.buffer.flush()
    kept = sum(1 for _id in state.ids())
    if as_json:
        note_json({"jobs": kept, "position": found.position, "running": pid})
    else:
        _tell(kept, found, pid)


def load(directory: Path, bar: Bar) -> tuple[State, Recovered]:
    """All that the directory holds. StorageError."""
    state: list[State] = []

    def begin() -> State:
        state[:] = [State(directory)]
        return state[0]

    reads = read_live(directory, begin, lambda progress: bar.show(
        "reading", progress.bytes_done, progress.bytes_total, f"{progress.jobs:,} jobs"))
    try:
        state[0].finish()
    except DamagedRecord as error:
        raise DamageError(reads.found.last_file or directory / "log", 0, reads.found.frames, error.reason) from None
    return state[0], reads.found


def _shown(ids: Iterator[int], state: State, bar: Bar) -> Iterator[int]:
    for number, id in enumerate(ids):
        if number % OFTEN == 0:
            bar.show("writing", number, max(state.jobs, number), f"{number:,} jobs")
        yield id


def _write_lines(out: BinaryIO, state: State, bar: Bar) -> None:
    for id in _shown(state.ids(), state, bar):
        out.write(state.job(id) + b"\n")


def _tell(kept: int, found: Recovered, pid: str | None) -> None:
    console = Console(stderr=True)
    console.print(f"{kept:,} jobs as of record {found.position}", highlight=False)
    if pid is not None:
        console.print(note_of(pid), soft_wrap=True, highlight=False)


