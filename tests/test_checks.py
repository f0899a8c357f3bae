"""Decoded values of cold commands against their fields: every kind, nested ones with the path in the refusal."""

from typing import Any

import pytest

from flashq.config import Settings
from flashq.errors import Refused
from flashq.fields import Field, Kind, field_rule
from flashq.server.checks import CHECKS, values_of
from flashq.server.replies import Refuser

ITEM = (Field("key", Kind.STR, "", required=True, limit=3), Field("n", Kind.I64, "", default=1))
BIG = 2**63


def value_of(field: Field, value: object) -> Any:
    return values_of((field,), {field.name: value})[field.name]


def refusal(field: Field, value: object) -> str:
    with pytest.raises(Refused) as caught:
        value_of(field, value)
    return Refuser(Settings()).told(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (Kind.I64, -BIG, -BIG), (Kind.I64, BIG - 1, BIG - 1), (Kind.I64, -3.0, -3),
        (Kind.F64, 1, 1.0), (Kind.F64, -1.5, -1.5), (Kind.F64, 1e300, 1e300),
        (Kind.RAW, {"a": [None]}, {"a": [None]}), (Kind.RAW, False, False), (Kind.RAW, 0, 0),
        (Kind.LIST, [1, "a", None], [1, "a", None]), (Kind.TAGS, ["a", ""], ["a", ""]), (Kind.TAGS, [], []),
        (Kind.IDS, [1, 2.0, BIG - 1], [1, 2, BIG - 1]),     ],
)
def test_what_is_taken(kind: Kind, value: object, kept: object) -> None:
    found = value_of(Field("f", kind, ""), value)
    assert found == kept and type(found) is type(kept)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.I64, BIG, f"Invalid: field 'f' must be an integer between {-BIG} and {BIG - 1}"),
        (Kind.I64, -BIG - 1, f"Invalid: field 'f' must be an integer between {-BIG} and {BIG - 1}"),
        (Kind.I64, 1.5, f"Invalid: field 'f' must be an integer between {-BIG} and {BIG - 1}"),
        (Kind.F64, "1", "Invalid: field 'f' must be a number"),
        (Kind.F64, True, "Invalid: field 'f' must be a number"),
        (Kind.LIST, {}, "Invalid: field 'f' must be a list"),
        (Kind.TAGS, ["a", 1], "Invalid: field 'f' must be a list of strings"),
        (Kind.IDS, [1, -1], "Invalid: field 'f' must be a list of non-negative integers"),
        (Kind.IDS, [True], "Invalid: field 'f' must be a list of non-negative integers"),
        (Kind.OBJECT, [], "Invalid: field 'f' must be an object"),
        (Kind.OBJECTS, [{}, 1], "Invalid: field 'f' must be a list of objects"),
    ],
)
def test_what_is_refused(kind: Kind, value: object, text: str) -> None:
    assert refusal(Field("f", kind, ""), value) == text


def test_ranges_of_their_own() -> None:
    field = Field("rate", Kind.F64, "", least=0, limit=100)
    assert [value_of(field, n) for n in (0, 99.5, 100)] == [0.0, 99.5, 100.0]
    for wrong in (-0.1, 100.1):
        assert refusal(field, wrong) == "Invalid: field 'rate' must be a number between 0 and 100"
    field = Field("n", Kind.U64, "", least=1)
    assert refusal(field, 0) == f"Invalid: field 'n' must be an integer between 1 and {BIG - 1}"


def test_choices_and_rules() -> None:
    field = Field("mode", Kind.STR, "", choices=("a", "b"))
    assert value_of(field, "b") == "b"
    for wrong in ("c", "", 5):
        assert refusal(field, wrong) == "Invalid: field 'mode' must be one of a, b"
    assert field_rule(Field("f", Kind.STR, "", rule="something else")) == "something else"


def test_objects_in_objects_name_their_path() -> None:
    inner = Field("list", Kind.OBJECTS, "", items=ITEM)
    field = Field("options", Kind.OBJECT, "", items=(inner, Field("x", Kind.BOOL, "")))
    found = value_of(field, {"list": [{"key": "a"}, {"key": "b", "n": 2, "other": 1}], "y": 1})
    assert found == {"list": [{"key": "a", "n": 1}, {"key": "b", "n": 2}], "x": None}
    assert refusal(field, {"list": [{"key": "a"}, {}]}) == "Invalid: missing field 'options.list[1].key'"
    assert refusal(field, {"list": [{"key": "long"}]}) == (
        "Invalid: field 'options.list[0].key' is longer than 3 bytes"
    )
    assert refusal(field, {"x": 1}) == "Invalid: field 'options.x' must be true or false"


def test_the_limit_of_texts_in_a_list() -> None:
    field = Field("names", Kind.TAGS, "", limit=2)
    assert value_of(field, ["ab", "é"]) == ["ab", "é"]
    assert refusal(field, ["ab", "éa"]) == "Invalid: field 'names[1]' is longer than 2 bytes"


def test_aliases_and_null() -> None:
    field = Field("id", Kind.U64, "", required=True, aliases=("job_id",))
    assert values_of((field,), {"id": None, "job_id": 5}) == {"id": 5}
    with pytest.raises(Refused) as caught:
        values_of((field,), {"id": 5, "job_id": 5}, "jobs[2].")
    assert (caught.value.error.code, caught.value.field) == ("DUPLICATE_FIELD", "jobs[2].id")


def test_every_kind_but_those_of_the_core_has_a_check() -> None:
    assert set(Kind) - set(CHECKS) == {Kind.ITEMS, Kind.PROGRESS, Kind.REQ_ID, Kind.CMD}
