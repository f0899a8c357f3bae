"""Managing single jobs, by the rules of the wire document's 2.4: one test a rule, on virtual time."""

from typing import Any

import pytest

from support.simulated import Client, Simulation, simulation
from support.wire import CODECS, MSGPACK

LIVING = ("waiting", "delayed", "active")
STATES = (*LIVING, "failed", "completed", "unknown")


def job_in(client: Client, state: str, **options: Any) -> int:
    """The id of a job in this state; nothing else is in its queue."""
    job_id = client.push(data={"n": 1}, delay=1000 if state == "delayed" else 0, **options)
    if state in ("active", "completed", "failed"):
        client.pull()
    if state == "completed":
        client.ok("ACK", id=job_id)
    if state == "failed":
        client.ok("DISCARD", id=job_id)
    if state == "unknown":
        client.ok("CANCEL", id=job_id)
    assert client.state(job_id) == state
    return job_id


REFUSALS = [
    ("CANCEL", {}, {"failed": "Job {} cannot be cancelled (already completed/failed)",
                    "completed": "Job {} cannot be cancelled (already completed/failed)",
                    "unknown": "Job {} not found"}),
    ("CHANGEPRIORITY", {"priority": 1}, dict.fromkeys(
        ("completed", "unknown"), "Job {} not found or cannot change priority")),
    ("PROMOTE", {}, {**dict.fromkeys(("waiting", "active", "failed", "completed"), "Job {} is not delayed"),
                     "unknown": "Job {} not found or not in delayed state"}),
    ("MOVETODELAYED", {"delay": 5}, dict.fromkeys(
        ("waiting", "delayed", "failed", "completed", "unknown"), "Job {} not in processing")),
    ("UPDATEJOB", {"data": 2}, dict.fromkeys(("completed", "unknown"), "Job {} not found")),
    ("UPDATE", {"data": 2}, dict.fromkeys(("completed", "unknown"), "Job {} not found")),
    ("DISCARD", {}, dict.fromkeys(
        ("failed", "completed", "unknown"), "Job {} not found or already in DLQ/completed")),
    ("LOG", {"message": "m"}, {"unknown": "Job {} not found"}),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("command", "fields", "texts"), REFUSALS, ids=[one[0] for one in REFUSALS])
def test_what_a_state_refuses(
    client: Client, command: str, fields: dict[str, Any], texts: dict[str, str], state: str
) -> None:
    job_id = job_in(client, state)
    before = client.ok("GETJOB", id=job_id), client.ok("STATS")
    if state in texts:
        assert client.error(command, id=job_id, **fields) == texts[state].format(job_id)
        assert (client.ok("GETJOB", id=job_id), client.ok("STATS")) == before
    else:
        assert client.ok(command, id=job_id, **fields) == {"ok": True, "success": True}


@pytest.mark.parametrize("command", [one[0] for one in REFUSALS])
def test_they_go_by_job_id_too(client: Client, command: str) -> None:
    fields = next(fields for name, fields, _ in REFUSALS if name == command)
    state = {"PROMOTE": "delayed", "MOVETODELAYED": "active"}.get(command, "waiting")
    client.ok(command, job_id=job_in(client, state), **fields)


def test_a_cancelled_active_job_is_lost_to_its_worker(client: Client) -> None:
    job_id = job_in(client, "active", job_id="c")
    client.ok("CANCEL", id=job_id)
    assert client.state(job_id) == "unknown" and client.pulls_nothing()
    assert client.error("ACK", id=job_id) == f"Job {job_id} not found"
    assert client.push(job_id="c") != job_id


def test_change_priority_reorders_waiting_jobs(client: Client) -> None:
    first, second, third = (client.push() for _ in range(3))
    client.ok("CHANGEPRIORITY", id=third, priority=9)
    client.ok("CHANGEPRIORITY", id=first, priority=-9)
    assert [client.pull()["id"] for _ in range(3)] == [third, second, first]


@pytest.mark.parametrize("state", [*LIVING, "failed"])
def test_change_priority_shows_in_every_living_state(client: Client, state: str) -> None:
    job_id = job_in(client, state)
    client.ok("CHANGEPRIORITY", id=job_id, priority=-(2**31))
    assert client.job(job_id)["priority"] == -(2**31)


def test_promote_makes_a_delayed_job_ready_now(sim: Simulation, client: Client) -> None:
    job_id = job_in(client, "delayed")
    client.send("PULL", queue="q", reqId="r")
    client.ok("PING") if not client.replies() else None
    sim.advance(10)
    client.send("PROMOTE", id=job_id)
    replies = client.replies()
    job = next(reply["job"] for reply in replies if "job" in reply)
    assert (job["id"], job["run_at"]) == (job_id, sim.loop.wall)


