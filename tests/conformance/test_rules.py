"""Ids, order, time, failure, stalls: sections 3.1 to 3.5."""

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk

MOST = 2**63 - 1


@row("3.1 ids: ascending")
def test_ids(talk: Talk, queue: str) -> None:
    ids = [talk.push(queue), *talk.push_all(queue, [{}] * 5), talk.push(queue)]
    talk.ok("CANCEL", id=ids[-1])
    ids.append(talk.push(queue))
    assert ids == sorted(set(ids)) and ids[-1] < 2**53


@row("3.1 custom id: idempotent push")
@pytest.mark.parametrize("make", ["push", "delayed", "active", "dead"])
def test_custom_id(talk: Talk, queue: str, names: Names, make: str) -> None:
    custom = names.text()
    job_id = getattr(talk, make)(queue, job_id=custom, data="first")
    assert talk.push(queue, job_id=custom, data="second") == job_id
    assert talk.push(names.queue(), job_id=custom) == job_id
    assert talk.job(job_id)["data"] == "first"


@row("3.1 custom id: free again")
def test_custom_id_free(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    first = talk.completed(queue, job_id=custom)
    second = talk.push(queue, job_id=custom)
    talk.ok("CANCEL", id=second)
    assert len({first, second, talk.push(queue, job_id=custom)}) == 3


@row("3.1 custom id: checks come first")
def test_custom_id_checks(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    talk.push(queue, job_id=custom)
    size = talk.ok("HELLO")["max_job_size"]
    assert "Queue name" in talk.error("PUSH", queue="a b", job_id=custom)
    assert "too large" in talk.error("PUSH", queue=queue, job_id=custom, data="x" * (size + 1))


@row("3.2 order: priority")
def test_order_priority(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"data": n, "priority": n} for n in (1, 10, -5, 5, 100)])
    assert talk.pulled_data(queue, 5) == [100, 10, 5, 1, -5]


@row("3.2 order: first in, first out")
def test_order_fifo(talk: Talk, queue: str) -> None:
    for n in range(3):
        talk.push(queue, data=n)
    talk.push_all(queue, [{"data": n} for n in (3, 4)])
    assert talk.pulled_data(queue, 5) == [0, 1, 2, 3, 4]


@row("3.2 order: due time before age")
def test_order_run_at(talk: Talk, queue: str) -> None:
    talk.push(queue, data="later", delay=500)
    talk.push(queue, data="now")
    talk.ok("PAUSE", queue=queue)
    talk.spend(700)
    talk.ok("RESUME", queue=queue)
    assert talk.pulled_data(queue, 2) == ["now", "later"]


@row("3.2 order: lifo")
def test_order_lifo(talk: Talk, queue: str) -> None:
    talk.push(queue, data="plain")
    for n in range(3):
        talk.push(queue, data=n, lifo=True)
    talk.push(queue, data="high", priority=1)
    assert talk.pulled_data(queue, 5) == ["high", 2, 1, 0, "plain"]


@row("3.2 order: only ready jobs")
def test_order_ready_only(talk: Talk, queue: str) -> None:
    talk.push(queue, priority=99, delay=3_600_000)
    talk.push(queue, data="ready")
    assert talk.pulled_data(queue, 1) == ["ready"]


@row("3.3 delay")
def test_delay(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, delay=300)
    assert talk.state(job_id) == "delayed" and talk.pulls_nothing(queue)
    job = talk.pull(queue, timeout=15_000)
    assert job["id"] == job_id and job["run_at"] == job["created_at"] + 300
    assert job["started_at"] >= job["run_at"] - 2, "two clocks that are read in whole ms"


