"""Frozen dataclasses that are cheap to import: the code of each is generated when something first needs it."""
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_FIELDS = "__dataclass_fields__"
_GENERATED = ["__init__", "__repr__", "__eq__", "__hash__", "__match_args__", "__dataclass_params__"]
if sys.version_info >= (3, 13):
    _GENERATED.append("__replace__")
_making = threading.RLock()


@dataclass_transform(frozen_default=True)
class Record:
    """Base of classes that are as if `@dataclass(frozen=True)` stood above them.

    To generate that for all results took more time than the rest of the client, and a program uses few of them; what a
    reply brings is read without (`take_over`). None has another for its base.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if Record in cls.__bases__:
            setattr(cls, _FIELDS, _Missing(_FIELDS))    # orjson takes a class for a dataclass that has it of its own


def take_over(kind: type[T], raw: dict[str, Any]) -> T:
    """One of this kind that has the dict for its attributes."""
    one = object.__new__(kind)
    object.__setattr__(one, "__dict__", raw)
    return one


class _Missing:
    """An attribute that a dataclass has: asking for it makes the class one, whose own attributes then hide these."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, one: Any, owner: type) -> Any:
        asked = one if isinstance(one, type) else owner     # inspect takes a class for its own instance
        records = _records(asked)
        for kind in records:
            _make(kind)
        # Not of the class that was asked: it may have one of its own, which came here by super().
        found = getattr(records[0] if records else object, self._name)
        return found.__get__(one, owner) if one is not None and callable(found) else found


def _records(kind: type) -> list[type]:
    """The class itself, or those above one that a program derives."""
    return [one for one in kind.__mro__ if Record in one.__bases__]


def _make(kind: type) -> None:
    with _making:       # a second thread waits until the class is whole
        if isinstance(vars(kind)[_FIELDS], _Missing):
            from dataclasses import dataclass  # loads inspect and what that needs

            dataclass(frozen=True)(kind)


def _frozen(name: str) -> Callable[..., None]:
    """`__setattr__` or `__delattr__`: that of the dataclass, which itself comes here for what is no field of it."""
    def change(one: Any, attribute: str, *value: Any) -> None:
        kind, *_others = _records(type(one))
        _make(kind)
        own = type(one) is kind or attribute in getattr(kind, _FIELDS)
        getattr(kind if own else object, name)(one, attribute, *value)

    return change


for _name in ("__setattr__", "__delattr__"):
    setattr(Record, _name, _frozen(_name))
for _name in _GENERATED:
    setattr(Record, _name, _Missing(_name))
