"""What a store must be able to make of the records alone, held against the model."""

import json
import struct
from collections import defaultdict

import msgpack  # type: ignore[import-untyped]

from flashq.commands import ATTEMPTS_KEPT, ON_PARENT_FAILURE, REASONS, RETRY_TYPES, STATES
from support.model_manage import FullModel
from support.model_parts import Job, Message
from support.simulated import DelayedStore

NO_LIMIT = 2**64 - 1
JOB_MSGPACK = 2             # as in flashq/_core/job.pxd


def is_cleared(job: Message, clear: Message | None) -> bool:
    """Whether a bulk removal took the job: in line before the one bound, or not done before the other."""
    if clear is None or job["state"] == STATES.index("completed"):
        return False
    in_line = STATES[job["state"]] in ("waiting", "delayed")
    return bool(job["generation"] < clear["drained" if in_line else "obliterated"])


def reason_of(number: int) -> str | None:
    return REASONS[number - 1] if number else None


def policy_of(packed: bytes) -> Message | None:
    """What a push said in `retry`."""
    if not packed:
        return None
    type_, jitter, delay, longest = struct.unpack("<BIQQ", packed)
    return {"type": RETRY_TYPES[type_ - 1], "delay": delay, "max": longest, "jitter": jitter / 1_000_000}


def check_failing(found: Message, attempts: dict[int, Message], job: Job) -> None:
    """How the job failed so far, and what that means for it."""
    assert policy_of(found["retry"]) == job.retry
    assert (found.get("losses", 0), found.get("missed", 0)) == (job.losses, job.missed)
    assert reason_of(found.get("reason", 0)) == (job.reason if job.state == "failed" else None)
    last = sorted(attempts)[-ATTEMPTS_KEPT:]
    assert last == list(range(max(job.attempts_made - ATTEMPTS_KEPT, 0) + 1, job.attempts_made + 1))
    assert [{
        "started_at": one["started_at"], "ended_at": one["ended_at"], "reason": reason_of(one["reason"]),
        "error": one["error"].decode() or None, "worker": one["worker"].decode() or None,
    } for one in (attempts[number] for number in last)] == job.history


def check_push_keys(found: dict[tuple[bytes, bytes], Message], model: FullModel) -> None:
    """Those that are remembered; the clock tells which of the records are of the past."""
    for (queue, name), key in model.push_keys.items():
        record = found[queue.encode(), name.encode()]
        ids = [one or None for one in struct.unpack(f"<{len(key.ids)}Q", record["ids"])]
        assert (record["batch"], ids, record["expires"]) == (key.batch, key.ids, key.expires)


def check_ties(ties: Message | None, is_msgpack: bool, job: Job) -> None:
    """What ties it to others; flows and retention of its own are not in the model."""
    if not job.depends_on and not any((job.unique_key, job.group, job.name, job.version)):
        assert ties is None
        return
    assert ties is not None and ties["id"] == job.id
    texts = {"unique_key": job.unique_key or "", "group": job.group or "", "children": "",
             "name": job.name or ""}
    assert {name: ties[name].decode() for name in texts} == texts
    if job.depends_on:
        ids = msgpack.unpackb(ties["depends_on"]) if is_msgpack else json.loads(ties["depends_on"])
        policy = ON_PARENT_FAILURE[ties["on_parent_failure"]]
        assert (ids, policy) == (job.depends_on, job.on_parent_failure)
    else:
        assert ties["depends_on"] == b""
    assert ties["version"] == job.version
    numbers = ("parent_id", "keep_age", "keep_count", "children_completed", "fail_parent")
    assert [ties[name] for name in numbers] == [0] * 5


def check_records(store: DelayedStore, model: FullModel) -> None:
    """The records alone, read one after another, give every job's state and every queue's settings."""
    jobs: dict[int, Message] = {}
    done: set[int] = set()
    settings_of: dict[str, tuple[bool, int, int]] = {}
    cleared: dict[bytes, Message] = {}
    attempts: dict[int, dict[int, Message]] = defaultdict(dict)
    keys: dict[tuple[bytes, bytes], Message] = {}
    ties: dict[int, Message] = {}
    for record in store.records():
        if record["kind"] == "job":
            jobs[record["id"]] = record
            attempts[record["id"]].clear()      # it tells a new job
            ties.pop(record["id"], None)
        elif record["kind"] == "ties":
            ties[record["id"]] = record
        elif record["kind"] == "attempt":
            attempts[record["id"]][record["number"]] = record
        elif record["kind"] in ("state", "losses"):
            jobs[record["id"]].update(record)
        elif record["kind"] == "taken":
            jobs[record["id"]].update(record, state=STATES.index("active"))
        elif record["kind"] == "done":
            jobs[record["id"]].update(record, state=STATES.index("completed"), flags=jobs[record["id"]]["flags"])
            done.add(record["id"])
        elif record["kind"] in ("gone", "forget"):
            jobs.pop(record["id"], None)
            done.discard(record["id"])
        elif record["kind"] == "clear":
            known = cleared.get(record["name"], {"drained": 0, "obliterated": 0})
            if record["obliterates"]:
                settings_of.pop(record["name"].decode(), None)
                keys = {name: key for name, key in keys.items() if name[0] != record["name"]}
            cleared[record["name"]] = {bound: max(known[bound], record[bound]) for bound in known}
        elif record["kind"] == "push_key":
            keys[record["queue"], record["key"]] = record
        elif record["kind"] == "queue":
            settings_of[record["name"].decode()] = (
                bool(record["paused"]), record["concurrency_limit"], record["group_concurrency"])
    plain = (False, NO_LIMIT, 1)
    assert {name: one for name, one in settings_of.items() if one != plain} == {
        name: one for name, queue in model.queues.items()
        if (one := (queue.paused, NO_LIMIT if queue.concurrency is None else queue.concurrency,
                    queue.group_concurrency)) != plain
    }
    check_push_keys(keys, model)
    jobs = {job_id: job for job_id, job in jobs.items() if not is_cleared(job, cleared.get(job["queue"]))}
    assert done == set(model.completed_ids) - model.cleaned
    assert set(jobs) == set(model.jobs) | done
    for job_id, job in model.jobs.items():
        found = jobs[job_id]
        state = STATES[found["state"]]
        # A delay that has passed leaves no record: the clock tells.
        assert state == job.state or (state, job.state) == ("delayed", "waiting")
        same = ("priority", "created_at", "run_at", "attempts", "max_attempts", "backoff", "ttl", "timeout",
                "stall_timeout", "progress")
        assert {name: found.get(name, 0) for name in same} == {name: getattr(job, name) for name in same}
        ended_at = job.failed_at if job.state == "failed" else job.completed_at
        assert found.get("ended_at", 0) == ended_at
        assert found.get("stall_count", 0) == job.stall_count
        check_failing(found, attempts[job_id], job)
        check_ties(ties.get(job_id), bool(found["flags"] & JOB_MSGPACK), job)
        assert found.get("message", b"").decode() == (job.message or "")
        assert found["custom_id"].decode() == (job.custom_id or "")
        assert found["queue"].decode() == job.queue.name
        if job.state == "active":
            assert (found["token"], found["started_at"]) == (job.token, job.started_at)
