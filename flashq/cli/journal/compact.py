"""`flashq journal compact`: one checkpoint in the place of everything that a data directory holds."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from flashq._core.replay import DamagedRecord
from flashq._core.snapshot import Snapshot
from flashq.cli.journal.common import Bar, data_directory, print_json, running, size_text
from flashq.cli.journal.state import State
from flashq.cli.json_option import json_option
from flashq.storage.base import DamageError
from flashq.storage.journal.compaction import replace
from flashq.storage.journal.files import lock_directory
from flashq.storage.journal.reading import Recovered
from flashq.storage.journal.recovery import recover

SLICE_BYTES = 1 << 20


@click.command(name="compact")
@json_option()
@data_directory
def command(directory: Path, as_json: bool) -> None:
    """Load a data directory, write its state as one checkpoint, and remove what that makes superfluous.

    The server must be stopped; a running one does the same by itself now and then. The jobs are loaded into memory.
    Nothing is removed before the new checkpoint is on disk.
    """
    running(directory)
    lock = lock_directory(directory)
    try:
        before = used(directory)
        with Bar() as bar:
            found, jobs = compact(directory, bar)
        after = used(directory)
    finally:
        os.close(lock)
    if as_json:
        print_json({"directory": str(directory), "before": before, "after": after, "jobs": jobs,
                    "position": found.position, "cut_bytes": found.cut_bytes})
    else:
        Console().print(f"{jobs:,} jobs, {size_text(before)} of disk before, {size_text(after)} now", highlight=False)


def used(directory: Path) -> int:
    """Bytes of the disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.iterdir())


def compact(directory: Path, bar: Bar) -> tuple[Recovered, int]:
    """(what was there, how many jobs) of a locked directory."""
    state = State(directory)
    found = recover(directory, state, lambda progress: bar.show(
        "reading", progress.bytes_done, progress.bytes_total, f"{progress.jobs:,} jobs"))
    try:
        state.finish()
    except DamagedRecord as error:
        raise DamageError(found.last_file or directory / "log", 0, found.frames, error.reason) from None
    assert state.core.position == found.position    # nothing is said that the log does not hold
    snapshot = Snapshot(state.core, state.kept())

    def slices() -> Iterator[bytes]:
        while frames := snapshot.slice(SLICE_BYTES):
            bar.show("writing", snapshot.done, snapshot.total, f"{snapshot.done:,} jobs")
            yield frames

    replace(directory, found, slices(), snapshot.total)
    return found, snapshot.total
