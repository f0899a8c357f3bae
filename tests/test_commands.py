"""The command table: whole, without contradictions, in step with the core and with the reference page."""

import inspect
import re
from pathlib import Path

import pytest

from flashq import AsyncFlashQ, FlashQ, commands, generate
from flashq.commands import BY_NAME, COMMANDS, PUSH_OPTIONS
from flashq.config import Settings
from flashq.errors import ERRORS
from flashq.fields import COLD_KINDS, Command, Field, Kind, kind_rule
from flashq.job_shape import JOB_EXAMPLE, JOB_FIELDS
from flashq.server.checks import CHECKS
from flashq.server.handlers import Rooms, furnish
from support.server import PACKAGE_ROOT, PROJECT_ROOT

CORE = PACKAGE_ROOT / "flashq" / "_core"
EXPECTED = (
    "AUTH HELLO PING PUSH PUSHB PULL PULLB ACK ACKB FAIL GETJOB GETSTATE GETRESULT CANCEL PROGRESS GETPROGRESS "
    "HEARTBEAT PAUSE RESUME ISPAUSED LISTQUEUES COUNT STATS METRICS CHANGEPRIORITY PROMOTE MOVETODELAYED UPDATEJOB "
    "UPDATE DISCARD LOG GETJOBBYCUSTOMID GETJOBSBATCH GETJOBS GETJOBCOUNTS GETLOGS DLQ RETRYDLQ PURGEDLQ RATELIMIT "
    "RATELIMITCLEAR SETCONCURRENCY CLEARCONCURRENCY SETGROUPS DRAIN OBLITERATE CLEAN CRON CRONDELETE CRONLIST KVSET "
    "KVGET KVDEL KVMGET KVMSET KVEXISTS KVEXPIRE KVTTL KVKEYS KVINCR PUB SUB PSUB UNSUB PUNSUB PUBSUBCHANNELS "
    "PUBSUBNUMSUB SUBSCRIBE UNSUBSCRIBE FLOW GETCHILDREN WAITJOB PARTIAL EXPLAIN SYNC "
    "WORKERS"
)
HOT = [command for command in COMMANDS if command.tier == "hot"]
ROOMS: Rooms = furnish(None, Settings(), None)  # type: ignore[arg-type]  # no method is called
COLD = [command for command in COMMANDS if command.tier == "cold"]


def enum_members(module: str, enum: str, prefix: str) -> dict[str, int]:
    """Name (without prefix) and number of the members of an enum of the core, read from its .pxd."""
    body = re.search(rf"cdef enum {enum}:.*?\n(.*?)\n\n", (CORE / f"{module}.pxd").read_text() + "\n\n", re.S)
    assert body is not None, f"no enum {enum} in {module}.pxd"
    return {name: int(number) for name, number in re.findall(rf"^    {prefix}(\w+) = (-?\d+)", body[1], re.M)}


def test_the_commands_of_this_build() -> None:
    assert sorted(BY_NAME) == sorted(EXPECTED.split())
    assert len(BY_NAME) == len(COMMANDS)


def test_kinds_are_those_of_the_core() -> None:
    of_the_core = [kind for kind in Kind if kind < COLD_KINDS]
    assert {kind.name: kind.value for kind in of_the_core} == enum_members("request", "Kind", "KIND_")


def test_states_are_those_of_the_core() -> None:
    core = enum_members("job", "State", "STATE_")
    assert {name.upper().replace("-", "_"): number for number, name in enumerate(commands.STATES)} == core


def test_words_for_failures_are_those_of_the_core() -> None:
    endings = enum_members("job", "Ending", "ENDED_")
    assert endings == {"WELL": 0} | {name.upper(): number for number, name in enumerate(commands.REASONS, 1)}
    types = enum_members("request", "RetryType", "RETRY_")
    assert types == {"NONE": 0} | {name.upper(): number for number, name in enumerate(commands.RETRY_TYPES, 1)}
    text = (CORE / "job.pxd").read_text()
    assert f"ATTEMPTS_KEPT = {commands.ATTEMPTS_KEPT} " in text
    assert f"ATTEMPT_TEXT = {commands.ATTEMPT_TEXT} " in text


def test_limits_are_those_of_the_core() -> None:
    text = (CORE / "request.pxd").read_text()
    assert f"MAX_BATCH = {commands.MAX_BATCH} " in text
    req_id = next(field for field in commands.COMMON if field.kind is Kind.REQ_ID)
    assert f"MAX_REQ_ID = {req_id.limit} " in text


def test_hot_commands_are_known_to_the_core() -> None:
    hot = {command.name for command in HOT} - {"UPDATE"}  # another name of UPDATEJOB
    assert hot <= set(enum_members("request", "Op", "OP_"))


def test_a_hot_field_means_one_thing_in_all_hot_commands() -> None:
    meaning: dict[str, tuple[Kind, int | None, tuple[str, ...]]] = {}
    for field in (field for command in HOT for field in command.fields):
        if (field.name, field.kind) == ("retry", Kind.BOOL):
            continue                            # an object in a push: which is meant shows in the value
        known = meaning.setdefault(field.name, (field.kind, field.limit, field.aliases))
        assert known == (field.kind, field.limit, field.aliases), field.name


