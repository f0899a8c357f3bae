"""Records become dataclasses when they are first used, whatever that use is, and then are like any other."""
import contextlib
import copy
import dataclasses
import inspect
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from flashq.client.endpoint import Endpoint
from flashq.client.record import Record, take_over
from flashq.client.results import Receipt


def unused() -> type[Any]:
    """A record that nothing has used yet."""
    class Point(Record):
        """A place."""

        x: int
        y: int = 2

    return Point


def is_made(kind: type) -> bool:
    return "__init__" in vars(kind)


def matched(one: Any) -> bool:
    kind = type(one)
    match one:
        case kind(1, 2):
            return True
    return False


def changed(one: Any) -> bool:
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.x = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x
    return True


def second(one: Any) -> Any:
    return take_over(type(one), {"x": 1, "y": 2})


@pytest.mark.parametrize("use", [
    lambda one: one == second(one) and one != take_over(type(one), {"x": 1, "y": 3}) and one != (1, 2),
    lambda one: hash(one) == hash(second(one)) == hash((1, 2)),
    lambda one: repr(one) == f"{type(one).__qualname__}(x=1, y=2)",
    lambda one: type(one)(1) == one,
    lambda one: dataclasses.is_dataclass(one) and dataclasses.asdict(one) == {"x": 1, "y": 2},
    lambda one: dataclasses.replace(one, x=4) == type(one)(4, 2),
    lambda one: [field.name for field in dataclasses.fields(type(one))] == ["x", "y"],
    lambda one: str(inspect.signature(type(one))) == "(x: int, y: int = 2) -> None",
    lambda one: type(one).__match_args__ == ("x", "y"),
    matched, changed,
])
def test_each_use_makes_it_a_dataclass(use: Callable[[Any], bool]) -> None:
    kind = unused()
    one = take_over(kind, {"x": 1, "y": 2})
    assert (one.x, copy.copy(one).y) == (1, 2)
    assert not is_made(kind), "reading a reply must not cost that"
    assert use(one)
    assert is_made(kind) and kind.__doc__ == "A place."


def test_a_class_derived_before_the_first_use() -> None:
    class Named(unused()):  # type: ignore[misc]
        def name(self) -> str:
            return f"{self.x}/{self.y}"

    assert Named(5).name() == "5/2"
    assert repr(Named(5)).endswith("Named(x=5, y=2)")


def test_orjson_takes_an_unused_one_for_a_dataclass() -> None:
    assert orjson.dumps(take_over(unused(), {"x": 1, "y": 2})) == b'{"x":1,"y":2}'


def test_a_derived_class_that_asks_its_base_by_super() -> None:
    class Labelled(unused()):  # type: ignore[misc]
        def __init__(self, label: str, x: int) -> None:
            super().__init__(x)
            self.label = label

        def __repr__(self) -> str:
            return f"{self.label}: {super().__repr__()}"

    one = Labelled("here", 1)
    assert repr(one).startswith("here: ") and repr(one).endswith("Labelled(x=1, y=2)")
    assert changed(one)
    del one.label
    assert not hasattr(one, "label")


def test_a_dataclass_derived_before_the_first_use() -> None:
    @dataclasses.dataclass(frozen=True)
    class Point3(unused()):  # type: ignore[misc]
        z: int = 3

    assert dataclasses.asdict(Point3(1)) == {"x": 1, "y": 2, "z": 3}


def test_what_its_body_defines_stays() -> None:
    class Odd(Record):
        """Odd."""

        x: int

        def __hash__(self) -> int:
            return 7

    assert hash(Odd(1)) == 7 and Odd(1) == Odd(1)


def test_the_base_is_no_dataclass() -> None:
    assert not dataclasses.is_dataclass(Record)


def test_two_threads_at_the_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, real, both = unused(), dataclasses.dataclass, threading.Barrier(2)
    made: list[type] = []

    def slow(frozen: bool) -> Callable[[type], type]:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)      # for the second thread, which must not come here
        made.append(kind)
        return real(frozen=frozen)

    monkeypatch.setattr(dataclasses, "dataclass", slow)
    with ThreadPoolExecutor(2) as pool:
        shown = list(pool.map(lambda x: repr(kind(x)), (1, 2)))
    assert [one.partition("(")[2] for one in shown] == ["x=1, y=2)", "x=2, y=2)"]
    assert made == [kind]


def test_pickled_and_copied() -> None:
    receipt = Receipt("commit", 5)
    assert pickle.loads(pickle.dumps(receipt)) == receipt == copy.deepcopy(receipt)


def test_the_token_of_an_endpoint_does_not_show() -> None:
    assert "s3cret" not in repr(Endpoint("h", token="s3cret")) and repr(Endpoint("h")).startswith("Endpoint(host='h'")
    assert Endpoint("h", token="a") != Endpoint("h", token="b")
