"""Values by their type hints: over the wire and back they are what they were, and what does not fit is refused."""

import dataclasses
import datetime as dt
import enum
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict, TypeVar
from uuid import UUID

import msgpack
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashq.tasks.forms import WrongValue, form_of
from support.tools import lacking

T = TypeVar("T")
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    A = (1, 2)
    B = None


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict):
    name: str
    size: NotRequired[int]


@dataclasses.dataclass(frozen=True)
class Box(Generic[T]):
    content: T
    label: str = ""


@dataclasses.dataclass
class Node:
    value: int
    children: "list[Node]" = dataclasses.field(default_factory=list)
    parent_id: "Optional[UUID]" = None     # noqa: UP045


@dataclasses.dataclass
class Positive:
    n: int

    def __post_init__(self) -> None:
        if self.n <= 0:
            raise ValueError("n must be positive")


INTS = st.integers(-(2**63), 2**64 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"))
ZONES = st.one_of(st.none(), st.timezones().map(lambda _zone: dt.UTC), st.just(dt.timezone(dt.timedelta(hours=5))))
TREES: st.SearchStrategy[Any] = st.recursive(
    st.builds(Node, INTS, st.just([]), st.none() | st.uuids()),
    lambda inner: st.builds(Node, INTS, st.lists(inner, max_size=3)), max_leaves=8)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTS | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=10)

VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, INTS), (float, FLOATS), (str, TEXTS), (bool, st.booleans()), (None, st.none()), (bytes, st.binary()),
    (dt.datetime, st.datetimes(timezones=ZONES)), (dt.date, st.dates()), (dt.time, st.times()),
    (dt.timedelta, st.timedeltas()), (UUID, st.uuids()), (Decimal, st.decimals(allow_nan=False)),
    (Path, st.just(Path("/a/b c"))), (list[int], st.lists(INTS)), (set[str], st.sets(TEXTS)),
    (frozenset[UUID], st.frozensets(st.uuids())), (tuple[int, ...], st.lists(INTS).map(tuple)),
    (tuple[int, str], st.tuples(INTS, TEXTS)), (dict[str, dt.date], st.dictionaries(TEXTS, st.dates())),
    (dict[int, bytes], st.dictionaries(INTS, st.binary())), (Mapping[UUID, int], st.dictionaries(st.uuids(), INTS)),
    (dict[Colour, int], st.dictionaries(st.sampled_from(Colour), INTS)), (Sequence[float], st.lists(FLOATS)),
    (Colour, st.sampled_from(Colour)), (Level, st.sampled_from(Level)), (Mixed, st.sampled_from(Mixed)),
    (Access, st.sampled_from(Access) | st.just(Access.READ | Access.WRITE)),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None])), (UserId, INTS), (Annotated[int, "x"], INTS),
    (int | str | None, INTS | TEXTS | st.none()), (int | float, INTS | FLOATS),
    (str | dt.datetime | None, TEXTS | st.datetimes() | st.none()),
    (bytes | str | UUID, st.binary() | TEXTS | st.uuids()),
    (list[int] | Point, st.lists(INTS) | st.builds(Point, INTS, FLOATS)), (Point, st.builds(Point, INTS, FLOATS)),
    (Options, st.fixed_dictionaries({"name": TEXTS}, optional={"size": INTS})),
    (Box[dt.date], st.builds(Box, st.dates(), TEXTS)), (Box[list[int]], st.builds(Box, st.lists(INTS), TEXTS)),
    (Box[int] | Positive, st.builds(Box, INTS, TEXTS) | st.builds(Positive, st.integers(1, 9))),
    (Node, TREES), (Any, PLAIN), (list, st.lists(PLAIN)), (dict, st.dictionaries(TEXTS, PLAIN)),
]


