"""Whom does a checkpoint hold up? The longest waits of requests under full load, with checkpoints and without.

A room of perf/durability.py.
"""
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modes import event, log_bytes, middle, say, server
from page import Row

from flashq._bench.frames import Frames, payload
from flashq._bench.workload import Bench, Target

BATCH = 1000
CONNECTIONS = 4
PROBES_PER_SECOND = 1000
BAR_MS = 20.0
TRIES = 3               # turns for each that is to have a checkpoint
# As much log as this begins a checkpoint on the one server, and on the other only the filling does.
WITH = ("--checkpoint-factor", "1")
WITHOUT = ("--checkpoint-factor", "100")
EXPLAINED = """While batches are pushed and processed as fast as they go,
a single push a millisecond goes over a connection of its own; waits are those of all requests, in {load.turns} turns of
{load.jobs:,} jobs beside as many that wait, against a server that makes no checkpoint meanwhile."""


@dataclass(frozen=True)
class Load:
    """How much of it."""

    turns: int
    jobs: int


@dataclass
class Side:
    """One server, and the waits of its requests in ms: the longest of each turn."""

    target: Target
    heard: list[dict[str, Any]]
    bench: Bench
    makes: bool             # ... checkpoints: a turn without one says nothing
    checkpoints: int = 0
    longest: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)         # 99.99 % of the single pushes

    def turn(self, jobs: int) -> None:
        """Push and process so many jobs, under probes."""
        before = self.made()
        longest = high = 0.0
        for pushes in (True, False):
            probe = Frames("probe", payload()).push()
            options: dict[str, Any] = {"probe": probe, "rate": PROBES_PER_SECOND, "seconds": 60}
            if pushes:
                self.bench.push(jobs, BATCH, **options)
            else:
                self.bench.process(BATCH, **options)
            outcome = self.bench.outcome
            assert outcome is not None
            longest = max(longest, outcome.latency.max_ns / 1e6, outcome.probe.max_ns / 1e6)
            high = max(high, outcome.probe.percentile(99.99) / 1e6)
        ended = self.made() - before
        self.checkpoints += ended
        if ended or not self.makes:
            self.longest.append(longest)
            self.high.append(high)
        say(f"  {jobs:,} jobs {'with' if self.makes else 'without'}: longest wait {longest:.1f} ms, "
            f"{ended} checkpoints")

    def made(self) -> int:
        return sum(entry["event"] == "checkpoint" for entry in self.heard)


def filled(target: Target, heard: list[dict[str, Any]], makes: bool, jobs: int) -> Side:
    """A server with so many waiting jobs and its first checkpoint behind it."""
    waiting = Bench(target, Frames("waiting", payload()), CONNECTIONS)
    waiting.push(jobs, BATCH, 600)
    log_bytes(target)
    event(heard, "checkpoint")
    waiting.generator.close()
    return Side(target, heard, Bench(target, Frames("load", payload()), CONNECTIONS + 1), makes)


def rows(folder: Path, load: Load) -> list[Row]:
    """The bar, with what it was made from."""
    with ExitStack() as running:
        sides = []
        for makes, flags in ((True, WITH), (False, WITHOUT)):
            heard: list[dict[str, Any]] = []
            target = running.enter_context(server("commit", folder / ("with" if makes else "without"), *flags,
                                                  heard=heard))
            sides.append(filled(target, heard, makes, load.jobs))
        ours, other = sides
        for turn in range(TRIES * load.turns):
            if len(ours.longest) == load.turns:
                break
            for side in sides if turn % 2 else sides[::-1]:
                side.turn(load.jobs)
        for side in sides:
            side.bench.generator.close()
    return [row(ours, other, load)]


def row(ours: Side, other: Side, load: Load) -> Row:
    """How much longer the one's requests waited; nothing is shown when too few turns had a checkpoint."""
    longer = middle(ours.longest or [0.0]) - middle(other.longest)
    seen = "; ".join(f"{name}: {', '.join(f'{wait:.1f}' for wait in side.longest)} "
                     f"(99.99 % of the single pushes: {middle(side.high or [0.0]):.1f})"
                     for name, side in (("with", ours), ("without", other)))
    fine = longer <= BAR_MS and len(ours.longest) == load.turns and other.checkpoints == 0
    return Row("checkpoint under full load: longest wait of a request", f"{longer:+.1f} ms", f"<= +{BAR_MS:.0f} ms",
               fine, f"{seen} ms; {ours.checkpoints} checkpoints in {load.turns} turns")
