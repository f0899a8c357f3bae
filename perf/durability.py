"""What does durability cost? The journal beside the memory mode, and beside what the disk can do at all.

    python perf/durability.py [--quick] [--turns N] [--dir DIR] [--only PART,...] [--json] [--write-docs]

What `make bench-durability` runs, and `make bench` at its end. All modes, the plain loop of write and fdatasync and the
bare echo take turns on the same disk; ratios are medians over the turns. CPU is all of the server process's, measured
around the load alone. The directory, in build/ if none is named, is removed at the end; it takes up to 4 GiB.
"""
import argparse
import json
import resource
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import checkpoints
import growth
import page
import recovery
from modes import MODES, Disk, Steal, file_system, log_bytes, middle, say, scratch, server
from page import Row

from flashq._bench import servers
from flashq._bench.frames import DEFAULT_SIZE, Frames, payload
from flashq._bench.workload import Bench, Result, Target

BATCH = 1000
BATCH_CONNECTIONS = 16      # so many that the next group is always on its way
CONNECTIONS = (1, 10, 100, 1000)
SHARE = 0.7                 # of what the memory mode or the disk allows, whichever is less
FLOOR = 1_000_000           # jobs/s in batches, where the disk allows
CPU_BAR = 1.5
RECORD_BAR = 60             # bytes of journal beside the payload
PUSHED = 20_000             # jobs that the size of records is measured by
SYNCS = 200
SYNC_MIB = 64


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    turns: int
    jobs: int               # of a run in batches
    seconds: float          # of a run of single pushes
    load: checkpoints.Load
    recovered: int          # jobs


FULL = Size(turns=9, jobs=1_000_000, seconds=1.0, load=checkpoints.Load(turns=5, jobs=2_000_000), recovered=2_000_000)
QUICK = Size(turns=3, jobs=500_000, seconds=0.5, load=checkpoints.Load(turns=1, jobs=2_000_000), recovered=500_000)


@dataclass
class Turns:
    """Figures of one kind by mode, a list over the turns each, and what the disk could do in the same turns."""

    runs: dict[str, list[Result]] = field(default_factory=dict)
    disk: list[float] = field(default_factory=list)

    def add(self, mode: str, result: Result) -> None:
        self.runs.setdefault(mode, []).append(result)

    def speed(self, mode: str) -> float:
        """Median throughput."""
        return middle(run.per_second for run in self.runs[mode])

    def cpu(self, mode: str) -> float:
        """Median ns of server CPU for a job."""
        return middle(spent(run) for run in self.runs[mode])

    def share(self) -> float:
        """Median of the commit mode's throughput in what the memory mode or the disk allowed in that turn."""
        return middle(ours.per_second / min(memory.per_second, disk) for ours, memory, disk
                      in zip(self.runs["commit"], self.runs["memory"], self.disk, strict=True))

    def figures(self, disk: str) -> str:
        """What the ratio was made from."""
        limited = sum(run.generator_limited for runs in self.runs.values() for run in runs)
        note = f"; the generator was the limit in {limited} runs" if limited else ""
        return (f"{self.speed('commit'):,.0f}/s, memory {self.speed('memory'):,.0f}/s, "
                f"interval {self.speed('interval'):,.0f}/s, {disk} {middle(self.disk):,.0f}/s{note}")


def spent(result: Result) -> float:
    """ns of server CPU per job."""
    assert result.server_ns is not None, "the server's CPU time needs /proc"
    return result.server_ns


# --- bytes

@dataclass(frozen=True)
class Bytes:
    """Of journal, for one job."""

    pushed: float           # in batches
    single: float           # pushed alone, each in a group of its own
    processed: float        # PULLB and ACKB
    payload: int


