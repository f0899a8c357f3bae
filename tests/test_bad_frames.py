"""Frames that cannot be read: each gets its error alone, and the connection, the others and the server go on."""

import contextlib
import random
import struct
from collections.abc import Iterator

import msgpack
import pytest

from conftest import StartServer
from support.garbage import damaged_payload, stream
from support.server import ServerProcess
from support.wire import JSON, MSGPACK, Client, Codec

# fmt: off
JSON_BAD = [
    b"{", b"}", b"{}}", b"[", b"nul", b"tru", b"{]", b'{"cmd"}', b'{"cmd":}', b'{"cmd":"PING"', b'{"cmd":"PING",}',
    b'{"cmd":"PING"}{}', b'{"cmd":"PING"} x', b"{'cmd':'PING'}", b"{cmd:1}", b'{"cmd" "PING"}', b'{"a":1 "b":2}',
    b'{"a":01}', b'{"a":+1}', b'{"a":1.}', b'{"a":.5}', b'{"a":1e}', b'{"a":0x10}', b'{"a":--1}', b'{"a":1_0}',
    b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}', b'{"a":' + b"9" * 400 + b"}", b'{"a":nan}',
    b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":"\\u12G4"}', b'{"a":"', b'{"a":"\\"}', b'{"a":"\x00"}', b'{"a":"\t"}',
    b"// x", b'{/**/"a":1}', b'\xef\xbb\xbf{"cmd":"PING"}', b'{"a":[1,2}', b'{"a":{]}', b'{"a":[1,]}', b'{"a":[,1]}',
    b",", b'{"cmd":"PUSH","queue":"q","data":[1,2}', b'{"cmd":"PUSH","queue":"q","data":nul}',
    b'{"cmd":"ACK","id":1,}', b'{"cmd":"PUSHB","queue":"q","jobs":[{"data":1},]}', b'{"cmd":"ACKB","ids":[1,2',
    b'{"a":TRUE}', b'{"a":undefined}',
]
UTF8_BAD = [
    b"\xff", b"\x80", b"\xc0\xaf", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
]
# fmt: on
SURROGATES = [b"\\ud800", b"\\udc00", b"\\ud800\\ud800", b"\\udc00\\ud800", b"\\ud800x", b"\\uD83D\\u0041"]
NOT_OBJECTS = [None, True, 0, 1.5, "PING", [], ["PING"], [{"cmd": "PING"}]]
# fmt: off
MSGPACK_BAD = [
    b"", b"\xc1", b"\x81", b"\x81\xa3cmd", b"\x82\xa3cmd\xa4PING", b"\xde\x00", b"\xdf\xff\xff\xff\xff",
    b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffx", b"\xc6\xff\xff\xff\xff", b"\x81\x01\x02",
    b"\x81\xc0\xc0", msgpack.packb({"cmd": "PING"}) + b"\xc0", msgpack.packb({1: 2}), msgpack.packb({b"cmd": "PING"}),
    b"\xd4", b"\xc7\x05",
    *[msgpack.packb({"cmd": "PUSH", "queue": "q", "data": value}) for value in (b"bin", msgpack.ExtType(5, b"x"))],
    *[msgpack.packb({"cmd": "PUSH", "queue": "q", "data": float(text)}) for text in ("nan", "inf", "-inf")],
    msgpack.packb({"cmd": "PUSH", "queue": "q", "data": [{1: 1}]}), b"\x81\xa3cmd\xc4\x04PING"[:5],
]
# fmt: on
DEEP = "nesting deeper than 128 levels"


@pytest.fixture
def client(server: ServerProcess, codec: Codec) -> Iterator[Client]:
    with server.client(codec) as opened:
        yield opened


def refused(client: Client, payload: bytes) -> tuple[str, str]:
    """Text and code of the error for a frame; the frame behind it is answered as ever, and nothing was pushed."""
    client.send_raw(client.codec.frame(payload))
    reply = client.receive()
    assert (reply["ok"], list(reply)[-3:]) == (False, ["ok", "error", "code"]), payload
    assert client.ok("PING", reqId="after")["reqId"] == "after"
    assert client.ok("COUNT", queue="q")["count"] == 0
    return reply["error"], reply["code"]


