"""Does anything cost more when more jobs wait? CPU per operation, the longest pause and memory, by size of the backlog.

    python perf/growth.py [--levels 10000,1000000,10000000] [--rounds 15] [--json]

Costs are the server's CPU time per job, measured on a server for each level in turns; growth is the median over the
turns of what the largest needs against the smallest. Single commands go out 32 deep over one connection, so that the
engine and not the socket dominates; batches hold 1000 jobs and go one at a time. The pause is the longest time any
request took, among them a PING a millisecond over a connection of its own, while the backlog grows, is worked on and
drains. The same PINGs beside the same frames against a bare echo server show the machine's own pauses.
"""
import argparse
import json
import random
import statistics
import sys
import time
from array import array
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flashq._bench import process, servers
from flashq._bench.frames import Frames, payload
from flashq._bench.loadgen import Outcome
from flashq._bench.workload import Bench, Result, Target

ECHO = [sys.executable, str(Path(__file__).with_name("echo.py"))]
LEVELS = (10_000, 1_000_000, 10_000_000)
BATCH = 1000
SINGLES = 2000
BATCHES = 5
CLIMB_ROUNDS = 5
STEP = 1_000_000        # jobs between two looks at the longest wait
DEPTH = 32
SAMPLE = 200_000
HOUR_MS = 3_600_000
PROBES_PER_SECOND = 1000
PAUSE_BAR_MS = 10.0
GROWTH_BAR = 2.5


