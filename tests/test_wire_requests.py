"""What frames a request: reqId, its order among others, AUTH before all, HELLO."""

import json
from typing import Any

import pytest

from conftest import StartServer
from flashq.commands import COMMANDS
from support.server import ServerProcess
from support.wire import JSON, MSGPACK, Codec

REQUIRED = {"queue": "q", "id": 1, "ids": [1], "jobs": [{}], "count": 1, "progress": 1}
BAD_REQ_ID = "Invalid: field 'reqId' must be a string of at most 256 bytes"


# -- reqId ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("req_id", ["", "1", "r-1", "a b", "é\U0001f600", '\x00\n"\\/\u2028', "x" * 256, "é" * 128])
def test_req_id_comes_back_as_the_first_key(server: ServerProcess, codec: Codec, req_id: str) -> None:
    with server.client(codec) as client:
        for cmd, fields in (("PING", {}), ("PULL", {"queue": "none", "timeout": 0}), ("ACK", {"id": 1}), ("NO", {})):
            if codec is JSON and len(json.dumps(req_id, ensure_ascii=False).encode()) > 258:
                continue  # JSON counts the bytes between the quotes, escapes and all
            reply = client.call(cmd, **fields, reqId=req_id)
            assert next(iter(reply.items())) == ("reqId", req_id)


@pytest.mark.parametrize(
    "escaped", [b"\\u0031", b"\\u00e9", b"\\n", b"\\/", b"\\ud83d\\ude00", b"\\\\u0031", b"\\b\\f"]
)
@pytest.mark.parametrize("request_", [b'"cmd":"ACK","id":1', b'"cmd":"PING"', b'"cmd":"NO"'])
def test_req_id_with_escapes(server: ServerProcess, escaped: bytes, request_: bytes) -> None:
    with server.client() as client:
        client.send_raw(b'{"reqId":"' + escaped + b'",' + request_ + b"}\n")
        assert client.receive()["reqId"] == json.loads(b'"' + escaped + b'"')


@pytest.mark.parametrize("cmd", ["PING", "PULL", "ACK", "NO"])
def test_without_req_id_there_is_none_in_the_reply(server: ServerProcess, codec: Codec, cmd: str) -> None:
    with server.client(codec) as client:
        assert "reqId" not in client.call(cmd, id=1, queue="none", timeout=0)
        assert "reqId" not in client.call(cmd, id=1, queue="none", timeout=0, reqId=None)


@pytest.mark.parametrize(
    "req_id", [0, 5, -1, 1.5, True, False, [], ["r"], {}, {"r": 1}, "x" * 257, "é" * 129, "x" * 70_000]
)
def test_a_req_id_that_cannot_be_echoed(server: ServerProcess, codec: Codec, req_id: object) -> None:
    with server.client(codec) as client:
        for cmd in ("PING", "PUSH"):
            reply = client.call(cmd, queue="bad-req-id", data=1, reqId=req_id)
            assert list(reply.items()) == [("ok", False), ("error", BAD_REQ_ID), ("code", "INVALID_REQ_ID")]
        assert client.ok("COUNT", queue="bad-req-id")["count"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"cmd": "NO"},
        {"cmd": "ping"},
        {"cmd": 5},
        {},
        {"cmd": None},
        {"cmd": "PUSH"},
        {"cmd": "PUSH", "queue": 7},
        {"cmd": "PUSH", "queue": "a b"},
        {"cmd": "ACK", "id": -1},
        {"cmd": "GETJOB"},
        {"cmd": "PUSHB", "queue": "q", "jobs": [{"delay": "x"}]},
    ],
)
def test_errors_echo_the_req_id_wherever_it_stands(server: ServerProcess, codec: Codec, fields: dict[str, Any]) -> None:
    with server.client(codec) as client:
        for request in ({"reqId": "r", **fields}, {**fields, "reqId": "r"}):
            client.send_raw(codec.encode(request))
            reply = client.receive()
            assert list(reply)[:3] == ["reqId", "ok", "error"]
            assert (reply["reqId"], reply["ok"]) == ("r", False)


