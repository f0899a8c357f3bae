"""MessagePack frames and values that JSON has no like of; what both codecs share stands in codec_suite."""
import math
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_suite import CodecSuite
from flashq._core import codec_probe, fieldtable
from flashq.commands import COMMANDS, PUSH_OPTIONS
from support.msgpack_forms import Pairs, damaged, encoded, integer_forms, is_acceptable, text_forms

OK, BAD_UTF8, TOO_DEEP, BAD_MSGPACK, NOT_OBJECT, DUPLICATE_FIELD = 0, -3, -4, -5, -6, -7
MISSING_FIELD, BAD_TYPE, OUT_OF_RANGE, BAD_REQ_ID = -8, -9, -10, -12
MAX_BATCH = 1000
MAX_DEPTH = 128
PUSH = b"\x83\xa3cmd\xa4PUSH\xa5queue\xa1q\xa4data"        # the value of `data` follows
NAN_AND_INF = [b"\xca" + struct.pack(">f", x) for x in (math.nan, math.inf, -math.inf)] + [
    b"\xcb" + struct.pack(">d", x) for x in (math.nan, math.inf, -math.inf)
]
BIN_AND_EXT = [
    b"\xc4\x03abc", b"\xc5\x00\x03abc", b"\xc6\x00\x00\x00\x03abc", b"\xc4\x00",
    b"\xc7\x03\x05abc", b"\xc8\x00\x03\x05abc", b"\xc9\x00\x00\x00\x03\x05abc", b"\xc7\x00\x05",
    b"\xd4\x05a", b"\xd5\x05ab", b"\xd6\x05abcd", b"\xd7\x05abcdefgh", b"\xd8\x05abcdefghabcdefgh",
    *(msgpack.packb(msgpack.Timestamp(*args)) for args in ((1,), (1, 1), (2**40,))),
]


@pytest.fixture(scope="module", autouse=True)
def table() -> None:
    fieldtable.load(COMMANDS, PUSH_OPTIONS)


def scan(frame: bytes) -> dict[str, Any]:
    return codec_probe.scan(True, frame)


def scan_map(**fields: object) -> dict[str, Any]:
    return scan(msgpack.packb(fields))


def validate(value: bytes) -> int:
    return codec_probe.validate(True, value)


def raw_map(**fields: bytes) -> bytes:
    """A map whose values are given as bytes."""
    assert len(fields) < 16
    return bytes([0x80 | len(fields)]) + b"".join(msgpack.packb(name) + value for name, value in fields.items())


class TestMsgpack(CodecSuite):
    msgpack = True

    def encode(self, value: Any) -> bytes:
        return msgpack.packb(value)

    def decode(self, value: bytes) -> Any:
        return msgpack.unpackb(value)

    def pairs(self, pairs: list[tuple[str, bytes]]) -> bytes:
        return b"\xde" + struct.pack(">H", len(pairs)) + b"".join(msgpack.packb(name) + value for name, value in pairs)

    def reply(self, value: bytes) -> Any:
        assert struct.unpack(">I", value[:4])[0] == len(value) - 4
        return msgpack.unpackb(value[4:])

    def two(self, items: bytes) -> bytes:
        return b"\x92" + items[1:]


@given(encoded())
def test_every_encoding_of_a_value_is_taken(value: bytes) -> None:
    assert is_acceptable(value)
    assert validate(value) == OK
    found = scan(PUSH + value)
    assert found["status"] == OK
    assert found["fields"].get("data") == (None if value == b"\xc0" else value)


@given(damaged())
def test_damaged_values_are_judged_as_by_the_standard_parser(value: bytes) -> None:
    good = is_acceptable(value)
    assert (validate(value) == OK) == good
    assert (scan(PUSH + value)["status"] == OK) == good


@given(st.binary(max_size=64))
def test_any_bytes_are_judged_as_by_the_standard_parser(value: bytes) -> None:
    assert (validate(value) == OK) == is_acceptable(value)
    scan(value)


@given(encoded())
def test_a_frame_cut_anywhere_is_refused(value: bytes) -> None:
    frame = PUSH + value
    for size in range(len(frame)):
        assert scan(frame[:size])["status"] == BAD_MSGPACK, size
    assert scan(frame + b"\xc0")["status"] == BAD_MSGPACK


FULL = {
    "cmd": "PUSHB", "reqId": "r-1", "queue": "mail", "extra": {"a": [1, b"bin", msgpack.ExtType(3, b"xyz")]},
    "jobs": [
        {"data": {"to": "a@b.c", "n": [1, -1, 2.5, None, True, "é€😀"]}, "priority": -7, "delay": 90000, "ttl": 1,
         "tags": ["a", "é"], "jobId": "custom", "lifo": True, "attempts": 3, "unique_key": None, "group_id": ""},
        {}, {"data": None},
    ],
}


