"""How fast is it, and does it reach its bars? What `make bench` runs: our server beside a bare uvloop echo server.

    python perf/run.py [--quick] [--pairs N] [--json] [--write-docs]

Each measurement is a pair, ours and what it is held against, one after the other; ratios are medians over the pairs.
CPU is the server process's user and system time (/proc/PID/task/*/schedstat), measured around the load alone.
"""
import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import growth
import orjson
import page
from page import Row

from flashq._bench import servers
from flashq._bench.frames import Frames, payload
from flashq._bench.workload import Bench, Result, Target

BATCH = 1000
CONNECTIONS = 10
BATCH_CONNECTIONS = 4


@dataclass
class Size:
    """How much is measured."""

    pairs: int
    seconds: float
    jobs: int
    levels: list[int]
    rounds: int
    attempts: int


FULL = Size(pairs=15, seconds=1.0, jobs=1_000_000, levels=list(growth.LEVELS), rounds=15, attempts=6)
QUICK = Size(pairs=3, seconds=1.5, jobs=300_000, levels=[10_000, 1_000_000], rounds=5, attempts=2)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cpu(result: Result) -> float:
    """ns of server CPU per item."""
    assert result.server_ns is not None, "the server's CPU time needs /proc"
    return result.server_ns


def orjson_ns(frame: bytes, jobs: int, loops: int) -> float:
    """CPU ns per job that `orjson.loads` alone needs for the frame, collector off."""
    gc.disable()
    begin = time.thread_time_ns()
    for _ in range(loops):
        orjson.loads(frame)
    spent = time.thread_time_ns() - begin
    gc.enable()
    return spent / (loops * jobs)


def singles(ours: Target, echo: Target, size: Size) -> tuple[list[Row], dict[str, Any]]:
    """PUSH over 10 connections, depth 1, against the echo of the same frames."""
    frames = Frames("single", payload())
    push, bare = Bench(ours, frames, CONNECTIONS), Bench(echo, frames, CONNECTIONS)
    pairs: list[tuple[Result, Result]] = []
    for turn in range(size.pairs):
        pair = push.push(0, seconds=size.seconds), bare.echo(0, seconds=size.seconds)
        push.checked_drain(pair[0], BATCH)
        pairs.append(pair)
        say(f"  single PUSH, pair {turn + 1}: {pair[0].per_second:,.0f}/s and echo {pair[1].per_second:,.0f}/s, "
            f"CPU {cpu(pair[0]):,.0f} and {cpu(pair[1]):,.0f} ns")
    spent = statistics.median(cpu(mine) / cpu(other) for mine, other in pairs)
    speed = statistics.median(mine.per_second / other.per_second for mine, other in pairs)
    limited = sum(mine.generator_limited or other.generator_limited for mine, other in pairs)
    note = f"; the generator was the limit in {limited} pairs" if limited else ""
    middle = medians([mine for mine, _ in pairs]), medians([other for _, other in pairs])
    rows = [
        Row("single PUSH, 10 connections, depth 1: server CPU per request", f"{spent:.2f} x echo", "<= 1.15 x echo",
            spent <= 1.15, f"{middle[0]['cpu_ns']:,.0f} ns, echo {middle[1]['cpu_ns']:,.0f} ns"),
        Row("the same: throughput", f"{speed:.2f} x echo", ">= 0.90 x echo", speed >= 0.90,
            f"{middle[0]['per_second']:,.0f}/s, echo {middle[1]['per_second']:,.0f}/s{note}"),
    ]
    return rows, {"flashq": [mine.as_dict() for mine, _ in pairs], "echo": [other.as_dict() for _, other in pairs]}


def medians(results: list[Result]) -> dict[str, float]:
    """Of throughput, and of both sides' CPU per item."""
    pick: dict[str, Callable[[Result], float]] = {
        "per_second": lambda r: r.per_second, "cpu_ns": cpu, "generator_ns": lambda r: r.generator_ns}
    return {name: statistics.median(map(take, results)) for name, take in pick.items()}


