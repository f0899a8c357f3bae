"""Dead letters back, bulk removal: the wire document's 2.5, 2.6 and 3.12, on virtual time."""

from typing import Any

import pytest

from support.simulated import Client, Simulation

MANY = 100_000
SETTINGS_OFF = {"paused": False, "rate_limit": None, "concurrency_limit": None}


def pulled(client: Client, count: int, queue: str = "q") -> list[int]:
    return [job["id"] for job in client.ok("PULLB", queue=queue, count=count, timeout=0)["jobs"]]


def info(client: Client, queue: str = "q") -> dict[str, Any]:
    """The queue's entry in LISTQUEUES."""
    return next(one for one in client.ok("LISTQUEUES")["queues"] if one["name"] == queue)


# --- names ----------------------------------------------------------------------------------------

NAMED = ["RATELIMIT", "RATELIMITCLEAR", "SETCONCURRENCY", "CLEARCONCURRENCY", "DRAIN", "OBLITERATE", "CLEAN", "DLQ",
         "RETRYDLQ", "PURGEDLQ"]
NEEDED = {"RATELIMIT": {"limit": 1}, "SETCONCURRENCY": {"limit": 1}, "CLEAN": {"grace": 0, "state": "failed"}}


@pytest.mark.parametrize("command", NAMED)
def test_names_are_checked_as_by_push(client: Client, command: str) -> None:
    texts = {"": "cannot be empty", "x" * 257: "too long (max 256 chars)", "a b": "must contain only alphanumeric"}
    for name, text in texts.items():
        assert text in client.error(command, queue=name, **NEEDED.get(command, {}))
    client.ok(command, queue="ü.q-1", **NEEDED.get(command, {}))


@pytest.mark.parametrize("command", [name for name in NAMED if name not in ("RATELIMIT", "SETCONCURRENCY")])
def test_what_only_takes_away_makes_no_queue(client: Client, command: str) -> None:
    client.ok(command, queue="new", **NEEDED.get(command, {}))
    assert client.ok("LISTQUEUES")["queues"] == []


# --- dead letters ---------------------------------------------------------------------------------


def test_retried_dead_letters_start_anew(sim: Simulation, client: Client) -> None:
    ids = [client.push(max_attempts=1, priority=7, data=n) for n in range(3)]
    for _ in ids:
        client.ok("FAIL", id=client.pull()["id"], error="why")
    sim.advance(10)
    assert client.ok("RETRYDLQ", queue="q", id=ids[1]) == {"ok": True, "success": True, "ids": [1], "count": 1}
    job = client.pull()
    assert (job["id"], job["attempts"], job["run_at"]) == (ids[1], 0, sim.loop.wall)
    assert (job["data"], job["priority"], job["max_attempts"], job["progress_msg"]) == (1, 7, 1, "why")
    assert client.ok("RETRYDLQ", queue="q", id=None)["ids"] == [2]
    assert pulled(client, 5) == [ids[0], ids[2]]
    assert client.ok("DLQ", queue="q")["jobs"] == []


def test_retrying_what_is_no_dead_letter_of_the_queue_changes_nothing(client: Client) -> None:
    dead, waiting = client.push("other"), client.push()
    client.ok("DISCARD", id=dead)
    for job_id in (dead, waiting, 2**50):
        assert client.ok("RETRYDLQ", queue="q", id=job_id)["count"] == 0
    assert (client.state(dead), client.state(waiting)) == ("failed", "waiting")


def test_purge_removes_dead_letters_for_good(client: Client) -> None:
    ids = [client.push(job_id=f"c{n}") for n in range(3)]
    for job_id in ids[:2]:
        client.ok("DISCARD", id=job_id)
    assert client.ok("PURGEDLQ", queue="q")["count"] == 2
    assert [client.state(job_id) for job_id in ids] == ["unknown", "unknown", "waiting"]
    assert client.push(job_id="c0") > ids[2], "their custom ids are free"


# --- clean ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [None, "", "active", "nonsense", "waiting-children"])
def test_clean_needs_one_of_its_states(client: Client, state: str | None) -> None:
    client.push_many(1)
    text = "Invalid state. Use: waiting, delayed, completed, failed"
    assert client.error("CLEAN", queue="q", grace=0, state=state) == text
    assert client.error("CLEAN", queue="q", grace=0) == text