def test_a_full_batch_arrives_whole() -> None:
    found = scan_map(**FULL)
    assert (found["status"], found["req_id"], found["item_count"]) == (OK, b"r-1", 3)
    first = found["items"][0]
    assert first["fields"] == {
        "data": msgpack.packb(FULL["jobs"][0]["data"]), "priority": -7, "delay": 90000, "ttl": 1,
        "tags": msgpack.packb(["a", "é"]), "job_id": b"custom", "lifo": True, "max_attempts": 3,
        "group_id": b"",
    }
    assert first["bad"] == set()
    assert [item["given"] for item in found["items"][1:]] == [set(), {"data"}]


def test_a_full_batch_cut_anywhere_is_refused() -> None:
    frame = msgpack.packb(FULL)
    assert {scan(frame[:size])["status"] for size in range(len(frame))} == {BAD_MSGPACK}


@given(st.data())
def test_a_mutated_frame_gets_an_answer(data: st.DataObject) -> None:
    frame = bytearray(msgpack.packb(FULL))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at] = data.draw(st.sampled_from([0x00, 0x81, 0x91, 0xA5, 0xC0, 0xC4, 0xCB, 0xD9, 0xDD, 0xDF, 0xFF]))
    found = scan(bytes(frame))
    try:
        msgpack.unpackb(bytes(frame), strict_map_key=False, object_pairs_hook=Pairs)
    except (ValueError, msgpack.UnpackException) as error:
        # Of an extension in a field that is passed over the form is enough: nobody makes an object of it.
        extension = any(word in str(error) for word in ("timestamp", "code must be"))
        assert extension or found["status"] in (BAD_MSGPACK, BAD_UTF8, NOT_OBJECT)
    assert found["problem_number"] <= 2**63


# -- frames --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("frame", "status"), [
    (b"", BAD_MSGPACK), (b"\xc1", BAD_MSGPACK), (b"\x80\x80", BAD_MSGPACK), (b"\x81\x01\x02", BAD_MSGPACK),
    (b"\x81\xc0\xc0", BAD_MSGPACK), (b"\x81\xc4\x03cmd\xa4PUSH", BAD_MSGPACK), (b"\x81\xa1\xff\xc0", BAD_UTF8),
    (b"\x90", NOT_OBJECT), (b"\xc0", NOT_OBJECT), (b"\x07", NOT_OBJECT), (b"\xa1a", NOT_OBJECT), (b"\x91", BAD_MSGPACK),
    (b"\x80", MISSING_FIELD), (b"\xde\x00\x00", MISSING_FIELD), (b"\xdf\x00\x00\x00\x00", MISSING_FIELD),
])
def test_odd_frames(frame: bytes, status: int) -> None:
    assert scan(frame)["status"] == status


def test_map_and_names_in_any_width() -> None:
    for head in (b"\x83", b"\xde\x00\x03", b"\xdf\x00\x00\x00\x03"):
        for cmd in text_forms("cmd"):
            for queue in text_forms("queue"):
                frame = head + cmd + b"\xa4PULL" + queue + b"\xd9\x01q" + b"\xa7timeout\x05"
                found = scan(frame)
                assert (found["status"], found["fields"]["queue"], found["fields"]["timeout"]) == (OK, b"q", 5)


def test_the_offset_of_a_problem_is_told() -> None:
    found = scan(PUSH + b"\x92\x01\xc1")
    assert (found["status"], found["problem_number"]) == (BAD_MSGPACK, len(PUSH) + 2)
    found = scan(PUSH + b"\xa3a\xc3\x28")
    assert (found["status"], found["problem_number"]) == (BAD_UTF8, len(PUSH) + 2)


@pytest.mark.parametrize("head", [b"\xdb", b"\xdd", b"\xdf", b"\xc6", b"\xc9"])
def test_claimed_lengths_cost_nothing(head: bytes) -> None:
    huge = head + b"\xff\xff\xff\xff"
    assert validate(huge) == BAD_MSGPACK
    assert scan(huge + b"\xa3cmd")["status"] == BAD_MSGPACK
    for field in (b"\xa4data", b"\xa4jobs", b"\xa3ids", b"\xa4tags", b"\xa7unknown", b"\xa5reqId", b"\xa5queue"):
        assert scan(b"\x81" + field + huge + b"\x01" * 50)["status"] == BAD_MSGPACK


def nested(depth: int, unit: bytes) -> bytes:
    return unit * (depth - 1) + (b"\x80" if unit[0] == 0x81 else b"\x90")


