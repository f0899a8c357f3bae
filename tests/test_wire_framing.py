"""Where a frame ends, which format a connection speaks, and that a frame cut anywhere is like one that came whole."""

import json
import struct
from typing import Any

import msgpack
import pytest

from support.server import ServerProcess
from support.wire import CODECS, JSON, MSGPACK, Client, Closed, Codec

PONG = {"ok": True, "success": True, "pong": True}


def ping(**fields: Any) -> dict[str, Any]:
    return {"cmd": "PING", **fields}


def ends(client: Client) -> bytes:
    """Wait until the server hangs up, without a further whole reply; what came after the last one."""
    with pytest.raises(Closed) as caught:
        client.receive()
    return caught.value.rest


# -- the choice of the format ---------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", b"\n", b"\r\n", b" ", b"\t", b"\r", b"\r\r\n\n  "])
def test_the_first_byte_chooses_text(server: ServerProcess, first: bytes) -> None:
    with server.client() as client:
        client.send_raw(first + JSON.encode(ping()))
        assert client.receive() == PONG


@pytest.mark.parametrize("first", [b"x", b"\x02", b"\x7f", b"\x81", b"[1]", b"GET / HTTP/1.1"])
def test_any_other_first_byte_is_text_too(server: ServerProcess, first: bytes) -> None:
    with server.client() as client:
        client.send_raw(first + b"\n" + JSON.encode(ping(reqId="1")))
        assert client.receive()["code"] in ("INVALID_JSON", "INVALID_UTF8", "NOT_AN_OBJECT")
        assert client.receive()["reqId"] == "1"


@pytest.mark.parametrize("size", [11, 255, 256, 65_535, 65_536, 0xFFFF00, 0x1000000])
def test_zero_and_one_choose_binary(server: ServerProcess, size: int) -> None:
    """Up to the largest frame, which begins with 01."""
    head = {"cmd": "PING", "x": ""}
    bare = len(msgpack.packb(head))
    body = msgpack.packb(head)[:-1]
    text = b"x" * (size - bare - 4) if size > 2 * bare else b""
    payload = body + b"\xdb" + struct.pack(">I", len(text)) + text if text else msgpack.packb(ping())
    with server.client(MSGPACK) as client:
        client.send_raw(MSGPACK.frame(payload))
        assert client.receive() == PONG


def test_the_choice_holds_for_the_connection(server: ServerProcess) -> None:
    with server.client(JSON) as text, server.client(MSGPACK) as binary:
        assert text.call("PING") == binary.call("PING") == PONG
        text.send_raw(MSGPACK.encode(ping(reqId="a")) + b"\n")
        assert text.receive()["code"] == "INVALID_JSON"
        binary.send_raw(JSON.encode(ping()))  # a length of 0x7b226364: far too large
        assert binary.receive()["error"] == "Message too large"
        assert binary.is_closed()
        assert text.call("PING") == PONG


def test_both_formats_on_one_port_at_once(server: ServerProcess, queue_name: str) -> None:
    clients = [server.client(CODECS[name]) for name in ("json", "msgpack") * 10]
    try:
        for n, client in enumerate(clients):
            client.send("PUSH", queue=queue_name, data={"n": n}, reqId=str(n))
        assert [client.receive()["reqId"] for client in clients] == [str(n) for n in range(len(clients))]
        jobs = [client.ok("PULL", queue=queue_name, timeout=0)["job"] for client in reversed(clients)]
        assert sorted(job["data"]["n"] for job in jobs) == list(range(len(clients)))
    finally:
        for client in clients:
            client.close()


# -- text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r\r\n", b" \t\r\n", b"\n\n\r\n \n"[:3]])
def test_line_ends(server: ServerProcess, line_end: bytes) -> None:
    with server.client() as client:
        client.send_raw(b"".join(b'{"cmd":"PING","reqId":"%d"}' % n + line_end for n in range(20)))
        assert [client.receive()["reqId"] for _ in range(20)] == [str(n) for n in range(20)]


def test_blank_lines_ask_nothing(server: ServerProcess) -> None:
    with server.client() as client:
        client.send_raw(b"\n\r\n\r\r\n\n" + JSON.encode(ping(reqId="a")) + b"\n\r\n" + JSON.encode(ping(reqId="b")))
        assert [client.receive()["reqId"] for _ in "ab"] == ["a", "b"]


def test_a_line_of_spaces_gets_one_answer(server: ServerProcess) -> None:
    with server.client() as client:
        client.send_raw(b"   \n" + JSON.encode(ping(reqId="a")))
        assert client.receive()["ok"] is False
        assert client.receive()["reqId"] == "a"


@pytest.mark.parametrize("last", [b"", b"\r", b"\n", b"\r\n"])
def test_the_last_line_needs_no_line_end(server: ServerProcess, last: bytes) -> None:
    with server.client() as client:
        client.send_raw(JSON.encode(ping(reqId="a")) + b'{"cmd":"PING","reqId":"b"}' + last)
        client.finish()
        assert [client.receive()["reqId"] for _ in "ab"] == ["a", "b"]
        assert ends(client) == b""