# -- what is no value -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", JSON_BAD, ids=range(len(JSON_BAD)))
def test_what_is_no_json(server: ServerProcess, payload: bytes) -> None:
    with server.client(JSON) as client:
        text, code = refused(client, payload)
        assert text.startswith("Invalid: invalid JSON at byte ") and code == "INVALID_JSON"


@pytest.mark.parametrize("payload", MSGPACK_BAD, ids=range(len(MSGPACK_BAD)))
def test_what_is_no_messagepack(server: ServerProcess, payload: bytes) -> None:
    with server.client(MSGPACK) as client:
        text, code = refused(client, payload)
        assert text.startswith("MessagePack deserialize error: invalid data at byte ") and code == "INVALID_MSGPACK"


@pytest.mark.parametrize("value", NOT_OBJECTS, ids=repr)
def test_what_is_no_object(client: Client, value: object) -> None:
    payload = client.codec.encode(value)[:-1] if client.codec is JSON else msgpack.packb(value)
    texts = {"Invalid: a request must be a JSON object", "MessagePack deserialize error: a request must be a map"}
    text, code = refused(client, payload)
    assert text in texts and code == "NOT_AN_OBJECT"


def test_every_beginning_of_a_frame(client: Client) -> None:
    """No beginning of a request is a request."""
    whole = {"cmd": "PUSH", "queue": "q", "data": {"a": [1, "é", None]}, "tags": ["x"], "delay": 5, "reqId": "r"}
    payload = client.codec.encode(whole)[:-1] if client.codec is JSON else msgpack.packb(whole)
    for size in range(client.codec is JSON, len(payload)):
        refused(client, payload[:size])


@pytest.mark.parametrize("place", ["data", "key", "queue", "unknown", "reqId", "tags", "cmd", "error"])
@pytest.mark.parametrize("text", UTF8_BAD + SURROGATES)
def test_what_is_no_utf8(server: ServerProcess, place: str, text: bytes) -> None:
    before, after = {
        "data": (b'{"cmd":"PUSH","queue":"q","data":["', b'"]}'),
        "key": (b'{"cmd":"PUSH","queue":"q","data":1,"', b'":1}'),
        "queue": (b'{"cmd":"PUSH","queue":"', b'"}'),
        "unknown": (b'{"cmd":"PING","x":"', b'"}'),
        "reqId": (b'{"cmd":"PING","reqId":"', b'"}'),
        "tags": (b'{"cmd":"PUSH","queue":"q","tags":["', b'"]}'),
        "cmd": (b'{"cmd":"', b'"}'),
        "error": (b'{"cmd":"FAIL","id":1,"error":"', b'"}'),
    }[place]
    with server.client(JSON) as client:
        message, code = refused(client, before + text + after)
        kind = "JSON" if text in SURROGATES else "UTF-8"  # half a pair is an escape that JSON text cannot have
        assert message.startswith(f"Invalid: invalid {kind} at byte ")
        assert code == f"INVALID_{kind.replace('-', '')}"


@pytest.mark.parametrize("text", UTF8_BAD)
def test_what_is_no_utf8_in_messagepack(server: ServerProcess, text: bytes) -> None:
    bad = bytes([0xA0 | len(text)]) + text
    push = b"\x83\xa3cmd\xa4PUSH\xa5queue\xa1q\xa4data"
    for payload in (
        push + bad,
        push + b"\x81" + bad + b"\x01",
        b"\x81\xa3cmd" + bad,
        b"\x82\xa3cmd\xa4PING" + bad + b"\x01",
    ):
        with server.client(MSGPACK) as client:
            message, code = refused(client, payload)
            assert message.startswith("MessagePack deserialize error: invalid UTF-8 at byte ")
            assert code == "INVALID_UTF8"


@pytest.mark.parametrize(
    "fields",
    [
        b'"queue":"q","queue":"q"',
        b'"queue":"q","data":1,"data":2',
        b'"queue":"q","queue":5',
        b'"cmd":"PUSH","queue":"q"',
        b'"queue":"q","\\u0071ueue":"q"',
        b'"queue":null,"queue":"q"',
    ],
)
def test_fields_given_twice(server: ServerProcess, fields: bytes) -> None:
    with server.client(JSON) as client:
        text, code = refused(client, b'{"cmd":"PUSH",' + fields + b"}")
        assert text.startswith("Invalid: duplicate field '") and code == "DUPLICATE_FIELD"