@pytest.mark.parametrize("unit", [b"\x91", b"\x81\xa1k", b"\xdc\x00\x01"])
@pytest.mark.parametrize("field", ["data", "unknown", "priority"])
def test_depth_ends_at_its_limit(unit: bytes, field: str) -> None:
    assert [validate(nested(depth, unit)) for depth in (127, 128, 129)] == [OK, OK, TOO_DEEP]
    for depth, deep in ((126, False), (127, False), (128, True), (5000, True)):
        frame = raw_map(cmd=b"\xa4PUSH", queue=b"\xa1q", data_=b"\xc0", **{field: nested(depth, unit)})
        assert (scan(frame)["status"] == TOO_DEEP) == deep
    for depth, deep in ((125, False), (126, True)):
        frame = raw_map(cmd=b"\xa5PUSHB", queue=b"\xa1q", jobs=b"\x91" + raw_map(**{field: nested(depth, unit)}))
        assert (scan(frame)["status"] == TOO_DEEP) == deep


# -- fields --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("field", "number", "fits"), [
    ("delay", 0, True), ("delay", 127, True), ("delay", 128, True), ("delay", 2**32, True), ("delay", 2**63 - 1, True),
    ("delay", 2**63, False), ("delay", 2**64 - 1, False), ("delay", -1, False), ("delay", -(2**63), False),
    ("max_attempts", 2**32 - 1, True), ("max_attempts", 2**32, False), ("max_attempts", -1, False),
    ("priority", 2**31 - 1, True), ("priority", 2**31, False), ("priority", -(2**31), True), ("priority", -33, True),
    ("priority", -(2**31) - 1, False), ("priority", -128, True), ("priority", -32768, True),
    ("priority", 2**64 - 1, False),
])
def test_integers_in_every_width(field: str, number: int, fits: bool) -> None:
    forms = integer_forms(number)
    assert forms
    for form in forms:
        found = scan(raw_map(cmd=b"\xa4PUSH", queue=b"\xa1q", data=b"\xc0", **{field: form}))
        if fits:
            assert (found["status"], found["fields"][field]) == (OK, number)
        else:
            assert (found["status"], found["problem_field"], found["bad"]) == (OUT_OF_RANGE, field, {field})


@pytest.mark.parametrize("value", [*NAN_AND_INF, b"\xcb" + struct.pack(">d", 0.5), b"\xca" + struct.pack(">f", -0.5),
                                   b"\xcb" + struct.pack(">d", 1e300), b"\xcb" + struct.pack(">d", 2.0**63)])
@pytest.mark.parametrize("field", ["delay", "priority", "max_attempts"])
def test_other_floats_are_out_of_range(field: str, value: bytes) -> None:
    found = scan(raw_map(cmd=b"\xa4PUSH", queue=b"\xa1q", data=b"\xc0", **{field: value}))
    assert (found["status"], found["problem_field"]) == (OUT_OF_RANGE, field)


@pytest.mark.parametrize(("progress", "kept"), [(0, 0), (99.99, 99), (255.9, 255), (-0.0, 0), (100, 100), (-0.5, None),
                                                (256, None), (-1, None), (math.nan, None), (math.inf, None)])
def test_progress_is_rounded_down(progress: float, kept: int | None) -> None:
    found = scan_map(cmd="PROGRESS", id=1, progress=progress)
    if kept is None:
        assert (found["status"], found["problem_field"]) == (OUT_OF_RANGE, "progress")
    else:
        assert (found["status"], found["fields"]["progress"]) == (OK, kept)


def test_nil_is_unset_in_every_field() -> None:
    names = [field.name for field in PUSH_OPTIONS]
    unset = dict.fromkeys(names)
    found = scan_map(cmd="PUSH", reqId=None, queue="q", **unset)
    assert (found["status"], found["req_id"]) == (OK, None)
    assert found["seen"] == {"cmd", "queue"}
    assert found["given"] == {"cmd", "queue", "reqId", *names}
    item = scan_map(cmd="PUSHB", queue="q", jobs=[unset])["items"][0]
    assert (item["given"], item["seen"], item["bad"]) == (set(names), set(), set())
    for field in ("cmd", "queue"):
        found = scan_map(**{"cmd": "PUSH", "queue": "q", "data": 1, field: None})
        assert (found["status"], found["problem_field"]) == (MISSING_FIELD, field)


