"""Pulls from several queues: in order, by weight, and waiting in all of their lines at once."""

from collections import Counter
from typing import Any

import pytest

from flashq import commands
from flashq.commands.jobs import MAX_QUEUES, MAX_WEIGHT
from support.simulated import Client, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec, Message

QUEUES_RULE = "Invalid: field 'queues' must be a list of 1 to 100 different queue names"
WEIGHTS_RULE = "Invalid: field 'weights' must be a list of integers from 1 to 1000, as many as 'queues' has"
EMPTY: Message = {"ok": True, "success": True, "job": None}


def pull_one(client: Client, queues: list[str], **fields: Any) -> Message | None:
    """The job that a pull of these queues delivers without waiting."""
    job: Message | None = client.ok("PULL", queues=queues, timeout=0, **fields)["job"]
    return job


def pull_some(client: Client, queues: list[str], count: int, **fields: Any) -> list[Any]:
    """(queue, data) of each job of a batch."""
    jobs = client.ok("PULLB", queues=queues, count=count, timeout=0, **fields)["jobs"]
    return [(job["queue"], job["data"]) for job in jobs]


def fill(client: Client, queue: str, count: int) -> None:
    client.ok("PUSHB", queue=queue, jobs=[{"data": n} for n in range(count)])


def answer(client: Client) -> Any:
    """(queue, data) of the job that the one reply since the last look brings; None for no reply."""
    replies = client.replies()
    assert len(replies) <= 1
    return (replies[0]["job"]["queue"], replies[0]["job"]["data"]) if replies else None


# --- what may be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cmd", ["PULL", "PULLB"])
@pytest.mark.parametrize(("fields", "error"), [
    ({}, "Invalid: missing field 'queue'"),
    ({"queues": None}, "Invalid: missing field 'queue'"),
    ({"weights": [1]}, "Invalid: missing field 'queue'"),
    ({"queue": "a", "queues": ["b"]}, "Invalid: field 'queues' and 'queue' exclude each other"),
    ({"queues": []}, QUEUES_RULE),
    ({"queues": "a"}, QUEUES_RULE),
    ({"queues": ["a", 1]}, QUEUES_RULE),
    ({"queues": [f"q{n}" for n in range(101)]}, QUEUES_RULE),
    ({"queues": ["a", "b", "a"]}, QUEUES_RULE),
    ({"queues": ["a", ""]}, "Queue name cannot be empty"),
    ({"queues": ["a", "b" * 257]}, "Queue name too long (max 256 chars)"),
    ({"queues": ["a b"]},
     "Queue name must contain only alphanumeric characters, underscores, hyphens, or dots"),
    ({"queue": "a", "weights": [1]}, WEIGHTS_RULE),
    ({"queues": ["a", "b"], "weights": [1]}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": [1, 1]}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": []}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": [0]}, WEIGHTS_RULE),
    ({"queues": ["a", "b"], "weights": [1, 1001]}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": [-1]}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": [1.5]}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": 1}, WEIGHTS_RULE),
    ({"queues": ["a"], "weights": [1] * 101}, WEIGHTS_RULE),
])
def test_what_no_pull_can_mean_is_refused(client: Client, cmd: str, fields: Message, error: str) -> None:
    before = client.ok("LISTQUEUES")
    assert client.error(cmd, timeout=0, **({"count": 1} if cmd == "PULLB" else {}), **fields) == error
    assert client.ok("LISTQUEUES") == before, "nothing half-applied"


def test_the_limits_are_those_of_the_table(client: Client) -> None:
    assert (MAX_QUEUES, MAX_WEIGHT) == (100, 1000)
    names = [f"n{n}" for n in range(100)]
    client.push("n99", data="last")
    job = pull_one(client, names, weights=[MAX_WEIGHT] * 100)
    assert job is not None and job["data"] == "last"
    assert pull_one(client, names, weights=None) is None
    assert all(command.fields[1].name == "queues" for command in commands.COMMANDS if command.name == "PULL")


