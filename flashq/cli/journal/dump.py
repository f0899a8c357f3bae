"""`flashq journal dump`: the records of a data directory, as lines of JSON."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console

from flashq._core.recordforms import FORMS, Record, decode, heads
from flashq.cli.journal.common import Bar, data_directory, note_json, note_of, running
from flashq.cli.journal.readable import ids_of, readable
from flashq.cli.journal.report import facts_of
from flashq.cli.json_option import json_option
from flashq.storage.journal.facts import Survey
from flashq.storage.journal.live import steadily
from flashq.storage.journal.survey import survey

KINDS = tuple(name for name, *_rest in FORMS.values())
FILES = {"all": (".ckpt", ".log"), "checkpoint": (".ckpt",), "log": (".log",)}


class NotDecodedError(ValueError):
    """A frame that is whole, with a record that has no known form."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.reason = reason


@dataclass
class Wanted:
    """Which records are asked for. `jobs` of the queue are those that a record seen before has put there."""

    first: int
    last: int | None
    kinds: frozenset[str]
    ids: frozenset[int]
    queue: bytes | None
    jobs: set[int] = field(default_factory=set)

    def reaches(self, position: int) -> bool:
        """Whether a frame lies in the range."""
        return position >= self.first and (self.last is None or position <= self.last)

    def takes(self, record: Record) -> bool:
        """Whether to show it."""
        if self.kinds and record["kind"] not in self.kinds:
            return False
        return self._of_queue(record) and (not self.ids or not self.ids.isdisjoint(_ids(record)))

    def _of_queue(self, record: Record) -> bool:
        if self.queue is None:
            return True
        if record.get("queue") == self.queue:
            return True
        if record["kind"] in ("queue", "clear", "counts"):
            return record["name"] == self.queue
        return record.get("id") in self.jobs

    def learn(self, record: Record) -> None:
        """Remember which queue a job is in."""
        if record["kind"] == "job" and record["queue"] == self.queue:
            self.jobs.add(int(record["id"]))


def _ids(record: Record) -> set[int]:
    """All jobs that it speaks of."""
    found = {int(record["id"])} if "id" in record else set()
    for name in ("ids", "children", "met"):
        found.update(ids_of(record.get(name, b"")))
    return found


class Dump:
    """Prints records as they are read. A second reading goes on where the first one was when it was broken off."""

    def __init__(self, wanted: Wanted, suffixes: tuple[str, ...], out: Any) -> None:
        self._wanted = wanted
        self._suffixes = suffixes
        self._out = out
        self._logged = 0                    # position of the last frame of the log that was printed
        self._told: set[tuple[str, int]] = set()    # blocks of checkpoints that were

    def look(self, path: Path, offset: int, frames: memoryview) -> None:
        """Frames that stand there."""
        if path.suffix == ".ckpt":
            if (path.name, offset) in self._told:
                return
            self._told.add((path.name, offset))
        for at, size, position in heads(frames):
            frame = frames[at : at + size]
            if path.suffix == ".ckpt" or position > self._logged:
                try:
                    self._show(path, offset + at, position, frame)
                except ValueError as error:
                    raise NotDecodedError(at, str(error)) from error
            if path.suffix == ".log":
                self._logged = max(self._logged, position)

    def _show(self, path: Path, offset: int, position: int, frame: memoryview) -> None:
        wanted = self._wanted
        shown = path.suffix in self._suffixes and wanted.reaches(position)
        if not shown and wanted.queue is None:
            return
        ((_position, records),) = decode(bytes(frame))
        for record in records:
            wanted.learn(record)
            if shown and wanted.takes(record):
                line = {"position": position, "file": path.name, "offset": offset, **readable(record)}
                self._out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))


@click.command(name="dump")
@click.option("--from", "first", type=click.IntRange(0), default=0, help="From this position on.")
@click.option("--to", "last", type=click.IntRange(0), help="Up to this position.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), metavar="KIND",
              help=f"Records of this kind; can be given more than once. One of {', '.join(KINDS)}.")
@click.option("--id", "ids", multiple=True, type=int, help="Records of this job; can be given more than once.")
@click.option("--queue", help="Records of this queue and of its jobs, as far as their pushes are still there.")
@click.option("--only", type=click.Choice(list(FILES)), default="all", show_default=True,
              help="Records of these files. Those of a checkpoint have the position at which they were written.")
@json_option("Tell damage and a running server as an object {running, gone, damages} on stderr; errors as well.")
@data_directory
def command(directory: Path, first: int, last: int | None, kinds: tuple[str, ...], ids: tuple[int, ...],
            queue: str | None, only: str, as_json: bool) -> None:
    """Print the records, a JSON object a line, with position, file and byte offset of their frame.

    First those of checkpoints, then the log. What clients put in is shown as JSON, what is no text as base64. Goes on
    behind damage, which is told on stderr; then the status is 1. Nothing is changed, and a server may be running.
    """
    pid = running(directory)
    wanted = Wanted(first, last, frozenset(kinds), frozenset(ids), None if queue is None else queue.encode())
    dump = Dump(wanted, FILES[only], sys.stdout.buffer)
    with Bar() as bar:
        seen = steadily(directory, lambda: survey(
            directory, dump.look, lambda done, total: bar.show("reading", done, total)))
    sys.stdout.buffer.flush()
    if as_json:
        note_json({"running": pid, "gone": seen.gone, "damages": [facts_of(one) for one in seen.damages]})
    else:
        _tell(pid, seen)
    raise SystemExit(1 if seen.damages else 0)


def _tell(pid: str | None, seen: Survey) -> None:
    console = Console(stderr=True)
    if pid is not None:
        console.print(note_of(pid, seen.gone), soft_wrap=True, highlight=False)
    for one in seen.damages:
        console.print(f"[red]damaged[/red] {one.file.name} at byte {one.offset}: {one.reason}; lost: {one.lost}",
                      soft_wrap=True, highlight=False)
