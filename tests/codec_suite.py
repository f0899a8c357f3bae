"""What both codecs must do alike: a suite that each of them runs, with its own way of spelling messages.

A subclass named Test… says which codec it is and how messages are encoded; everything here then runs for it.
"""

import math
import re
from abc import ABC, abstractmethod
from importlib.resources import files
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flashq import commands
from flashq._core import codec_probe as probe
from flashq._core import fieldtable
from flashq.commands.retry import RETRY
from flashq.errors import Refused
from flashq.fields import Field, Kind
from flashq.job_shape import JOB_FIELDS
from flashq.server.checks import values_of

fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)


# Two classes run these tests, which hypothesis would take for a mistake.
SHARED = settings(suppress_health_check=[*settings().suppress_health_check, HealthCheck.differing_executors])


def enum_of(module: str) -> dict[str, int]:
    """Names and numbers of the enum members of a .pxd."""
    text = files("flashq._core").joinpath(module).read_text()
    return {name: int(value) for name, value in re.findall(r"^ {4}([A-Z_0-9]+) = (-?\d+)", text, re.MULTILINE)}


S = enum_of("status.pxd")
OPS = {name: number for name, number in enum_of("request.pxd").items() if name.startswith("OP_")}
HOT = {command.name: command for command in commands.COMMANDS if command.tier == "hot"}
COLD = [command.name for command in commands.COMMANDS if command.tier == "cold"]
PUSH_KINDS = {field.name: field for field in commands.PUSH_OPTIONS}
LIMITS = {Kind.U64: 2**63 - 1, Kind.U32: 2**32 - 1, Kind.I32: 2**31 - 1, Kind.PROGRESS: 255}
PAYLOAD = {"a": [1, 2.5, None, True, "é\n"], "b": {}}
GOOD: dict[Kind, Any] = {
    Kind.U64: 7, Kind.U32: 8, Kind.I32: -9, Kind.BOOL: True, Kind.STR: "name", Kind.RAW: PAYLOAD,
    Kind.IDS: [1, 2, 2**53], Kind.ITEMS: [{"data": 1}, {}], Kind.TAGS: ["x", "ö"], Kind.PROGRESS: 40,
    Kind.ID_LIST: [1, 2**53],
    Kind.RETRY: {"type": "linear", "delay": 5, "max": 2**63 - 1, "jitter": 0.25},
}
BAD: dict[Kind, list[Any]] = {
    Kind.U64: ["7", True, [], {}], Kind.U32: ["8", False], Kind.I32: ["-9", [1]], Kind.BOOL: [1, 0, "true", []],
    Kind.STR: [1, 1.5, True, [], {}], Kind.IDS: [1, "1", {}, ["1"], [1, None], [[1]]],
    Kind.ITEMS: [{}, "x", 1, [1], [None], [[]], [{}, "x"]], Kind.TAGS: ["x", 1, {}, [1], ["x", None], ["x", ["y"]]],
    Kind.ID_LIST: ["x", 1, {}, [-1], [1.5], ["1"], [None], [2**63], [1, [2]], [True]],
    Kind.PROGRESS: ["40", True, [40]], Kind.CHOICE: ["x", 1, True, []], Kind.RETRY: ["x", 1, 0.5, True, [], [{}]],
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MS = st.integers(-1, 2**63) | st.floats(-1, 2**64) | st.integers(0, 100).map(float)
POLICIES = st.fixed_dictionaries({}, optional={
    "type": st.sampled_from([*commands.RETRY_TYPES, "", "Fixed", "fixed "]) | VALUES, "delay": MS | MS | VALUES,
    "max": MS | VALUES, "jitter": st.floats(0, 1) | st.floats(0, 1) | st.integers(-1, 2) | VALUES, "other": VALUES,
})
OPTIONS = st.fixed_dictionaries({}, optional={
    "data": VALUES, "priority": st.integers(-(2**31), 2**31 - 1), "delay": st.integers(0, 2**63 - 1),
    "ttl": st.integers(0, 2**63 - 1), "timeout": st.integers(0, 2**63 - 1), "max_attempts": st.integers(0, 2**32 - 1),
    "backoff": st.integers(0, 2**63 - 1), "lifo": st.booleans(), "tags": st.lists(st.text(max_size=5), max_size=4),
    "job_id": st.text(max_size=20), "remove_on_fail": st.booleans() | st.none(), "unheard_of": VALUES,
})


def message_of(name: str) -> dict[str, Any]:
    """A request of a hot command with every field that it takes."""
    return {"cmd": name, **{field.name: good_value(field) for field in HOT[name].fields}}


def good_value(field: Field) -> Any:
    return field.choices[-1] if field.kind is Kind.CHOICE else GOOD[field.kind]


def number_fields() -> list[tuple[str, str]]:
    return [(name, field.name) for name in HOT for field in HOT[name].fields if field.kind in LIMITS]


def typed_fields() -> list[tuple[str, str]]:
    return [(name, field.name) for name in HOT for field in HOT[name].fields if field.kind in BAD]


def limited_texts() -> list[tuple[str, str]]:
    found = [(name, f.name) for name in HOT for f in HOT[name].fields if f.kind == Kind.STR and f.limit]
    assert ("PUSH", "job_id") in found
    return found


def field_of(command: str, name: str) -> Any:
    return next(field for field in HOT[command].fields if field.name == name)


class CodecSuite(ABC):
    """The tests; `encode`, `decode` and `pairs` are the subclass's."""

    msgpack: ClassVar[bool]

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """A message as the codec sends it."""

    @abstractmethod
    def decode(self, value: bytes) -> Any:
        """What `encode` was given."""

    @abstractmethod
    def pairs(self, pairs: list[tuple[str, bytes]]) -> bytes:
        """A frame of these keys and encoded values, keys repeated as they are."""

    @abstractmethod
    def reply(self, value: bytes) -> Any:
        """The message of a reply, its framing checked and taken off."""

    def spelled(self, value: float) -> int:
        """The integer that an integral number is in the codec's own form, where no double stands between."""
        return int(value)

    # -- helpers ----------------------------------------------------------------------------------------------

    def scan(self, message: Any) -> dict[str, Any]:
        return probe.scan(self.msgpack, self.encode(message))

    def refused(self, message: Any, status: str, field: str | None = None, number: int | None = None) -> dict[str, Any]:
        found = self.scan(message)
        assert (found["status"], found["problem_field"]) == (S[status], field)
        assert number is None or found["problem_number"] == number
        return found

    def taken_raw(self, command: str, field: str, value: Any) -> bytes:
        """The bytes of a list as a scan leaves them."""
        raw = self.scan({"cmd": command, "queue": "q", field: value})["fields"][field]
        assert isinstance(raw, bytes)
        return raw

    def taken(self, found: dict[str, Any]) -> dict[str, Any]:
        """The values of the fields, texts and raw values decoded."""
        out = {}
        for name, value in found["fields"].items():
            kind = Kind(probe.field_info(name)["kind"])
            out[name] = self.decode(value) if kind in (Kind.RAW, Kind.TAGS, Kind.ID_LIST) else value
            if kind in (Kind.STR, Kind.CMD):
                out[name] = value.decode()
        return out

    # -- what is read -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", HOT)
    def test_every_field_of_a_command_is_read(self, name: str) -> None:
        message = message_of(name)
        found = self.scan({**message, "reqId": "r1"})
        assert found["status"] == S["OK"]
        assert found["op"] == OPS["OP_UPDATEJOB" if name == "UPDATE" else f"OP_{name}"]
        assert found["req_id"] == b"r1"
        choices = {f.name: f.choices.index(message[f.name]) for f in HOT[name].fields if f.kind is Kind.CHOICE}
        expected = {key: value for key, value in (message | choices).items() if key != "jobs"}
        got = self.taken(found)
        got.pop("reqId")
        assert got == expected
        assert found["seen"] == {*message, "reqId"}
        assert found["item_count"] == len(message.get("jobs", []))
        assert found["id_count"] == len(message.get("ids", []))
        assert found["token_count"] == len(message.get("tokens", []))

    @pytest.mark.parametrize("name", HOT)
    def test_the_order_of_fields_is_free(self, name: str) -> None:
        message = {"reqId": "r2", **message_of(name)}
        assert self.scan(dict(reversed(message.items()))) == self.scan(message)

    @SHARED
    @given(options=OPTIONS)
    def test_push_options_at_the_top_and_in_items(self, options: dict[str, Any]) -> None:
        wanted = {k: v for k, v in options.items() if k in PUSH_KINDS and (v is not None)}
        top = self.scan({**options, "cmd": "PUSH", "queue": "q"})
        assert top["status"] == S["OK"]
        assert {k: v for k, v in self.taken(top).items() if k not in ("cmd", "queue")} == wanted
        found = self.scan({"cmd": "PUSHB", "jobs": [options, {}, options], "queue": "q"})
        assert found["status"] == S["OK"]
        assert [self.taken(item) for item in found["items"]] == [wanted, {}, wanted]

    @SHARED
    @given(value=VALUES)
    def test_payloads_are_kept_as_their_bytes(self, value: Any) -> None:
        found = self.scan({"cmd": "ACK", "result": value, "id": 1})
        assert found["status"] == S["OK"]
        assert found["fields"].get("result") == (None if value is None else self.encode(value))
        assert probe.validate(self.msgpack, self.encode(value)) == S["OK"]

    @pytest.mark.parametrize("name", HOT)
    def test_null_is_unset(self, name: str) -> None:
        message = message_of(name)
        for field in HOT[name].fields:
            found = self.scan({**message, field.name: None})
            assert field.name in found["given"] and field.name not in found["seen"]
            required = field.required and field.kind != Kind.RAW
            assert found["status"] == S["MISSING_FIELD" if required else "OK"]
            assert found["problem_field"] == (field.name if required else None)

    @pytest.mark.parametrize("name", [name for name in HOT if name != "PULL"])     # `queue` or `queues`: the engine
    def test_a_required_field_is_missed(self, name: str) -> None:
        required = [field.name for field in HOT[name].fields if field.required]
        assert required
        for missing in required:
            found = self.refused({k: v for k, v in message_of(name).items() if k != missing}, "MISSING_FIELD", missing)
            assert found["problem_item"] == -1

    def test_aliases(self) -> None:
        found = self.scan({"cmd": "PUSH", "queue": "q", "attempts": 3, "jobId": "c"})
        assert self.taken(found) == {"cmd": "PUSH", "queue": "q", "max_attempts": 3, "job_id": "c"}
        assert self.taken(self.scan({"cmd": "PUSH", "queue": "q", "maxAttempts": 4}))["max_attempts"] == 4

    def test_heartbeat_takes_a_number_as_job_id(self) -> None:
        assert self.taken(self.scan({"cmd": "HEARTBEAT", "job_id": 33}))["id"] == 33
        assert self.taken(self.scan({"job_id": 33, "cmd": "HEARTBEAT"}))["id"] == 33
        self.refused({"cmd": "HEARTBEAT", "job_id": 33, "id": 33}, "DUPLICATE_FIELD", "id")
        self.refused({"cmd": "HEARTBEAT", "job_id": -1}, "OUT_OF_RANGE", "id", LIMITS[Kind.U64])
        self.refused({"cmd": "HEARTBEAT", "job_id": "33"}, "MISSING_FIELD", "id")
        self.refused({"cmd": "PUSH", "queue": "q", "job_id": 33}, "BAD_TYPE", "job_id", Kind.STR)

    def test_retry_is_an_object_in_a_push_and_true_or_false_in_fail(self) -> None:
        policy = GOOD[Kind.RETRY]
        for fail in ({"cmd": "FAIL", "id": 1, "retry": False}, {"retry": False, "id": 1, "cmd": "FAIL"}):
            found = self.scan(fail)
            assert (found["status"], found["fields"]["retry"]) == (S["OK"], False)
        for push in ({"cmd": "PUSH", "queue": "q", "retry": policy}, {"retry": policy, "queue": "q", "cmd": "PUSH"}):
            found = self.scan(push)
            assert (found["status"], found["fields"]["retry"]) == (S["OK"], policy)
        self.refused({"cmd": "FAIL", "id": 1, "retry": policy}, "BAD_TYPE", "retry", Kind.BOOL)
        self.refused({"retry": {}, "cmd": "FAIL", "id": 1}, "BAD_TYPE", "retry", Kind.BOOL)
        self.refused({"cmd": "PUSH", "queue": "q", "retry": False}, "BAD_TYPE", "retry", Kind.RETRY)
        found = self.refused({"cmd": "PUSHB", "queue": "q", "jobs": [{}, {"retry": True}]}, "BAD_TYPE", "retry")
        assert found["problem_item"] == 1

    @pytest.mark.parametrize(("part", "status", "field"), [
        ({"type": None}, "MISSING_FIELD", "retry.type"), ({"type": "fix"}, "BAD_TYPE", "retry.type"),
        ({"type": ""}, "BAD_TYPE", "retry.type"), ({"type": "linear" * 20}, "BAD_TYPE", "retry.type"),
        ({"type": 1}, "BAD_TYPE", "retry.type"), ({"type": ["fixed"]}, "BAD_TYPE", "retry.type"),
        ({"delay": None}, "MISSING_FIELD", "retry.delay"), ({"delay": "5"}, "BAD_TYPE", "retry.delay"),
        ({"delay": True}, "BAD_TYPE", "retry.delay"), ({"delay": -1}, "OUT_OF_RANGE", "retry.delay"),
        ({"delay": 0.5}, "OUT_OF_RANGE", "retry.delay"), ({"delay": 2**63}, "OUT_OF_RANGE", "retry.delay"),
        ({"delay": -1e300}, "OUT_OF_RANGE", "retry.delay"), ({"max": {}}, "BAD_TYPE", "retry.max"),
        ({"max": 1e300}, "OUT_OF_RANGE", "retry.max"), ({"max": 2**64 - 1}, "OUT_OF_RANGE", "retry.max"),
        ({"jitter": "0.5"}, "BAD_TYPE", "retry.jitter"), ({"jitter": False}, "BAD_TYPE", "retry.jitter"),
        ({"jitter": 1.0000001}, "OUT_OF_RANGE", "retry.jitter"), ({"jitter": -0.1}, "OUT_OF_RANGE", "retry.jitter"),
        ({"jitter": 2}, "OUT_OF_RANGE", "retry.jitter"), ({"jitter": -5e-324}, "OUT_OF_RANGE", "retry.jitter"),
    ])
    def test_a_wrong_part_of_a_retry_policy(self, part: dict[str, Any], status: str, field: str) -> None:
        policy = {**GOOD[Kind.RETRY], **part}
        self.refused({"cmd": "PUSH", "queue": "q", "retry": policy}, status, field)
        found = self.refused({"cmd": "PUSHB", "queue": "q", "jobs": [{"data": 1}, {"retry": policy}]}, status, field)
        assert found["problem_item"] == 1

    @SHARED
    @given(policy=POLICIES)
    @example(policy={"type": "fixed", "delay": 4.451634204031321e+16, "max": 9.223372036854775e+18})
    @example(policy={"type": "fixed", "delay": 9.223372036854776e+18})
    def test_a_retry_policy_is_read_as_the_cold_tier_reads_it(self, policy: dict[str, Any]) -> None:
        """But for what a decimal loses on its way through a double: the core takes the integer that is spelled."""
        found = self.scan({"cmd": "PUSH", "queue": "q", "retry": policy})
        try:
            wanted = values_of([RETRY], {"retry": policy})["retry"]
        except Refused as refused:
            assert found["status"] < 0 and found["problem_field"].startswith("retry."), refused
        else:
            given = [name for name in ("delay", "max") if policy.get(name) is not None]
            kept = wanted | {name: self.spelled(policy[name]) for name in given}
            kept["jitter"] = math.floor(wanted["jitter"] * 1e6 + 0.5) / 1e6
            assert found["status"] == S["OK"]
            assert found["fields"]["retry"] == kept

    @pytest.mark.parametrize(("policy", "kept"), [
        ({"type": "fixed", "delay": 0}, {"type": "fixed", "delay": 0, "max": 0, "jitter": 0}),
        ({"jitter": 1, "delay": 5.0, "type": "exponential", "max": None, "other": {"type": [1]}},
         {"type": "exponential", "delay": 5, "max": 0, "jitter": 1}),
        ({"type": "linear", "delay": 2**63 - 1, "jitter": 0.3333333333, "max": -0.0},
         {"type": "linear", "delay": 2**63 - 1, "max": 0, "jitter": 0.333333}),
        ({"type": "linear", "delay": 1, "jitter": 5e-324}, {"type": "linear", "delay": 1, "max": 0, "jitter": 0}),
    ])
    def test_a_retry_policy_is_read(self, policy: dict[str, Any], kept: dict[str, Any]) -> None:
        assert self.scan({"cmd": "PUSH", "queue": "q", "retry": policy})["fields"]["retry"] == kept

    def test_unknown_fields_and_those_of_other_commands_are_passed_over(self) -> None:
        message = {"cmd": "ACK", "id": 5, "queue": 7, "jobs": "x", "lifo": "no", "group_id": "k", "_more": PAYLOAD}
        assert self.taken(self.scan(message))["id"] == 5

    @pytest.mark.parametrize("name", COLD)
    def test_cold_commands_pass_unlooked_at(self, name: str) -> None:
        found = self.scan({"cmd": name, "id": "x", "queue": [], "data": None, "reqId": "r"})
        assert (found["status"], found["op"], found["req_id"]) == (S["OK"], OPS["OP_COLD"], b"r")
        self.refused({"cmd": name, "reqId": 5}, "BAD_REQ_ID", "reqId")

    # -- what is refused --------------------------------------------------------------------------------------

    def test_the_command(self) -> None:
        self.refused({"queue": "q"}, "MISSING_FIELD", "cmd")
        self.refused({"cmd": None}, "MISSING_FIELD", "cmd")
        self.refused({"cmd": 5}, "BAD_TYPE", "cmd", Kind.CMD)
        for name in ("push", "PUSHX", "", "P", "X" * 300):
            found = self.refused({"cmd": name, "reqId": "r"}, "UNKNOWN_COMMAND")
            assert (found["fields"]["cmd"], found["req_id"]) == (name.encode(), b"r")

    def test_what_is_no_object(self) -> None:
        for value in ([], [{"cmd": "PING"}], 5, "x", None, True, 1.5):
            self.refused(value, "NOT_OBJECT")
        assert self.scan({})["status"] == S["MISSING_FIELD"]

    @pytest.mark.parametrize(("command", "name"), typed_fields())
    def test_wrong_types(self, command: str, name: str) -> None:
        kind = field_of(command, name).kind
        for value in BAD[kind]:
            self.refused({**message_of(command), name: value}, "BAD_TYPE", name, kind)

    @pytest.mark.parametrize(("command", "name"), number_fields())
    def test_numbers_at_their_edges(self, command: str, name: str) -> None:
        field = field_of(command, name)
        high = field.limit or LIMITS[field.kind]
        low = -high - 1 if field.kind == Kind.I32 else 0
        for value in (low, low + 1, high - 1, high, 0, 5.0, -0.0):
            found = self.scan({**message_of(command), name: value})
            assert found["status"] == S["OK"], value
            assert found["fields"][name] == value
        for value in (low - 1, high + 1, 2**63, 2**64 - 1, -(2**63), 1e300, -1e300, 2.0**64, -0.5):
            self.refused({**message_of(command), name: value}, "OUT_OF_RANGE", name, high)

    @pytest.mark.parametrize(("command", "name"), number_fields())
    def test_fractions(self, command: str, name: str) -> None:
        for value in (0.5, 99.999, 5e-324):
            message = {**message_of(command), name: value}
            if field_of(command, name).kind == Kind.PROGRESS:
                assert self.scan(message)["fields"][name] == math.floor(value)
            else:
                self.refused(message, "OUT_OF_RANGE", name)

    @pytest.mark.parametrize("name", ["ids", "tokens"])
    def test_lists_of_numbers(self, name: str) -> None:
        good: list[Any] = [0, 5.0, 2**63 - 1, 2**53]
        found = self.scan({"cmd": "ACKB", "ids": [1], name: good})
        assert (found["status"], found["fields"][name]) == (S["OK"], good)
        assert self.scan({"cmd": "ACKB", "ids": [1], name: []})["fields"][name] == []
        for wrong in (-1, 0.5, 2**63):
            self.refused({"cmd": "ACKB", "ids": [1], name: [1, wrong, 2]}, "OUT_OF_RANGE", name, 2**63 - 1)

    @pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 3000])
    def test_batches_are_counted_past_their_limit(self, count: int) -> None:
        found = self.scan({"cmd": "PUSHB", "queue": "q", "jobs": [{"delay": i} for i in range(count)]})
        assert (found["status"], found["item_count"]) == (S["OK"], count)
        assert [item["fields"]["delay"] for item in found["items"]] == list(range(min(count, 1000)))
        found = self.scan({"cmd": "ACKB", "ids": list(range(count)), "tokens": list(range(count))})
        assert (found["status"], found["id_count"], found["token_count"]) == (S["OK"], count, count)
        assert found["fields"]["ids"] == found["fields"]["tokens"] == list(range(min(count, 1000)))

    def test_a_bad_item_names_itself(self) -> None:
        cases: list[tuple[dict[str, Any], str, str]] = [
            ({"delay": -1}, "OUT_OF_RANGE", "delay"), ({"tags": "x"}, "BAD_TYPE", "tags"),
            ({"on_duplicate": "Error"}, "BAD_TYPE", "on_duplicate"), ({"jobId": "x" * 1025}, "TEXT_TOO_LONG", "job_id"),
        ]
        for item, status, field in cases:
            jobs = [{"data": 1}] * 7 + [item, {"lifo": 5}]
            found = self.refused({"cmd": "PUSHB", "jobs": jobs, "queue": "q", "reqId": "r"}, status, field)
            assert (found["problem_item"], found["req_id"]) == (7, b"r")
        found = self.scan({"cmd": "PUSHB", "queue": "q", "jobs": [{"queue": 5, "id": "x", "cmd": 1, "reqId": 2}]})
        assert (found["status"], found["items"][0]["given"]) == (S["OK"], set())

    @pytest.mark.parametrize(("command", "name"), limited_texts())
    def test_texts_at_their_limit(self, command: str, name: str) -> None:
        limit = field_of(command, name).limit
        for text in ("x" * limit, "é" * (limit // 2)):
            assert self.taken(self.scan({**message_of(command), name: text}))[name] == text
        for text in ("x" * (limit + 1), "é" * (limit // 2) + "x"):
            self.refused({**message_of(command), name: text}, "TEXT_TOO_LONG", name, limit)

    def test_request_ids(self) -> None:
        for text in ("", "r1", "x" * 256, "é" * 128):
            assert self.scan({"cmd": "PING", "reqId": text})["req_id"] == text.encode()
        assert self.scan({"cmd": "PING", "reqId": None})["req_id"] is None
        for wrong in (1, True, [], {}, 1.5, "x" * 257, "é" * 128 + "x"):
            assert self.refused({"cmd": "PING", "reqId": wrong}, "BAD_REQ_ID", "reqId")["req_id"] is None

    @pytest.mark.parametrize("name", [f.name for f in commands.PUSH_OPTIONS if f.kind is Kind.CHOICE])
    def test_choices(self, name: str) -> None:
        field = PUSH_KINDS[name]
        for index, choice in enumerate(field.choices):
            assert self.scan({"cmd": "PUSH", "queue": "q", field.name: choice})["fields"][field.name] == index
        first = field.choices[0]
        for wrong in ("", "x", first.upper(), first + "\0", first[:-1], 0, True, [], {}):
            self.refused({"cmd": "PUSH", "queue": "q", field.name: wrong}, "BAD_TYPE", field.name)

    def test_fields_given_twice(self) -> None:
        one, text = self.encode(1), self.encode("r")
        head = [("cmd", self.encode("PUSH")), ("queue", self.encode("q"))]
        for first, second, name in (("delay", "delay", "delay"), ("attempts", "max_attempts", "max_attempts"),
                                    ("unheard_of", "unheard_of", None), ("delay", "ttl", None)):
            found = probe.scan(self.msgpack, self.pairs([*head, (first, one), (second, one), ("reqId", text)]))
            assert found["status"] == S["OK" if name is None else "DUPLICATE_FIELD"]
            assert (found["problem_field"], found["req_id"]) == (name, b"r")
        found = probe.scan(self.msgpack, self.pairs([*head, ("delay", self.encode(None)), ("delay", one)]))
        assert found["status"] == S["DUPLICATE_FIELD"]
        twice = self.pairs([("delay", one), ("delay", one)])
        items = self.encode([{}]).replace(self.encode({}), self.encode({}) + self.comma() + twice)
        found = probe.scan(self.msgpack, self.pairs([*head, ("jobs", self.two(items))]))
        assert (found["status"], found["problem_field"], found["problem_item"]) == (S["DUPLICATE_FIELD"], "delay", 1)

    def comma(self) -> bytes:
        """What stands between the elements of a list."""
        return b""

    def two(self, items: bytes) -> bytes:
        """The list of one element given, its count set to two."""
        return items

    # -- bytes that are no message ----------------------------------------------------------------------------

    @pytest.mark.parametrize("name", HOT)
    def test_a_frame_cut_anywhere_is_refused(self, name: str) -> None:
        frame = self.encode({**message_of(name), "reqId": "é\n", "more": [PAYLOAD, 1.5e10, -3, "x" * 40]})
        assert probe.scan(self.msgpack, frame)["status"] == S["OK"]
        for end in range(len(frame)):
            assert probe.scan(self.msgpack, frame[:end])["status"] < 0
            assert probe.scan(self.msgpack, frame[:end])["problem_number"] <= end
        assert probe.scan(self.msgpack, frame + b"0")["status"] < 0

    @SHARED
    @given(data=st.data())
    def test_a_damaged_frame_never_harms(self, data: st.DataObject) -> None:
        frame = bytearray(self.encode({**message_of(data.draw(st.sampled_from(list(HOT)))), "reqId": "r"}))
        for _ in range(data.draw(st.integers(1, 3))):
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        found = probe.scan(self.msgpack, bytes(frame))
        assert found["status"] in S.values()
        if found["status"] == S["OK"]:
            assert isinstance(self.decode(bytes(frame)), dict)

    @SHARED
    @given(frame=st.binary(max_size=60))
    def test_random_bytes(self, frame: bytes) -> None:
        found = probe.scan(self.msgpack, frame)["status"]
        assert found < 0 or self.decode(frame)["cmd"] in commands.BY_NAME     # chance may spell a request
        assert probe.validate(self.msgpack, frame) in S.values()

    @pytest.mark.parametrize("depth", [126, 127, 128, 129])
    @pytest.mark.parametrize("kind", ["list", "map", "both"])
    def test_depth(self, depth: int, kind: str) -> None:
        value: Any = 1
        for level in range(depth):
            value = {"a": value} if kind == "map" or (kind == "both" and level % 2) else [value]
        text = self.encode(value)
        assert probe.validate(self.msgpack, text) == S["OK" if depth <= 128 else "TOO_DEEP"]
        # the request is one level; in PUSHB the list and the item are two more
        for outer, message in ((1, {"cmd": "ACK", "id": 1, "result": value}), (1, {"cmd": "PING", "unknown": value}),
                               (3, {"cmd": "PUSHB", "queue": "q", "jobs": [{"data": value}]})):
            assert self.scan(message)["status"] == S["OK" if depth + outer <= 128 else "TOO_DEEP"]

    # -- replies ----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("req_id", [None, b"", b"r1", b"x" * 256])
    def test_short_replies(self, req_id: bytes | None) -> None:
        head = ({} if req_id is None else {"reqId": req_id.decode()}) | {"ok": True, "success": True}
        cases = [
            (probe.reply_ok(self.msgpack, req_id), {}),
            (probe.reply_id(self.msgpack, req_id, 2**53 - 1), {"id": 2**53 - 1}),
            (probe.reply_count(self.msgpack, req_id, 1000), {"ids": [1000], "count": 1000}),
            (probe.reply_no_job(self.msgpack, req_id, False), {"job": None}),
            (probe.reply_no_job(self.msgpack, req_id, True), {"jobs": [], "job": None}),
            (probe.reply_ids(self.msgpack, req_id, []), {"ids": []}),
            (probe.reply_ids(self.msgpack, req_id, [1, 33, 2**53 - 1]), {"ids": [1, 33, 2**53 - 1]}),
            (probe.reply_jobs(self.msgpack, req_id, True, []), {"jobs": []}),
        ]
        for reply, body in cases:
            message = self.reply(reply)
            assert list(message.items()) == list((head | body).items())

    @pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 1000])
    def test_replies_with_ids(self, count: int) -> None:
        ids = [i * 2**35 for i in range(count)]
        assert self.reply(probe.reply_ids(self.msgpack, b"r", ids)) == {
            "reqId": "r", "ok": True, "success": True, "ids": ids}

    def test_lists_of_ids_have_a_limit(self) -> None:
        for count in (0, 1, 999, 1000):
            found = self.scan({"cmd": "PUSH", "queue": "q", "depends_on": list(range(count))})
            assert found["status"] == S["OK"]
        self.refused({"cmd": "PUSH", "queue": "q", "depends_on": list(range(1001))}, "OUT_OF_RANGE", "depends_on")

    @SHARED
    @given(st.lists(st.text(max_size=9) | st.sampled_from(['"', "\\", '\\"', "]", "\n", "\0é\U0001f600"]), max_size=9))
    def test_lists_of_texts_are_read_from_their_bytes(self, texts: list[str]) -> None:
        whole = [text.encode() for text in texts]
        for value in (self.encode(texts), self.taken_raw("PULL", "queues", texts)):
            for cap in (0, 1, 9):
                assert probe.text_list(self.msgpack, value, cap) == (len(texts), whole[:cap])

    @SHARED
    @given(st.lists(st.integers(0, 2**63 - 1), max_size=9))
    def test_lists_of_numbers_are_read_from_their_bytes(self, numbers: list[int]) -> None:
        value = self.taken_raw("PULL", "weights", numbers)
        for cap in (0, 1, 9):
            assert probe.number_list(self.msgpack, value, cap) == (len(numbers), numbers[:cap])

    @pytest.mark.parametrize("value", [10**n + d for n in range(20) for d in (-1, 0, 1) if 0 <= 10**n + d < 2**64])
    def test_numbers_in_replies(self, value: int) -> None:
        assert self.reply(probe.reply_id(self.msgpack, None, value))["id"] == value

    def test_a_common_job(self) -> None:
        job = probe.JobProbe(id=97, queue=b"emails", data=self.encode(PAYLOAD), priority=-5, created_at=1767225600000,
                             run_at=1767225600001, attempts=1, max_attempts=3, backoff=2**32 - 1)
        message = self.reply(probe.reply_jobs(self.msgpack, b"r", False, [job]))["job"]
        assert list(message) == [field.name for field in JOB_FIELDS]
        assert message == {
            "id": 97, "queue": "emails", "data": PAYLOAD, "priority": -5, "created_at": 1767225600000,
            "run_at": 1767225600001, "started_at": 0, "attempts": 1, "max_attempts": 3, "backoff": 2**32 - 1, "ttl": 0,
            "timeout": 0, "unique_key": None, "depends_on": [], "progress": 0, "progress_msg": None, "tags": [],
            "lifo": False, "remove_on_complete": False, "remove_on_fail": False, "last_heartbeat": 0,
            "stall_timeout": 0, "stall_count": 0, "parent_id": None, "children_ids": [], "children_completed": 0,
            "custom_id": None, "keep_completed_age": 0, "keep_completed_count": 0, "completed_at": 0,
            "group_id": None, "state": "waiting", "progress_message": None, "token": None,
        }

    def test_a_job_with_everything(self) -> None:
        most, text = 2**64 - 1, "\"\\\x00\x1f\n\t\r\b\f\x0bé€😀/" * 50
        job = probe.JobProbe(
            id=most, queue="é".encode() * 128, data=self.encode(None), priority=-(2**31), created_at=most, run_at=most,
            attempts=2**32 - 1, max_attempts=2**32 - 1, backoff=2**32 - 1, progress=255, state=2, lifo=True,
            remove_on_complete=True, remove_on_fail=True, tags=self.encode(["x", "ö"]),
            delivery={"token": most, "started_at": most, "last_heartbeat": most},
            extra={"ttl": most, "timeout": most, "stall_timeout": most, "stall_count": 2**32 - 1,
                   "message": text.encode(), "custom_id": text.encode()},
        )
        message = self.reply(probe.reply_jobs(self.msgpack, b"r", False, [job]))["job"]
        assert list(message) == [field.name for field in JOB_FIELDS]
        for name in ("id", "created_at", "run_at", "started_at", "ttl", "timeout", "last_heartbeat", "stall_timeout",
                     "token"):
            assert message[name] == most
        for name in ("progress_msg", "progress_message", "custom_id"):
            assert message[name] == text
        assert message["tags"] == ["x", "ö"]
        assert (message["queue"], message["priority"], message["progress"]) == ("é" * 128, -(2**31), 255)
        assert message["lifo"] is message["remove_on_complete"] is message["remove_on_fail"] is True
        assert (message["state"], message["stall_count"], message["data"]) == ("active", 2**32 - 1, None)

    @pytest.mark.parametrize("extra", [{}, {"extra": {"last_heartbeat": 5}}])
    @pytest.mark.parametrize("state", range(5))
    def test_states(self, state: int, extra: dict[str, Any]) -> None:
        delivery = {"token": 9, "started_at": 8, "last_heartbeat": 7}
        with_delivery = {"delivery": delivery} if state in (2, 3) else {}
        job = probe.JobProbe(state=state, deadline=1767225600000, **with_delivery, **extra)
        message = self.reply(probe.reply_jobs(self.msgpack, None, False, [job]))["job"]
        assert message["state"] == commands.STATES[state]
        assert message["completed_at"] == (1767225600000 if message["state"] == "completed" else 0)
        assert message["token"] == (9 if message["state"] == "active" else None)
        assert message["started_at"] == (8 if with_delivery else 0)
        assert message["last_heartbeat"] == (7 if with_delivery else 5 if extra else 0)
        assert message["data"] is None

    @pytest.mark.parametrize("count", [1, 2, 15, 16, 1000])
    def test_many_jobs(self, count: int) -> None:
        jobs = [probe.JobProbe(id=i, data=self.encode({"n": i})) for i in range(count)]
        message = self.reply(probe.reply_jobs(self.msgpack, b"r", True, jobs))
        assert [job["data"] for job in message["jobs"]] == [{"n": i} for i in range(count)]
        assert list(message) == ["reqId", "ok", "success", "jobs"]