@pytest.mark.parametrize("value", BIN_AND_EXT)
def test_bin_and_ext_are_no_data_and_no_text(value: bytes) -> None:
    assert validate(value) == BAD_MSGPACK
    assert validate(b"\x92\x01" + value) == BAD_MSGPACK
    assert scan(PUSH + value)["status"] == BAD_MSGPACK
    assert scan(PUSH + b"\x81\xa1k" + value)["status"] == BAD_MSGPACK
    assert scan(raw_map(cmd=b"\xa3ACK", id=b"\x01", result=value))["status"] == BAD_MSGPACK
    for name in ("queue", "priority", "tags", "lifo", "job_id"):
        fields = {"cmd": b"\xa4PUSH", "queue": b"\xa1q", "data": b"\xc0", name: value}
        found = scan(raw_map(**fields))
        assert (found["status"], found["problem_field"]) == (BAD_TYPE, name)
    found = scan(raw_map(cmd=b"\xa4PUSH", reqId=value, queue=b"\xa1q", data=b"\xc0"))
    assert (found["status"], found["req_id"]) == (BAD_REQ_ID, None)


@pytest.mark.parametrize("value", BIN_AND_EXT)
def test_unknown_fields_may_hold_bin_and_ext(value: bytes) -> None:
    frame = raw_map(cmd=b"\xa4PUSH", queue=b"\xa1q", data=b"\xc0", _unknown=b"\x92" + value + b"\x81\xa1k" + value)
    assert scan(frame)["status"] == OK
    assert {scan(frame[:size])["status"] for size in range(len(frame))} == {BAD_MSGPACK}


@pytest.mark.parametrize("value", [*NAN_AND_INF, b"\x81\x01\x02", b"\x81\xc4\x01a\x02", b"\xc1"])
@pytest.mark.parametrize("name", [b"\xa4data", b"\xa8_unknown"])
def test_what_no_value_may_hold(name: bytes, value: bytes) -> None:
    assert validate(b"\x91" + value) == BAD_MSGPACK
    frame = b"\x83\xa3cmd\xa4PUSH\xa5queue\xa1q" + name + b"\x91" + value
    assert scan(frame)["status"] == BAD_MSGPACK


BROKEN = [
    b"\x80", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80",
    b"\xf0\x8f\xbf\xbf", b"\xe2\x82", b"\xc3", b"a" * 40 + b"\xff", b"\xc3\xa9" * 9 + b"\xe2",
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("behind", [b"\xa0", b"\xd9\x28" + b"x" * 40])
def test_broken_utf8(body: bytes, behind: bytes) -> None:
    text = b"\xd9" + bytes([len(body)]) + body
    assert validate(text) == BAD_UTF8
    assert validate(b"\x92" + text + behind) == BAD_UTF8
    for name in ("queue", "data", "job_id", "unknown", "reqId"):
        assert scan(raw_map(**{"cmd": b"\xa4PUSH", name: text, "behind": behind}))["status"] == BAD_UTF8
    assert scan(raw_map(tags=b"\x91" + text))["status"] == BAD_UTF8


def test_a_reqid_behind_the_problem_is_still_read() -> None:
    found = scan(b"\x85\xa3cmd\xa4PULL\xa5queue\xa1q\xa5queue\xa1q\xa7timeout\x90\xa5reqId\xa2r9")
    assert (found["status"], found["problem_field"], found["req_id"]) == (DUPLICATE_FIELD, "queue", b"r9")
    found = scan_map(cmd="PULL", queue=[1, {"a": 2}], reqId="r9")
    assert (found["status"], found["problem_field"], found["req_id"]) == (BAD_TYPE, "queue", b"r9")


@pytest.mark.parametrize(("size", "status"), [(0, OK), (31, OK), (256, OK), (257, BAD_REQ_ID)])
def test_reqid_sizes(size: int, status: int) -> None:
    found = scan_map(cmd="PULL", queue="q", reqId="r" * size)
    assert (found["status"], found["req_id"]) == (status, b"r" * size if status == OK else None)


@pytest.mark.parametrize("extra", [0, 1, 70000])
def test_what_is_past_the_batch_limit_is_counted_and_checked(extra: int) -> None:
    count = MAX_BATCH + extra
    found = scan_map(cmd="PUSHB", queue="q", jobs=[{"data": i} for i in range(count)])
    assert (found["status"], found["item_count"], len(found["items"])) == (OK, count, MAX_BATCH)
    assert found["items"][-1]["fields"]["data"] == msgpack.packb(MAX_BATCH - 1)
    found = scan_map(cmd="ACKB", ids=list(range(count)))
    assert (found["status"], found["id_count"], found["fields"]["ids"]) == (OK, count, list(range(MAX_BATCH)))
    assert scan(msgpack.packb({"cmd": "ACKB", "ids": [1] * count})[:-1] + b"\xc1")["status"] == BAD_MSGPACK
    assert scan_map(cmd="ACKB", ids=[1] * count + ["x"])["status"] == BAD_TYPE
