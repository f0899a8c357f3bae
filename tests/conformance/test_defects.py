"""Known defects of other servers of this wire, each shown to be absent; the table stands in defects.py."""

import re
import socket
import struct
from typing import Any

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import defect
from conformance.talk import Names, Talk
from conftest import StartServer
from support.wire import JSON, MSGPACK, Closed, Codec

HOUR = 3_600_000
MOST = 2**63 - 1
MIB = 1 << 20


@defect(7)
def test_a_job_that_loses_its_workers_ends_as_a_dead_letter(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, stall_timeout=20, max_attempts=0)
    for _ in range(3):
        assert talk.pull(queue, timeout=15_000)["id"] == job_id
    assert talk.ok("PULL", queue=queue, timeout=100)["job"] is None and talk.state(job_id) == "failed"


@defect(8)
@pytest.mark.parametrize("command", ["PULL", "PULLB"])
@pytest.mark.parametrize("hard", [False, True])
def test_a_client_that_left_gets_no_job(
    talk: Talk, open_talk: OpenTalk, queue: str, names: Names, command: str, hard: bool
) -> None:
    gone = open_talk()
    gone.send(command, queue=queue, count=1, timeout=60_000)
    if hard:
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    talk.spend(50)
    ids = talk.push_all(queue, [{}, {}])
    talk.spend(20)
    assert [job["id"] for job in talk.ok("PULLB", queue=queue, count=5, timeout=0)["jobs"]] == ids


