"""What the system knows of a process, and waiting for what a server is going to do."""

import time
from collections.abc import Callable
from pathlib import Path

from support.tools import lacking
from support.wire import Client

MIB = 1024 * 1024


def resident_bytes(pid: int) -> int:
    """The memory that a process has in RAM now. The test is skipped where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        lacking("this system has no /proc/<pid>/status")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def until(condition: Callable[[], bool], client: Client, seconds: float = 20.0) -> None:
    """Wait for a condition; each look at it follows a request to the server, which so has a turn of its loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        client.ok("PING")
