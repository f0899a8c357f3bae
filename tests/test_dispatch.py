"""The cold tier without connections: decoding, checking values against the table, commands that need no job."""

from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from flashq._core.engine import Engine
from flashq.commands import BY_NAME, COMMANDS
from flashq.config import Settings, load
from flashq.errors import Refused
from flashq.fields import Field, Kind
from flashq.server.checks import CHECKS
from flashq.server.dispatch import Dispatcher
from flashq.server.handlers.reading import ReadingHandlers
from flashq.server.requests import check, decode, req_id_of

FORMATS = [False, True]


def new_engine() -> Engine:
    """With nothing in it."""
    return Engine(Settings().engine_limits(), 1, 1)


class Caller:
    """The connection's side of AUTH and HELLO."""

    def __init__(self) -> None:
        self.authenticated = False
        self.greetings: list[tuple[str | None, bool]] = []
        self.status = 0

    def hello(self, session: str | None, push: bool) -> int:
        self.greetings.append((session, push))
        return self.status


def ask(request: object, in_msgpack: bool = False, caller: Caller | None = None, **flags: object) -> dict[str, Any]:
    """The decoded reply of a dispatcher whose engine is empty."""
    dispatcher = Dispatcher(new_engine(), load(flags, {}))
    frame = msgpack.packb(request) if in_msgpack else orjson.dumps(request)
    reply = dispatcher(caller or Caller(), in_msgpack, frame)
    found: dict[str, Any] = msgpack.unpackb(reply[4:]) if in_msgpack else orjson.loads(reply)
    return found


def code_of(request: dict[str, object]) -> str:
    with pytest.raises(Refused) as caught:
        check(request)
    return caught.value.error.code


@pytest.mark.parametrize("in_msgpack", FORMATS)
def test_ping(in_msgpack: bool) -> None:
    assert ask({"cmd": "PING"}, in_msgpack) == {"ok": True, "success": True, "pong": True}
    reply = ask({"cmd": "PING", "reqId": "ü1", "extra": [1]}, in_msgpack)
    assert list(reply.items()) == [("reqId", "ü1"), ("ok", True), ("success", True), ("pong", True)]


@pytest.mark.parametrize("in_msgpack", FORMATS)
def test_null_req_id_is_none(in_msgpack: bool) -> None:
    assert "reqId" not in ask({"cmd": "PING", "reqId": None}, in_msgpack)


@pytest.mark.parametrize("req_id", [5, True, ["r"], "x" * 257, "é" * 129])
def test_req_id_that_cannot_be_echoed(req_id: object) -> None:
    reply = ask({"cmd": "PING", "reqId": req_id})
    assert reply["code"] == "INVALID_REQ_ID" and "reqId" not in reply


def test_req_id_at_its_limit() -> None:
    assert req_id_of({"reqId": "é" * 128}) == "é" * 128


@pytest.mark.parametrize("token", ["one", "two", "drei-ü"])
def test_auth_with_each_token(token: str) -> None:
    caller = Caller()
    reply = ask({"cmd": "AUTH", "token": token}, caller=caller, auth_tokens="one, two,drei-ü")
    assert reply == {"ok": True, "success": True}
    assert caller.authenticated


@pytest.mark.parametrize("token", ["", "on", "onee", "one,two", " one", "ONE", "ü"])
def test_auth_with_a_wrong_token(token: str) -> None:
    caller = Caller()
    reply = ask({"cmd": "AUTH", "token": token, "reqId": "r"}, caller=caller, auth_tokens="one,two")
    assert reply == {"reqId": "r", "ok": False, "error": "Invalid token", "code": "INVALID_TOKEN"}
    assert not caller.authenticated


def test_a_wrong_token_does_not_revoke() -> None:
    caller = Caller()
    caller.authenticated = True
    ask({"cmd": "AUTH", "token": "no"}, caller=caller, auth_tokens="one")
    assert caller.authenticated


def test_auth_without_tokens_set_succeeds() -> None:
    assert ask({"cmd": "AUTH", "token": "whatever"})["success"] is True


