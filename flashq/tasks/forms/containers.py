"""Forms of values that hold others: lists, tuples, sets, dicts, and what no hint says anything about."""
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flashq.tasks.forms.base import LIST, MAP, TEXT, Form, WrongValue, glimpse, wrong
from flashq.tasks.forms.scalars import SCALARS, Int

DEEPEST = 100       # levels; deeper payloads are refused by the server, too


class Anything(Form):
    """`Any`, `object`, or no hint: what MessagePack and JSON hold, and nothing that needs a hint to come back."""

    name = "a plain value"

    def write(self, value: Any) -> Any:
        return _plain(value, 0)

    def read(self, plain: Any) -> Any:
        return plain


def _plain(value: Any, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str or kind is int:
        return SCALARS[kind].write(value)
    if kind is float:
        if not math.isfinite(value):
            raise WrongValue("must be a finite number, not nan or inf")
        return value
    if depth == DEEPEST:
        raise WrongValue(f"must not be nested deeper than {DEEPEST} levels")
    if kind is list or kind is tuple:
        return [_item(one, at, depth) for at, one in enumerate(value)]
    if kind is dict:
        return {_key(name): _entry(name, one, depth) for name, one in value.items()}
    raise WrongValue(f"is {glimpse(value)}, {_why(kind)}")


def _why(kind: type) -> str:
    """A hint helps for types that have a form; for others nothing would."""
    from flashq.tasks.forms import form_of

    try:
        form_of(kind)
    except TypeError:
        return (f"and values of type {kind.__name__} cannot be sent, whatever the type hint: text, numbers, bool, "
                "None, bytes, dates and times, UUID, Decimal, Path, enums, dataclasses, named tuples, pydantic models, "
                "msgspec structs, and lists, sets and dicts of these can")
    return "which comes back as such only with a type hint that says so"


def _item(value: Any, at: int, depth: int) -> Any:
    try:
        return _plain(value, depth + 1)
    except WrongValue as error:
        raise error.inside(f"[{at}]") from None


def _entry(name: str, value: Any, depth: int) -> Any:
    try:
        return _plain(value, depth + 1)
    except WrongValue as error:
        raise error.inside(f"[{name!r}]") from None


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise WrongValue(f"has a key that is no str: {glimpse(name)}")
    return str(SCALARS[str].write(name))


class Many(Form):
    """Any number of the same: a list, set or tuple; also of the abstract kinds."""

    kinds = frozenset((LIST,))

    def __init__(self, taken: type | tuple[type, ...], make: Callable[[Iterable[Any]], Any], item: Form) -> None:
        self.name = f"{make.__name__} of {item.name}"
        self._taken = taken
        self._make = make
        self._item = item

    def write(self, value: Any) -> Any:
        if isinstance(value, str | bytes | bytearray) or not isinstance(value, self._taken):
            raise wrong(self.name, value)
        return self._each(self._item.write, value)

    def read(self, plain: Any) -> Any:
        if not isinstance(plain, list | tuple):
            raise wrong(f"a list for {self.name}", plain)
        try:
            return self._make(self._each(self._item.read, plain))
        except TypeError as error:
            if isinstance(error, WrongValue):
                raise
            raise WrongValue(f"holds what a {self._make.__name__} cannot: {error}") from None

    def _each(self, step: Callable[[Any], Any], values: Any) -> list[Any]:
        made: list[Any] = []
        try:
            made.extend(map(step, values))      # keeps what came before the one that is wrong
        except WrongValue as error:
            raise error.inside(f"[{len(made)}]") from None
        return made


class Fixed(Form):
    """`tuple[int, str]`: a value for each place."""

    kinds = frozenset((LIST,))

    def __init__(self, items: Sequence[Form]) -> None:
        self.name = f"tuple of {len(items)}"
        self._items = items

    def write(self, value: Any) -> Any:
        if not isinstance(value, tuple):
            raise wrong(self.name, value)
        return self._each("write", value)

    def read(self, plain: Any) -> Any:
        if not isinstance(plain, list | tuple):
            raise wrong(f"a list for {self.name}", plain)
        return tuple(self._each("read", plain))

    def _each(self, step: str, values: Sequence[Any]) -> list[Any]:
        if len(values) != len(self._items):
            raise WrongValue(f"must have {len(self._items)} items, not {len(values)}")
        made: list[Any] = []
        for at, (form, one) in enumerate(zip(self._items, values, strict=True)):
            try:
                made.append(getattr(form, step)(one))
            except WrongValue as error:
                raise error.inside(f"[{at}]") from None
        return made


class Table(Form):
    """`dict`: its keys go as text."""

    kinds = frozenset((MAP,))

    def __init__(self, key: Form, value: Form) -> None:
        if not (isinstance(key, Int) or key.kinds <= {TEXT} or isinstance(key, Anything)):
            raise TypeError(f"keys of a dict must be text or int on the wire, not {key.name}")
        self.name = f"dict of {value.name}"
        self._key = SCALARS[str] if isinstance(key, Anything) else key
        self._value = value

    def write(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise wrong(self.name, value)
        return {str(self._of_key(self._key.write, name)): self._at(self._value.write, name, one)
                for name, one in value.items()}

    def read(self, plain: Any) -> Any:
        if not isinstance(plain, dict):
            raise wrong(f"an object for {self.name}", plain)
        return {self._of_key(self._read_key, name): self._at(self._value.read, name, one)
                for name, one in plain.items()}

    def _read_key(self, name: str) -> Any:
        if not isinstance(self._key, Int):
            return self._key.read(name)
        try:
            return int(name)
        except ValueError:
            raise wrong("a number", name) from None

    def _of_key(self, step: Callable[[Any], Any], name: Any) -> Any:
        try:
            return step(name)
        except WrongValue as error:
            raise WrongValue(f"has a wrong key: it {error.reason}") from None

    def _at(self, step: Callable[[Any], Any], name: Any, one: Any) -> Any:
        try:
            return step(one)
        except WrongValue as error:
            raise error.inside(f"[{name!r}]") from None
