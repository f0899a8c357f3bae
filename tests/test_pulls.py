"""Pulls that wait: in which order they are served and answered, and what ends them."""


import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec


@pytest.fixture
def client(sim: Simulation) -> Client:
    return sim.connect()


def test_waiting_pulls_are_served_in_order_of_arrival(sim: Simulation, client: Client) -> None:
    workers = [sim.connect(codec) for codec in (JSON, MSGPACK, JSON)]
    for worker in workers:
        worker.send("PULL", queue="q")
    late = sim.connect()
    for number in range(3):
        client.push(data=number)
        assert late.pulls_nothing(), "it may not overtake those who wait"
    assert [worker.replies()[0]["job"]["data"] for worker in workers] == [0, 1, 2]


def test_a_waiting_batch_gets_what_there_is(sim: Simulation, client: Client) -> None:
    worker, other = sim.connect(), sim.connect()
    worker.send("PULLB", queue="q", count=2)
    other.send("PULLB", queue="q", count=5)
    client.ok("PUSHB", queue="q", jobs=[{"data": n} for n in range(3)])
    assert [job["data"] for job in worker.replies()[0]["jobs"]] == [0, 1]
    assert [job["data"] for job in other.replies()[0]["jobs"]] == [2]


@pytest.mark.parametrize("timeout", [1, 250, None])
def test_a_wait_ends_empty_at_its_time(sim: Simulation, client: Client, timeout: int | None) -> None:
    client.send("PULL", queue="q", timeout=timeout)
    sim.advance((timeout or 60_000) - 1)
    assert client.replies() == []
    sim.advance(1)
    assert client.replies() == [{"ok": True, "success": True, "job": None}]
    client.send("PULLB", queue="q", count=3, timeout=timeout)
    sim.advance(timeout or 60_000)
    assert client.replies() == [{"ok": True, "success": True, "jobs": [], "job": None}]


def test_a_waiting_pull_gets_a_job_the_moment_its_delay_ends(sim: Simulation, client: Client) -> None:
    job_id = client.push(delay=70)
    worker = sim.connect()
    worker.send("PULL", queue="q")
    sim.advance(69)
    assert worker.replies() == []
    sim.advance(1)
    assert worker.replies()[0]["job"]["id"] == job_id


def test_pulls_with_req_id_are_overtaken(sim: Simulation, client: Client, codec: Codec) -> None:
    worker = sim.connect(codec)
    worker.send("PULL", queue="q", reqId="slow")
    worker.send("PULL", queue="r", reqId="slower")
    assert worker.call("PING", reqId="p")["reqId"] == "p"
    assert "reqId" not in worker.call("PING")
    client.push("r")
    client.push("q")
    assert [reply["reqId"] for reply in worker.replies()] == ["slower", "slow"]


def test_without_req_id_replies_keep_the_order_of_requests(sim: Simulation, client: Client, codec: Codec) -> None:
    worker = sim.connect(codec)
    worker.send_raw(worker.encode("PULL", queue="q") + worker.encode("PING") + worker.encode("PUSH", queue="r"))
    assert worker.replies() == []
    assert client.ok("COUNT", queue="r")["count"] == 0, "what stands behind a waiting pull is not executed yet"
    assert worker.call("PING", reqId="now")["pong"] is True
    job_id = client.push()
    first, second, third = worker.replies()
    assert first["job"]["id"] == job_id and second["pong"] is True and third["id"] > 0


def test_the_order_holds_when_the_own_next_request_ends_the_wait(sim: Simulation, codec: Codec) -> None:
    """A push with reqId serves the pull before it; the request after it must not overtake the one kept back."""
    worker = sim.connect(codec)
    worker.send_raw(
        worker.encode("PULL", queue="q") + worker.encode("COUNT", queue="kept")
        + worker.encode("PUSH", queue="q", reqId="x") + worker.encode("PING"))
    kinds = [next(key for key in ("reqId", "job", "count", "pong") if key in reply) for reply in worker.replies()]
    assert kinds == ["reqId", "job", "count", "pong"]


def test_what_waits_behind_a_pull_goes_on_after_a_large_reply(sim: Simulation, codec: Codec) -> None:
    """So many bytes leave before the read is worked off."""
    worker = sim.connect(codec)
    worker.send_raw(worker.encode("PULL", queue="q") + worker.encode("PING")
                    + worker.encode("PUSH", queue="q", data="x" * 300_000, reqId="x"))
    assert [("job" in reply, "pong" in reply) for reply in worker.replies()] == [
        (False, False), (True, False), (False, True)]


