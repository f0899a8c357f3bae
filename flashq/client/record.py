"""Frozen dataclasses that are cheap to import: the code of each is generated when something first needs it."""
import sys
import threading
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_GENERATED = ["__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__match_args__",
              "__dataclass_fields__", "__dataclass_params__"]
if sys.version_info >= (3, 13):
    _GENERATED.append("__replace__")
_making = threading.RLock()


@dataclass_transform(frozen_default=True)
class Record:
    """Base of classes that are as if `@dataclass(frozen=True)` stood above them.

    To generate that for all results took more time than the rest of the client, and a program uses few of them; what a
    reply brings is read without (`take_over`). None has another for its base.
    """


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
        made: type = object
        for kind in asked.__mro__:      # also those above a class that a program derives
            if Record in kind.__bases__:
                _make(kind)
                made = asked
        found = getattr(made, self._name)
        return found.__get__(one, owner) if one is not None and callable(found) else found


def _make(kind: type) -> None:
    with _making:       # a second thread waits until the class is whole
        if "__dataclass_fields__" not in vars(kind):
            from dataclasses import dataclass  # loads inspect and what that needs

            dataclass(frozen=True)(kind)


for _name in _GENERATED:
    setattr(Record, _name, _Missing(_name))