@pytest.mark.parametrize("in_msgpack", FORMATS)
def test_hello(in_msgpack: bool) -> None:
    caller = Caller()
    reply = ask({"cmd": "HELLO", "session": "w1", "push": True}, in_msgpack, caller, max_parked="5")
    assert caller.greetings == [("w1", True)]
    assert (reply["session"], reply["push"], reply["server"]) == ("w1", True, "flashq")
    assert (reply["max_batch"], reply["max_frame"], reply["max_parked"]) == (1000, 16 * 1024 * 1024, 5)
    assert set(reply) == {"ok", "success"} | {one.name for one in BY_NAME["HELLO"].reply}


def test_hello_without_anything() -> None:
    caller = Caller()
    assert ask({"cmd": "HELLO"}, caller=caller)["session"] is None
    assert caller.greetings == [(None, False)]


def test_hello_that_the_connection_refuses() -> None:
    caller = Caller()
    caller.status = -1
    assert ask({"cmd": "HELLO", "session": "w"}, caller=caller)["code"] == "SERVICE_UNAVAILABLE"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"cmd": "HELLO", "session": 5}, "Invalid: field 'session' must be a string"),
        ({"cmd": "HELLO", "session": "x" * 257}, "Invalid: field 'session' is longer than 256 bytes"),
        ({"cmd": "HELLO", "push": 1}, "Invalid: field 'push' must be true or false"),
        ({"cmd": "AUTH"}, "Invalid: missing field 'token'"),
        ({"cmd": "AUTH", "token": None}, "Invalid: missing field 'token'"),
        ({"cmd": "AUTH", "token": 7}, "Invalid: field 'token' must be a string"),
        ({"cmd": "GETJOB"}, "Invalid: missing field 'id'"),
        ({"cmd": "GETJOB", "id": "5"}, "Invalid: field 'id' must be an integer between 0 and 9223372036854775807"),
        ({"cmd": "GETJOB", "id": -1}, "Invalid: field 'id' must be an integer between 0 and 9223372036854775807"),
        ({"cmd": "PAUSE", "queue": ["a"]}, "Invalid: field 'queue' must be a string"),
        ({"cmd": "GETSTATE", "id": 1, "job_id": 2}, "Invalid: duplicate field 'id'"),
        ({"cmd": "NOPE"}, "Invalid: unknown command 'NOPE'"),
        ({"cmd": "ping"}, "Invalid: unknown command 'ping'"),
        ({"cmd": "PUSH"}, "Invalid: unknown command 'PUSH'"),
        ({"cmd": 5}, "Invalid: field 'cmd' must be a string"),
        ({}, "Invalid: missing field 'cmd'"),
    ],
)
@pytest.mark.parametrize("in_msgpack", FORMATS)
def test_refusals_name_the_field(in_msgpack: bool, request_: dict[str, object], error: str) -> None:
    reply = ask({**request_, "reqId": "r9"}, in_msgpack)
    assert (reply["reqId"], reply["ok"], reply["error"]) == ("r9", False, error)


@pytest.mark.parametrize("frame", [b"", b"{", b"[1", b'{"a":01}', b"\xff", b"{} {}"])
def test_undecodable_json(frame: bytes) -> None:
    reply = orjson.loads(Dispatcher(new_engine(), Settings())(Caller(), False, frame))
    assert reply["error"].startswith("Invalid: invalid JSON at byte ")


@pytest.mark.parametrize(
    "frame", [b"", b"\x81", b"\xc1", b"\x81\xa1a", b"\x80\x80", b"\x81\xa1\xff\x01", b"\x81\x90\x01"]
)
def test_undecodable_msgpack(frame: bytes) -> None:
    reply = Dispatcher(new_engine(), Settings())(Caller(), True, frame)
    assert msgpack.unpackb(reply[4:])["error"].startswith("MessagePack deserialize error: ")


