"""Forms of pydantic models and msgspec structs, which their own libraries read and write. Neither is needed."""
import importlib
import sys
from typing import Any

from flashq.tasks.forms.base import ALL_KINDS, LIST, MAP, Form, WrongValue, wrong
from flashq.tasks.forms.containers import Anything

_PLAIN = Anything()


def foreign_form(kind: Any) -> Form | None:
    """None for a class of neither. A library that nobody has imported has no class here."""
    if not isinstance(kind, type):
        return None
    pydantic, msgspec = sys.modules.get("pydantic"), sys.modules.get("msgspec")
    if pydantic is not None and hasattr(pydantic, "BaseModel") and issubclass(kind, pydantic.BaseModel):
        return Model(kind)
    if msgspec is not None and hasattr(msgspec, "Struct") and issubclass(kind, msgspec.Struct):
        return Structure(kind)
    return None


class Model(Form):
    """A pydantic model, in the form that its JSON has."""

    strict = False      # it may have serializers and validators of its own

    def __init__(self, kind: Any) -> None:
        self.name = kind.__name__
        self.kinds = ALL_KINDS if "root" in kind.model_fields else frozenset((MAP,))
        self._kind = kind

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise wrong(self.name, value)
        try:
            return _PLAIN.write(value.model_dump(mode="json", by_alias=True))
        except ValueError as error:
            raise WrongValue(f"cannot be written: {error}") from error

    def read(self, plain: Any) -> Any:
        import orjson  # here, because most programs have no such models

        try:
            # By way of JSON: only so do strict models take the text of a date.
            return self._kind.model_validate_json(orjson.dumps(plain))
        except ValueError as error:
            raise WrongValue(f"makes no {self.name}: {error}") from error


class Structure(Form):
    """A msgspec struct, in its plain form: an array where it says array_like."""

    strict = False

    def __init__(self, kind: Any) -> None:
        self.name = kind.__name__
        self._kind = kind
        self.kinds = frozenset((LIST if kind.__struct_config__.array_like else MAP,))
        self._library = importlib.import_module("msgspec")

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise wrong(self.name, value)
        try:
            return _PLAIN.write(self._library.to_builtins(value, str_keys=True))
        except (TypeError, ValueError) as error:
            raise error if isinstance(error, WrongValue) else WrongValue(f"cannot be written: {error}") from error

    def read(self, plain: Any) -> Any:
        try:
            return self._library.convert(plain, self._kind, str_keys=True)
        except self._library.ValidationError as error:
            raise WrongValue(f"makes no {self.name}: {error}") from error