@pytest.mark.parametrize("name", ["é", "é\\", "ab-c.d_1", "日本", "\u00e9" * 128])
def test_names_may_be_spelled_with_escapes(sim: Simulation, name: str) -> None:
    """In JSON as in any text; what they stand for is what counts."""
    client = sim.connect()
    spelled = "".join(f"\\u{ord(char):04x}" for char in name)
    line = f'{{"cmd":"PULL","queues":[ "a" , "{spelled}"\t],"timeout":0}}\n'
    if "\\" in name:
        client.send_raw(line.encode())
        assert "alphanumeric" in client.replies()[0]["error"]
        return
    client.push(name, data=1)
    client.send_raw(line.encode())
    assert client.replies()[0]["job"]["queue"] == name
    client.send_raw(f'{{"cmd":"PULL","queues":["{name}","{spelled}"],"timeout":0}}\n'.encode())
    assert client.replies()[0]["error"] == QUEUES_RULE, "the same queue, spelled in two ways"


def test_a_long_list_leaves_no_room_behind(sim: Simulation) -> None:
    client = sim.connect()
    client.send_raw(b'{"cmd":"PULL","queues":["a",' + b" " * 300_000 + b'"\\u0062"],"timeout":0}\n')
    assert client.replies() == [EMPTY]
    client.push("b")
    assert pull_one(client, ["a", "b"]) is not None


@pytest.mark.parametrize("parked", [False, True])
def test_new_names_count_against_the_limit_of_queues(parked: bool) -> None:
    with simulation(max_queues=4) as sim:
        client, other = sim.connect(), sim.connect()
        for name in ("a", "b", "idle1", "idle2"):
            other.ok("PULL", queue=name, timeout=0)
        other.push("a")
        assert client.error("PULL", queues=["b", "w", "x", "y", "z"], timeout=0) == "Too many queues (max 4)"
        client.send("PULL", queues=["b", "c", "d"], timeout=100 if parked else 0)   # idle ones make room, but not b
        assert client.replies() == ([] if parked else [EMPTY])
        assert {one["name"] for one in sim.engine.queues()} == {"a", "b", "c", "d"}
        if parked:
            assert other.error("PULL", queues=["a", "e"], timeout=0) == "Too many queues (max 4)"
            other.push("d", data=5)
            assert answer(client) == ("d", 5)


# --- in order -----------------------------------------------------------------------------------------------------


def test_jobs_come_from_the_first_queue_that_has_one(client: Client) -> None:
    for queue in ("c", "b", "a"):
        fill(client, queue, 2)
    order = [pull_one(client, ["b", "none", "a"]) for _ in range(5)]
    assert [job and (job["queue"], job["data"]) for job in order] == [("b", 0), ("b", 1), ("a", 0), ("a", 1), None]


def test_a_batch_goes_on_to_the_next_queue(client: Client) -> None:
    for queue in ("a", "b", "c"):
        fill(client, queue, 3)
    assert pull_some(client, ["b", "a", "c"], 5) == [("b", 0), ("b", 1), ("b", 2), ("a", 0), ("a", 1)]
    assert pull_some(client, ["b", "a", "c"], 1000) == [("a", 2), ("c", 0), ("c", 1), ("c", 2)]
    assert client.ok("PULLB", queues=["a"], count=3, timeout=0) == {
        "ok": True, "success": True, "jobs": [], "job": None}


def test_priority_counts_within_a_queue_alone(client: Client) -> None:
    client.push("b", data="high", priority=9)
    client.push("a", data="low", priority=-9)
    assert pull_some(client, ["a", "b"], 2) == [("a", "low"), ("b", "high")]


@pytest.mark.parametrize("weights", [None, [1000, 1]])
def test_a_queue_that_is_held_back_is_passed_over(sim: Simulation, client: Client, weights: list[int] | None) -> None:
    for queue in ("a", "b"):
        fill(client, queue, 6)

    def pulled(count: int) -> list[str]:
        return [queue for queue, _ in pull_some(client, ["a", "b"], count, weights=weights)]

    client.ok("PAUSE", queue="a")
    assert pulled(1) == ["b"]
    client.ok("RESUME", queue="a")
    client.ok("SETCONCURRENCY", queue="a", limit=1)
    assert sorted(pulled(3)) == ["a", "b", "b"]
    assert pulled(1) == ["b"]
    client.ok("CLEARCONCURRENCY", queue="a")
    client.ok("RATELIMIT", queue="a", limit=2)
    assert sorted(pulled(3)) == ["a", "a", "b"]
    assert pulled(9) == ["b"]
    sim.advance(500)
    assert pulled(9) == ["a"]


