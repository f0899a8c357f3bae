"""Forms of values with named fields: dataclasses, named tuples and TypedDicts."""
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flashq.tasks.forms.base import MAP, Form, WrongValue, wrong


class Field(NamedTuple):
    """One field; one that is not `required` may be left out on the wire."""

    form: Form
    required: bool


class Record(Form):
    """An object of named fields. What it has too much is refused: it would be lost without a word.

    `fields` are asked for by `resolve`, once the class is known by this form: it may hold itself.
    """

    kinds = frozenset((MAP,))

    def __init__(
        self, kind: type, fields: Callable[[], dict[str, Field]], take: Callable[[Any, str], Any],
        make: Callable[..., Any],
    ) -> None:
        self.name = kind.__name__
        self._kind = kind
        self._asked = fields
        self.fields: dict[str, Field] = {}
        self._take = take
        self._make = make

    def resolve(self) -> None:
        """Find the forms of the fields. TypeError for one that has none."""
        self.fields = self._asked()

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise wrong(self.name, value)
        return {name: self._at("write", name, self._take(value, name)) for name in self.fields}

    def read(self, plain: Any) -> Any:
        self.check(plain)
        values = {name: self._at("read", name, plain[name]) for name in self.fields if name in plain}
        try:
            return self._make(**values)
        except (TypeError, ValueError) as error:    # of the class itself: a __post_init__ that checks
            raise WrongValue(f"makes no {self.name}: {error}") from error

    def check(self, plain: Any) -> None:
        """That it has the fields it must, and no other. WrongValue."""
        if not isinstance(plain, Mapping):
            raise wrong(f"an object for {self.name}", plain)
        for name, field in self.fields.items():
            if field.required and name not in plain:
                raise WrongValue(f"lacks the field '{name}' of {self.name}")
        for name in plain:
            if name not in self.fields:
                raise WrongValue(f"has a field '{name}' that {self.name} does not know")

    def _at(self, step: str, name: str, value: Any) -> Any:
        try:
            return getattr(self.fields[name].form, step)(value)
        except WrongValue as error:
            raise error.inside(f".{name}") from None


class Typed(Record):
    """A TypedDict: a dict before and after."""

    def write(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong(self.name, value)
        self.check(value)
        return {name: self._at("write", name, one) for name, one in value.items()}


def dataclass_form(kind: type, hints: Callable[[], dict[str, Form]]) -> Record:
    """Of its fields that `__init__` takes."""

    def fields() -> dict[str, Field]:
        forms = hints()
        return {one.name: Field(forms[one.name], one.default is one.default_factory is dataclasses.MISSING)
                for one in dataclasses.fields(kind) if one.init}

    return Record(kind, fields, getattr, kind)


def named_tuple_form(kind: Any, hints: Callable[[], dict[str, Form]]) -> Record:
    """By the names, not by the places."""

    def fields() -> dict[str, Field]:
        forms = hints()
        return {name: Field(forms[name], name not in kind._field_defaults) for name in kind._fields}

    return Record(kind, fields, getattr, kind)


def typed_dict_form(kind: Any, hints: Callable[[], dict[str, Form]]) -> Typed:
    """With the keys that may be missing."""

    def fields() -> dict[str, Field]:
        return {name: Field(form, name in kind.__required_keys__) for name, form in hints().items()}

    return Typed(kind, fields, lambda value, name: value[name], dict)