def test_fields_given_twice_in_messagepack(server: ServerProcess) -> None:
    with server.client(MSGPACK) as client:
        text, code = refused(client, b"\x83\xa3cmd\xa4PUSH\xa5queue\xa1q\xa5queue\xa1q")
        assert (text, code) == ("Invalid: duplicate field 'queue'", "DUPLICATE_FIELD")


def test_fields_of_cold_commands_given_twice(server: ServerProcess) -> None:
    with server.client(JSON) as client:
        assert refused(client, b'{"cmd":"GETJOB","id":1,"id":2}')[1] == "DUPLICATE_FIELD"


# -- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opening", ["[", "{"], ids=["lists", "objects"])
def test_depth(client: Client, queue_name: str, opening: str) -> None:
    """128 levels, the request among them."""

    def nested(levels: int) -> bytes:
        if client.codec is MSGPACK:
            return (b"\x91" if opening == "[" else b"\x81\xa1a") * levels + b"\x01"
        return b"[" * levels + b"1" + b"]" * levels if opening == "[" else b'{"a":' * levels + b"1" + b"}" * levels

    def push(levels: int, name: bytes) -> bytes:
        queue = queue_name.encode()
        if client.codec is MSGPACK:
            head = b"\x83\xa3cmd\xa4PUSH\xa5queue\xd9" + bytes([len(queue)]) + queue
            return head + bytes([0xA0 | len(name)]) + name + nested(levels)
        return b'{"cmd":"PUSH","queue":"' + queue + b'","' + name + b'":' + nested(levels) + b"}"

    for name in (b"data", b"unknown", b"priority", b"lifo"):
        for levels in (128, 129, 1000, 100_000):
            text, code = refused(client, push(levels, name))
            assert DEEP in text and code == "TOO_DEEP"
    for name in (b"data", b"unknown"):
        client.send_raw(client.codec.frame(push(127, name)))
        assert client.receive()["ok"] is True
    job = client.ok("PULL", queue=queue_name, timeout=0)["job"]
    depth, value = 0, job["data"]
    while isinstance(value, (list, dict)):
        depth, value = depth + 1, value[0 if opening == "[" else "a"]
    assert (depth, value) == (127, 1)


def test_job_data_at_and_past_the_limit(client: Client, queue_name: str) -> None:
    limit = 1_048_576
    head = 2 if client.codec is JSON else 5
    fits = "x" * (limit - head)
    id = client.ok("PUSH", queue=queue_name, data=fits)["id"]
    text = f"Job data too large ({limit + 1} bytes, max {limit} bytes)"
    assert client.call("PUSH", queue=queue_name, data=fits + "x", reqId="r") == {
        "reqId": "r",
        "ok": False,
        "error": text,
        "code": "DATA_TOO_LARGE",
    }
    batch = client.ok(
        "PUSHB", queue=queue_name, jobs=[{"data": 1}, {"data": fits + "x"}, {"data": fits}, {"data": fits * 2}]
    )
    assert len(batch["ids"]) == 2 and batch["failed"] == [1, 3]
    assert [(error["index"], "too large" in error["error"]) for error in batch["errors"]] == [(1, True), (3, True)]
    assert client.ok("COUNT", queue=queue_name)["count"] == 3
    assert client.ok("PULL", queue=queue_name, timeout=0)["job"]["data"] == fits
    assert client.error("ACK", id=id, result=fits + "x") == text
    assert client.ok("GETSTATE", id=id)["state"] == "active"
    client.ok("ACK", id=id, result=fits)
    assert client.ok("GETRESULT", id=id)["result"] == fits


def test_half_a_megabyte_and_a_little_over_one(client: Client, queue_name: str) -> None:
    client.ok("PUSH", queue=queue_name, data={"blob": "x" * 500_000})
    assert len(client.ok("PULL", queue=queue_name, timeout=0)["job"]["data"]["blob"]) == 500_000
    assert "too large" in client.error("PUSH", queue=queue_name, data="x" * 1_100_000)


SMALL = ("--max-frame", "64KB", "--max-job-size", "1KB")


