"""MessagePack replies, byte by byte what msgpack packs from the expected dict."""
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq._core import codec_probe
from flashq.commands import STATES
from flashq.job_shape import JOB_FIELDS
from support.msgpack_forms import encoded


def opened(frame: bytes) -> dict[str, Any]:
    """The map of exactly one frame, which ends where its length says."""
    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    value = msgpack.unpackb(frame[4:])
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("req_id", [None, "", "r1", "é" * 20, "r" * 256])
def test_short_replies_are_what_msgpack_packs(req_id: str | None) -> None:
    raw = None if req_id is None else req_id.encode()
    head = {} if req_id is None else {"reqId": req_id}
    head |= {"ok": True, "success": True}
    for number in (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53):
        assert codec_probe.reply_id(True, raw, number)[4:] == msgpack.packb({**head, "id": number})
        expected = {**head, "ids": [number], "count": number}
        assert codec_probe.reply_count(True, raw, number)[4:] == msgpack.packb(expected)
    assert codec_probe.reply_ok(True, raw)[4:] == msgpack.packb(head)
    assert codec_probe.reply_no_job(True, raw, False)[4:] == msgpack.packb({**head, "job": None})
    assert codec_probe.reply_no_job(True, raw, True)[4:] == msgpack.packb({**head, "jobs": [], "job": None})
    assert opened(codec_probe.reply_ok(True, raw)) == head


@pytest.mark.parametrize("ids", [[], [5], list(range(1000)), [2**53 - i for i in range(16)]])
def test_a_batch_reply_is_what_msgpack_packs(ids: list[int]) -> None:
    expected: dict[str, object] = {"reqId": "r1", "ok": True, "success": True, "ids": ids}
    reply = codec_probe.reply_ids(True, b"r1", ids)
    assert opened(reply) == expected
    assert reply[4:] == msgpack.packb(expected)


U64, U32 = st.integers(0, 2**53), st.integers(0, 2**32 - 1)

EXTRAS = st.fixed_dictionaries({}, optional={
    "ttl": U64, "timeout": U64, "stall_timeout": U64, "stall_count": U32, "last_heartbeat": U64,
    "message": st.text(min_size=1, max_size=300).map(str.encode), "custom_id": st.text(min_size=1).map(str.encode),
})
JOBS = st.fixed_dictionaries({
    "id": U64, "queue": st.text(min_size=1, max_size=60).map(str.encode), "state": st.integers(0, 4),
}, optional={
    "priority": st.integers(-(2**31), 2**31 - 1), "created_at": U64, "run_at": U64, "attempts": U32,
    "max_attempts": U32, "backoff": U32, "progress": st.integers(0, 100), "deadline": U64, "data": encoded(),
    "extra": EXTRAS,
    "tags": st.lists(st.text(), min_size=1).map(msgpack.packb), "lifo": st.booleans(),
    "remove_on_complete": st.booleans(), "remove_on_fail": st.booleans(),
    "delivery": st.fixed_dictionaries({"token": U64, "started_at": U64, "last_heartbeat": U64}),
})
PLAIN = {"id": 97, "queue": b"mail", "state": 0}


def expected_job(job: dict[str, Any]) -> bytes:
    """The Job map with `data` spliced in as the bytes that were given, for it may hold any encoding."""
    extra, delivery = job.get("extra", {}), job.get("delivery")
    times = delivery or {"started_at": 0, "last_heartbeat": extra.get("last_heartbeat", 0)}
    message = extra["message"].decode() if "message" in extra else None
    custom_id = extra["custom_id"].decode() if "custom_id" in extra else None
    given = {
        "id": job["id"], "queue": job["queue"].decode(), "state": STATES[job["state"]],
        "started_at": times["started_at"], "last_heartbeat": times["last_heartbeat"], "progress_msg": message,
        "progress_message": message, "custom_id": custom_id, "depends_on": [], "children_ids": [],
        "tags": msgpack.unpackb(job["tags"]) if "tags" in job else [],
        "completed_at": job.get("deadline", 0) if job["state"] == 3 else 0,
        "token": delivery["token"] if delivery and job["state"] == 2 else None,
    }
    given |= {name: extra.get(name, 0) for name in ("ttl", "timeout", "stall_timeout", "stall_count")}
    given |= {name: job.get(name, False) for name in ("lifo", "remove_on_complete", "remove_on_fail")}
    given |= dict.fromkeys(("unique_key", "parent_id", "group_id"))
    packed = b"\xde" + struct.pack(">H", len(JOB_FIELDS))
    for name in (field.name for field in JOB_FIELDS):
        value = msgpack.packb(given[name] if name in given else job.get(name, 0))
        packed += msgpack.packb(name) + (job.get("data", b"\xc0") if name == "data" else value)
    return packed


@given(st.lists(JOBS, min_size=1, max_size=4), st.none() | st.text(max_size=40))
def test_jobs_are_what_msgpack_packs(jobs: list[dict[str, Any]], req_id: str | None) -> None:
    raw = None if req_id is None else req_id.encode()
    head = {} if req_id is None else {"reqId": req_id}
    one = {**head, "ok": True, "success": True, "job": None}
    probes = [codec_probe.JobProbe(**job) for job in jobs]
    reply = codec_probe.reply_jobs(True, raw, False, probes[:1])
    assert reply[4:] == msgpack.packb(one)[:-1] + expected_job(jobs[0])
    assert list(opened(reply)["job"]) == [field.name for field in JOB_FIELDS]
    many = {**head, "ok": True, "success": True, "jobs": 0}
    reply = codec_probe.reply_jobs(True, raw, True, probes)
    count = b"\xdc" + struct.pack(">H", len(jobs))
    assert reply[4:] == msgpack.packb(many)[:-1] + count + b"".join(map(expected_job, jobs))
    assert len(opened(reply)["jobs"]) == len(jobs)


def test_a_plain_job_and_one_with_empty_rare_fields_read_the_same() -> None:
    plain = codec_probe.reply_jobs(True, None, True, [codec_probe.JobProbe(**PLAIN)])
    rich = codec_probe.reply_jobs(True, None, True, [codec_probe.JobProbe(**PLAIN, extra={})])
    assert plain == rich
    assert plain.endswith(expected_job(PLAIN))


def test_a_thousand_jobs_in_one_frame() -> None:
    data = msgpack.packb({"text": "x" * 500})
    jobs = [codec_probe.JobProbe(**{**PLAIN, "id": i}, data=data) for i in range(1000)]
    assert [job["id"] for job in opened(codec_probe.reply_jobs(True, b"r", True, jobs))["jobs"]] == list(range(1000))


@given(JOBS)
def test_what_was_written_is_taken_back(job: dict[str, Any]) -> None:
    """A Job is itself an acceptable value, whatever its fields hold."""
    reply = codec_probe.reply_jobs(True, b"r", True, [codec_probe.JobProbe(**job)])
    assert codec_probe.validate(True, reply[4:]) == 0