@pytest.mark.parametrize("weights", [None, [1000, 1]])
def test_a_queue_whose_groups_are_busy_is_passed_over(
    sim: Simulation, client: Client, weights: list[int] | None
) -> None:
    ids = [client.push("a", data=n, group_id="g") for n in range(3)]
    fill(client, "b", 3)
    assert sorted(pull_some(client, ["a", "b"], 3, weights=weights)) == [("a", 0), ("b", 0), ("b", 1)]
    assert pull_some(client, ["a", "b"], 9, weights=weights) == [("b", 2)]
    worker = sim.connect()
    worker.send("PULL", queues=["b", "a"])
    client.ok("ACK", id=ids[0])
    assert answer(worker) == ("a", 1)
    client.ok("SETGROUPS", queue="a", group_concurrency=5, group_rate=1)
    taken = pull_some(client, ["a", "b"], 9, weights=weights)
    assert taken in ([], [("a", 2)]), "whether a token is left or not, the pull ends"


def test_a_long_reply_ends_at_its_limit(codec: Codec) -> None:
    with simulation(max_frame=4096, max_job_size=2000) as sim:
        client = sim.connect(codec)
        for queue in ("a", "b"):
            for number in range(2):
                client.push(queue, data=str(number) * 1500)
        assert [(queue, data[0]) for queue, data in pull_some(client, ["a", "b"], 9)] == [("a", "0")]
        assert [(queue, data[0]) for queue, data in pull_some(client, ["a", "b"], 9)] == [("a", "1")]
        assert [(queue, data[0]) for queue, data in pull_some(client, ["a", "b"], 9, weights=[1, 1])] == [("b", "0")]


# --- by weight ----------------------------------------------------------------------------------------------------


def shares(client: Client, weights: dict[str, int], pulls: int, count: int) -> Counter[str]:
    """How many jobs came from each queue, of queues that always have more."""
    found: Counter[str] = Counter()
    for queue in weights:
        for _ in range(0, pulls * count, 1000):
            fill(client, queue, 1000)
    for _ in range(pulls):
        taken = pull_some(client, list(weights), count, weights=list(weights.values()))
        found.update(queue for queue, _ in taken)
    return found


@pytest.mark.parametrize(("pulls", "count"), [(2000, 1), (40, 50)])
def test_the_shares_follow_the_weights(sim: Simulation, pulls: int, count: int) -> None:
    found = shares(sim.connect(MSGPACK), {"a": 6, "b": 3, "c": 1}, pulls, count)
    assert found.total() == 2000
    for queue, expected in (("a", 1200), ("b", 600), ("c", 200)):
        assert abs(found[queue] - expected) < 100, found       # over 4 standard deviations


def test_chance_is_the_engines_own(codec: Codec) -> None:
    """The same seed and requests give the same jobs."""
    runs = []
    for _ in range(2):
        with simulation() as sim:
            client = sim.connect(codec)
            fill(client, "a", 50)
            fill(client, "b", 50)
            runs.append(pull_some(client, ["a", "b"], 60, weights=[2, 1]))
    assert runs[0] == runs[1]
    order = [queue for queue, _ in runs[0]]
    assert order != sorted(order), "not one queue after the other"


def test_a_queue_without_work_blocks_nobody(client: Client) -> None:
    fill(client, "a", 2)
    fill(client, "b", 20)
    taken = pull_some(client, ["a", "b", "none"], 100, weights=[1000, 1, 1000])
    assert Counter(queue for queue, _ in taken) == {"a": 2, "b": 20}
    for queue in ("a", "b"):
        numbers = [number for name, number in taken if name == queue]
        assert numbers == sorted(numbers), "each queue in its own order"


# --- waiting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, [1, 7, 9]])
@pytest.mark.parametrize("served", ["a", "b", "c"])
def test_a_waiting_pull_takes_from_the_first_that_gets_a_job(
    sim: Simulation, client: Client, weights: list[int] | None, served: str
) -> None:
    worker = sim.connect(client.codec)
    worker.send("PULL", queues=["a", "b", "c"], weights=weights)
    job_id = client.push(served, data=1)
    assert answer(worker) == (served, 1) and client.state(job_id) == "active"
    for queue in ("a", "b", "c"):
        assert client.state(client.push(queue)) == "waiting", "it waits nowhere any more"
    assert worker.replies() == []