def test_half_a_last_line_is_an_error(server: ServerProcess) -> None:
    with server.client() as client:
        client.send_raw(b'{"cmd":"PI')
        client.finish()
        assert client.receive()["code"] == "INVALID_JSON"
        assert ends(client) == b""


def test_nothing_asked_nothing_answered(server: ServerProcess, codec: Codec) -> None:
    with server.client(codec) as client:
        client.finish()
        assert ends(client) == b""


def test_carriage_returns_between_tokens_are_not_kept(server: ServerProcess, queue_name: str) -> None:
    """What one client pushes must fit into a line of another's reply."""
    with server.client() as client:
        client.send_raw(b'{"cmd":"PUSH","queue":"%s","data":[1,\r2,\r"\\r"]}\n' % queue_name.encode())
        client.receive()
        client.send("PULL", queue=queue_name, timeout=0)
        line = b""
        while not line.endswith(b"\n"):
            line += client.socket.recv(65536)
        assert b"\r" not in line and line.count(b"\n") == 1
        assert json.loads(line)["job"]["data"] == [1, 2, "\r"]


# -- binary ---------------------------------------------------------------------------------------------------


def test_a_frame_of_no_bytes_is_an_error(server: ServerProcess) -> None:
    with server.client(MSGPACK) as client:
        client.send_raw(bytes(8) + MSGPACK.encode(ping(reqId="after")))
        for _ in range(2):
            reply = client.receive()
            assert (reply["ok"], reply["code"]) == (False, "INVALID_MSGPACK")
            assert reply["error"].startswith("MessagePack deserialize error: ")
        assert client.receive()["reqId"] == "after"


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 10])
def test_a_truncated_frame_ends_silently(server: ServerProcess, cut: int) -> None:
    with server.client(MSGPACK) as client:
        client.send_raw(MSGPACK.encode(ping(reqId="a")) + MSGPACK.encode(ping(reqId="b"))[:cut])
        client.finish()
        assert client.receive()["reqId"] == "a"
        assert ends(client) == b""


# -- cut and joined -------------------------------------------------------------------------------------------


def a_frame(codec: Codec, queue: str) -> bytes:
    """A request with all that a scanner could lose its place in."""
    frame = codec.encode(
        {
            "cmd": "PUSH",
            "queue": queue,
            "data": {"é\U0001f600": ['"\\\n{}[],:', -1.5e10, None, True]},
            "delay": 3_600_000,
            "tags": ["a", "\\"],
            "job_id": "cut\u20ac",
            "reqId": "r\u00fc\\1",
        }
    )
    return frame[:-1] + b"\r\n" if codec is JSON else frame


def test_a_frame_split_at_every_byte(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    """The PING in front is answered once the first part has been read; only then the rest is sent."""
    frame = a_frame(codec, queue_name)
    with server.client(codec) as client:
        client.send_raw(frame)
        expected = client.receive()
        assert expected["ok"] is True and expected["reqId"] == "r\u00fc\\1"
        for at in range(1, len(frame)):
            client.send_raw(codec.encode(ping()) + frame[:at])
            assert client.receive() == PONG
            client.send_raw(frame[at:])
            assert client.receive() == expected, at


def test_a_byte_at_a_time(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        frames = a_frame(codec, queue_name) + codec.encode(ping()) + a_frame(codec, queue_name)
        for at in range(len(frames)):
            client.send_raw(frames[at : at + 1])
        first, pong, second = (client.receive() for _ in range(3))
        assert first == second and first["ok"] is True
        assert pong == PONG


def test_many_frames_in_one_write(server: ServerProcess, codec: Codec) -> None:
    count = 20_000
    with server.client(codec) as client:
        client.send_raw(b"".join(codec.encode(ping(reqId=str(n))) for n in range(count)))
        assert [client.receive()["reqId"] for _ in range(count)] == [str(n) for n in range(count)]


@pytest.mark.parametrize("size", [4095, 4096, 4097, 65_535, 65_536, 65_537, 262_144, 1_000_000])
def test_frames_across_the_edges_of_reads(server: ServerProcess, codec: Codec, queue_name: str, size: int) -> None:
    """Large and small frames in turn, in pieces of an odd size."""
    with server.client(codec) as client:
        large = {"cmd": "PUSH", "queue": queue_name, "data": "x" * size}
        stream = b"".join(codec.encode(large) + codec.encode(ping(reqId=str(n))) for n in range(3))
        for at in range(0, len(stream), 33_331):
            client.send_raw(stream[at : at + 33_331])
        for n in range(3):
            assert client.receive()["ok"] is True
            assert client.receive()["reqId"] == str(n)
        jobs = client.ok("PULLB", queue=queue_name, count=3, timeout=0)["jobs"]
        assert [len(job["data"]) for job in jobs] == [size] * 3