def measure_bytes(folder: Path) -> Bytes:
    """How far the log gets with each kind of work."""
    frames = Frames("sized", payload())
    with server("commit", folder) as target:
        many, one = Bench(target, frames, BATCH_CONNECTIONS), Bench(target, frames, 1)
        marks = [log_bytes(target)]
        pushed = many.push(PUSHED, BATCH)
        marks.append(log_bytes(target))
        many.checked_drain(pushed, BATCH)
        marks.append(log_bytes(target))
        single = one.push(PUSHED // 10)
        marks.append(log_bytes(target))
        for bench in (many, one):
            bench.generator.close()
    many_bytes, processed, alone = (after - before for before, after in pairwise(marks))
    return Bytes(many_bytes / pushed.items, alone / single.items, processed / pushed.items, frames.data_size)


def bytes_rows(size: Bytes) -> list[Row]:
    bar = size.payload + RECORD_BAR
    return [Row(f"journal for a job pushed in batches of {BATCH}", f"{size.pushed:.1f} bytes", f"<= {bar} bytes",
                size.pushed <= bar, f"payload {size.payload}; pushed alone, with the head of a group of its own: "
                f"{size.single:.1f}; PULLB + ACKB: {size.processed:.1f}")]


# --- batches

def batches(targets: dict[str, Target], disk: Disk, size: Size, each: Bytes) -> tuple[Turns, Turns]:
    """PUSHB, then PULLB and ACKB of the same jobs, beside 1 MiB writes of the disk."""
    benches = {mode: Bench(target, Frames("batch", payload()), BATCH_CONNECTIONS) for mode, target in targets.items()}
    push, process = Turns(), Turns()
    for turn in range(size.turns):
        bandwidth = disk.bytes_per_second(SYNC_MIB // 2)
        for mode in turned(turn):
            pushed = benches[mode].push(size.jobs, BATCH)
            push.add(mode, pushed)
            process.add(mode, benches[mode].checked_drain(pushed, BATCH))
        bandwidth = (bandwidth + disk.bytes_per_second(SYNC_MIB // 2)) / 2
        push.disk.append(bandwidth / each.pushed)
        process.disk.append(bandwidth / each.processed)
        say(f"  batches, turn {turn + 1}: {bandwidth / 1e6:,.0f} MB/s; " + "; ".join(
            f"{mode} {push.runs[mode][-1].per_second:,.0f} and {process.runs[mode][-1].per_second:,.0f} jobs/s"
            for mode in MODES))
    for bench in benches.values():
        bench.generator.close()
    return push, process


def turned(turn: int) -> tuple[str, ...]:
    """The modes, each turn another one first."""
    return MODES[turn % len(MODES):] + MODES[:turn % len(MODES)]


def batch_rows(push: Turns, process: Turns) -> list[Row]:
    rows = []
    for work, turns in ((f"PUSHB of {BATCH}", push), (f"PULLB + ACKB of {BATCH}", process)):
        share, speed, allowed = turns.share(), turns.speed("commit"), SHARE * middle(turns.disk)
        rows.append(Row(f"{work}: throughput", f"{share:.2f} x min(memory, disk)", f">= {SHARE} x", share >= SHARE,
                        turns.figures("1 MiB writes of the disk")))
        note = "" if allowed >= FLOOR else f"the disk allows {allowed:,.0f}/s"
        rows.append(Row("the same", f"{speed / 1e6:.2f} million jobs/s", ">= 1 million jobs/s",
                        speed >= min(FLOOR, allowed), note))
    ratio = middle(spent(ours) / spent(memory) for ours, memory
                   in zip(push.runs["commit"], push.runs["memory"], strict=True))
    rows.append(Row(f"PUSHB of {BATCH}: server CPU per job, all threads", f"{ratio:.2f} x memory",
                    f"<= {CPU_BAR} x memory", ratio <= CPU_BAR, ", ".join(
                        f"{mode} {push.cpu(mode):,.0f} ns" for mode in MODES) + "; PULLB + ACKB: " + ", ".join(
                        f"{mode} {process.cpu(mode):,.0f} ns" for mode in MODES)))
    return rows


# --- single pushes

@dataclass
class Singles:
    """PUSH one at a time on each of so many connections, with a median fdatasync and an echo of each turn."""

    connections: int
    turns: Turns = field(default_factory=Turns)
    sync: list[float] = field(default_factory=list)         # seconds
    echo: list[float] = field(default_factory=list)         # seconds


def singles(targets: dict[str, Target], echo: Target, disk: Disk, size: Size) -> list[Singles]:
    """By number of connections."""
    frames = Frames("single", payload())
    found = [Singles(connections) for connections in CONNECTIONS]
    for turn in range(size.turns):
        for one in found:
            sync = disk.sync_seconds(SYNCS)
            for mode in turned(turn):
                bench = Bench(targets[mode], frames, one.connections)
                result = bench.push(0, seconds=size.seconds)
                bench.checked_drain(result, BATCH)
                bench.generator.close()
                one.turns.add(mode, result)
            bare = Bench(echo, frames, 1)
            one.echo.append(bare.echo(0, seconds=size.seconds / 4).latency_us["p50"] / 1e6)
            bare.generator.close()
            one.sync.append((sync + disk.sync_seconds(SYNCS)) / 2)
            one.turns.disk.append(one.connections / (2 * one.sync[-1]))
        say(f"  single pushes, turn {turn + 1}: " + "; ".join(
            f"{one.connections}: commit {one.turns.runs['commit'][-1].per_second:,.0f}/s, "
            f"memory {one.turns.runs['memory'][-1].per_second:,.0f}/s, fdatasync {one.sync[-1] * 1e6:,.0f} us"
            for one in found))
    return found


def single_rows(found: list[Singles]) -> list[Row]:
    alone, *others = found
    rows = []
    for one in others:
        share = one.turns.share()
        rows.append(Row(f"single PUSH, {one.connections} connections: throughput", f"{share:.2f} x min(memory, disk)",
                        f">= {SHARE} x", share >= SHARE,
                        one.turns.figures(f"{one.connections} / (2 x fdatasync)")))
    latency = [run.latency_us["p50"] / 1e6 for run in alone.turns.runs["commit"]]
    ratio = middle(took / (1.5 * sync + echo) for took, sync, echo in zip(latency, alone.sync, alone.echo, strict=True))
    syncs = middle((took - echo) / sync for took, sync, echo in zip(latency, alone.sync, alone.echo, strict=True))
    rows.append(Row("single PUSH, 1 connection: median latency", f"{syncs:.2f} x fdatasync + echo",
                    "<= 1.5 x fdatasync + echo", ratio <= 1.0,
                    f"{middle(latency) * 1e6:,.0f} us, fdatasync {middle(alone.sync) * 1e6:,.0f} us, "
                    f"echo {middle(alone.echo) * 1e6:,.0f} us; {alone.turns.speed('commit'):,.0f}/s"))
    return rows


# --- all of it

def measure(size: Size, folder: Path, parts: list[str]) -> tuple[list[Row], dict[str, Any]]:
    """All bars, and what they were made from."""
    rows: list[Row] = []
    raw: dict[str, Any] = {}
    disk = Disk(folder)

    def work() -> None:
        each = measure_bytes(folder / "sized")
        with ExitStack() as running:
            targets = {mode: running.enter_context(server(mode, folder / "work")) for mode in MODES}
            if "batches" in parts:
                push, process = batches(targets, disk, size, each)
                rows.extend(batch_rows(push, process))
                raw.update(push=asdict(push), process=asdict(process))
            if "singles" in parts:
                echo = running.enter_context(servers.started(growth.ECHO))
                found = singles(targets, echo, disk, size)
                rows.extend(single_rows(found))
                raw["singles"] = [asdict(one) for one in found]
        rows.extend(bytes_rows(each))

    steps: dict[str, Callable[[], None]] = {
        "work": work,
        "checkpoints": lambda: rows.extend(checkpoints.rows(folder / "checkpoints", size.load)),
        "recovery": lambda: rows.extend(recovery.rows(folder / "recovery", size.recovered)),
    }
    for name, step in steps.items():
        if name in parts or (name == "work" and {"batches", "singles"} & set(parts)):
            say(f"  {name}")
            step()
    disk.close()
    return rows, raw


PARTS = ("batches", "singles", "checkpoints", "recovery")


def document(rows: list[Row], size: Size, command: str, kind: str, stolen: float) -> str:
    """Its part of docs/performance.md."""
    return f"""{page.made_by(command)}

`commit` and `interval` beside the memory mode, with their defaults, and beside plain loops of write and fdatasync on
the same file system, into space filled as the journal's segments are: {Disk.SMALL} bytes a write for the
median fdatasync, 1 MiB for the bandwidth. They take turns; ratios are medians over {size.turns} turns of one run.
JSON payloads of {DEFAULT_SIZE} bytes; batches of {BATCH} over {BATCH_CONNECTIONS} connections, single pushes one at a
time on each connection. CPU is that of all threads of the server. {checkpoints.EXPLAINED.format(load=size.load)}
{recovery.EXPLAINED}

{page.machine_list()}
- disk: {kind}; {stolen:.1f} % of the processors' time was stolen by the hypervisor during the run

{page.table(rows)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer turns, fewer jobs")
    parser.add_argument("--turns", "--pairs", type=int, help="interleaved turns")
    parser.add_argument("--dir", type=Path, default=page.ROOT / "build", help="where on a disk")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="everything, as JSON on stdout")
    parser.add_argument("--write-docs", action="store_true", help="write its part of docs/performance.md")
    options = parser.parse_args()
    parts = options.only.split(",")
    if set(parts) - set(PARTS) or (options.write_docs and set(parts) != set(PARTS)):
        parser.error(f"parts are {', '.join(PARTS)}; the page shows all of them")
    size = QUICK if options.quick else FULL
    if options.turns:
        size = Size(options.turns, size.jobs, size.seconds, size.load, size.recovered)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
    before = Steal.now()
    with scratch(options.dir) as folder:
        rows, raw = measure(size, folder, parts)
        kind = file_system(folder)
    stolen = before.percent_since()
    if options.json:
        print(json.dumps({"machine": page.machine(), "disk": kind, "stolen_percent": stolen,
                          "rows": [asdict(row) for row in rows], **raw}, indent=2))
    else:
        print(f"{kind}, {stolen:.1f} % of the processors' time stolen\n\n{page.table(rows)}")
    if options.write_docs:
        command = "python " + " ".join(["perf/durability.py", *sys.argv[1:]])
        page.renew(page.DURABILITY, document(rows, size, command, kind, stolen))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
