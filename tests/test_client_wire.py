"""Frames of the client in both formats, held against the standard parsers."""

import json

import msgpack
import pytest

from flashq.client.wire import MAX_REPLY, BrokenStream, Wire, wire_of
from support.wire import Codec

MESSAGES = [{"reqId": "1", "ok": True}, {"ok": False, "error": "é" * 300}, {"reqId": "a", "ok": True, "x": [1, None]}]


@pytest.fixture
def wire(codec: Codec) -> Wire:
    return wire_of(codec.name)


@pytest.mark.parametrize("fields", [{}, {"data": {"a": [1, 2.5, None, "é"]}}, {f"k{n}": n for n in range(40)}])
def test_requests(wire: Wire, codec: Codec, fields: dict[str, object]) -> None:
    frame = wire.frame("PUSH", "1f", wire.pack(fields))
    assert codec.take(bytearray(frame)) == {"cmd": "PUSH", "reqId": "1f", **fields}


def test_replies_cut_at_every_byte(wire: Wire, codec: Codec) -> None:
    stream = b"".join(codec.encode(message) for message in MESSAGES)
    assert wire.feed(stream) == MESSAGES
    for cut in range(len(stream)):
        assert wire.feed(stream[:cut]) + wire.feed(stream[cut:]) == MESSAGES
    assert [one for byte in stream for one in wire.feed(bytes((byte,)))] == MESSAGES


def test_a_new_connection_begins_anew(wire: Wire, codec: Codec) -> None:
    wire.feed(codec.encode(MESSAGES[0])[:-3])
    wire.reset()
    assert wire.feed(codec.encode(MESSAGES[1])) == [MESSAGES[1]]


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("json", b"<html>\n"),
        ("json", b"[]\n"),
        ("json", b"x" * (MAX_REPLY + 1)),
        ("msgpack", b"\x00\x00\x00\x01\xc1"),
        ("msgpack", b"\x00\x00\x00\x01\x90"),
        ("msgpack", b"HTTP/1.1 400 Bad Request\r\n"),
    ],
)
def test_what_is_no_reply(format: str, data: bytes) -> None:
    with pytest.raises(BrokenStream):
        wire_of(format).feed(data)


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64])
def test_values_without_a_form_fail_before_anything_is_sent(wire: Wire, value: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        wire.pack({"data": value})


def test_packing_is_that_of_the_libraries() -> None:
    fields = {"data": [1, "a"], "x": 2}
    assert wire_of("json").pack(fields).raw.decode() == json.dumps(fields, separators=(",", ":"))[1:]
    assert wire_of("msgpack").pack(fields).raw == msgpack.packb(fields)[1:]
