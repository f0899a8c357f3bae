"""Who works: the counts of METRICS and the list of WORKERS, through what connections do."""

from typing import Any

from support.server import ServerProcess
from support.simulated import START_WALL, Client, Simulation
from support.wire import Codec

LATELY_MS = 30_000
HELD = 20_000           # jobs looked at, over all connections


def counts(client: Client, queue: str | None = None) -> tuple[int, int, int]:
    """Workers, those that hold jobs, and pulls that wait: of the queue, or of all."""
    found = client.ok("METRICS")["metrics"]
    if queue is not None:
        (found,) = (one for one in found["queues"] if one["name"] == queue)
    return found["workers"], found["busy_workers"], found["waiting_pulls"]


def workers(client: Client, **fields: Any) -> list[dict[str, Any]]:
    reply = client.ok("WORKERS", **fields)
    assert len(reply["workers"]) <= reply["total"]
    return list(reply["workers"])


def test_a_producer_is_none(sim: Simulation, client: Client) -> None:
    sim.connect().push("a")
    assert counts(client) == counts(client, "a") == (0, 0, 0)
    assert client.ok("METRICS")["metrics"]["connections"] == 2
    assert client.ok("WORKERS") == {"ok": True, "success": True, "workers": [], "total": 0}


def test_one_that_waits_holds_and_leaves(sim: Simulation, client: Client) -> None:
    sim.advance(1000)
    worker = sim.connect()
    sim.advance(500)
    worker.send("PULL", queue="a", reqId="1")
    worker.send("PULLB", queue="a", count=5, reqId="2")
    assert counts(client) == counts(client, "a") == (1, 0, 2)
    (one,) = workers(client)
    assert one == {"session": None, "address": None, "connected_at": START_WALL + 1000,
                   "last_pull_at": START_WALL + 1500, "active": 0, "waiting_pulls": 2, "queues": ["a"]}
    client.push("a")
    assert counts(client, "a") == (1, 1, 1)
    (one,) = workers(client, queue="a")
    assert (one["active"], one["waiting_pulls"]) == (1, 1)
    worker.disconnect()
    assert counts(client, "a") == (0, 0, 0) and workers(client) == []


def test_one_that_only_looks_in_stays_for_a_while(sim: Simulation, client: Client) -> None:
    """Between its pulls it does nothing that shows."""
    worker = sim.connect()
    client.push("b", delay=10**9)
    for queue in ("a", "b"):
        assert worker.pulls_nothing(queue)
    sim.advance(LATELY_MS)
    assert counts(client) == counts(client, "b") == (1, 0, 0)
    assert [one["queues"] for one in workers(client)] == [["a", "b"]]
    sim.advance(1)
    assert counts(client) == counts(client, "b") == (0, 0, 0) and workers(client) == []


def test_one_that_holds_a_long_job_stays(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    client.push("a"), client.push("b")
    job = worker.pull("a")
    sim.advance(10 * LATELY_MS)
    assert counts(client) == counts(client, "a") == (1, 1, 0) and counts(client, "b") == (0, 0, 0)
    assert [one["queues"] for one in workers(client)] == [["a"]]
    worker.ok("ACK", id=job["id"])
    assert counts(client) == (0, 0, 0)


def test_several_workers_of_several_queues(sim: Simulation, client: Client) -> None:
    first, second = sim.connect(), sim.connect()
    first.send("PULL", queues=["a", "b"], reqId="1")
    second.send("PULL", queue="b", reqId="1")
    assert (counts(client), counts(client, "a"), counts(client, "b")) == ((2, 0, 2), (1, 0, 1), (2, 0, 2))
    assert [one["queues"] for one in workers(client)] == [["a", "b"], ["b"]]
    assert [one["queues"] for one in workers(client, queue="a")] == [["a", "b"]]
    assert workers(client, queue="nowhere") == []
    client.push("b"), client.push("a"), client.push("b")
    assert counts(client, "b") == (2, 2, 0)
    assert counts(client, "a") == (1, 0, 0)         # it pulled from there, a moment ago


def test_a_session_has_its_name_and_its_jobs(sim: Simulation, client: Client) -> None:
    """On the connection that speaks for it."""
    worker = sim.connect()
    worker.ok("HELLO", session="worker-1")
    client.push("a")
    worker.pull("a")
    (one,) = workers(client)
    assert (one["session"], one["active"]) == ("worker-1", 1)
    worker.disconnect()
    assert workers(client) == []
    again = sim.connect()
    again.ok("HELLO", session="worker-1")
    (one,) = workers(client)
    assert (one["session"], one["active"], one["last_pull_at"], one["queues"]) == ("worker-1", 1, None, ["a"])


def test_the_list_is_as_long_as_asked(sim: Simulation, client: Client) -> None:
    """Those that are connected for longest come first."""
    others = [sim.connect() for _ in range(5)]
    for number, other in enumerate(others):
        other.ok("HELLO", session=str(number))
    for other in reversed(others):
        other.pulls_nothing("a")
    assert [one["session"] for one in workers(client)] == ["0", "1", "2", "3", "4"]
    assert [one["session"] for one in workers(client, limit=2)] == ["0", "1"]
    assert client.ok("WORKERS", limit=0) == {"ok": True, "success": True, "workers": [], "total": 5}
    assert "limit" in client.error("WORKERS", limit=1001)


def test_queues_that_were_pulled_from_are_few(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    for number in range(12):
        worker.pulls_nothing(f"q{number:02}")
    worker.pulls_nothing("q08")
    (one,) = workers(client)
    assert one["queues"] == [f"q{number:02}" for number in range(4, 12)]
    worker.pulls_nothing("q00")
    (one,) = workers(client)
    assert one["queues"] == ["q00", *(f"q{number:02}" for number in range(5, 12))]


def test_a_queue_that_is_gone(sim: Simulation, client: Client) -> None:
    """An idle one is given back; who pulled from it works for it no more."""
    worker = sim.connect()
    worker.pulls_nothing("a")
    client.ok("OBLITERATE", queue="a")
    assert counts(client) == (1, 0, 0)
    sim.advance(10 * 60_000)
    assert client.ok("METRICS")["metrics"]["queues"] == []
    assert counts(client) == (0, 0, 0)


def test_jobs_of_an_obliterated_queue_are_held_no_more(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    ids = client.push_many(10, "a")
    worker.ok("PULLB", queue="a", count=10)
    # In one read: those that are gone are not yet cleared away.
    client.send_raw(client.encode("OBLITERATE", queue="a") + client.encode("METRICS"))
    metrics = client.replies()[1]["metrics"]
    assert (metrics["workers"], metrics["busy_workers"]) == (1, 0)
    assert "not found" in client.error("ACK", id=ids[0])


def test_only_the_first_of_very_many_jobs_are_looked_at(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    client.push_many(HELD, "a")
    for _ in range(HELD // 1000):
        worker.ok("PULLB", queue="a", count=1000)
    client.push("b")
    worker.pull("b")
    sim.advance(LATELY_MS + 1)
    assert counts(client, "a") == (1, 1, 0) and counts(client, "b") == (0, 0, 0)
    assert client.ok("METRICS")["metrics"]["workers"] == 1


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client, server.client(codec) as worker:
        client.ok("PUSH", queue=queue_name, data=1)
        worker.ok("PULL", queue=queue_name)
        (one,) = client.ok("WORKERS", queue=queue_name)["workers"]
        assert one["address"].startswith("127.0.0.1:") and one["active"] == 1
        assert one["connected_at"] <= one["last_pull_at"]