@defect(9)
def test_pulls_that_end_while_jobs_come_lose_none(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    talk.ok("SETCONCURRENCY", queue=queue, limit=1)
    worker = open_talk()
    got = []
    for n in range(150):
        worker.send("PULL", queue=queue, timeout=1)
        talk.push(queue, data=n)
        job = worker.receive()["job"] or worker.pull(queue)
        got.append(job["data"])
        worker.ok("ACK", id=job["id"])
    assert got == list(range(150)) and talk.counts(queue)[:2] == (0, 0)


@defect(11)
def test_the_oldest_completed_jobs_are_forgotten_first(start_own: StartServer, codec: Codec) -> None:
    with Talk(start_own("--keep-completed", "20", "--keep-results", "10").address, codec) as talk:
        ids = [talk.completed("q", n) for n in range(50)]
        states = [talk.state(one) for one in ids]
        kept = states.count("completed")
        assert 10 <= kept <= 20 and states == ["unknown"] * (50 - kept) + ["completed"] * kept
        results = [talk.ok("GETRESULT", id=one)["result"] for one in ids]
        whole = 50 - results.count(None)
        assert 5 <= whole <= 10 and results == [None] * (50 - whole) + list(range(50 - whole, 50))


@defect(11, "depends_on")
def test_a_dependency_that_is_forgotten_counts_as_done(start_own: StartServer, codec: Codec) -> None:
    with Talk(start_own("--keep-completed", "4", "--keep-results", "2").address, codec) as talk:
        ids = [talk.completed("q") for _ in range(20)]
        assert talk.state(ids[0]) == "unknown" and talk.state(talk.push("r", depends_on=ids[:1])) == "waiting"


@defect(12, "depends_on")
def test_a_dependency_that_is_removed_counts_as_done(talk: Talk, queue: str) -> None:
    first = talk.active(queue, remove_on_complete=True)
    job_id = talk.push(queue, depends_on=[first])
    talk.ok("ACK", id=first)
    assert talk.pull(queue)["id"] == job_id


@defect(14)
def test_clean_completed_knows_queue_and_grace(talk: Talk, queue: str, names: Names) -> None:
    other = names.queue()
    mine, theirs = talk.completed(queue), talk.completed(other)
    assert talk.ok("CLEAN", queue=queue, grace=HOUR, state="completed")["count"] == 0
    assert talk.ok("CLEAN", queue=queue, grace=0, state="completed")["count"] == 1
    assert (talk.state(mine), talk.state(theirs)) == ("unknown", "completed")


@defect(16)
def test_an_expired_job_frees_its_custom_id_and_its_place(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    job_id = talk.push(queue, ttl=10, job_id=custom)
    talk.spend(40)
    assert talk.ok("COUNT", queue=queue)["count"] == 0 and talk.state(job_id) == "unknown"
    assert talk.ok("GETJOBBYCUSTOMID", job_id=custom)["job"] is None
    assert talk.push(queue, job_id=custom) != job_id


@defect(17, "depends_on", "parent_policy")
def test_a_dependent_may_be_told_of_a_failure(talk: Talk, queue: str) -> None:
    first = talk.active(queue, max_attempts=1)
    fails = talk.push(queue, depends_on=[first], on_parent_failure="fail")
    waits = talk.push(queue, depends_on=[first], on_parent_failure="wait")
    talk.ok("FAIL", id=first)
    assert (talk.state(fails), talk.state(waits)) == ("failed", "waiting-children")


@defect(18)
def test_a_batch_knows_custom_ids(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    ids = talk.push_all(queue, [{"job_id": custom}] * 3)
    assert len(set(ids)) == 1 and talk.ok("COUNT", queue=queue)["count"] == 1


@defect(18, "unique_key", "debounce")
def test_a_batch_knows_unique_keys_and_windows(talk: Talk, queue: str) -> None:
    for item in ({"unique_key": "k"}, {"debounce_id": "d"}):
        assert len(talk.ok("PUSHB", queue=queue, jobs=[item] * 3)["ids"]) == 1


@defect(19)
def test_a_refused_push_leaves_no_custom_id(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    size = talk.ok("HELLO")["max_job_size"]
    assert "too large" in talk.error("PUSH", queue=queue, job_id=custom, data="x" * (size + 1))
    assert talk.ok("GETJOBBYCUSTOMID", job_id=custom)["state"] == "unknown"


@defect(19, "unique_key", "debounce")
def test_a_refused_push_opens_no_window(talk: Talk, queue: str) -> None:
    first = talk.push(queue, unique_key="k")
    assert "Duplicate" in talk.error("PUSH", queue=queue, unique_key="k", debounce_id="d")
    talk.ok("CANCEL", id=first)
    talk.push(queue, unique_key="k", debounce_id="d")


@defect(20, "waitjob")
@pytest.mark.parametrize("end", ["ACK", "FAIL", "CANCEL", "DISCARD"])
def test_a_waiter_hears_every_ending(talk: Talk, open_talk: OpenTalk, queue: str, end: str) -> None:
    waiter = open_talk()
    for _ in range(30):  # before, while and after the wait begins
        job_id = talk.active(queue, max_attempts=1)
        waiter.send("WAITJOB", id=job_id, timeout=15_000)
        talk.ok(end, id=job_id)
        reply = waiter.receive()
        assert reply["ok"] is (end == "ACK")
        assert reply["ok"] or re.search("Job (failed|cancelled|not found)", reply["error"])


@defect(21, "depends_on")
@pytest.mark.parametrize("command", ["CANCEL", "DISCARD"])
def test_a_released_job_can_be_managed(talk: Talk, queue: str, command: str) -> None:
    first = talk.active(queue)
    job_id = talk.push(queue, depends_on=[first])
    talk.ok("ACK", id=first)
    assert talk.state(job_id) == "waiting"
    talk.ok(command, id=job_id)


@defect(22)
def test_a_delayed_job_holds_up_nobody(talk: Talk, queue: str) -> None:
    talk.push(queue, priority=2**31 - 1, delay=HOUR)
    ready = talk.push(queue, priority=-1)
    assert talk.pull(queue)["id"] == ready


@defect(23)
def test_lifo_jobs_come_newest_first_whenever_they_were_pushed(talk: Talk, queue: str) -> None:
    for n in range(3):
        talk.push(queue, data=n, lifo=True)
        talk.spend(5)
    assert talk.pulled_data(queue, 3) == [2, 1, 0]


@defect(24)
def test_limits_count_what_is_delivered(talk: Talk, queue: str) -> None:
    talk.ok("RATELIMIT", queue=queue, limit=2)
    assert all(talk.pulls_nothing(queue) for _ in range(5))
    talk.push_all(queue, [{}] * 5)
    assert len(talk.ok("PULLB", queue=queue, count=5, timeout=0)["jobs"]) == 2
    talk.ok("RATELIMITCLEAR", queue=queue)
    talk.ok("SETCONCURRENCY", queue=queue, limit=3)
    assert len(talk.ok("PULLB", queue=queue, count=5, timeout=0)["jobs"]) == 1, "two are active already"


@defect(25)
@pytest.mark.parametrize("end", ["CANCEL", "DISCARD", "MOVETODELAYED", "OBLITERATE", "timeout", "stall"])
def test_a_slot_is_free_after_every_ending(talk: Talk, queue: str, end: str) -> None:
    talk.ok("SETCONCURRENCY", queue=queue, limit=1)
    options = {"timeout": {"timeout": 20, "max_attempts": 1}, "stall": {"stall_timeout": 20, "priority": -1}}
    job_id = talk.active(queue, **options.get(end, {}))
    fields: dict[str, dict[str, Any]] = {"MOVETODELAYED": {"id": job_id, "delay": HOUR}, "OBLITERATE": {"queue": queue}}
    if end.isupper():
        talk.ok(end, **fields.get(end, {"id": job_id}))
    talk.ok("SETCONCURRENCY", queue=queue, limit=1)
    other = talk.push(queue)
    assert talk.pull(queue, timeout=15_000)["id"] == other


@defect(25, "group")
@pytest.mark.parametrize("end", ["CANCEL", "DISCARD", "MOVETODELAYED", "OBLITERATE"])
def test_a_group_is_free_after_every_ending(talk: Talk, queue: str, end: str) -> None:
    job_id = talk.active(queue, group_id="g")
    second = talk.push(queue, group_id="g")
    assert talk.pulls_nothing(queue)
    fields: dict[str, dict[str, Any]] = {"MOVETODELAYED": {"id": job_id, "delay": HOUR}, "OBLITERATE": {"queue": queue}}
    talk.ok(end, **fields.get(end, {"id": job_id}))
    if end == "OBLITERATE":
        second = talk.push(queue, group_id="g")
    assert talk.pull(queue)["id"] == second


@defect(26, "unique_key")
@pytest.mark.parametrize("end", ["purged", "discarded", "removed", "expired"])
def test_a_unique_key_is_free_when_its_job_is_gone(talk: Talk, queue: str, end: str) -> None:
    options = {"removed": {"remove_on_fail": True}, "expired": {"ttl": 400}}
    if end in ("purged", "removed"):
        talk.dead(queue, unique_key="k", **options.get(end, {}))
    else:
        job_id = talk.push(queue, unique_key="k", **options.get(end, {}))
        assert talk.holds_key(queue, "k")
        talk.ok("DISCARD", id=job_id) if end == "discarded" else talk.spend(600)
    talk.ok("PURGEDLQ", queue=queue)
    talk.push(queue, unique_key="k")


@defect(27)
def test_progress_renews_the_stall_clock(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, stall_timeout=1500)
    for n in range(3):
        talk.spend(700)
        talk.ok("PROGRESS", id=job_id, progress=n)
    assert talk.job(job_id)["stall_count"] == 0 and talk.state(job_id) == "active"


@defect(27, "events")
def test_progress_and_timeouts_are_events(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    listener = open_talk()
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue=queue, events=["progress", "timeout"])
    job_id = talk.active(queue, timeout=500)
    talk.ok("PROGRESS", id=job_id, progress=1)
    assert [one["event_type"] for one in listener.events(2)] == ["progress", "timeout"]


@defect(28)
def test_ackb_removes_on_completion(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, remove_on_complete=True)
    talk.ok("ACKB", ids=[job_id])
    assert talk.state(job_id) == "unknown"


@defect(28, "waitjob", "events")
def test_ackb_makes_events_and_wakes_waiters(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    listener, waiter = open_talk(), open_talk()
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue=queue, events=["completed"])
    job_id = talk.active(queue)
    waiter.send("WAITJOB", id=job_id, timeout=15_000)
    talk.ok("ACKB", ids=[job_id])
    assert waiter.receive()["ok"] is True
    assert [one["job_id"] for one in listener.events(1)] == [job_id]


@defect(29)
def test_counters_stay_true(talk: Talk, queue: str) -> None:
    ids = talk.push_all(queue, [{}] * 4 + [{"delay": HOUR}] * 3)
    talk.ok("CANCEL", id=ids[0])
    talk.ok("DISCARD", id=ids[1])
    talk.ok("CLEAN", queue=queue, grace=0, state="failed")
    talk.ok("CLEAN", queue=queue, grace=0, state="delayed", limit=1)
    talk.ok("CANCEL", id=talk.pull(queue)["id"])
    talk.active(queue, priority=1, timeout=10, max_attempts=1)
    talk.spend(40)
    assert talk.counts(queue) == (1, 0, 2, 0, 1)
    metrics = talk.ok("METRICS")["metrics"]
    numbers = [value for value in metrics.values() if not isinstance(value, (dict, list))]
    assert all(0 <= number < 2**40 for number in numbers)
    (mine,) = [one for one in metrics["queues"] if one["name"] == queue]
    assert (mine["pending"], mine["processing"], mine["dlq"]) == (3, 0, 1)


@defect(30)
def test_a_schedule_of_six_fields_may_begin_with_a_step(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, schedule="*/5 * * * * *", limit=1)
    (entry,) = [one for one in talk.ok("CRONLIST")["crons"] if one["name"] == name]
    assert entry["next_run"] % 5000 == 0
    talk.ok("CRON", name=name, queue=queue, repeat_every=10, limit=1)
    talk.pull(queue, timeout=15_000)
    assert name not in {one["name"] for one in talk.ok("CRONLIST")["crons"]}


@defect(34, "keep_completed")
def test_completed_jobs_are_kept_as_long_as_they_say(start_own: StartServer, codec: Codec) -> None:
    with Talk(start_own("--keep-completed", "4", "--keep-results", "2").address, codec) as talk:
        kept = talk.completed("q", "r", keep_completed_age=600_000)
        others = [talk.completed("q", "r") for _ in range(20)]
        assert (talk.state(kept), talk.state(others[0])) == ("completed", "unknown")


@defect(36)
def test_a_frame_that_is_too_large_is_told_and_ends_the_connection(address: tuple[str, int]) -> None:
    with Talk(address, MSGPACK) as talk:
        size = talk.ok("HELLO")["max_frame"]
        talk.send_raw(struct.pack(">I", size + 1))
        assert talk.receive()["error"] == "Message too large"
        with pytest.raises(Closed):
            talk.receive()


@defect(37)
def test_errors_carry_the_id_of_their_request(talk: Talk) -> None:
    bad: list[dict[str, Any]] = [
        {"cmd": "NOSUCH"}, {"cmd": "PUSH"}, {"cmd": "PUSH", "queue": 5}, {"cmd": "ACK", "id": "x"},
        {"cmd": "CRON", "name": 1}, {"cmd": "PUSH", "queue": "a b"}, {"cmd": "GETSTATE"}, {"cmd": "KVSET", "key": []},
    ]
    for number, fields in enumerate(bad):
        talk.send(**fields, reqId=f"r{number}")
        reply = talk.receive()
        assert reply["ok"] is False and reply["reqId"] == f"r{number}", reply


@defect(38)
def test_a_line_that_does_not_end_is_cut_off(address: tuple[str, int]) -> None:
    with Talk(address, JSON) as talk:
        size = talk.ok("HELLO")["max_frame"]
        try:
            for _ in range(size // MIB + 2):
                talk.send_raw(b"x" * MIB)
        except ConnectionError:
            return
        assert talk.receive()["error"] == "Message too large"
