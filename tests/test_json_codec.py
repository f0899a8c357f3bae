"""The JSON codec: the common suite, and its grammar against the standard parsers."""

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codec_suite import VALUES, CodecSuite, S
from flashq._core import codec_probe as probe

ALPHABET = '{}[]:,"\\/ \t\n\r0123456789-+.eEtrufalsn\x00\x7fé€😀u00d8D'
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=30)


def valid(text: bytes) -> int:
    return probe.validate(False, text)


def standard_accepts(text: bytes) -> bool:
    """What orjson says, without white space around the value."""
    if text != text.strip(b" \t\n\r"):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class TestJson(CodecSuite):
    msgpack = False

    def encode(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    def spelled(self, value: float) -> int:
        return int(Decimal(json.dumps(value)))

    def decode(self, value: bytes) -> Any:
        return json.loads(value)

    def pairs(self, pairs: list[tuple[str, bytes]]) -> bytes:
        return b"{" + b",".join(json.dumps(key).encode() + b":" + value for key, value in pairs) + b"}"

    def reply(self, value: bytes) -> Any:
        assert value.endswith(b"\n") and value.count(b"\n") == 1
        assert json.loads(value) == orjson.loads(value)
        return json.loads(value)

    def comma(self) -> bytes:
        return b","


# -- the grammar ----------------------------------------------------------------------------------------------

@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_documents_are_accepted(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert valid(text) == S["OK"]
    found = probe.scan(False, b' {"cmd" :\t"ACK" , "id":1 ,"result": ' + text + b" }\r\n")
    assert found["status"] == S["OK"]
    assert found["fields"].get("result") == (None if value is None else text)
    if value is not None:
        assert found["flags"]["result"] == (1 if b"\n" in text else 0)


@given(value=VALUES, data=st.data())
def test_mutated_documents_agree_with_orjson(value: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        change = data.draw(st.sampled_from(ALPHABET).map(str.encode) | st.binary(max_size=2))
        text[at:at + data.draw(st.integers(0, 2))] = change
    assert (valid(bytes(text)) == S["OK"]) == standard_accepts(bytes(text))


@given(text=TEXTS.map(str.encode) | st.binary(max_size=12))
@example(b"[,]")
@example(b"[1,]")
@example(b'{"a":1,}')
@example(b"{,}")
@example(b"{]")
@example(b"[}")
@example(b"")
@example(b"\xef\xbb\xbf1")
def test_texts_agree_with_orjson(text: bytes) -> None:
    assert (valid(text) == S["OK"]) == standard_accepts(text)


@given(body=st.binary(max_size=40) | TEXTS.map(str.encode))
def test_strings_agree_with_orjson(body: bytes) -> None:
    text = b'"' + body + b'"'
    assert (valid(text) == S["OK"]) == standard_accepts(text)


@pytest.mark.parametrize("lead", range(0x80, 0x100))
def test_utf8_sequences_agree_with_python(lead: int) -> None:
    edges = (0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    for second in edges:
        for rest in (b"", b"\x80", b"\xbf", b"\x80\x80", b"\xbf\xbf", b"\x80\x41", b"\x80\x80\x80"):
            text = b'"' + bytes((lead, second)) + rest + b'"'
            assert (valid(text) == S["OK"]) == standard_accepts(text), text


NUMBERS = st.from_regex(r"\A-?[0-9]{0,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{0,4})?\Z").map(str.encode)
LONG_NUMBERS = st.builds(
    "{}{}.{}e{}".format, st.integers(0, 10**20), st.integers(0, 330).map("0".__mul__),
    st.integers(0, 10**10), st.integers(-700, 320),
).map(str.encode)


@given(text=NUMBERS | LONG_NUMBERS)
@example(b"1e308")
@example(b"1.7976931348623157e308")
@example(b"1.7976931348623158e308")
@example(b"1.7976931348623159e308")
@example(b"0e99999999999999999999")
@example(b"0.000e999")
@example(b"1e99999999999999999999")
@example(b"1e-99999999999999999999")
@example(b"-1e309")
@example(b"0." + b"0" * 400 + b"1e700")
@example(b"0." + b"0" * 400 + b"1e710")
@example(b"9" * 308)
@example(b"9" * 309)
@example(b"1" * 309)
@example(str(2**1024 - 2**970).encode())
@example(str(2**1024 - 2**970 - 1).encode())
@example(str(2**1024 - 2**970 - 1).encode() + b".9999e0")
@example(str(2**1024 - 2**970 - 1).encode() + b"00e-2")
def test_numbers_agree_with_orjson(text: bytes) -> None:
    assert (valid(text) == S["OK"]) == standard_accepts(text)


@pytest.mark.parametrize("size", [*range(70), 4095, 4096, 4097])
def test_strings_of_every_length_end_where_they_end(size: int) -> None:
    """Whatever the width of a SIMD step and wherever in it the closing quote or the fault stands."""
    for char in ('"', "\\", "\x1f", "\n", "é"):
        text = b'"' + b"a" * size + char.encode() + b'x"'
        assert (valid(text) == S["OK"]) == (char == "é")
        found = probe.scan(False, b'{"cmd":"ACK","id":1,"result":"' + b"a" * size + b'"}')
        assert found["fields"]["result"] == b'"' + b"a" * size + b'"'
        assert valid(b'"' + b"a" * size) == S["BAD_SYNTAX"]


@pytest.mark.parametrize(("text", "status", "offset"), [
    (b'{"a" 1}', "BAD_SYNTAX", 5), (b'{"a":1', "BAD_SYNTAX", 6), (b'{"a":nul}', "BAD_SYNTAX", 5),
    (b'{"a":"\xff"}', "BAD_UTF8", 6), (b'{"\xc3":1}', "BAD_UTF8", 2), (b'{"a":1}x', "BAD_SYNTAX", 7),
    (b'{"a":' + b"[" * 200, "TOO_DEEP", 5 + 127), (b'{"a":1e999}', "BAD_SYNTAX", 5), (b"", "BAD_SYNTAX", 0),
    (b'{"a":"\\ud800"}', "BAD_SYNTAX", 6), (b'{"delay":"\\u12"}', "BAD_SYNTAX", 10), (b"[1", "BAD_SYNTAX", 2),
    (b'{"delay":01}', "BAD_SYNTAX", 10), (b'{"delay":1e999}', "BAD_SYNTAX", 9), (b'{"tags":[}', "BAD_SYNTAX", 9),
    (b'{"ids":[1 2]}', "BAD_SYNTAX", 10), (b'{"jobs":[{},]}', "BAD_SYNTAX", 12), (b'{"lifo":tru}', "BAD_SYNTAX", 8),
    (b'{"reqId":"\x01"}', "BAD_SYNTAX", 10),
])
def test_faults_are_told_with_their_place(text: bytes, status: str, offset: int) -> None:
    found = probe.scan(False, text)
    assert (found["status"], found["problem_number"]) == (S[status], offset)
    assert (found["problem_field"], found["problem_item"]) == (None, -1)


def test_a_fault_after_the_request_id_keeps_it() -> None:
    assert probe.scan(False, b'{"reqId":"r1","cmd":"ACK","id":!}')["req_id"] == b"r1"


# -- what JSON alone has --------------------------------------------------------------------------------------

@given(text=st.text(max_size=40))
def test_escaped_texts_are_read(text: str) -> None:
    escaped = "".join(f"\\u{int.from_bytes(unit, 'big'):04X}" for unit in units(text))
    frame = f'{{"cmd":"\\u0050USH","que\\u0075e":"{escaped}","job_id":"{escaped}"}}'.encode()
    found = probe.scan(False, frame)
    assert found["status"] == S["OK"]
    assert (found["fields"]["queue"], found["fields"]["job_id"]) == (text.encode(), text.encode())
    frame = json.dumps({"cmd": "FAIL", "id": 1, "error": text}).encode()
    assert probe.scan(False, frame)["fields"]["error"] == text.encode()


def units(text: str) -> list[bytes]:
    """The UTF-16 code units of a text, as JSON escapes them."""
    raw = text.encode("utf-16-be")
    return [raw[i:i + 2] for i in range(0, len(raw), 2)]


def test_short_escapes() -> None:
    found = probe.scan(False, b'{"cmd":"FAIL","id":1,"error":"\\"\\\\\\/\\b\\f\\n\\r\\t"}')
    assert found["fields"]["error"] == b'"\\/\b\f\n\r\t'


def test_large_texts_with_escapes_share_the_room_of_one_frame() -> None:
    big = "\n" * 60000
    frame = json.dumps({"cmd": "FAIL", "id": 1, "error": big, "message": big, "queue": big}).encode()
    found = probe.scan(False, frame)
    assert found["fields"]["error"] == found["fields"]["message"] == found["fields"]["queue"] == big.encode()


def test_request_ids_are_echoed_with_their_escapes() -> None:
    found = probe.scan(False, rb'{"cmd":"PING","reqId":"\u0041\"\n"}')
    assert found["req_id"] == rb"\u0041\"\n"
    assert json.loads(probe.reply_ok(False, found["req_id"]))["reqId"] == 'A"\n'


@pytest.mark.parametrize(("text", "value"), [
    (b"-0", 0), (b"5.0", 5), (b"1e3", 1000), (b"1E+3", 1000), (b"12.5e1", 125), (b"1000000e-6", 1), (b"0e99", 0),
    (b"0.0e-99999999999", 0), (b"9223372036854775807", 2**63 - 1), (b"9223372036854775807.000", 2**63 - 1),
    (b"922337203685477580700e-2", 2**63 - 1), (b"9007199254740993.0", 2**53 + 1), (b"0.00001e5", 1),
    (b"9223372036854775808", None), (b"92233720368547758070", None), (b"1" * 300, None), (b"1e19", None),
    (b"1e300", None), (b"1.5", None), (b"1e-1", None), (b"-1", None), (b"-1e-300", None), (b"1" * 18, int("1" * 18)),
    (b"1" * 19, int("1" * 19)), (b"0.1e-99999999999999999999", None),
])
def test_integers_in_every_spelling(text: bytes, value: int | None) -> None:
    found = probe.scan(False, b'{"cmd":"ACK","id":' + text + b"}")
    assert found["status"] == S["OUT_OF_RANGE" if value is None else "OK"]
    assert found["fields"].get("id") == value
    found = probe.scan(False, b'{"cmd":"ACKB","ids":[' + text + b" ," + text + b"]}")
    assert found["fields"].get("ids") == (None if value is None else [value, value])


@pytest.mark.parametrize(("text", "value"), [
    (b"99.99999999999999999999999999", 99), (b"1.005e2", 100), (b"255.9", 255), (b"256", None), (b"-0.1", None),
    (b"1e-999", 0), (b"-0.0", 0), (b"2.56e2", None),
])
def test_progress_is_rounded_down(text: bytes, value: int | None) -> None:
    found = probe.scan(False, b'{"cmd":"PROGRESS","id":1,"progress":' + text + b"}")
    assert found["fields"].get("progress") == value
    assert found["status"] == S["OUT_OF_RANGE" if value is None else "OK"]


def test_white_space_between_tokens() -> None:
    frame = b' { "cmd" : "PUSHB" ,\t"queue": "q", "jobs" : '
    frame += b'[ { "data" : [ 1 ,\r\n2 ] , "tags":[ "a" , "b" ]} , { } ] } \r\n'
    found = probe.scan(False, frame)
    assert found["status"] == S["OK"]
    assert [item["fields"] for item in found["items"]] == [{"data": b"[ 1 ,\r\n2 ]", "tags": b'[ "a" , "b" ]'}, {}]
    assert found["items"][0]["flags"] == {"data": 1, "tags": 0}
    assert probe.scan(False, b'{"cmd":"ACK","id":1,\n"result":\n[1]\n}')["flags"] == {"result": 0}
    assert probe.scan(False, b'{"cmd":"ACKB", "ids" : [ 1 , 2 ] }')["fields"]["ids"] == [1, 2]
    assert valid(b" 1") == valid(b"1 ") == S["BAD_SYNTAX"]


def test_bytes_of_short_replies() -> None:
    assert probe.reply_id(False, b"r1", 1) == b'{"reqId":"r1","ok":true,"success":true,"id":1}\n'
    assert probe.reply_count(False, None, 3) == b'{"ok":true,"success":true,"ids":[3],"count":3}\n'


# -- the shape of the last PUSH ---------------------------------------------------------------------------------

HEADS = (
    b'{"cmd":"PUSH","queue":"a","data":', b'{"queue":"b","cmd":"PUSH","data":',
    b'{ "cmd" : "PUSH", "queue":"a" ,"data": ',
    b'{"cmd":"PUSH","queue":"a","data":1,"data":', b'{"cmd":"PUSH","queue":"\\u0061","data":',
    b'{"cmd":"PUSH","queue":"' + b"q" * 250 + b'","data":',
)
TAILS = (b"}", b'}}', b',"priority":3}', b' }', b'', b',"reqId":"r"}', b'} x')
DATA = (b"1", b"null", b'{"a":[1,2]}', b'"\xc3\xa9"', b'"\xff"', b"[1,", b'{"a":\n1}', b"nul", b'"x"',
        b"[" * 140 + b"]" * 140)


@given(st.lists(st.tuples(st.sampled_from(HEADS), st.sampled_from(DATA), st.sampled_from(TAILS)), max_size=12))
def test_what_was_learnt_of_a_push_changes_nothing(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    for head, data, tail in parts:
        frame = head + data + tail
        after_others = probe.scan(False, frame)
        probe.scan(False, b'{"cmd":"PUSH","queue":"another","data":0}')
        assert probe.scan(False, frame) == after_others
        assert probe.scan(False, frame) == after_others


def test_a_learnt_push_with_another_payload() -> None:
    probe.scan(False, b'{"cmd":"PUSH","queue":"a","data":{"n":1}}')
    found = probe.scan(False, b'{"cmd":"PUSH","queue":"a","data":{"n":2,"m":[]}}')
    assert found["status"] == 0
    assert (found["fields"]["queue"], found["fields"]["data"]) == (b"a", b'{"n":2,"m":[]}')
    assert probe.scan(False, b'{"cmd":"PUSH","queue":"a","data":{"n":2,}}')["status"] != 0
