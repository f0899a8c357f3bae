"""docs/performance.md: who writes which part of it, and the rows of bars that the parts are made of."""
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"

# The parts, in the order of the page; each reaches to the next one's heading, and only its writer changes it.
SERVER = "# Performance"                            # perf/run.py
COMMANDS = "## Commands beside a million jobs"      # perf/commands.py
DURABILITY = "## Durability"                        # perf/durability.py
PYTHON = "## The Python client and the Worker"        # perf/python.py
PEERS = "## Beside other queues"                    # perf/peers/run.py
BY_HAND = "## How sure this is"
PARTS = (SERVER, COMMANDS, DURABILITY, PYTHON, PEERS, BY_HAND)


@dataclass
class Row:
    """One line of a table: a bar, or a figure without one."""

    work: str
    measured: str
    bar: str
    passed: bool
    detail: str = ""


def table(rows: list[Row]) -> str:
    """The bars as Markdown."""
    lines = ["| work | measured | bar | | figures (medians) |", "|---|---|---|---|---|"]
    lines += [f"| {r.work} | {r.measured} | {r.bar} | {_verdict(r)} | {r.detail} |" for r in rows]
    return "\n".join(lines)


def _verdict(row: Row) -> str:
    if not row.bar:
        return ""
    return "PASS" if row.passed else "MISS"


def made_by(command: str) -> str:
    """The first sentence of a part that a program writes."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"Made by `{command}` on {day}; run it again to renew this part of the page."


def renewed(text: str, part: str, body: str) -> str:
    """The page's text with another body under one heading of PARTS; the other parts stay as they are."""
    bodies: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line in PARTS:
            current = bodies.setdefault(line, [])
        else:
            current.append(line)
    bodies[part] = body.splitlines()
    return "\n\n".join(f"{heading}\n\n" + "\n".join(bodies[heading]).strip("\n")
                       for heading in PARTS if heading in bodies) + "\n"


def renew(part: str, body: str) -> None:
    """Write one part of the page."""
    PAGE.write_text(renewed(PAGE.read_text(), part, body))


def machine() -> dict[str, str]:
    """Where and with what this was measured."""
    cpu_name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu_name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "orjson", "msgpack", "Cython"))
    return {"processor": f"{os.cpu_count()} x {cpu_name}", "system": f"{platform.system()} {platform.release()}",
            "Python": platform.python_version(), "packages": packages}


def machine_list() -> str:
    """The same as a Markdown list."""
    return "\n".join(f"- {name}: {value}" for name, value in machine().items())