def test_a_waiting_batch_takes_what_that_queue_has(sim: Simulation, client: Client) -> None:
    worker = sim.connect(client.codec)
    worker.send("PULLB", queues=["a", "b"], count=5)
    fill(client, "b", 3)
    assert [(job["queue"], job["data"]) for job in worker.replies()[0]["jobs"]] == [("b", 0), ("b", 1), ("b", 2)]


def test_each_line_is_served_in_order_of_arrival(sim: Simulation, client: Client) -> None:
    first, second, third, fourth = (sim.connect(codec) for codec in (JSON, MSGPACK, JSON, MSGPACK))
    first.send("PULL", queue="a")
    second.send("PULL", queues=["b", "a"])
    third.send("PULL", queues=["a", "b"])
    fourth.send("PULL", queue="b")
    client.push("a", data=0)
    assert answer(first) == ("a", 0)
    client.push("b", data=1)
    assert answer(second) == ("b", 1)
    client.push("b", data=2)
    assert answer(third) == ("b", 2)
    client.push("a", data=3)
    assert answer(fourth) is None and client.pull("a")["data"] == 3
    client.push("b", data=4)
    assert answer(fourth) == ("b", 4)


def test_nobody_is_overtaken_where_others_wait_in_front(sim: Simulation, client: Client) -> None:
    """A queue where nobody waits serves at once."""
    held, worker = sim.connect(), sim.connect()
    client.ok("SETCONCURRENCY", queue="a", limit=0)
    fill(client, "a", 2)
    held.send("PULL", queue="a")
    assert pull_one(client, ["a"]) is None
    client.push("b", data=7)
    assert pull_some(client, ["a", "b"], 5) == [("b", 7)]
    worker.send("PULL", queues=["a", "b"])
    client.ok("CLEARCONCURRENCY", queue="a")
    assert (answer(held), answer(worker)) == (("a", 0), ("a", 1))


@pytest.mark.parametrize("timeout", [1, 250, None])
def test_its_wait_ends_once_for_all_lines(sim: Simulation, client: Client, timeout: int | None) -> None:
    client.send("PULL", queues=["a", "b"], timeout=timeout)
    sim.advance((timeout or 60_000) - 1)
    assert client.replies() == []
    sim.advance(1)
    assert client.replies() == [EMPTY]
    assert client.state(client.push("b")) == "waiting"
    sim.advance(100_000)
    assert client.replies() == []


@pytest.mark.parametrize("how", ["disconnect", "finish"])
def test_nothing_is_taken_for_a_client_that_is_gone(sim: Simulation, client: Client, how: str) -> None:
    worker = sim.connect(client.codec)
    worker.send("PULL", queues=["a", "b"])
    worker.send("PULLB", queues=["b", "a", "c"], count=3, reqId="r")
    getattr(worker, how)()
    assert len(worker.replies()) == (0 if how == "disconnect" else 2)
    for queue in ("a", "b", "c"):
        job_id = client.push(queue)
        assert client.state(job_id) == "waiting"
        assert client.pull(queue)["id"] == job_id


def test_draining_the_server_answers_it_empty_once(sim: Simulation, client: Client) -> None:
    client.send("PULL", queues=["a", "b", "c"])
    sim.hub.begin_drain()
    assert client.replies() == [EMPTY]
    client.push("b")
    assert client.ok("PULL", queues=["a", "b"], timeout=1000)["job"] is None


@pytest.mark.parametrize("cmd", ["DRAIN", "OBLITERATE"])
def test_it_waits_on_when_a_queue_is_emptied(sim: Simulation, client: Client, cmd: str) -> None:
    worker = sim.connect()
    client.ok("PAUSE", queue="a")
    fill(client, "a", 3)
    worker.send("PULL", queues=["a", "b"])
    client.ok(cmd, queue="a")
    client.ok("RESUME", queue="a")
    assert worker.replies() == []
    client.push("a", data="new")
    assert answer(worker) == ("a", "new")


