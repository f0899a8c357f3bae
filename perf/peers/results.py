"""What a comparison found: as a table, as JSON, as a part of docs/performance.md, and whether the bar holds."""
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import processes
from contestants import CONTESTANTS, CORES, Contestant
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import page  # of the folder above, which is no package

BAR = 10.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One contestant once. Rates are jobs a second; the start is up to the first job done."""

    jobs: int
    push_rate: float
    rate: float
    seconds: float
    start_seconds: float


class Results:
    """Turns by the name of their contestant."""

    def __init__(self, told: Mapping[str, list[Turn]], folder: Path) -> None:
        self.told = told
        self._folder = folder       # of the peers' environments
        self.ran: list[Contestant] = [one for one in CONTESTANTS if one.name in told]

    def median(self, name: str, what: str) -> float:
        """Of the turns of one."""
        return statistics.median(getattr(turn, what) for turn in self.told[name])

    def rows(self) -> list[page.Row]:
        """The bars: each flashQ beside the best peer; none when one side did not run."""
        peers = [one.name for one in self.ran if one.is_peer]
        if not peers:
            return []
        best = max(peers, key=lambda name: self.median(name, "rate"))
        rows = []
        for one in self.ran:
            if not one.is_peer:
                times = self.median(one.name, "rate") / self.median(best, "rate")
                rows.append(page.Row(
                    f"empty jobs by one worker, {one.name}", f"{times:.1f} x {best}", f">= {BAR:.0f} x", times >= BAR,
                    f"{self.median(one.name, 'rate'):,.0f} jobs/s"))
        return rows

    def show(self, console: Console) -> None:
        """For people."""
        table = Table(title=f"Empty jobs, one worker, {CORES} cores; medians")
        table.add_column()
        for title in ("jobs/s", "pushed/s", "start s", "jobs a turn"):
            table.add_column(title, justify="right")
        for title in ("concurrency", "durability"):
            table.add_column(title)
        for one in self.ran:
            table.add_row(one.name, *self._figures(one), one.concurrency, one.durability)
        console.print(table)
        for one in self.ran:
            console.print(f"{one.name}: {one.settings}", highlight=False)
        for row in self.rows():
            console.print(f"{row.work}: {row.measured}, bar {row.bar}: {'PASS' if row.passed else 'MISS'}")

    def _figures(self, one: Contestant) -> tuple[str, str, str, str]:
        return (f"{self.median(one.name, 'rate'):,.0f}", f"{self.median(one.name, 'push_rate'):,.0f}",
                f"{self.median(one.name, 'start_seconds'):.2f}", f"{self.told[one.name][0].jobs:,}")

    def report(self) -> dict[str, object]:
        """For programs."""
        return {
            "machine": page.machine(), "cores": CORES, "load": os.getloadavg(), "bar": BAR,
            "redis_server": processes.redis_version() if any(one.is_peer for one in self.ran) else None,
            "contestants": {one.name: self._report(one) for one in self.ran},
        }

    def _report(self, one: Contestant) -> dict[str, object]:
        return {
            "concurrency": one.concurrency, "settings": one.settings, "durability": one.durability,
            "command": one.worker, "versions": one.versions(self._folder),
            "jobs_per_second": self.median(one.name, "rate"),
            "pushed_per_second": self.median(one.name, "push_rate"),
            "start_seconds": self.median(one.name, "start_seconds"),
            "turns": [asdict(turn) for turn in self.told[one.name]],
        }

    def document(self, command: str) -> str:
        """The body of the part of the page."""
        turns = len(next(iter(self.told.values())))
        lines = ["| | jobs/s | pushed/s | start, s | jobs a turn | concurrency | durability |",
                 "|---|---:|---:|---:|---:|---|---|"]
        lines += [f"| {one.name} | {' | '.join(self._figures(one))} | {one.concurrency} | {one.durability} |"
                  for one in self.ran]
        settings = "\n".join(f"- {one.name} ({self._versions(one)}): {one.settings}" for one in self.ran)
        return f"""{page.made_by(command)}

Empty jobs, all pushed before one worker starts; its speed counts from the first job done to the last. Medians of
{turns} turns, one of each contestant after the other, each on a fresh server. The peers stand on Redis
{processes.redis_version()}, started without any persistence: what is nearest to that here is the memory mode.

{page.machine_list()}

{page.table(self.rows())}

{chr(10).join(lines)}

{settings}
"""

    def _versions(self, one: Contestant) -> str:
        return ", ".join(f"{name} {version}" for name, version in one.versions(self._folder).items())
