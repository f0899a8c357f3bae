"""Error texts and codes: the wire document's to the letter, in step with the core, in both formats."""

import re
import struct
from typing import Any

import msgpack
import orjson
import pytest

from flashq import errors
from flashq.config import load
from flashq.errors import BY_STATUS, ERRORS, ErrorCode
from flashq.fields import Kind
from flashq.server.replies import Raw, Refuser, encode, encode_ok, encode_req_id
from support.server import PACKAGE_ROOT

REFUSE = Refuser(load({"max_job_size": 1000, "max_queues": 7, "max_parked": 9}, {}))
NOT_ERRORS = {"OK", "MORE", "PARTLY"}
STRINGS = ["r1", "", "ü€😀", 'quote " and \\ and \n', "x" * 31, "x" * 32, "é" * 128]


def statuses() -> dict[str, int]:
    """The core's Status, read from its .pxd."""
    text = (PACKAGE_ROOT / "flashq" / "_core" / "status.pxd").read_text()
    return {name: int(number) for name, number in re.findall(r"^    (\w+) = (-?\d+)", text, re.M)}


def refused(in_msgpack: bool, *args: Any) -> dict[str, Any]:
    """The decoded error reply, its framing checked."""
    return decoded(in_msgpack, REFUSE(in_msgpack, *args))


def decoded(in_msgpack: bool, reply: bytes) -> dict[str, Any]:
    if in_msgpack:
        (size,) = struct.unpack(">I", reply[:4])
        assert size == len(reply) - 4
        found: dict[str, Any] = msgpack.unpackb(reply[4:])
        return found
    assert reply.endswith(b"\n") and reply.count(b"\n") == 1
    found = orjson.loads(reply)
    return found


def test_every_status_has_its_error_and_no_other() -> None:
    core = {number for name, number in statuses().items() if name not in NOT_ERRORS}
    assert core == set(BY_STATUS)


def test_errors_are_named_as_in_the_core() -> None:
    for name, number in statuses().items():
        if name not in NOT_ERRORS:
            found = getattr(errors, name)
            assert isinstance(found, ErrorCode) and found.status == number


def test_numbers_and_texts_are_not_given_twice() -> None:
    numbers = [error.status for error in ERRORS if error.status is not None]
    assert len(set(numbers)) == len(numbers)
    texts = [(error.text, error.code) for error in ERRORS]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error.code}{error.status}")
def test_codes_are_upper_snake(error: ErrorCode) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z0-9]+)*", error.code)
    assert error.doc.endswith(".")


EXACT = [
    (errors.JOB_NOT_FOUND, "", 99, None, "Job 99 not found"),
    (errors.NOT_IN_PROCESSING, "", 99, None, "Job 99 not found in processing"),
    (errors.NOT_PROCESSING, "", 99, None, "Job 99 not in processing"),
    (errors.CANNOT_CANCEL, "", 5, None, "Job 5 cannot be cancelled (already completed/failed)"),
    (errors.CANNOT_PRIORITIZE, "", 5, None, "Job 5 not found or cannot change priority"),
    (errors.NOT_DELAYED, "", 5, None, "Job 5 is not delayed"),
    (errors.NOT_FOUND_DELAYED, "", 5, None, "Job 5 not found or not in delayed state"),
    (errors.CANNOT_DISCARD, "", 5, None, "Job 5 not found or already in DLQ/completed"),
    (errors.AUTH_REQUIRED, "", 0, None, "Authentication required"),
    (errors.TOO_LARGE_FRAME, "", 0, None, "Message too large"),
    (errors.QUEUE_NAME_EMPTY, "", 0, None, "Queue name cannot be empty"),
    (errors.QUEUE_NAME_LONG, "", 0, None, "Queue name too long (max 256 chars)"),
    (
        errors.QUEUE_NAME_CHARS, "", 0, None,
        "Queue name must contain only alphanumeric characters, underscores, hyphens, or dots",
    ),
    (errors.DATA_TOO_LARGE, "", 1001, None, "Job data too large (1001 bytes, max 1000 bytes)"),
    (errors.BATCH_TOO_LARGE, "", 1001, None, "Batch too large (1001 items, max 1000)"),
    (errors.QUEUE_LIMIT, "", 7, None, "Too many queues (max 7)"),
    (errors.TOO_MANY_PENDING, "", 0, None, "Too many requests are waiting (max 9)"),
    (errors.MISSING_FIELD, "queue", 0, None, "Invalid: missing field 'queue'"),
    (errors.UNKNOWN_COMMAND, "", 0, b"FOO", "Invalid: unknown command 'FOO'"),
    (errors.UNKNOWN_COMMAND, "", 0, b"{field}\xff", "Invalid: unknown command '{field}\ufffd'"),
    (errors.DUPLICATE_FIELD, "data", 0, None, "Invalid: duplicate field 'data'"),
    (errors.TEXT_TOO_LONG, "job_id", 1024, None, "Invalid: field 'job_id' is longer than 1024 bytes"),
    (
        errors.BAD_TYPE, "priority", Kind.I32, None,
        "Invalid: field 'priority' must be an integer between -2147483648 and 2147483647",
    ),
    (
        errors.OUT_OF_RANGE, "priority", 2**31 - 1, None,
        "Invalid: field 'priority' must be an integer between -2147483648 and 2147483647",
    ),
    (
        errors.OUT_OF_RANGE, "jobs[3].max_attempts", 2**32 - 1, None,
        "Invalid: field 'jobs[3].max_attempts' must be an integer between 0 and 4294967295",
    ),
    (
        errors.OUT_OF_RANGE, "progress", 255, None,
        "Invalid: field 'progress' must be a number between 0 and 255",
    ),
    (errors.BAD_TYPE, "lifo", Kind.BOOL, None, "Invalid: field 'lifo' must be true or false"),
    (errors.BAD_TYPE, "queue", Kind.STR, None, "Invalid: field 'queue' must be a string"),
    (errors.BAD_TYPE, "jobs", Kind.ITEMS, None, "Invalid: field 'jobs' must be a list of objects"),
    (errors.BAD_TYPE, "tags", Kind.TAGS, None, "Invalid: field 'tags' must be a list of strings"),
    (errors.BAD_TYPE, "tokens", 3, None, "Invalid: field 'tokens' must be a list of integers, as many as 'ids' has"),
    (errors.BAD_TYPE, "odd", 77, None, "Invalid: field 'odd' must be of another type"),
]


