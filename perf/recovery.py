"""How fast is a start? Jobs a second out of a checkpoint, records a second out of segments.

A room of perf/durability.py.
"""
import os
import signal
import time
from pathlib import Path
from typing import Any

from modes import MIB, event, log_bytes, middle, say, server
from page import Row

from flashq._bench.frames import Frames, payload
from flashq._bench.workload import Bench

BATCH = 1000
CONNECTIONS = 4
TRIES = 3
KILL = signal.SIGKILL               # one that is asked to stop leaves a checkpoint
CHECKPOINT_BAR = 1_000_000          # jobs/s
SEGMENT_BAR = 700_000               # records/s
ALL_IN_LOG = ("--segment-size", str(512 * MIB))         # no checkpoint before four of them are full
AT_ONCE = ("--segment-size", str(64 * 1024), "--checkpoint-factor", "1")
EXPLAINED = """Recovery is what the server logs as `recovered`: from the first file it
opens to an engine that serves; the files are dropped from the page cache before."""


def cold(folder: Path) -> None:
    """Its files are read from the disk next time, where the system lets us ask for that."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def recovered(folder: Path) -> tuple[dict[str, Any], float]:
    """What a start says of it, and the seconds until the server was ready."""
    heard: list[dict[str, Any]] = []
    cold(folder)
    begin = time.monotonic()
    with server("commit", folder, *ALL_IN_LOG, heard=heard, end=KILL):
        return event(heard, "recovered"), time.monotonic() - begin


def tried(folder: Path, what: str, unit: str, bar: int, count: str) -> Row:
    """A few starts; the median counts."""
    found, waits = [], []
    for _ in range(TRIES):
        told, ready = recovered(folder)
        found.append(told)
        waits.append(ready)
    speed = middle(told[count] / max(told["seconds"], 0.001) for told in found)
    spent, last = middle(told["seconds"] for told in found), found[-1]
    detail = (f"{last['jobs']:,} jobs, {last['records']:,} records of log: {spent:.2f} s; "
              f"ready {middle(waits):.2f} s after the start of the process")
    say(f"  {what}: {speed:,.0f} {unit}/s")
    return Row(f"recovery from {what}", f"{speed / 1e6:.2f} million {unit}/s", f">= {bar / 1e6:g} million {unit}/s",
               speed >= bar, detail)


def rows(folder: Path, jobs: int) -> list[Row]:
    """From a log of pushes, from one of finished work, and from a checkpoint of waiting jobs."""
    frames = Frames("recovered", payload())
    with server("commit", folder / "pushed", *ALL_IN_LOG, end=KILL) as target:
        bench = Bench(target, frames, CONNECTIONS)
        bench.push(jobs, BATCH, 600)
        log_bytes(target)
    with server("commit", folder / "worked", *ALL_IN_LOG, end=KILL) as target:
        bench = Bench(target, frames, CONNECTIONS)
        bench.checked_drain(bench.push(jobs, BATCH, 600), BATCH, 600)
        log_bytes(target)
    found = [tried(folder / "pushed", "segments, waiting jobs", "records", SEGMENT_BAR, "records"),
             tried(folder / "worked", "segments, jobs pulled and acknowledged", "records", SEGMENT_BAR, "records")]
    heard: list[dict[str, Any]] = []
    with server("commit", folder / "pushed", *AT_ONCE, heard=heard):
        event(heard, "checkpoint")
    return [tried(folder / "pushed", "a checkpoint", "jobs", CHECKPOINT_BAR, "jobs"), *found]
