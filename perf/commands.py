"""What do managing, browsing and bulk removal cost while a million jobs wait, and whom do they hold up?

    python perf/management.py [--jobs 1000000] [--json]

Commands on single jobs go out 100 deep over 4 connections, each id once. Pages are the slowest of several, as a client
sees them. Behind DRAIN and OBLITERATE, while the memory of their jobs is given back, a PING goes out every millisecond.
"""
import argparse
import json
import random
import socket
import sys
import time
from array import array
from typing import Any

from flashq._bench import servers
from flashq._bench.frames import Frames, payload
from flashq._bench.loadgen import BenchError
from flashq._bench.traffic import Work
from flashq._bench.workload import Bench, Target

BATCH = 1000
CONNECTIONS = 4
DEPTH = 100
SAMPLE = 200_000
PAGES = 7
PROBES_PER_SECOND = 1000
AFTERMATH_SECONDS = 3.0
HOUR_MS = 3_600_000
SINGLE_BAR = 200_000            # a second
PAGE_BAR_MS = 10.0
PAUSE_BAR_MS = 10.0


class Caller:
    """One request at a time, in JSON, and how long each took."""

    def __init__(self, target: Target) -> None:
        self.sock = target.connect()
        self.sock.settimeout(60)
        self.frames = Frames("many", payload())
        self.reader = self.sock.makefile("rb")

    def __call__(self, command: str, **fields: Any) -> tuple[dict[str, Any], float]:
        """The reply, and ms until it was here."""
        frame = self.frames.encode(command, **fields)
        begin = time.perf_counter_ns()
        self.sock.sendall(frame)
        line = self.reader.readline()
        spent = (time.perf_counter_ns() - begin) / 1e6
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            raise BenchError(f"{command}: {reply['error']}")
        return reply, spent

    def close(self) -> None:
        self.reader.close()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def head_of(command: str, **fields: Any) -> dict[str, bytes]:
    """As Frames.with_id in JSON, with more fields before the id."""
    return {"id_head": Frames("", {}).encode(command, **fields)[:-2] + b',"id":', "id_tail": b"}\n"}


def fill(bench: Bench, jobs: int) -> "array[int]":
    """Push them in batches; a sample of their ids."""
    every = max(1, jobs // SAMPLE)
    bench.push(jobs, BATCH, 600, depth=1, keep=jobs // every, keep_every=every)
    assert bench.outcome is not None
    return bench.outcome.ids


def singles(target: Target, jobs: int) -> dict[str, float]:
    """Each command's rate a second, at about `jobs` waiting jobs."""
    bench = Bench(target, Frames("many", payload()), CONNECTIONS, DEPTH)
    ids = list(fill(bench, jobs))
    random.Random(1).shuffle(ids)
    chosen = array("Q", ids)
    rates = {}
    for priority in (3, 1_000_000):
        head = head_of("CHANGEPRIORITY", priority=priority)
        result = bench._measure(Work.BY_ID, given=chosen, **head)
        rates[f"CHANGEPRIORITY to {priority}"] = result.per_second
    rates["CANCEL"] = bench.by_id("CANCEL", chosen).per_second
    bench.push(len(ids), 1, delay_ms=HOUR_MS, keep=len(ids))
    assert bench.outcome is not None
    rates["PROMOTE"] = bench.by_id("PROMOTE", bench.outcome.ids).per_second
    bench.generator.close()
    return rates


def pages(call: Caller) -> dict[str, float]:
    """The slowest of a few requests for each kind of page, in ms."""
    for _ in range(50):
        call("PUSHB", queue="other", jobs=[{"data": 1, "delay": HOUR_MS}] * 100)
    found = {}
    kinds: dict[str, dict[str, Any]] = {
        "one queue": {"queue": "many"}, "all queues": {}, "state waiting": {"queue": "many", "state": "waiting"},
        "state delayed, few": {"state": "delayed"}, "a small queue": {"queue": "other"},
        "offset 10,000": {"queue": "many", "offset": 10_000}, "all queues, offset 10,000": {"offset": 10_000},
            }
    for name, fields in kinds.items():
        times = []
        for _ in range(PAGES):
            reply, spent = call("GETJOBS", limit=100, **fields)
            if len(reply["jobs"]) != 100:
                raise BenchError(f"{name}: {len(reply['jobs'])} jobs")
            times.append(spent)
        found[name] = max(times)
    return found


def removal(target: Target, command: str, jobs: int) -> dict[str, float]:
    """ms until the answer, and the longest PING beside it and the clean-up after it."""
    bench = Bench(target, Frames("many", payload()), CONNECTIONS)
    fill(bench, jobs)
    probe = Bench(target, Frames("many", payload()), 2)
    call = Caller(target)
    before, _ = call("COUNT", queue="many")
    frame = probe.frames.encode(command, queue="many")
    result = probe._measure(Work.FIXED, frame, count=1, seconds=10, depth=1)
    after, _ = call("COUNT", queue="many")
    if before["count"] < jobs or after["count"] != 0:
        raise BenchError(f"{command} left {after['count']} of {before['count']} jobs")
    begin = time.perf_counter()
    longest = 0.0
    while time.perf_counter() - begin < AFTERMATH_SECONDS:
        longest = max(longest, call("PING")[1])
        time.sleep(1 / PROBES_PER_SECOND)
    for one in (bench, probe):
        one.generator.close()
    call.close()
    return {"answer_ms": result.latency_us["max"] / 1000, "longest_wait_ms": longest}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="everything, as JSON on stdout")
    options = parser.parse_args()
    with servers.started(servers.FLASHQ) as target:
        found: dict[str, Any] = {"per_second": singles(target, options.jobs)}
        call = Caller(target)
        found["page_ms"] = pages(call)
        call.close()
    with servers.started(servers.FLASHQ) as target:
        found["removal"] = {command: removal(target, command, options.jobs) for command in ("DRAIN", "OBLITERATE")}
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    missed = 0
    for name, rate in found["per_second"].items():
        missed += rate < SINGLE_BAR
        print(f"{name:32} {rate:12,.0f} a second   (bar {SINGLE_BAR:,})")
    for name, spent in found["page_ms"].items():
        missed += spent > PAGE_BAR_MS
        print(f"GETJOBS, {name:23} {spent:12.2f} ms         (bar {PAGE_BAR_MS:.0f})")
    for command, times in found["removal"].items():
        missed += max(times.values()) > PAUSE_BAR_MS
        print(f"{command:32} {times['answer_ms']:12.2f} ms, longest wait beside it {times['longest_wait_ms']:.2f} ms "
              f"(bar {PAUSE_BAR_MS:.0f})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