def test_move_to_delayed_keeps_attempts_and_clears_progress(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    client.ok("FAIL", id=client.pull()["id"])
    client.pull()
    client.ok("PROGRESS", id=job_id, progress=50, message="half")
    client.ok("MOVETODELAYED", id=job_id, delay=100)
    job = client.job(job_id)
    assert (job["state"], job["run_at"], job["attempts"]) == ("delayed", sim.loop.wall + 100, 1)
    assert (job["started_at"], job["progress"], job["progress_msg"]) == (0, 0, None)
    sim.advance(99)
    assert client.pulls_nothing()
    sim.advance(1)
    assert client.pull()["id"] == job_id


def test_move_to_delayed_by_nothing_is_ready_at_once(client: Client) -> None:
    job_id = job_in(client, "active")
    client.ok("MOVETODELAYED", id=job_id, delay=0)
    assert client.pull()["id"] == job_id


@pytest.mark.parametrize("state", [*LIVING, "failed"])
def test_update_shows_in_every_living_state(client: Client, state: str) -> None:
    job_id = job_in(client, state)
    client.ok("UPDATEJOB", id=job_id, data={"new": [1.5, None]})
    assert client.job(job_id)["data"] == {"new": [1.5, None]}


def test_updated_data_is_pulled(client: Client) -> None:
    job_id = job_in(client, "waiting")
    client.ok("UPDATE", id=job_id, data="new")
    assert client.pull()["data"] == "new"


@pytest.mark.parametrize("data", [None, "", 0, [], {"a": None}, "ü" * 1000])
def test_update_in_the_other_format_keeps_the_tags(sim: Simulation, client: Client, data: Any) -> None:
    other = sim.connect(CODECS["json"] if client.codec is MSGPACK else MSGPACK)
    job_id = client.push(data={"n": 1}, tags=["ä", "b"])
    other.ok("UPDATEJOB", id=job_id, data=data)
    for one in (client, other):
        job = one.job(job_id)
        assert (job["data"], job["tags"]) == (data, ["ä", "b"])


def test_update_has_the_size_limit_of_a_push() -> None:
    with simulation(max_job_size=100) as sim:
        client = sim.connect()
        job_id = client.push(data=1)
        text = client.error("UPDATEJOB", id=job_id, data="x" * 99)
        assert text == "Job data too large (101 bytes, max 100 bytes)"
        assert client.job(job_id)["data"] == 1
        client.ok("UPDATEJOB", id=job_id, data="x" * 98)


@pytest.mark.parametrize("state", LIVING)
def test_discard_makes_a_dead_letter_and_leaves_attempts(client: Client, state: str) -> None:
    job_id = job_in(client, state)
    client.ok("DISCARD", id=job_id)
    (job,) = client.ok("DLQ", queue="q")["jobs"]
    assert (job["id"], job["state"], job["attempts"]) == (job_id, "failed", 0)
    assert client.pulls_nothing()
    assert client.error("ACK", id=job_id) == f"Job {job_id} not found"


def test_discard_with_remove_on_fail_removes(client: Client) -> None:
    job_id = job_in(client, "waiting", remove_on_fail=True)
    client.ok("DISCARD", id=job_id)
    assert client.state(job_id) == "unknown"


def test_a_log_keeps_its_newest_100_entries(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    start = sim.loop.wall
    for number in range(130):
        client.ok("LOG", id=job_id, message=f"line {number}", level="debug" if number % 2 else None)
        sim.advance(1)
    logs = client.ok("GETLOGS", job_id=job_id)
    assert logs["id"] == job_id
    assert logs["logs"] == [
        {"timestamp": start + n, "message": f"line {n}", "level": "debug" if n % 2 else "info"} for n in range(30, 130)
    ]


def test_logs_of_a_job_that_is_gone_are_gone(sim: Simulation, client: Client) -> None:
    for options in ({"remove_on_complete": True}, {}):
        job_id = client.push(**options)
        client.ok("LOG", id=job_id, message="m")
        client.pull()
        client.ok("ACK", id=job_id)
        assert len(client.ok("GETLOGS", id=job_id)["logs"]) == (0 if options else 1)
    assert client.ok("GETLOGS", id=2**50) == {"ok": True, "success": True, "id": 2**50, "logs": []}


def test_a_log_line_renews_the_lease(sim: Simulation, client: Client) -> None:
    job_id = client.push(stall_timeout=100)
    client.pull()
    for _ in range(5):
        sim.advance(90)
        client.ok("LOG", id=job_id, message="still here")
    assert client.state(job_id) == "active"
    sim.advance(101)
    assert client.state(job_id) == "waiting"
