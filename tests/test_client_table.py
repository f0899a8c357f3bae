"""The client follows the tables: a method for each command, a parameter for each field, a class for each code."""

import inspect
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import MISSING, is_dataclass
from dataclasses import fields as fields_of
from pathlib import Path

import pytest

from flashq import generate_client
from flashq.client import AsyncFlashQ, FlashQ, readers, refusals
from flashq.client.call import may_be_sent_again
from flashq.client.methods import BY_COMMAND, METHODS, Again
from flashq.client.shapes import Job
from flashq.commands import COMMANDS
from flashq.errors import ERRORS
from flashq.fields import Command
from flashq.job_shape import JOB_FIELDS, OPTIONAL_JOB_FIELDS


def test_each_command_has_one_method() -> None:
    assert [method.command for method in METHODS] == [command.name for command in COMMANDS]
    assert len({method.name for method in METHODS}) == len(METHODS)


@pytest.mark.parametrize("kind", [FlashQ, AsyncFlashQ])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_each_field_is_a_parameter(kind: type, command: Command) -> None:
    method = getattr(kind, BY_COMMAND[command.name].name)
    parameters = inspect.signature(method).parameters
    assert next(iter(parameters)) == "self"
    assert set(parameters) == {"self", "deadline", *(field.name for field in command.fields)}
    assert all(one.annotation is not inspect.Parameter.empty for name, one in parameters.items() if name != "self")
    assert method.__doc__ and method.__doc__.split()[0] == command.doc.split()[0]
    assert inspect.iscoroutinefunction(method) == (kind is AsyncFlashQ)


def test_methods_say_what_they_return() -> None:
    for kind in (FlashQ, AsyncFlashQ):
        assert inspect.signature(kind.get_job).return_annotation == Job | None
        assert str(inspect.signature(kind("flashq://").ping)) == "(*, deadline: float | None = None) -> bool"


def test_the_files_made_from_the_tables_are_current() -> None:
    assert generate_client.stale() == [], "run: make generate"


def test_a_changed_file_is_noticed_and_written(tmp_path: Path) -> None:
    assert set(generate_client.write(tmp_path)) == set(generate_client.FILES)
    assert generate_client.stale(tmp_path) == []
    (tmp_path / "shapes.py").write_text("old")
    assert generate_client.write(tmp_path) == ["shapes.py"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_what_is_sent_again_is_what_the_table_calls_safe(command: Command) -> None:
    again = BY_COMMAND[command.name].again
    said = command.resend
    if said.startswith("Safe") and "unless" not in said:
        assert again in (Again.ALWAYS, Again.FENCED), said
    elif "push_key" in said:
        assert again is Again.KEYED
    elif said.startswith("With `token` safe"):
        assert again is Again.FENCED
    elif "`limit`" in said:
        assert again is Again.UNLIMITED
    elif "`job_id`" in said:
        assert again is Again.NAMED
    else:
        assert again is Again.NEVER, said


@pytest.mark.parametrize(
    ("command", "fields", "again"),
    [
        ("PUSH", {"queue": "a", "push_key": "k"}, True),
        ("PUSH", {"queue": "a"}, False),
        ("ACK", {"id": 1, "token": 2}, True),
        ("ACK", {"id": 1}, False),
        ("ACKB", {"ids": [1], "tokens": [2]}, True),
        ("FAIL", {"id": 1}, False),
        ("CLEAN", {"queue": "a", "grace": 0}, True),
        ("CLEAN", {"queue": "a", "grace": 0, "limit": 5}, False),
        ("FLOW", {"queue": "a", "job_id": "p", "children": [{"queue": "a", "job_id": "c"}]}, True),
        ("FLOW", {"queue": "a", "job_id": "p", "children": [{"queue": "a"}]}, False),
        ("KVINCR", {"key": "a"}, False),
        ("PULL", {"queue": "a"}, True),
    ],
)
def test_rules_look_at_the_fields(command: str, fields: dict[str, object], again: bool) -> None:
    assert may_be_sent_again(command, fields) is again


def test_each_code_has_a_class() -> None:
    assert set(refusals.BY_CODE) == {error.code for error in ERRORS}
    assert all(kind.code == code and kind.__doc__ for code, kind in refusals.BY_CODE.items())


def test_the_job_has_all_keys_of_the_wire() -> None:
    assert [one.name for one in fields_of(Job)] == [one.name for one in (*JOB_FIELDS, *OPTIONAL_JOB_FIELDS)]


def parts(value: object) -> Iterator[object]:
    """The dataclasses in a result but Jobs, of which the examples show a few keys only."""
    if isinstance(value, Job):
        return
    if is_dataclass(value):
        yield value
    inside = vars(value).values() if is_dataclass(value) else value if isinstance(value, list) else ()
    for one in (value.values() if isinstance(value, dict) else inside):
        yield from parts(one)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_results_have_the_keys_of_the_replies(command: Command) -> None:
    reply = {"reqId": "1", **deepcopy(command.example[1])}
    for one in parts(getattr(readers, BY_COMMAND[command.name].reader)(reply)):
        shown = set(vars(one)) - {"reqId", "ok", "success"}
        known = {field.name for field in fields_of(one)}  # type: ignore[arg-type]
        asked = {field.name for field in fields_of(one) if field.default is MISSING}  # type: ignore[arg-type]
        assert asked <= shown <= known, type(one).__name__


def test_a_method_of_each_client_has_the_same_parameters() -> None:
    extra = {"connect", "close", "call", "call_many", "push_many", "jobs", "events", "messages"}
    for name in extra | {method.name for method in METHODS}:
        sync, other = (inspect.signature(getattr(kind, name)) for kind in (FlashQ, AsyncFlashQ))
        assert list(sync.parameters) == list(other.parameters), name
    public = {name for name in dir(FlashQ) if not name.startswith("_")}
    assert public == {name for name in dir(AsyncFlashQ) if not name.startswith("_")}
    assert public == extra | {"connected"} | {method.name for method in METHODS}