@row("3.3 ttl")
def test_ttl(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    active = talk.active(queue, ttl=400)
    waiting = talk.push(queue, ttl=400, job_id=custom)
    talk.spend(600)
    assert talk.pulls_nothing(queue)
    assert (talk.state(waiting), talk.state(active)) == ("unknown", "active")
    assert talk.push(queue, job_id=custom) != waiting


@row("3.3 ttl: unique key")
def test_ttl_key(talk: Talk, queue: str) -> None:
    talk.push(queue, ttl=400, unique_key="k")
    assert talk.holds_key(queue, "k")
    talk.spend(600)
    talk.push(queue, unique_key="k")


@row("3.3 timeout: retried")
def test_timeout(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, timeout=30)
    job = talk.pull(queue, timeout=15_000)
    assert (job["id"], job["attempts"], job["progress_msg"]) == (job_id, 1, "Job timed out")


@row("3.3 timeout: last attempt")
def test_timeout_dead(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, timeout=20, max_attempts=1)
    talk.spend(60)
    assert talk.state(job_id) == "failed"
    assert talk.error("ACK", id=job_id) == f"Job {job_id} not found"


@row("3.4 failure: dead after max_attempts")
@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_max_attempts(talk: Talk, queue: str, attempts: int) -> None:
    job_id = talk.push(queue, max_attempts=attempts)
    for n in range(attempts):
        assert talk.pull(queue)["attempts"] == n
        talk.ok("FAIL", id=job_id, error=f"no {n}")
    assert talk.state(job_id) == "failed" and talk.counts(queue)[4] == 1


@row("3.4 failure: without limit")
def test_no_max_attempts(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, max_attempts=0)
    for n in range(20):
        assert talk.pull(queue)["attempts"] == n
        talk.ok("FAIL", id=job_id)
    assert talk.state(job_id) == "waiting"


@row("3.4 failure: backoff doubles")
def test_backoff(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, backoff=20)
    for attempt in (1, 2, 3):
        started = talk.pull(queue, timeout=15_000)["started_at"]
        talk.ok("FAIL", id=job_id)
        waits = talk.job(job_id)["run_at"] - started
        assert 20 * 2**attempt <= waits < 20 * 2**attempt + 10_000
        assert talk.job(job_id)["attempts"] == attempt


@row("3.4 failure: without backoff")
def test_no_backoff(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"data": "first"}, {"data": "second"}])
    job = talk.pull(queue)
    talk.ok("FAIL", id=job["id"])
    again = talk.pull(queue)
    assert (again["data"], again["run_at"], again["attempts"]) == ("first", job["run_at"], 1)


@row("3.4 failure: what a retry keeps")
def test_retry_keeps(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, backoff=3_600_000)
    talk.ok("PROGRESS", id=job_id, progress=40, message="m")
    talk.ok("FAIL", id=job_id, error="broke")
    job = talk.job(job_id)
    assert (job["started_at"], job["progress"], job["progress_msg"]) == (0, 40, "broke")
    assert job["last_heartbeat"] > 0 and talk.state(job_id) == "delayed"


@row("3.4 failure: remove_on_fail")
def test_remove_on_fail(talk: Talk, queue: str) -> None:
    job_id = talk.dead(queue, remove_on_fail=True)
    assert talk.state(job_id) == "unknown" and talk.ok("DLQ", queue=queue)["jobs"] == []


@row("3.4 failure: remove_on_fail and key")
def test_remove_on_fail_key(talk: Talk, queue: str) -> None:
    for remove in (True, False):
        job_id = talk.active(queue, remove_on_fail=remove, unique_key="k", max_attempts=1)
        assert talk.holds_key(queue, "k")
        talk.ok("FAIL", id=job_id)
    talk.ok("PURGEDLQ", queue=queue)
    talk.push(queue, unique_key="k")


@row("3.4 failure: sums end at the top")
def test_saturation(talk: Talk, queue: str) -> None:
    assert talk.state(talk.push(queue, delay=MOST, ttl=MOST, timeout=MOST)) == "delayed"
    retried = talk.active(queue, backoff=MOST, ttl=MOST, timeout=MOST, stall_timeout=MOST)
    talk.ok("FAIL", id=retried)
    assert talk.state(retried) == "delayed" and talk.pulls_nothing(queue)


@row("3.5 stall: taken back")
def test_stall(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    job_id = talk.active(queue, stall_timeout=50)
    job = open_talk().pull(queue, timeout=15_000)
    assert (job["id"], job["stall_count"], job["attempts"]) == (job_id, 1, 0)


@row("3.5 stall: third loss")
def test_stall_dead(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, stall_timeout=20)
    for _ in range(3):
        assert talk.pull(queue, timeout=15_000)["id"] == job_id
    assert talk.ok("PULL", queue=queue, timeout=100)["job"] is None
    assert talk.state(job_id) == "failed" and talk.job(job_id)["attempts"] == 0


@row("3.5 stall: kept alive")
@pytest.mark.parametrize("command", ["HEARTBEAT", "PROGRESS"])
def test_stall_renewed(talk: Talk, queue: str, command: str) -> None:
    job_id = talk.active(queue, stall_timeout=2000)
    fields = {"progress": 1} if command == "PROGRESS" else {}
    for _ in range(3):
        talk.spend(900)
        talk.ok(command, id=job_id, **fields)
    assert talk.state(job_id) == "active" and talk.job(job_id)["stall_count"] == 0


@row("3.5 stall: no limit without one")
def test_no_stall(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue)
    talk.spend(200)
    assert talk.state(job_id) == "active"
    talk.ok("ACK", id=job_id)