def test_frames_at_and_past_the_limit(start_server: StartServer, codec: Codec) -> None:
    server = start_server(*SMALL)

    def frame(size: int) -> bytes:
        bare = len(codec.encode({"cmd": "PING", "x": "y" * 60_000})) - 60_000 - (1 if codec is JSON else 4)
        return codec.encode({"cmd": "PING", "x": "y" * (size - bare)})

    with server.client(codec) as client, server.client(codec) as other:
        client.send_raw(frame(65_536))
        assert client.receive()["pong"] is True
        client.send_raw(frame(65_537)[: 70_000 if codec is JSON else 4])
        assert client.receive() == {"ok": False, "error": "Message too large", "code": "MESSAGE_TOO_LARGE"}
        assert client.is_closed()
        assert other.ok("PING")["pong"] is True


def test_a_line_that_never_ends(start_server: StartServer) -> None:
    """It is refused as soon as it is too long, not when its end comes."""
    server = start_server(*SMALL)
    with server.client() as client:
        client.send_raw(b'{"cmd":"PING","reqId":"first"}\n' + b"x" * 65_536)
        assert client.receive()["reqId"] == "first"
        client.send_raw(b"x")
        assert client.receive()["error"] == "Message too large"
        assert client.is_closed()


def test_requests_before_an_oversized_frame_are_answered(start_server: StartServer, codec: Codec) -> None:
    server = start_server(*SMALL)
    with server.client(codec) as client:
        frames = b"".join(codec.encode({"cmd": "PING", "reqId": str(n)}) for n in range(100))
        client.send_raw(frames + (b"x" * 65_537 if codec is JSON else struct.pack(">I", 2**32 - 1)))
        assert [client.receive()["reqId"] for _ in range(100)] == [str(n) for n in range(100)]
        assert client.receive()["error"] == "Message too large"
        assert client.is_closed()


def test_the_largest_frame_of_all(server: ServerProcess, codec: Codec) -> None:
    """16 MiB by default; a client that goes on sending gets the answer all the same."""
    with server.client(codec) as client:
        client.send_raw(codec.encode({"cmd": "PING", "x": "y" * (16 * 1024 * 1024 - 100)}))
        assert client.receive()["pong"] is True
        with contextlib.suppress(ConnectionError):  # it may be refused while the most of it is on its way
            client.send_raw(codec.encode({"cmd": "PING", "x": "y" * (16 * 1024 * 1024)}))
        assert client.receive()["error"] == "Message too large"
        assert client.is_closed()


# -- by the thousand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_every_damaged_frame_gets_one_reply(server: ServerProcess, codec: Codec, seed: int) -> None:
    rng = random.Random(f"{codec.name}-{seed}")
    with server.client(codec) as client:
        client.ok("PING")  # settles the format: damage may begin with any byte
        for _ in range(10):
            payloads = [damaged_payload(rng, codec) for _ in range(100)]
            client.send_raw(b"".join(map(codec.frame, payloads)) + codec.encode({"cmd": "PING", "reqId": "the end"}))
            replies = []
            while not replies or replies[-1].get("reqId") != "the end":
                replies.append(client.receive())
            assert len(replies) == len(payloads) + 1
            for reply in replies:
                assert reply["ok"] is True or (isinstance(reply["error"], str) and isinstance(reply["code"], str))


@pytest.mark.parametrize("seed", range(4))
def test_noise_ends_no_server(server: ServerProcess, codec: Codec, seed: int) -> None:
    """Each connection sends its bytes and half-closes: the server answers what it can and hangs up."""
    rng = random.Random(f"noise-{codec.name}-{seed}")
    with server.client(codec) as witness:
        for _ in range(100):
            with server.client(codec) as client:
                try:
                    client.send_raw(stream(rng, codec))
                    client.finish()
                    while client.socket.recv(1 << 16):
                        continue
                except ConnectionError:
                    continue
            assert witness.ok("PING")["pong"] is True


def test_the_server_reported_nothing(server: ServerProcess) -> None:
    """Of all the tests above. What was closed for its fault is in the log; nothing else is."""
    with server.client() as client:
        client.ok("STATS")
    server.check_log()
    assert "command_failed" not in server.text and '"level":"error"' not in server.text
