"""What a survey of a data directory comes to: for people as text, for programs as JSON."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from flashq._core.recordtally import RecordTally
from flashq.cli.journal.common import Bar, note_of, running, size_text
from flashq.storage.base import DamageError, FormatError
from flashq.storage.journal.facts import Damage, SegmentFacts, Survey
from flashq.storage.journal.live import read_live, steadily
from flashq.storage.journal.reading import Nothing, Progress, Recovered, Replay
from flashq.storage.journal.survey import survey


@dataclass
class Report:
    """All that was found in a directory."""

    directory: Path
    pid: str | None  # of the server that uses it
    survey: Survey
    log: dict[str, int]  # records by kind
    state: dict[str, int]  # likewise, of the checkpoints
    found: Recovered | None = None  # what a start would find; None: it would be refused
    refusal: str | None = None
    damages: list[Damage] = field(default_factory=list)
    counts: dict[str, int] | None = None  # jobs by state, once they were loaded

    @property
    def torn(self) -> tuple[Path, int, int] | None:
        """(segment, byte, bytes) of a group at the end of the log that is not whole: no reply was sent for it."""
        if self.found is None or self.found.cut_file is None:
            return None
        place = next(one for one in self.found.open_ends if one.segment.name == self.found.cut_file)
        return place.segment, place.offset, self.found.cut_bytes

    @property
    def used(self) -> int:
        """Bytes of the disk."""
        return self.survey.used

    @property
    def needed(self) -> int:
        """Bytes that a start reads."""
        return 0 if self.found is None else self.found.checkpoint_bytes + self.found.log_bytes


def examine(directory: Path, bar: Bar, begin: Any = Nothing) -> tuple[Report, Replay | None]:
    """Look at every file, then read as a start does, into what `begin` makes; that too, unless it was refused."""
    pid = running(directory)
    log, state = RecordTally(), RecordTally()

    def look(path: Path, _offset: int, frames: memoryview) -> None:
        (state if path.suffix == ".ckpt" else log).add(frames)

    def once() -> Survey:
        nonlocal log, state
        log, state = RecordTally(), RecordTally()
        return survey(directory, look, lambda done, total: bar.show("checking", done, total))

    report = Report(directory, pid, steadily(directory, once), {}, {})
    report.log, report.state = log.counts, state.counts
    report.damages = list(report.survey.damages)

    def tell(progress: Progress) -> None:
        bar.show("reading", progress.bytes_done, progress.bytes_total, f"{progress.jobs:,} jobs" * bool(progress.jobs))

    try:
        reads = read_live(directory, begin, tell)
    except DamageError as error:
        report.refusal = str(error)
        if not any((one.file, one.offset) == (error.file, error.offset) for one in report.damages):
            lost = "what was acknowledged behind it"
            report.damages.append(Damage(error.file, error.offset, error.record, error.reason, lost))
        return report, None
    except FormatError as error:
        report.refusal = str(error)
        return report, None
    report.found = reads.found
    return report, reads.replay


# --- for programs ----------------------------------------------------------------------------------------------------


def as_dict(report: Report) -> dict[str, Any]:
    """Everything, as --json prints it."""
    seen, torn = report.survey, report.torn
    return {
        "directory": str(report.directory),
        "ok": not report.damages and report.refusal is None,
        "running": report.pid,
        "position": report.found.position if report.found else seen.position,
        "durable_stated": seen.stated,
        "epoch": seen.epoch,
        "bytes_used": report.used,
        "bytes_needed": report.needed,
        "torn_file": torn[0].name if torn else None,
        "torn_at": torn[1] if torn else None,
        "torn_bytes": torn[2] if torn else 0,
        "start_refused": report.refusal,
        "checkpoints": [facts_of(one) for one in seen.checkpoints],
        "segments": [facts_of(one) for one in seen.segments],
        "others": [{"file": path.name, "used": used} for path, used in seen.others],
        "records": {"log": report.log, "checkpoints": report.state},
        "damages": [facts_of(one) for one in report.damages],
        "jobs": report.counts,
    }


def facts_of(facts: Any) -> dict[str, Any]:
    """Of one file, or of one damage."""
    values = {name: getattr(facts, name) for name in facts.__dataclass_fields__}
    path = values.pop("path", None) or values.pop("file")
    return {"file": path.name, **values}


# --- for people ------------------------------------------------------------------------------------------------------


def print_files(console: Console, report: Report) -> None:
    """A row for each file."""
    table = Table(box=SIMPLE, pad_edge=False)
    for name in ("file", "epoch", "first record", "last record", "groups", "size", "on disk", ""):
        table.add_column(name, justify="left" if name in ("file", "") else "right", no_wrap=True)
    for one in report.survey.checkpoints:
        state = f"{one.jobs:,} jobs" if one.whole else "[red]not whole[/red]"
        table.add_row(one.path.name, str(one.epoch), f"begun at {one.begin}", str(one.end), f"{one.blocks:,}",
                      size_text(one.size), size_text(one.used), state)
    for segment in report.survey.segments:
        first = last = ""
        if segment.base is not None and segment.base != segment.last:
            first, last = str(segment.base + 1), str(segment.last)
        table.add_row(segment.path.name, str(segment.epoch), first, last, f"{segment.groups:,}",
                      size_text(segment.size), size_text(segment.used), _end_of(segment))
    for path, used in report.survey.others:
        kind = "held ready" if path.name.startswith("spare") else "unfinished"
        table.add_row(path.name, "", "", "", "", "", size_text(used), kind)
    console.print(table)


def _end_of(segment: SegmentFacts) -> str:
    if segment.ended:
        return f"ended at byte {segment.end}"
    if segment.torn:
        return f"[yellow]{segment.torn} bytes torn at byte {segment.end}[/yellow]"
    return f"to byte {segment.end}"


def print_records(console: Console, report: Report) -> None:
    """How many there are of each kind."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("records of")
    table.add_column("in the log", justify="right")
    table.add_column("in checkpoints", justify="right")
    for kind in sorted({*report.log, *report.state}):
        table.add_row(kind, f"{report.log.get(kind, 0):,}", f"{report.state.get(kind, 0):,}")
    console.print(table)


def print_damages(console: Console, report: Report) -> None:
    """Each with its place and what it costs."""
    for one in report.damages:
        console.print(f"[red]damaged[/red] {one.file.name} at byte {one.offset}, after {one.record} good records: "
                      f"{one.reason}; lost: {one.lost}", soft_wrap=True, highlight=False)


def console_for_tables() -> Console:
    """Wide enough for the rows where nobody's terminal sets a limit."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def print_end(console: Console, report: Report) -> None:
    """How the log ends, and what a start would make of it."""
    found, torn = report.found, report.torn
    if torn is not None:
        what = "is being written" if report.pid else "was never acknowledged, and is cut by the next start"
        path, at, size = torn
        console.print(f"tail: {size} bytes at byte {at} of {path.name} are not whole: what stands there {what}",
                      soft_wrap=True, highlight=False)
    if found is not None:
        begin = f"{found.checkpoint} and " if found.checkpoint else ""
        console.print(f"a start reads {begin}{found.records:,} records of log, to record {found.position}; durable up "
                      f"to record {report.survey.stated} as stated", soft_wrap=True, highlight=False)
    else:
        console.print(f"[red]a start is refused[/red]: {report.refusal}", soft_wrap=True, highlight=False)
    if report.pid is not None:
        console.print(note_of(report.pid, report.survey.gone), soft_wrap=True, highlight=False)