def of_each_state(client: Client) -> dict[str, list[int]]:
    """Three jobs of each state that CLEAN knows, in two queues of which one is kept."""
    found: dict[str, list[int]] = {}
    for queue in ("kept", "q"):
        found = {"completed": client.push_many(3, queue), "failed": client.push_many(3, queue)}
        assert len(pulled(client, 6, queue)) == 6
        client.ok("ACKB", ids=found["completed"])
        for job_id in found["failed"]:
            client.ok("DISCARD", id=job_id)
        found |= {"waiting": client.push_many(3, queue), "delayed": client.push_many(3, queue, delay=60_000)}
    return found


@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "failed"])
def test_clean_takes_one_state_of_one_queue_the_oldest_first(client: Client, state: str) -> None:
    ids = of_each_state(client)
    kept = client.ok("GETJOBS", queue="kept")
    assert client.ok("CLEAN", queue="q", grace=0, state=state.upper(), limit=2)["count"] == 2
    assert [client.state(job_id) for job_id in ids[state]] == ["unknown", "unknown", state]
    assert client.ok("CLEAN", queue="q", grace=0, state=state, limit=0)["count"] == 1, "0 is no limit"
    for other, others in ids.items():
        assert {client.state(job_id) for job_id in others} == {"unknown" if other == state else other}
    assert client.ok("GETJOBS", queue="kept") == kept


@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "failed"])
def test_clean_leaves_what_is_younger_than_its_grace(sim: Simulation, client: Client, state: str) -> None:
    of_each_state(client)
    sim.advance(100)
    assert client.ok("CLEAN", queue="q", grace=101, state=state)["count"] == 0
    assert client.ok("CLEAN", queue="q", grace=2**63 - 1, state=state)["count"] == 0
    assert client.ok("CLEAN", queue="q", grace=100, state=state)["count"] == 3


def test_grace_of_completed_jobs_counts_from_their_end(sim: Simulation, client: Client) -> None:
    client.push_many(1)
    sim.advance(1000)
    client.ok("ACK", id=client.pull()["id"])
    sim.advance(50)
    assert client.ok("CLEAN", queue="q", grace=51, state="completed")["count"] == 0
    assert client.ok("CLEAN", queue="q", grace=50, state="completed")["count"] == 1


# --- drain and obliterate -------------------------------------------------------------------------


def test_drain_takes_waiting_and_delayed_jobs_alone(client: Client) -> None:
    ids = of_each_state(client)
    (active,) = pulled(client, 1)
    client.ok("PAUSE", queue="q")
    assert client.ok("DRAIN", queue="q")["count"] == 5
    assert client.ok("DRAIN", queue="q")["count"] == 0
    counts = client.ok("GETJOBCOUNTS", queue="q")["counts"]
    assert (counts["waiting"], counts["delayed"], counts["active"], counts["failed"]) == (0, 0, 1, 3)
    assert client.state(active) == "active" and info(client)["paused"] is True
    assert {client.state(job_id) for job_id in ids["waiting"][1:] + ids["delayed"]} == {"unknown"}
    client.ok("FAIL", id=active)
    client.ok("RESUME", queue="q")
    assert pulled(client, 5) == [active], "a job from before the drain may come back"


def test_obliterate_takes_all_but_completed_jobs_and_the_settings(client: Client) -> None:
    ids = of_each_state(client)
    (active,) = pulled(client, 1)
    for command, fields in (("PAUSE", {}), ("RATELIMIT", {"limit": 5}), ("SETCONCURRENCY", {"limit": 5})):
        client.ok(command, queue="q", **fields)
    assert client.ok("OBLITERATE", queue="q")["count"] == 9
    assert client.error("ACK", id=active) == f"Job {active} not found"
    gone = ids["waiting"] + ids["delayed"] + ids["failed"]
    assert {client.state(job_id) for job_id in gone} == {"unknown"}
    assert {client.state(job_id) for job_id in ids["completed"]} == {"completed"}
    assert {key: info(client)[key] for key in SETTINGS_OFF} == SETTINGS_OFF
    assert info(client, "kept")["pending"] == 6


