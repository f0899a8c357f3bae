"""The command table in the core: what load() takes and refuses, and that it says what flashq/commands says."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from flashq import commands
from flashq._core import codec_probe as probe
from flashq._core import fieldtable
from flashq.fields import Command, Field, Kind

BITS = {line.split()[0].removeprefix("BIT_").lower(): int(line.split()[2])
        for line in files("flashq._core").joinpath("request.pxd").read_text().splitlines()
        if line.startswith("    BIT_")}


def load_real() -> None:
    fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)


@pytest.fixture(autouse=True)
def real_table() -> Iterator[None]:
    load_real()
    yield
    load_real()


def names() -> list[str]:
    """Every name that the real table must know."""
    hot = [field for c in commands.COMMANDS if c.tier == "hot" for field in c.fields]
    found = [name for field in hot for name in (field.name, *field.aliases)]
    return sorted({*found, "cmd", "reqId"})


def snapshot() -> dict[str, Any]:
    table = {name: probe.field_info(name) for name in names()}
    return table | {c.name: probe.command_info(c.name) for c in commands.COMMANDS}


def hot(name: str, *fields: Field) -> Command:
    real = next(c for c in commands.COMMANDS if c.tier == "hot")
    return replace(real, name=name, fields=fields)


def test_every_field_has_the_bit_that_request_gives_it() -> None:
    fields = [info for name in names() if (info := probe.field_info(name))]
    assert len(fields) >= len(BITS) - 2     # `flow` is no field, and `retry` of FAIL shares its name
    for field in fields:
        bit = BITS["req_id" if field["name"] == "reqId" else field["name"]]
        assert field["bit"] == bit


def test_fields_are_those_of_the_table() -> None:
    hot_fields = [field for c in commands.COMMANDS if c.tier == "hot" for field in c.fields]
    for field in [*hot_fields, *commands.PUSH_OPTIONS]:
        for name in (field.name, *field.aliases):
            found = probe.field_info(name)
            assert found is not None
            if (name, field.kind) == ("retry", Kind.BOOL):  # an object in PUSH; FAIL's is found by way of that
                assert (found["kind"], found["other"]) == (Kind.RETRY, True)
                continue
            if (field.name, name) == ("id", "job_id"):      # a text in PUSH; HEARTBEAT's is found by way of that
                assert (found["name"], found["other"]) == ("job_id", True)
                continue
            shared = name in ("job_id", "retry")
            assert (found["name"], found["kind"], found["other"]) == (field.name, field.kind, shared)
            assert field.limit is None or found["limit"] == field.limit
    in_items = {name for name in names() if (info := probe.field_info(name)) and info["in_item"]}
    assert in_items == {name for field in commands.PUSH_OPTIONS for name in (field.name, *field.aliases)}


def test_values_have_places_of_their_own() -> None:
    fields = {info["name"]: info for name in names() if (info := probe.field_info(name))}
    offsets = [info["offset"] for info in fields.values()]
    assert len(set(offsets)) == len(offsets)


@pytest.mark.parametrize("command", commands.COMMANDS, ids=lambda c: c.name)
def test_commands_are_those_of_the_table(command: Command) -> None:
    found = probe.command_info(command.name)
    assert found is not None
    if command.tier == "cold":
        assert found == {"op": 1, "takes": set(), "required": set()}
        return
    assert found["takes"] == {field.name for field in command.fields} | {"cmd", "reqId"}
    assert found["required"] == {field.name for field in command.fields if field.required}
    assert found["op"] > 1


def test_names_match_exactly() -> None:
    for name in ("", "PUS", "PUSHBB", "push", "Push", " PUSH", "PUSH ", "X" * 500):
        assert probe.command_info(name) is None
    for name in ("", "Data", "dat", "dataa", "req_id", "REQID", "x" * 500, "é"):
        assert probe.field_info(name) is None


def test_loading_again_changes_nothing() -> None:
    before = snapshot()
    load_real()
    assert snapshot() == before


U64 = Field("id", Kind.U64, "")
TEXT = Field("queue", Kind.STR, "")


@pytest.mark.parametrize(("table", "options", "reason"), [
    ([hot("PUSHX", U64)], [], "unknown to the core"),
    ([hot("PUSH", U64), hot("PUSH", U64)], [], "stands twice"),
    ([hot("", U64)], [], "empty or too long"),
    ([replace(hot("X" * 25), tier="cold")], [], "empty or too long"),
    ([hot("ACK", U64), hot("FAIL", replace(U64, kind=Kind.U32))], [], "kind"),
    ([hot("ACK", U64), hot("FAIL", replace(U64, limit=5))], [], "two kinds or limits"),
    ([hot("ACK", replace(U64, kind=Kind.STR))], [], "room for kind"),
    ([hot("ACK", Field("shoe_size", Kind.U64, ""))], [], "no place in Request"),
    ([hot("ACK", replace(U64, aliases=("x" * 29,)))], [], "empty or too long"),
    ([hot("ACK", replace(U64, aliases=("",)))], [], "empty or too long"),
    ([hot("ACK", U64, replace(TEXT, aliases=("id",)))], [], "two fields"),
    ([hot("ACK", replace(U64, aliases=("n",)), replace(U64, name="count", aliases=("n",)))], [], "two fields"),
    ([], [Field("delay", Kind.BOOL, "")], "room for kind"),
])
def test_a_table_that_contradicts_itself_is_refused(
    table: list[Command], options: list[Field], reason: str
) -> None:
    before = snapshot()
    with pytest.raises(ValueError, match=reason):
        fieldtable.load(table, options)
    assert snapshot() == before


def test_names_at_their_limits() -> None:
    fieldtable.load([hot("ACK", replace(U64, aliases=("x" * 28,)))], [])
    found = probe.scan(False, b'{"cmd":"ACK","' + b"x" * 28 + b'":5}')
    assert (found["status"], found["fields"]["id"]) == (0, 5)
    assert probe.command_info("PUSH") is None
    required = Field("data", Kind.RAW, "", required=True)
    fieldtable.load([hot("PUSHB", Field("jobs", Kind.ITEMS, ""))], [required])
    found = probe.scan(False, b'{"cmd":"PUSHB","jobs":[{"data":null},{}]}')
    assert (found["problem_field"], found["problem_item"]) == ("data", 1)