@dataclass
class Backlog:
    """A queue with a known number of waiting jobs, and the ids of some of them."""

    single: Bench
    batches: Bench
    size: int = 0
    known: "array[int]" = field(default_factory=lambda: array("Q"))
    longest_us: float = 0.0

    @classmethod
    def of(cls, target: Target) -> "Backlog":
        frames = Frames("growth", payload())
        return cls(Bench(target, frames, 1, DEPTH), Bench(target, frames, 2, 1))

    def seen(self, result: Result, bench: Bench) -> Result:
        """Note the longest wait of this run."""
        self.longest_us = max(self.longest_us, result.latency_us["max"], self.last(bench).probe.max_ns / 1000)
        return result

    @staticmethod
    def last(bench: Bench) -> Outcome:
        """What the last run of `bench` brought."""
        assert bench.outcome is not None
        return bench.outcome

    def probed(self) -> dict[str, Any]:
        return {"probe": self.batches.frames.encode("PING"), "rate": PROBES_PER_SECOND}

    def fill(self, size: int) -> Result | None:
        """Push in batches until `size` jobs wait, with the probe beside it."""
        missing = size - self.size
        if missing <= 0:
            return None
        every = max(1, missing // SAMPLE)
        result = self.batches.push(missing, BATCH, 600, keep=missing // every, keep_every=every, **self.probed())
        self.size += result.items
        self.remember(self.batches)
        return self.seen(result, self.batches)

    def drain(self, batches: int = 0) -> Result:
        """Process so many batches (0: everything), with the probe beside it."""
        self.size -= min(self.size, batches * BATCH or self.size)
        return self.seen(self.batches.process(BATCH, 600, count=batches, **self.probed()), self.batches)

    def remember(self, bench: Bench) -> None:
        self.known.extend(self.last(bench).ids)

    def forget_up_to(self, last_id: int) -> None:
        """Jobs leave in the order of their ids."""
        self.known = array("Q", (id for id in self.known if id > last_id))

    def some(self, count: int) -> "array[int]":
        return array("Q", random.sample(self.known, min(count, len(self.known))))

    def forget(self, ids: "array[int]") -> None:
        gone = set(ids)
        self.known = array("Q", (id for id in self.known if id not in gone))


def one_round(backlog: Backlog) -> dict[str, Result]:
    """Every operation once, a few thousand times over."""
    single, batches = backlog.single, backlog.batches
    done = {"PUSH": single.push(SINGLES, keep=SINGLES)}
    backlog.remember(single)
    done["GETJOB"] = single.by_id("GETJOB", backlog.some(SINGLES))
    done["PULL"] = single.pull(SINGLES)
    pulled = backlog.last(single)
    backlog.forget_up_to(pulled.last_id)
    done["ACK"] = single.by_id("ACK", pulled.ids)
    done["PUSH delayed"] = single.push(SINGLES, delay_ms=HOUR_MS, keep=SINGLES)
    done["CANCEL delayed"] = single.by_id("CANCEL", backlog.last(single).ids)
    doomed = backlog.some(SINGLES)
    backlog.forget(doomed)
    done["CANCEL"] = single.by_id("CANCEL", doomed)
    done["PUSHB"] = batches.push(BATCHES * BATCH, BATCH, keep=BATCHES * BATCH)
    backlog.remember(batches)
    done["PULLB + ACKB"] = batches.process(BATCH, count=BATCHES)
    backlog.forget_up_to(backlog.last(batches).last_id)
    backlog.size += done["PUSHB"].items - done["PULLB + ACKB"].items - len(doomed)
    backlog.longest_us = max(backlog.longest_us, *(result.latency_us["max"] for result in done.values()))
    return done


@dataclass
class Costs:
    """Server CPU in ns per operation by the number of waiting jobs, and how the last compares to the first: medians."""

    costs_ns: dict[int, dict[str, float]]
    growth: dict[str, float]


def costs(levels: list[int], rounds: int) -> Costs:
    """A server for each level, all there at once, worked on in turns: what slows the machine meets them alike."""
    samples: dict[int, dict[str, list[float]]] = {size: {} for size in levels}
    with ExitStack() as running:
        backlogs = {size: Backlog.of(running.enter_context(servers.started(servers.FLASHQ))) for size in levels}
        for turn in range(rounds + 1):
            for size, backlog in backlogs.items():
                backlog.fill(size)
                for name, result in one_round(backlog).items():
                    if turn > 0 and result.server_ns is not None:       # the first round warms up
                        samples[size].setdefault(name, []).append(result.server_ns)
    first, last = samples[levels[0]], samples[levels[-1]]
    return Costs(
        {size: {name: statistics.median(values) for name, values in found.items()} for size, found in samples.items()},
        {name: statistics.median(b / a for a, b in zip(first[name], last[name], strict=True)) for name in first},
    )


def climb(levels: list[int]) -> dict[tuple[str, int], float]:
    """One fresh server through all levels and back to nothing: the longest wait of each phase and step, in ms."""
    pauses: dict[tuple[str, int], float] = {}
    with servers.started(servers.FLASHQ) as target:
        backlog = Backlog.of(target)

        def note(phase: str, step: int = 0) -> None:
            pauses[phase, step] = backlog.longest_us / 1000
            backlog.longest_us = 0.0

        for size in levels:
            for step in range(1, size // STEP + 1):
                backlog.fill(step * STEP)
                note(f"growing to {size:,}", step)
            backlog.fill(size)
            note(f"growing to {size:,}")
            for turn in range(CLIMB_ROUNDS):
                backlog.fill(size)
                one_round(backlog)
                note(f"working at {size:,}", turn)
        for step in range(levels[-1] // STEP):
            backlog.drain(STEP // BATCH)
            note(f"draining {levels[-1]:,}", step)
        backlog.drain()
        note(f"draining {levels[-1]:,}", -1)
    return pauses


def shortest_pauses(climbs: list[dict[tuple[str, int], float]]) -> dict[str, float]:
    """Of each phase its worst step, a step counting with the shortest of its longest waits."""
    pauses: dict[str, float] = {}
    for (phase, step), _ in climbs[0].items():
        pauses[phase] = max(pauses.get(phase, 0.0), min(climb[phase, step] for climb in climbs))
    return pauses


def machine_pause_ms(seconds: float = 3.0) -> float:
    """The longest wait of the same probe beside the same frames, at a server that only echoes."""
    with servers.started(ECHO) as target:
        bench = Bench(target, Frames("growth", payload()), 2, 1)
        probe = bench.frames.encode("PING")
        result = bench.echo(0, BATCH, seconds, probe=probe, rate=PROBES_PER_SECOND)
        assert bench.outcome is not None
        return max(result.latency_us["max"], bench.outcome.probe.max_ns / 1000) / 1000


def growth(levels: list[int], rounds: int, attempts: int = 3) -> dict[str, Any]:
    """Costs by level, their growth, and the longest pause.

    A pause that the size of the data causes comes again at the same size, one of the machine does not. So when a wait
    was over the bar the climb is made again, and each step of a million jobs counts with the shortest of its longest
    waits.
    """
    measured = costs(levels, rounds)
    seen = [climb(levels)]
    while max(shortest_pauses(seen).values()) > PAUSE_BAR_MS and len(seen) < attempts:
        seen.append(climb(levels))
    return {
        "levels": levels,
        "costs_ns": measured.costs_ns,
        "growth": measured.growth,
        "pauses_ms": shortest_pauses(seen),
        "all_pauses_ms": [shortest_pauses([one]) for one in seen],
        "machine_pause_ms": machine_pause_ms(),
    }


def settled_bytes(pid: int, wanted: float, patience: float = 10.0) -> int:
    """Resident size once it is at most `wanted`, or has had the time: memory goes back in slices."""
    end = time.monotonic() + patience
    while (size := process.resident_bytes(pid)) > wanted and time.monotonic() < end:
        time.sleep(0.1)
    return size


def memory(jobs: int = 1_000_000, binary: bool = False) -> dict[str, float]:
    """Bytes of resident memory per waiting job beyond its payload, and what stays after the backlog is gone."""
    with servers.started(servers.FLASHQ) as target:
        assert target.pid is not None
        bench = Bench(target, Frames("memory", payload(), binary), 2, 1)
        bench.checked_drain(bench.push(20 * BATCH, BATCH), BATCH)       # buffers and code that any work needs
        before = settled_bytes(target.pid, 0, 1.0)
        pushed = bench.push(jobs, BATCH, 600)
        full = process.resident_bytes(target.pid)
        bench.checked_drain(pushed, BATCH, 600)
        after = settled_bytes(target.pid, 1.2 * before)
    per_job = (full - before) / pushed.items - bench.frames.data_size
    return {"jobs": pushed.items, "before": before, "full": full, "after": after, "payload": bench.frames.data_size,
            "bytes_per_job": per_job, "after_ratio": after / before}


def report(result: dict[str, Any]) -> str:
    """Both tables as Markdown."""
    levels = result["levels"]
    lines = ["| operation | " + " | ".join(f"{size:,} waiting" for size in levels) + " | growth |",
             "|---|" + "---:|" * (len(levels) + 1)]
    for name, grown in result["growth"].items():
        costs = " | ".join(f"{result['costs_ns'][size][name]:,.0f} ns" for size in levels)
        lines.append(f"| {name} | {costs} | {grown:.2f} x |")
    lines += ["", "| longest wait of any request | ms |", "|---|---:|"]
    lines += [f"| {phase} | {pause:.2f} |" for phase, pause in result["pauses_ms"].items()]
    lines.append(f"| (bare echo server, same load, 3 s) | {result['machine_pause_ms']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", default=",".join(map(str, LEVELS)))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = growth([int(level) for level in options.levels.split(",")], options.rounds) | {"memory": memory()}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(report(result))
    used = result["memory"]
    print(f"\n{used['bytes_per_job']:.0f} bytes per waiting job beyond {used['payload']} bytes of payload; "
          f"after draining {used['jobs']:,} jobs the resident size is {used['after_ratio']:.2f} of what it was")


if __name__ == "__main__":
    main()