def test_no_hot_alias_is_another_fields_name() -> None:
    fields = {field.name: field for command in HOT for field in command.fields}
    aliases = [alias for field in fields.values() for alias in field.aliases]
    assert len(set(aliases)) == len(aliases)
    # A text option and a number may share a name: which is meant shows in the value.
    shared = set(aliases) & set(fields)
    assert all(fields[name].kind == Kind.STR for name in shared)
    owners = [field for field in fields.values() if shared & set(field.aliases)]
    assert all(field.kind == Kind.U64 for field in owners)


def test_push_takes_every_option_of_the_wire() -> None:
    names = {field.name for field in BY_NAME["PUSH"].fields}
    assert names == {"queue", "push_key", "durability", "receipt"} | {field.name for field in PUSH_OPTIONS}
    assert not any(field.required for field in PUSH_OPTIONS)


@pytest.mark.parametrize(
    ("field", "aliases"),
    [
        ("max_attempts", ("attempts", "maxAttempts")),
        ("job_id", ("jobId",)),
        ("keep_completed_age", ("keepCompletedAge",)),
        ("keep_completed_count", ("keepCompletedCount",)),
    ],
)
def test_aliases_of_published_clients(field: str, aliases: tuple[str, ...]) -> None:
    found = next(one for one in BY_NAME["PUSH"].fields if one.name == field)
    assert found.aliases == aliases


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.fields[:1] and c.fields[0].name == "id"])
def test_ids_go_by_job_id_too(command: Command) -> None:
    assert command.fields[0].aliases == ("job_id",)


@pytest.mark.parametrize("command", COLD, ids=lambda command: command.name)
def test_cold_commands_can_be_served(command: Command) -> None:
    assert callable(ROOMS.find(command.handler))
    assert {field.kind for field in command.fields} <= set(CHECKS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_entries_are_complete(command: Command) -> None:
    assert command.doc.endswith(".") and command.resend.endswith(".")
    assert set(command.errors) <= set(ERRORS)
    assert all(field.doc.endswith(".") for field in command.fields)
    assert all(one.doc.endswith(".") for one in command.reply)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_examples_show_what_the_table_says(command: Command) -> None:
    request, reply = command.example
    assert request["cmd"] == command.name
    known = {field.name for field in (*command.fields, *commands.COMMON)}
    assert set(request) <= known
    assert {field.name for field in command.fields if field.required} <= set(request)
    assert reply["ok"] is True and reply["success"] is True and "error" not in reply
    shown = set(reply) - {"ok", "success", "reqId"}
    assert shown <= {one.name for one in command.reply}
    assert ("reqId" in reply) == ("reqId" in request)


def test_the_job_example_has_every_key_in_order() -> None:
    assert list(JOB_EXAMPLE) == [one.name for one in JOB_FIELDS]


@pytest.mark.parametrize(
    ("kind", "limit", "rule"),
    [
        (Kind.I32, None, "an integer between -2147483648 and 2147483647"),
        (Kind.U32, None, "an integer between 0 and 4294967295"),
        (Kind.U64, 1000, "an integer between 0 and 1000"),
        (Kind.PROGRESS, None, "a number between 0 and 255"),
        (Kind.STR, 10, "a string"),
    ],
)
def test_kind_rule(kind: Kind, limit: int | None, rule: str) -> None:
    assert kind_rule(kind, limit) == rule


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        BY_NAME["PUSH"].name = "POP"  # type: ignore[misc]
    assert not hasattr(Field("a", Kind.STR, "A."), "__dict__")


def test_reference_pages_are_current() -> None:
    assert generate.stale(PROJECT_ROOT / "docs") == [], "run: python -m flashq.generate"


def test_a_changed_page_is_noticed(tmp_path: Path) -> None:
    for name, page in generate.PAGES.items():
        (tmp_path / name).write_text(page(), encoding="utf-8")
    assert generate.stale(tmp_path) == []
    (tmp_path / "settings.md").write_text("old", encoding="utf-8")
    assert generate.stale(tmp_path) == ["settings.md"]


def test_the_reference_names_the_python_method_of_every_command() -> None:
    page = generate.commands_page()
    sections = {part.split("\n")[0]: part for part in page.split("\n## ")[1:]}
    for command in COMMANDS:
        (name, lead), = re.findall(r"^\*\*Python\*\*: `(\w+)\((.*)\)`$", sections[command.name], re.MULTILINE)
        for client in (FlashQ, AsyncFlashQ):
            parameters = list(inspect.signature(getattr(client, name)).parameters)[1:]
            assert parameters[:len(lead.split(", ")) if lead else 0] == [one for one in lead.split(", ") if one], name
    assert "`retry_dead_letters(queue, id)`" in sections["RETRYDLQ"]


def test_the_reference_has_every_command_field_and_error() -> None:
    page = generate.commands_page()
    for command in COMMANDS:
        section = page.split(f"\n## {command.name}\n")[1].split("\n## ")[0]
        assert all(f"`{field.name}`" in section or field.name in page for field in command.fields)
        assert command.resend in section
    assert all(f"`{error.code}`" in page and error.text in page for error in ERRORS)
    assert all(alias in page for field in PUSH_OPTIONS for alias in field.aliases)