def test_requests_kept_behind_a_pull_stay_in_order_when_reading_stops(client: Client, sim: Simulation) -> None:
    """More is kept than `write_high_water`, so the rest is not even read."""
    with simulation(write_high_water=1024) as small:
        worker, other = small.connect(), small.connect()
        requests = [worker.encode("PULL", queue="q")]
        requests += [worker.encode("PUSH", queue=f"n{number}", data="x" * 50) for number in range(60)]
        requests.insert(10, worker.encode("PULL", queue="q"))
        worker.send_raw(b"".join(requests))
        assert worker.replies() == []
        other.push()
        other.push()
        replies = worker.replies()
        assert len(replies) == 62
        assert [index for index, reply in enumerate(replies) if "job" in reply] == [0, 10]
        assert len(other.ok("LISTQUEUES")["queues"]) == 61


def test_a_pull_of_a_lost_client_takes_no_job(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    worker.send("PULL", queue="q")
    worker.send("PULL", queue="q", reqId="r")
    worker.disconnect()
    job_id = client.push()
    assert client.state(job_id) == "waiting"
    assert client.pull()["id"] == job_id


def test_a_half_close_is_answered_before_the_connection_closes(sim: Simulation, client: Client, codec: Codec) -> None:
    worker = sim.connect(codec)
    client.push("later")
    worker.send_raw(worker.encode("PULL", queue="q", reqId="r") + worker.encode("PULL", queue="q")
                    + worker.encode("PULL", queue="nothing") + worker.encode("COUNT", queue="later"))
    worker.finish()
    replies = worker.replies()
    assert {"reqId": "r", "ok": True, "success": True, "job": None} in replies
    rest = [reply for reply in replies if "reqId" not in reply]
    assert [reply.get("job", reply.get("count")) for reply in rest] == [None, None, 1]
    assert worker.closed


def test_a_line_that_the_half_close_ends_is_a_request(client: Client) -> None:
    client.send_raw(b'{"cmd":"PUSH","queue":"q"}')
    assert client.replies() == []
    client.finish()
    assert client.replies()[0]["ok"] is True and client.closed


def test_pull_limits_are_refused_at_their_edge() -> None:
    with simulation(max_parked=2) as sim:
        client = sim.connect()
        for number in range(2):
            client.send("PULL", queue="q", reqId=str(number))
        assert client.error("PULL", queue="q", reqId="2") == "Too many requests are waiting (max 2)"
        client.ok("PUSH", queue="r", reqId="3")
        assert client.ok("PULL", queue="r", reqId="4")["job"] is not None


def test_a_paused_queue_hands_out_nothing_until_it_is_resumed(sim: Simulation, client: Client) -> None:
    client.ok("PAUSE", queue="q")
    assert client.ok("ISPAUSED", queue="q")["paused"] is True
    jobs = [client.push(), client.push()]
    assert client.pulls_nothing()
    worker = sim.connect()
    worker.send("PULL", queue="q", timeout=100)
    sim.advance(100)
    assert worker.replies()[0]["job"] is None
    worker.send("PULL", queue="q")
    client.ok("RESUME", queue="q")
    assert worker.replies()[0]["job"]["id"] == jobs[0]
    client.ok("PAUSE", queue="q")
    worker.ok("FAIL", id=jobs[0])
    worker.send("PULL", queue="q", timeout=1)
    assert worker.replies() == [], "a retry waits like the others"


def test_pause_leaves_active_jobs_alone(client: Client) -> None:
    job_id = client.push()
    client.pull()
    client.ok("PAUSE", queue="q")
    client.ok("HEARTBEAT", id=job_id)
    client.ok("ACK", id=job_id)


def test_draining_answers_pulls_empty_and_lets_the_rest_go_on(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    client.pull()
    worker = sim.connect()
    worker.send("PULL", queue="q")
    sim.hub.begin_drain()
    assert worker.replies()[0]["job"] is None
    client.ok("ACK", id=job_id)
    client.push()
    assert client.ok("PULL", queue="q", timeout=1000)["job"] is None, "no job begins now"