def test_it_counts_once_against_the_limit_of_waiting_pulls() -> None:
    with simulation(max_parked=2) as sim:
        client = sim.connect()
        for number in range(2):
            client.send("PULL", queues=["a", "b", "c"], reqId=str(number))
        assert client.error("PULL", queues=["a", "d"], reqId="2") == "Too many requests are waiting (max 2)"
        client.send("PUSH", queue="c", reqId="3")
        assert [reply["reqId"] for reply in client.replies()] == ["3", "0"]
        client.send("PULL", queues=["a", "d"], reqId="4")
        client.send("PUSH", queue="d", reqId="5")
        assert [reply["reqId"] for reply in client.replies()] == ["5", "4"]


def test_a_token_of_any_of_its_queues_wakes_it(sim: Simulation, client: Client) -> None:
    for queue, limit in (("a", 1), ("b", 10)):
        client.ok("RATELIMIT", queue=queue, limit=limit)
        fill(client, queue, 20)
    assert len(pull_some(client, ["a", "b"], 100)) == 11
    client.send("PULL", queues=["a", "b"])
    sim.advance(99)
    assert client.replies() == []
    sim.advance(1)
    assert answer(client) == ("b", 10)


@pytest.mark.parametrize("fields", [{"queue": "a"}, {"queues": ["a"]}, {"queues": ["b", "a"], "weights": [1, 1]}])
def test_nobody_is_overtaken_when_the_token_is_there_before_its_timer(
    sim: Simulation, client: Client, fields: Message
) -> None:
    """The loop may read a request first, and its clock is then past the token's time already."""
    held = sim.connect()
    client.ok("RATELIMIT", queue="a", limit=10)
    fill(client, "a", 20)
    assert len(pull_some(client, ["a"], 100)) == 10
    held.send("PULL", queue="a")
    sim.loop.mono += 100
    data = client.encode("PULL", timeout=0, **fields)
    client.transport.kernel += data
    client.transport.pump()
    assert client.replies() == [EMPTY]
    sim.loop.settle()
    assert answer(held) == ("a", 10)


def test_requests_behind_it_wait_or_pass_as_behind_any_pull(sim: Simulation, client: Client) -> None:
    worker = sim.connect(client.codec)
    worker.send_raw(worker.encode("PULL", queues=["a", "b"]) + worker.encode("PING"))
    worker.send("PULL", queues=["c", "d"], reqId="r")
    assert worker.call("PING", reqId="now")["pong"] is True
    client.push("d", data=1)
    assert worker.replies()[0]["reqId"] == "r"
    client.push("b", data=2)
    first, second = worker.replies()
    assert first["job"]["data"] == 2 and second["pong"] is True


def test_a_queue_that_is_only_waited_for_stays(sim: Simulation, client: Client) -> None:
    client.send("PULL", queues=["a", "b"], timeout=1_000_000)
    sim.advance(500_000)
    assert {one["name"] for one in sim.engine.queues()} == {"a", "b"}
    sim.advance(500_000)
    assert client.replies() == [EMPTY]
    sim.advance(200_000)
    assert sim.engine.queues() == []


def test_explain_sees_that_somebody_pulls(sim: Simulation, client: Client) -> None:
    client.ok("SETCONCURRENCY", queue="b", limit=0)
    job_id = client.push("b")
    worker = sim.connect()
    worker.send("PULL", queues=["a", "b"])
    reasons = [one["reason"] for one in client.ok("EXPLAIN", id=job_id)["reasons"]]
    assert reasons == ["concurrency_limit"]
    worker.disconnect()
    reasons = [one["reason"] for one in client.ok("EXPLAIN", id=job_id)["reasons"]]
    assert reasons == ["concurrency_limit", "nobody_pulling"]


def test_nothing_is_left_of_pulls_that_waited(sim: Simulation) -> None:
    client, other = sim.connect(), sim.connect()
    left = []
    for _ in range(2):
        for number in range(200):
            client.send("PULL", queues=[f"q{n}" for n in range(number % 100 + 1)], timeout=10, reqId=str(number))
        other.ok("CANCEL", id=other.push("q0"))
        sim.advance(10)
        assert len(client.replies()) == 200
        sim.advance(200_000)
        assert sim.engine.queues() == []
        left.append(sim.engine.memory()["objects"])
    assert left[0] == left[1] < 64, "the maps of names and ids keep their leaves"
