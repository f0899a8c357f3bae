"""METRICS: the numbers that clients format, from the first moment on and through time."""

from typing import Any

from support.server import ServerProcess
from support.simulated import Client, Simulation
from support.wire import Codec

NONE = {"count": 0, "p50": None, "p95": None, "p99": None}


def metrics(client: Client) -> dict[str, Any]:
    return dict(client.ok("METRICS")["metrics"])


def complete(sim: Simulation, client: Client, ms: int) -> None:
    """One job that took so long from push to end."""
    id = client.push()
    client.pull()
    sim.advance(ms)
    client.ok("ACK", id=id)


def test_of_an_empty_server(client: Client) -> None:
    found = metrics(client)
    assert found == {"total_pushed": 0, "total_completed": 0, "total_failed": 0, "jobs_per_second": 0.0,
                     "avg_latency_ms": 0.0, "wait_ms": NONE, "processing_ms": NONE, "connections": 1, "workers": 0,
                     "busy_workers": 0, "waiting_pulls": 0, "queues": [],
                     "store": {"durability": "memory", "health": "ok", "position": 0, "durable": 0, "pending_bytes": 0,
                               "log_bytes": 0, "checkpoint_bytes": 0}}
    assert type(found["jobs_per_second"]) is float and type(found["avg_latency_ms"]) is float


def test_totals_and_queues(sim: Simulation, client: Client) -> None:
    complete(sim, client, 30)
    complete(sim, client, 50)
    client.push(max_attempts=1)
    client.ok("FAIL", id=client.pull()["id"])
    client.push("b", delay=1000), client.push("b"), client.pull("b"), client.push("b")
    client.ok("RATELIMIT", queue="b", limit=7)
    found = metrics(client)
    assert (found["total_pushed"], found["total_completed"], found["total_failed"]) == (6, 2, 1)
    assert found["avg_latency_ms"] == 40.0
    counts = [{key: queue[key] for key in ("name", "pending", "processing", "dlq", "rate_limit")}
              for queue in found["queues"]]
    assert counts == [
        {"name": "b", "pending": 2, "processing": 1, "dlq": 0, "rate_limit": 7},
        {"name": "q", "pending": 0, "processing": 0, "dlq": 1, "rate_limit": None},
    ]


def test_jobs_per_second_over_the_last_minute(sim: Simulation, client: Client) -> None:
    """The original's was always 0 (wire document, 10.2 number 29)."""
    for _ in range(20):
        complete(sim, client, 500)
    assert metrics(client)["jobs_per_second"] == 2.0
    sim.advance(30_000)
    assert metrics(client)["jobs_per_second"] == 0.5
    sim.advance(60_000)
    assert metrics(client)["jobs_per_second"] == 0.0


def test_a_clock_set_back_makes_no_negative_latency(sim: Simulation, client: Client) -> None:
    id = client.push()
    client.pull()
    sim.loop.wall -= 10_000
    client.ok("ACK", id=id)
    assert metrics(client)["avg_latency_ms"] == 0.0


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        before = client.ok("METRICS")["metrics"]
        client.ok("PUSH", queue=queue_name, data=1)
        client.ok("ACK", id=client.ok("PULL", queue=queue_name)["job"]["id"])
        after = client.ok("METRICS")["metrics"]
        assert after["total_pushed"] == before["total_pushed"] + 1
        assert after["total_completed"] == before["total_completed"] + 1
        assert after["jobs_per_second"] > 0 and after["avg_latency_ms"] >= 0
        (queue,) = (one for one in after["queues"] if one["name"] == queue_name)
        assert (queue["wait_ms"]["count"], queue["processing_ms"]["count"], queue["workers"]) == (1, 1, 1)
        assert after["wait_ms"]["p99"] >= 0 and after["workers"] >= 1