@pytest.mark.parametrize("in_msgpack", [False, True])
@pytest.mark.parametrize(("error", "field", "number", "text", "told"), EXACT)
def test_texts(in_msgpack: bool, error: ErrorCode, field: str, number: int, text: bytes | None, told: str) -> None:
    reply = refused(in_msgpack, error.status, None, field or None, number, text)
    assert reply == {"ok": False, "error": told, "code": error.code}


@pytest.mark.parametrize(
    ("error", "json_text", "msgpack_text"),
    [
        (errors.BAD_SYNTAX, "Invalid: invalid JSON at byte 17", None),
        (errors.BAD_MSGPACK, None, "MessagePack deserialize error: invalid data at byte 17"),
        (
            errors.TOO_DEEP,
            "Invalid: nesting deeper than 128 levels at byte 17",
            "MessagePack deserialize error: nesting deeper than 128 levels at byte 17",
        ),
        (
            errors.BAD_UTF8,
            "Invalid: invalid UTF-8 at byte 17",
            "MessagePack deserialize error: invalid UTF-8 at byte 17",
        ),
        (
            errors.NOT_OBJECT,
            "Invalid: a request must be a JSON object",
            "MessagePack deserialize error: a request must be a map",
        ),
    ],
)
def test_unreadable_frames(error: ErrorCode, json_text: str | None, msgpack_text: str | None) -> None:
    for in_msgpack, told in ((False, json_text), (True, msgpack_text)):
        if told is not None:
            assert refused(in_msgpack, error.status, None, None, 17, None)["error"] == told


def test_every_status_makes_a_reply_and_so_does_an_unknown_one() -> None:
    for status in [*BY_STATUS, -999]:
        for in_msgpack in (False, True):
            reply = refused(in_msgpack, status, b"r1", None, 0, None)
            assert list(reply) == ["reqId", "ok", "error", "code"]
            assert reply["ok"] is False and reply["error"] and "{" not in reply["error"]
    assert refused(False, -999, None, None, 0, None)["code"] == "INTERNAL_ERROR"


def test_long_unknown_names_are_cut() -> None:
    assert len(refused(False, errors.UNKNOWN_COMMAND.status, None, None, 0, b"X" * 100_000)["error"]) < 100


def test_raw_req_id_is_spliced_as_it_came() -> None:
    reply = REFUSE(False, -40, rb"a\u0041\n", None, 5, None)
    assert reply.startswith(b'{"reqId":"a\\u0041\\n","ok":false,"error":"Job 5 not found"')


@pytest.mark.parametrize("in_msgpack", [False, True])
@pytest.mark.parametrize("req_id", STRINGS)
def test_req_id_comes_back(in_msgpack: bool, req_id: str) -> None:
    raw = encode_req_id(in_msgpack, req_id)
    reply = decoded(in_msgpack, REFUSE(in_msgpack, -40, raw, None, 5, None))
    assert reply["reqId"] == req_id and next(iter(reply)) == "reqId"


@pytest.mark.parametrize("in_msgpack", [False, True])
def test_a_success_has_ok_and_success_first_and_no_error(in_msgpack: bool) -> None:
    raw = msgpack.packb({"a": [1, None]}) if in_msgpack else b'{"a":[1,null]}'
    body = {"job": Raw(raw), "state": "active"}
    reply = decoded(in_msgpack, encode_ok(in_msgpack, encode_req_id(in_msgpack, "r"), body))
    expected = {"reqId": "r", "ok": True, "success": True, "job": {"a": [1, None]}, "state": "active"}
    assert reply == expected and list(reply) == list(expected)


@pytest.mark.parametrize("count", [1, 14, 15, 16, 300])
@pytest.mark.parametrize("with_req_id", [False, True])
def test_msgpack_map_sizes(count: int, with_req_id: bool) -> None:
    body: dict[str, object] = {f"k{i}": i for i in range(count)}
    reply = decoded(True, encode(True, b"r" if with_req_id else None, body))
    assert reply == ({"reqId": "r"} if with_req_id else {}) | body