@pytest.mark.parametrize(("hint", "values"), VALUES, ids=[str(hint) for hint, _ in VALUES])
def test_what_comes_back_is_what_went(hint: Any, values: st.SearchStrategy[Any]) -> None:
    form = form_of(hint)

    @settings(max_examples=settings.default.max_examples // 4)
    @given(values)
    def check(value: Any) -> None:
        plain = form.write(value)
        for decoded in (msgpack.unpackb(msgpack.packb(plain)), orjson.loads(orjson.dumps(plain))):
            back = form.read(decoded)
            assert back == value and type(back) is type(value)

    check()


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (int, True, "must be int, not True"), (int, 1.0, "must be int, not float 1.0"), (int, 2**64, "64 bits"),
        (float, "1", "must be float, not str '1'"), (float, float("nan"), "finite"),
        (float, 10**400, "fit into a float"),
        (str, b"x", "must be str, not bytes"), (str, "\ud800", "surrogates"), (bytes, "x", "must be bytes"),
        (dt.date, dt.datetime(2026, 1, 1), "must be date"), (dt.datetime, dt.date(2026, 1, 1), "must be datetime"),
        (list[int], "12", "must be list of int"), (list[int], [1, "2"], r"\[1\]: must be int"),
        (tuple[int, str], (1,), "must have 2 items, not 1"), (dict[str, int], {1: 1}, "wrong key: it must be str"),
        (Colour, "red", "must be Colour, not str 'red'"), (Literal["a"], "b", "one of 'a'"),
        (Node, Node(1, [Node("x")]), r"children\[0\].value: must be int"),    # type: ignore[arg-type]
        (Options, {"size": 1}, "lacks the field 'name'"), (Options, {"name": "a", "more": 1}, "field 'more'"),
        (int | None, "x", "must be int | None"), (Any, {1: 2}, "key that is no str"),
        (Any, [iter([])], r"\[0\]: is list_iterator, and values of type list_iterator cannot be sent, .*: text"),
        (Any, {"a": {1}}, r"\['a'\]: is set, which comes back as such only with a type hint"),
        (Any, [float("inf")], "finite"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(hint: Any, value: Any, text: str) -> None:
    with pytest.raises(WrongValue, match=text):
        form_of(hint).write(value)


@pytest.mark.parametrize(
    ("hint", "plain", "text"),
    [
        (dt.datetime, "yesterday", "must be text for datetime"), (UUID, "x", "must be text for UUID"),
        (bytes, "?", "must be text for bytes"), (Decimal, "x", "must be text for Decimal"), (Colour, "green", "one of"),
        (Positive, {"n": -1}, "makes no Positive: n must be positive"), (Node, {}, "lacks the field 'value'"),
        (Node, {"value": 1, "x": 2}, "has a field 'x' that Node does not know"), (Access, 99, "a number for Access"),
        (str | dt.date, "x", "an object with one key"), (str | dt.date, {"date": "x"}, "must be text for date"),
        (dict[int, int], {"x": 1}, "wrong key"), (set[Any], [[]], "holds what a set cannot"),
        (dt.timedelta, 1e300, "timedelta can hold"), (dt.timedelta, "x", "must be seconds"), (list[int], {}, "a list"),
    ],
)
def test_what_comes_in_another_form_is_refused(hint: Any, plain: Any, text: str) -> None:
    with pytest.raises(WrongValue, match=text):
        form_of(hint).read(plain)


def test_forms_of_other_languages_are_taken() -> None:
    assert form_of(int).read(3.0) == 3 and form_of(float).read(3) == 3.0 and form_of(dt.timedelta).read(1.5) == (
        dt.timedelta(seconds=1.5))
    assert form_of(float | None).read(2) == 2.0 and form_of(Point).read({"x": 1}) == Point(1, 0.0)


@pytest.mark.parametrize("hint", [object(), type("Own", (), {}), list[complex], dict[tuple[int, int], int]])
def test_types_that_cannot_go_over_the_wire(hint: Any) -> None:
    with pytest.raises(TypeError):
        form_of(hint)


def test_nesting_is_bounded() -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(WrongValue, match="nested deeper"):
        form_of(Any).write(deep)


def test_pydantic_models() -> None:
    pydantic = _library("pydantic")

    class Model(pydantic.BaseModel):     # type: ignore[name-defined,misc]
        model_config = pydantic.ConfigDict(strict=True)
        when: dt.datetime
        tags: set[str]
        total: int = pydantic.Field(default=0, alias="sum")

    form = form_of(list[Model])
    models = [Model(when=dt.datetime(2026, 5, 1, tzinfo=dt.UTC), tags={"x"}, sum=3)]
    plain = form.write(models)
    assert plain == [{"when": "2026-05-01T00:00:00Z", "tags": ["x"], "sum": 3}] and form.read(plain) == models
    with pytest.raises(WrongValue, match=r"\[0\]: makes no Model"):
        form.read([{"when": "never"}])
    Numbers = pydantic.create_model("Numbers", __base__=pydantic.RootModel[list[int]])
    both = form_of(list[str] | Numbers)
    for value in (["a"], Numbers([1, 2])):
        assert both.read(both.write(value)) == value
    with pytest.raises(WrongValue, match="must be Model, not dict"):
        form_of(Model).write(plain[0])


def test_msgspec_structs() -> None:
    msgspec = _library("msgspec")
    Struct = msgspec.defstruct("Struct", [("when", dt.date), ("raw", bytes, b""), ("counts", dict[int, int], {})])
    form = form_of(Struct | None)
    value = Struct(dt.date(2026, 5, 1), b"\x00\xff", {1: 2})
    plain = form.write(value)
    assert plain == {"when": "2026-05-01", "raw": "AP8=", "counts": {"1": 2}} and form.read(plain) == value
    with pytest.raises(WrongValue, match="makes no Struct"):
        form.read({"when": 5})


def test_libraries_that_are_not_used_are_not_imported() -> None:
    import subprocess

    program = ("import sys, flashq; app = flashq.App(); task = app.task(lambda a: a); task.parameters.check(); "
               "print([one for one in ('pydantic', 'msgspec', 'watchfiles') if one in sys.modules])")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        lacking(f"{name} is not installed")