@pytest.mark.parametrize("value", [None, 1, "a", [], True])
@pytest.mark.parametrize("in_msgpack", FORMATS)
def test_a_request_must_be_an_object(in_msgpack: bool, value: object) -> None:
    with pytest.raises(Refused) as caught:
        decode(in_msgpack, msgpack.packb(value) if in_msgpack else orjson.dumps(value))
    assert caught.value.error.code == "NOT_AN_OBJECT"


def break_reading(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let GETSTATE fail as no handler should."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(ReadingHandlers, "get_state", fail)


def test_a_fault_becomes_an_internal_error_and_keeps_the_req_id(monkeypatch: pytest.MonkeyPatch) -> None:
    break_reading(monkeypatch, AttributeError("x"))
    reply = ask({"cmd": "GETSTATE", "id": 1, "reqId": "r"})
    assert reply == {"reqId": "r", "ok": False, "error": "Internal error", "code": "INTERNAL_ERROR"}


def test_no_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    break_reading(monkeypatch, MemoryError("x"))
    with capture_logs() as entries:
        reply = ask({"cmd": "GETSTATE", "id": 1, "reqId": "r"})
    assert reply == {"reqId": "r", "ok": False, "error": "Out of memory", "code": "SERVICE_UNAVAILABLE"}
    assert entries == []


def test_a_fault_is_logged_once_and_without_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    break_reading(monkeypatch, AttributeError("x"))
    with capture_logs() as entries:
        ask({"cmd": "GETSTATE", "id": 1, "secret": "hunter2"})
    assert len(entries) == 1
    entry = entries[0]
    assert (entry["event"], entry["command"], entry["log_level"]) == ("command_failed", "GETSTATE", "error")
    assert "AttributeError" in entry["exception"]
    assert "hunter2" not in repr(entry)


# -- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", [0, 7, 7.0, 2**63 - 1, 1e15])
def test_ids_that_are_taken(id_: float) -> None:
    value = check({"cmd": "GETJOB", "id": id_}).values["id"]
    assert value == id_ and type(value) is int


@pytest.mark.parametrize("id_", [7.5, True, False, "7", [7], {}, float("inf"), float("nan")])
def test_ids_of_a_wrong_type(id_: object) -> None:
    assert code_of({"cmd": "GETJOB", "id": id_}) == "INVALID_FIELD"


@pytest.mark.parametrize("id_", [-1, 2**63, 1e30, -1.0])
def test_ids_out_of_range(id_: float) -> None:
    assert code_of({"cmd": "GETJOB", "id": id_}) == "OUT_OF_RANGE"


def test_alias_and_null() -> None:
    assert check({"cmd": "GETSTATE", "job_id": 4}).values == {"id": 4}
    assert check({"cmd": "GETSTATE", "id": 4, "job_id": None}).values == {"id": 4}


def test_defaults_are_filled_in_and_unknown_fields_ignored() -> None:
    assert check({"cmd": "HELLO", "_compressed": True}).values == {"session": None, "push": False}


def test_hot_commands_are_not_served_here() -> None:
    for command in COMMANDS:
        if command.tier == "hot":
            assert code_of({"cmd": command.name}) == "UNKNOWN_COMMAND"


def test_a_field_of_its_own_limit() -> None:
    field = Field("n", Kind.U32, "N.", limit=10)
    assert CHECKS[Kind.U32](field, 10.0, "n") == 10
    with pytest.raises(Refused) as caught:
        CHECKS[Kind.U32](field, 11, "n")
    assert caught.value.number == 10


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "cmd", "x"]), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["id", "job_id", "queue", "token", "session", "push", "reqId", "other"])


@pytest.mark.parametrize("in_msgpack", FORMATS)
@given(name=st.sampled_from([command.name for command in COMMANDS]), fields=st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_value_gets_one_whole_reply(in_msgpack: bool, name: str, fields: dict[str, object]) -> None:
    reply = ask({"cmd": name, **fields}, in_msgpack)
    assert type(reply["ok"]) is bool
    assert ("error" in reply) != reply["ok"]
    if isinstance(fields.get("reqId"), str) and len(str(fields["reqId"]).encode()) <= 256:
        assert reply["reqId"] == fields["reqId"]