def test_obliterate_tells_who_else_knows_the_queue(sim: Simulation, client: Client) -> None:
    told: list[str] = []
    sim.dispatcher.rooms.queues.on_obliterate.append(told.append)
    client.ok("OBLITERATE", queue="q")
    client.ok("DRAIN", queue="other")
    assert told == ["q"]


def test_obliterate_takes_the_cron_entries_of_its_queue(sim: Simulation, client: Client) -> None:
    for name, queue in (("a", "q"), ("b", "kept"), ("c", "q"), ("d", "never-fired")):
        every = 10**9 if name == "d" else 1000
        client.ok("CRON", name=name, queue=queue, data=name, repeat_every=every)
    sim.advance(1000)
    client.ok("DRAIN", queue="q")
    assert [one["name"] for one in client.ok("CRONLIST")["crons"]] == ["a", "b", "c", "d"], "a drain leaves them"
    sim.advance(1000)
    assert client.ok("OBLITERATE", queue="q")["count"] == 2
    assert client.ok("OBLITERATE", queue="never-fired")["count"] == 0
    assert [one["name"] for one in client.ok("CRONLIST")["crons"]] == ["b"]
    sim.advance(3000)
    assert client.pulls_nothing("q") and client.ok("COUNT", queue="kept")["count"] == 5


@pytest.mark.parametrize("command", ["DRAIN", "OBLITERATE"])
def test_many_jobs_are_gone_at_once_and_their_memory_soon(sim: Simulation, command: str) -> None:
    """Nothing runs between the answer and the questions after it: the timers work only when time passes."""
    client = sim.connect()
    first = client.push(job_id="c", data="mine")
    before = sim.engine.memory()
    ids = client.push_many(MANY, ttl=10**9)
    (active,) = pulled(client, 1)
    expected = MANY if command == "DRAIN" else MANY + 1
    frame = client.encode(command, queue="q")
    client.transport.kernel += frame
    client.transport.pump()                     # without settling: no timer has run
    assert client.replies() == [{"ok": True, "success": True, "count": expected}]
    assert sim.engine.memory()["objects"] > before["objects"] + MANY, "their memory is still held"
    for job_id in (ids[0], ids[MANY // 2], ids[-1]):
        assert sim.engine.get_state(job_id) == "unknown"
        assert sim.engine.get_job(job_id, False) == (None, "unknown")
    assert sim.engine.count("q") == 0
    browser = sim.dispatcher.rooms.reading._browser
    assert browser.page("q", "waiting", 100, 0, False) == ([], 0)
    assert browser.by_custom_id("c", False)[1] == ("active" if command == "DRAIN" else "unknown")
    client.transport.kernel += client.encode("PUSH", queue="q", job_id="c")
    client.transport.pump()
    (reply,) = client.replies()
    assert (reply["id"] == first) == (command == "DRAIN"), "the custom id of a job that is gone is free at once"
    sim.advance(1)
    assert active == first
    assert client.call("ACK", id=active)["ok"] is (command == "DRAIN")
    sim.advance(100)
    assert abs(sim.engine.memory()["objects"] - before["objects"]) <= 3
    assert sim.engine.memory()["used"] < before["used"] + 100_000


def test_a_drained_queue_goes_on_at_once(client: Client) -> None:
    client.push_many(5000)
    client.send("DRAIN", queue="q")
    client.send("PUSH", queue="q", data="new")
    client.send("PULLB", queue="q", count=10, timeout=0)
    removed, new, jobs = client.replies()
    assert removed["count"] == 5000
    assert [job["id"] for job in jobs["jobs"]] == [new["id"]]


def test_a_lost_worker_of_an_obliterated_job_brings_nothing_back(sim: Simulation, client: Client) -> None:
    worker = sim.connect()
    client.push_many(10)
    worker.ok("PULLB", queue="q", count=10, timeout=0)
    client.ok("OBLITERATE", queue="q")
    worker.disconnect()
    sim.advance(60_000)
    assert client.ok("STATS")["queued"] == 0 and client.pulls_nothing()
