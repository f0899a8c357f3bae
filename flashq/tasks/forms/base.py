"""What a form is: how values of one Python type go over the wire, and come back as what they were."""
from abc import ABC, abstractmethod
from typing import Any

NULL, BOOL, INT, FLOAT, TEXT, LIST, MAP = "null", "bool", "int", "float", "text", "list", "map"
ALL_KINDS = frozenset((NULL, BOOL, INT, FLOAT, TEXT, LIST, MAP))


class WrongValue(TypeError):
    """A value that a type hint does not allow. `path` is where it stands inside what was given, as `.items[3]`.

    `other_type`: it is of another type altogether, so that in a union another member may be meant.
    """

    def __init__(self, reason: str, path: str = "", other_type: bool = False) -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path
        self.other_type = other_type

    def inside(self, step: str) -> "WrongValue":
        """The same, seen from around it."""
        return WrongValue(self.reason, step + self.path)

    def __str__(self) -> str:
        return f"{self.path.lstrip('.')}: {self.reason}" if self.path else self.reason


class Form(ABC):
    """Of one type hint. `write` makes what MessagePack and JSON hold, `read` the value again; both check.

    `kinds`: what `write` may make, so that a union can tell its members apart. `name`: for error texts.
    """

    kinds: frozenset[str] = ALL_KINDS
    strict: bool = True     # whether that is certain, and `read` takes nothing else but an int for a float
    name: str = "a value"

    @abstractmethod
    def write(self, value: Any) -> Any:
        """What goes over the wire. WrongValue."""

    @abstractmethod
    def read(self, plain: Any) -> Any:
        """The value. WrongValue."""


def never_fits(given: Form, taken: Form) -> bool:
    """Whether what `given` writes can never be read by `taken`. False where that is not certain."""
    numbers = taken.kinds & {INT, FLOAT}
    return given.strict and taken.strict and not given.kinds & (taken.kinds | {INT, FLOAT} if numbers else taken.kinds)


def wrong(expected: str, value: object) -> WrongValue:
    """Says what was expected and what came, without showing more than a glimpse of it."""
    return WrongValue(f"must be {expected}, not {glimpse(value)}", other_type=True)


def glimpse(value: object) -> str:
    """A value in a few words; long ones by their type alone."""
    if value is None or isinstance(value, bool):
        return str(value)
    text = repr(value) if isinstance(value, int | float | str) else ""
    kind = type(value).__name__
    return f"{kind} {text}" if text and len(text) <= 40 else kind


def kind_of(plain: object) -> str:
    """Of a value that came over the wire."""
    if plain is None:
        return NULL
    return _KINDS.get(type(plain), MAP)


_KINDS: dict[type, str] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT, list: LIST, tuple: LIST, dict: MAP}