def test_commands_are_upper_case(server: ServerProcess, codec: Codec) -> None:
    with server.client(codec) as client:
        for command in COMMANDS:
            for name in (command.name.lower(), command.name + " ", " " + command.name, command.name + "\x00"):
                assert client.error(name) == f"Invalid: unknown command '{name}'"


def test_unknown_fields_are_ignored(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    extra = {"_compressed": "H4sI", "options": {"a": [1, {}]}, "": 1, "CMD": "PING", "queue_name": 5, "reqid": 7}
    with server.client(codec) as client:
        assert client.ok("PING", **extra)["pong"] is True
        client.ok("PUSH", queue=queue_name, data=1, **extra)
        client.ok("PUSHB", queue=queue_name, jobs=[{"data": 1, **extra, "queue": 5, "cmd": {}, "reqId": 5, "id": "x"}])
        assert client.ok("COUNT", queue=queue_name)["count"] == 2


# -- order ----------------------------------------------------------------------------------------------------


def test_replies_without_req_id_keep_the_order(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        for _ in range(50):
            client.send("PUSH", queue=queue_name, data=1)
            client.send("PULL", queue=queue_name, timeout=0)
            client.send("COUNT", queue=queue_name)
        for _ in range(50):
            id = client.receive()["id"]
            assert client.receive()["job"]["id"] == id
            assert client.receive()["count"] == 0


def test_requests_with_req_id_run_in_order_of_arrival(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        for n in range(100):
            client.send("PUSH", queue=queue_name, data=n, reqId=f"push{n}")
        ids = [client.receive()["id"] for _ in range(100)]
        assert ids == sorted(ids)
        client.send("PULLB", queue=queue_name, count=100, reqId="pull")
        assert [job["data"] for job in client.receive()["jobs"]] == list(range(100))


def test_a_pull_that_waits_lets_others_pass(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        client.send("PULL", queue=queue_name, reqId="one")
        client.send("PULLB", queue=queue_name, count=9, reqId="batch")
        client.send("PULL", queue=queue_name, timeout=1, reqId="short")
        client.send("PING", reqId="ping")
        assert client.receive()["reqId"] == "ping"
        late = client.receive()
        assert (late["reqId"], late["job"]) == ("short", None)
        made = client.ok("PUSHB", queue=queue_name, jobs=[{"data": n} for n in range(3)], reqId="push")
        replies = {reply["reqId"]: reply for reply in (client.receive(), client.receive())}
        assert replies["one"]["job"]["id"] == made["ids"][0]
        assert [job["id"] for job in replies["batch"]["jobs"]] == made["ids"][1:]


def test_pulls_are_served_in_order_of_arrival(server: ServerProcess, queue_name: str) -> None:
    clients = [server.client(codec) for codec in (JSON, MSGPACK) * 5]
    try:
        for client in clients:
            client.send("PULL", queue=queue_name, reqId="pull")
            client.ok("PING", reqId="parked")
        with server.client() as producer:
            ids = [producer.ok("PUSH", queue=queue_name, data=1)["id"] for _ in clients]
        assert [client.receive()["job"]["id"] for client in clients] == ids
    finally:
        for client in clients:
            client.close()


# -- AUTH and HELLO -------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(start_server: StartServer) -> ServerProcess:
    """A server with three tokens."""
    return start_server("--host", "127.0.0.1", env={"AUTH_TOKENS": "s3cret, second ,,drei-ü"})


def test_nothing_but_auth_before_auth(guarded: ServerProcess, codec: Codec) -> None:
    expected = [("reqId", "r"), ("ok", False), ("error", "Authentication required"), ("code", "AUTH_REQUIRED")]
    with guarded.client(codec) as client:
        for command in COMMANDS:
            fields = {field.name: REQUIRED[field.name] for field in command.fields if field.name in REQUIRED}
            if command.name != "AUTH":
                assert list(client.call(command.name, reqId="r", **fields).items()) == expected
                assert client.error(command.name, **fields) == "Authentication required"
                assert client.error(command.name, queue=5, id="x") == "Authentication required"
        assert client.error("AUTH", token="wrong") == "Invalid token"
        assert client.error("PING") == "Authentication required"
        client.ok("AUTH", token="s3cret")
        assert client.ok("LISTQUEUES")["queues"] == []
        assert client.error("AUTH", token="wrong") == "Invalid token"
        assert client.ok("PING")["pong"] is True  # a success is not revoked by a failure
        with guarded.client(codec) as other:
            assert other.error("PING") == "Authentication required"


@pytest.mark.parametrize("token", ["s3cret", "second", "drei-ü"])
def test_each_token_opens(guarded: ServerProcess, codec: Codec, token: str) -> None:
    with guarded.client(codec) as client:
        assert list(client.call("AUTH", token=token).items()) == [("ok", True), ("success", True)]
        client.ok("PUSH", queue="emails", data=1)


def test_tokens_that_do_not_open(guarded: ServerProcess, codec: Codec) -> None:
    with guarded.client(codec) as client:
        for token in ("", "s3cre", "s3crets", "S3CRET", " s3cret", "s3cret,second", "second ", "\x00", "x" * 4096):
            assert client.error("AUTH", token=token) == "Invalid token"
        assert client.error("AUTH", token="x" * 4097) == "Invalid: field 'token' is longer than 4096 bytes"
        assert client.error("AUTH") == "Invalid: missing field 'token'"
        assert client.error("AUTH", token=5) == "Invalid: field 'token' must be a string"
        assert client.error("COUNT", queue="q") == "Authentication required"
    assert "s3cret" not in guarded.text


def test_auth_and_commands_in_one_write(guarded: ServerProcess, codec: Codec) -> None:
    requests = [
        {"cmd": "PING", "reqId": "1"},
        {"cmd": "AUTH", "token": "s3cret", "reqId": "2"},
        {"cmd": "PING", "reqId": "3"},
    ]
    with guarded.client(codec) as client:
        client.send_raw(b"".join(codec.encode(request) for request in requests))
        assert [(reply["reqId"], reply["ok"]) for reply in (client.receive() for _ in requests)] == [
            ("1", False),
            ("2", True),
            ("3", True),
        ]


@pytest.mark.parametrize("session", ["w", "w" * 256, "é\x00\n", ""])
def test_hello_takes_any_name(server: ServerProcess, codec: Codec, session: str) -> None:
    with server.client(codec) as client:
        assert client.ok("HELLO", session=session)["session"] == session
        assert client.ok("HELLO", session=None, push=None)["push"] is False
        assert client.error("HELLO", session="x" * 257) == "Invalid: field 'session' is longer than 256 bytes"


# -- requests behind each other --------------------------------------------------------------------------------


def test_a_request_answers_for_itself_whatever_stood_where_in_the_one_before(
    server: ServerProcess, codec: Codec
) -> None:
    """The server looks where the last frame had its id, to have the next jobs at hand; it may guess wrong."""
    with server.client(codec) as client:
        ids = [client.ok("PUSH", queue="ahead", data=n)["id"] for n in range(60)]
        frames: list[tuple[dict[str, Any], bool]] = []
        for n, id in enumerate(ids):
            frames.append(({"cmd": "CANCEL", "id": id, "reqId": f"c{n}"}, True))
            odd: list[tuple[dict[str, Any], bool]] = [
                ({"cmd": "PING"}, True),
                ({"reqId": "x" * n, "cmd": "CANCEL", "id": id}, False),
                ({"cmd": "CANCEL", "id": 2**63 - 1}, False),
                ({"cmd": "CANCEL", "id": 0}, False),
                ({"cmd": "CANCEL", "id": "1" * 40}, False),
                ({"cmd": "PUSH", "queue": "ahead2", "data": "9" * 6000}, True),
            ]
            frames.append(odd[n % len(odd)])
        client.send_raw(b"".join(codec.encode(frame) for frame, _ in frames))
        assert [client.receive()["ok"] for _ in frames] == [good for _, good in frames]
        assert client.ok("COUNT", queue="ahead")["count"] == 0
