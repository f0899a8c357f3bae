"""A crowd of idle, honest and hostile connections: honest work is done exactly as told, and the memory comes back.

`FLASHQ_TORTURE_SEED` repeats a run; each run prints its seed.
"""

import json
import os
import random
import resource

import pytest

from conftest import StartServer
from support.process import MIB, resident_bytes, until
from support.server import ServerProcess
from support.tools import lacking
from support.wire import Client
from torture.swarm import QUEUE, Swarm

FLAGS = ("--lease", "300ms", "--lost-workers", "1000000", "--write-timeout", "1s", "--write-high-water", "64KB")
FLAGS += ("--keep-completed", "1000", "--keep-results", "0", "--memory-limit", "4GB")


def chosen_seed() -> int:
    seed = int(os.environ.get("FLASHQ_TORTURE_SEED", "0")) or random.randrange(1, 2**31)
    print(f"FLASHQ_TORTURE_SEED={seed}")
    return seed


def need_files(wanted: int) -> None:
    """Lift the limit of open files, for the server that is started next as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        lacking(f"{wanted} open files are needed, {hard} allowed (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def empty(client: Client) -> None:
    """Take away what hostile clients pushed by accident."""
    for name, counts in client.ok("STATS")["queues"].items():
        while counts["waiting"] and (jobs := client.ok("PULLB", queue=name, count=1000, timeout=0)["jobs"]):
            client.ok("ACKB", ids=[job["id"] for job in jobs])


def torture(server: ServerProcess, connections: int, seconds: float) -> None:
    with server.client() as client:
        client.ok("PING")
        before = resident_bytes(server.pid)
        swarm = Swarm.rage(server, connections, seconds, chosen_seed())
        ledger = swarm.ledger
        print(f"open at once: {swarm.most_open} idle; {len(ledger.pushed)} jobs; hostile acts: {dict(ledger.did)}")
        assert swarm.most_open > connections / 2
        assert ledger.refused == []
        assert set(ledger.done) == ledger.pushed
        assert set(ledger.done.values()) == {1}
        counts = client.ok("STATS")["queues"].get(QUEUE, {})
        assert {counts.get(name, 0) for name in ("waiting", "active", "delayed", "failed")} == {0}
        empty(client)
        # Each may cost a little, beside what those who do not read their replies leave in the server: see FLAGS.
        grown = swarm.peak - before
        assert grown < 32 * MIB + connections * 64 * 1024
        until(lambda: resident_bytes(server.pid) - before < 24 * MIB + grown // 10, client, 60)
        left = resident_bytes(server.pid) - before
        print(f"resident: {before // MIB} MiB before, {grown / MIB:+.1f} MiB at most, {left / MIB:+.1f} MiB after")
        server.stop()
    (draining,) = [event for event in map(json.loads, server.log) if event["event"] == "draining"]
    assert draining["connections"] == 1, "connections were left behind"
    assert "command_failed" not in server.text and "_failed" not in server.text


def test_a_small_crowd(start_server: StartServer) -> None:
    need_files(600)
    torture(start_server(*FLAGS), 300, 4)


@pytest.mark.slow
@pytest.mark.torture
def test_ten_thousand_connections(start_server: StartServer) -> None:
    need_files(11_000)
    torture(start_server(*FLAGS), 10_000, float(os.environ.get("FLASHQ_TORTURE_SECONDS", "120")))