def batches(ours: Target, size: Size) -> tuple[list[Row], dict[str, Any]]:
    """PUSHB, then PULLB and ACKB of the same jobs, in both formats, beside orjson.loads of the JSON frame."""
    json_bench = Bench(ours, Frames("batch-json", payload()), BATCH_CONNECTIONS)
    pack_bench = Bench(ours, Frames("batch-msgpack", payload(), True), BATCH_CONNECTIONS)
    frame = json_bench.frames.push_batch(BATCH)[:-1]
    runs: list[dict[str, Any]] = []
    for turn in range(size.pairs):
        run: dict[str, Any] = {"push_json": json_bench.push(size.jobs, BATCH)}
        run["orjson"] = orjson_ns(frame, BATCH, size.jobs // BATCH)
        run["process_json"] = json_bench.checked_drain(run["push_json"], BATCH)
        run["push_msgpack"] = pack_bench.push(size.jobs, BATCH)
        run["process_msgpack"] = pack_bench.checked_drain(run["push_msgpack"], BATCH)
        runs.append(run)
        say(f"  batches, pair {turn + 1}: CPU per job PUSHB {cpu(run['push_json']):,.0f} ns, MessagePack "
            f"{cpu(run['push_msgpack']):,.0f} ns, PULLB + ACKB {cpu(run['process_json']):,.0f} ns, "
            f"orjson.loads {run['orjson']:,.0f} ns")
    raw = {name: [run[name].as_dict() for run in runs] for name in runs[0] if name != "orjson"}
    return batch_rows(runs), raw | {"orjson_ns_per_job": [run["orjson"] for run in runs]}


def batch_rows(runs: list[dict[str, Any]]) -> list[Row]:
    push = statistics.median(cpu(run["push_json"]) / run["orjson"] for run in runs)
    pack = statistics.median(cpu(run["push_msgpack"]) / cpu(run["push_json"]) for run in runs)
    work = statistics.median(cpu(run["process_json"]) / run["orjson"] for run in runs)
    middle = {name: medians([run[name] for run in runs]) for name in runs[0] if name != "orjson"}
    loads = statistics.median(run["orjson"] for run in runs)

    def detail(name: str) -> str:
        limited = any(run[name].generator_limited for run in runs)
        return (f"{middle[name]['cpu_ns']:,.0f} ns, {middle[name]['per_second']:,.0f} jobs/s, generator "
                f"{middle[name]['generator_ns']:,.0f} ns{' (the limit)' if limited else ''}")

    speed = middle["process_json"]["per_second"]
    return [
        Row("PUSHB of 1000 x 100-byte JSON: server CPU per job", f"{push:.2f} x orjson.loads", "<= 0.60 x orjson.loads",
            push <= 0.60, f"{detail('push_json')}; orjson.loads {loads:,.0f} ns"),
        Row("the same in MessagePack", f"{pack:.2f} x JSON", "<= 0.80 x JSON", pack <= 0.80, detail("push_msgpack")),
        Row("PULLB + ACKB of 1000: server CPU per job", f"{work:.2f} x orjson.loads", "<= 0.80 x orjson.loads",
            work <= 0.80, detail("process_json")),
        Row("the same: throughput", f"{speed / 1e6:.2f} million jobs/s", ">= 1 million jobs/s", speed >= 1e6,
            f"MessagePack: {detail('process_msgpack')}"),
    ]


def memory_rows(used: dict[str, float]) -> list[Row]:
    per_job, after = used["bytes_per_job"], used["after_ratio"]
    mib = 1024 * 1024
    return [
        Row("memory per waiting job beyond the payload", f"{per_job:.0f} bytes", "<= 200 bytes", per_job <= 200,
            f"{used['jobs']:,} jobs, payload {used['payload']} bytes"),
        Row("resident size after that backlog is drained", f"{after:.2f} x before", "<= 1.20 x before", after <= 1.20,
            f"{used['before'] / mib:.0f} MiB before, {used['full'] / mib:.0f} full, {used['after'] / mib:.0f} after"),
    ]


def growth_rows(grown: dict[str, Any]) -> list[Row]:
    worst = max(grown["growth"], key=lambda name: grown["growth"][name])
    phase = max(grown["pauses_ms"], key=lambda name: grown["pauses_ms"][name])
    pause = grown["pauses_ms"][phase]
    top, low = grown["levels"][-1], grown["levels"][0]
    return [
        Row(f"dearest operation at {top:,} waiting jobs against {low:,}", f"{grown['growth'][worst]:.2f} x",
            f"<= {growth.GROWTH_BAR} x", grown["growth"][worst] <= growth.GROWTH_BAR, worst),
        Row("longest pause", f"{pause:.1f} ms", f"<= {growth.PAUSE_BAR_MS:.0f} ms", pause <= growth.PAUSE_BAR_MS,
            f"{phase}; bare echo under the same load: {grown['machine_pause_ms']:.1f} ms"),
    ]


def document(rows: list[Row], grown: dict[str, Any], size: Size, command: str) -> str:
    """Its part of docs/performance.md."""
    example = json.dumps(payload(), separators=(",", ":"))
    return f"""{page.made_by(command)}

One server process, all bookkeeping on, no durability; the load generator (`flashq bench`) checks every reply and runs
on the other core. Ratios are medians over {size.pairs} interleaved pairs in one run; CPU is the server process's user
and system time around the load. Payloads are JSON objects of {len(example)} bytes:
`{example}`.
Single pushes go over {CONNECTIONS} connections, one at a time each, batches of {BATCH} over {BATCH_CONNECTIONS}.
The echo is `perf/echo.py`, a uvloop Protocol that sends back what it gets.

{page.machine_list()}

{page.table(rows)}

## Growth

Server CPU per operation by the number of waiting jobs ({growth.DEPTH} single requests in flight on one connection,
batches one at a time), and the longest wait of any request, PINGs a millisecond apart among them.

A climb with a wait over the bar is repeated, up to {size.attempts} climbs in all, and each step of a million jobs
counts with the shortest of its longest waits: a pause of the data comes again, one of the machine does not. So the
figures are the best of those climbs ({len(grown["all_pauses_ms"])} this time; their longest waits:
{", ".join(f"{max(one.values()):.1f}" for one in grown["all_pauses_ms"])} ms).

Costs come from one server for each level, worked on in turns; growth is the median over the turns.

{growth.report(grown)}
"""


def measure(size: Size) -> tuple[list[Row], dict[str, Any]]:
    """All bars, and everything they were made from."""
    with servers.started(servers.FLASHQ) as ours, servers.started(growth.ECHO) as echo:
        single_rows, single_raw = singles(ours, echo, size)
    with servers.started(servers.FLASHQ) as ours:
        rows, batch_raw = batches(ours, size)
    say("  memory")
    used = growth.memory()
    say("  growth")
    grown = growth.growth(size.levels, size.rounds, size.attempts)
    rows = [*single_rows, *rows, *memory_rows(used), *growth_rows(grown)]
    return rows, {"single": single_raw, "batch": batch_raw, "memory": used, "growth": grown}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pairs, growth to 1 million only")
    parser.add_argument("--pairs", type=int, help="interleaved pairs")
    parser.add_argument("--json", action="store_true", help="everything, as JSON on stdout")
    parser.add_argument("--write-docs", action="store_true", help="write its part of docs/performance.md")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    size.pairs = options.pairs or size.pairs
    rows, raw = measure(size)
    if options.json:
        print(json.dumps({"machine": page.machine(), "rows": [asdict(row) for row in rows], **raw}, indent=2))
    else:
        print(page.table(rows) + "\n\n" + growth.report(raw["growth"]))
    if options.write_docs:
        command = "python " + " ".join(["perf/run.py", *sys.argv[1:]])
        page.renew(page.SERVER, document(rows, raw["growth"], size, command))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
