"""Decoded values of the cold tier against the fields of the command table; the core checks hot ones by itself."""
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from flashq.errors import BAD_TYPE, DUPLICATE_FIELD, MISSING_FIELD, OUT_OF_RANGE, TEXT_TOO_LONG, Refused
from flashq.fields import RANGES, Field, Kind, field_rule

Number = TypeVar("Number", int, float)
Check = Callable[[Field, object, str], Any]  # the field, its value, its name with the path to it


def values_of(fields: Iterable[Field], decoded: Mapping[str, object], path: str = "") -> dict[str, Any]:
    """Each field's value by its canonical name, defaults filled in. Refused names the one that is missing or wrong.

    What no field describes is ignored. `path` is what error texts put before a field's name: `options.`
    """
    return {field.name: _value(field, decoded, path + field.name) for field in fields}


def _value(field: Field, decoded: Mapping[str, object], name: str) -> object:
    """The field's value under its name or an alias; null counts as not given."""
    given = [value for key in (field.name, *field.aliases) if (value := decoded.get(key)) is not None]
    if len(given) > 1:
        raise Refused(DUPLICATE_FIELD, field=name)
    if given:
        return CHECKS[field.kind](field, given[0], name)
    if field.required:
        raise Refused(MISSING_FIELD, field=name)
    return field.default


def _wrong(field: Field, name: str) -> Refused:
    return Refused(BAD_TYPE, field=name, number=field.kind, rule=field_rule(field))


def _integer(field: Field, value: object, name: str) -> int:
    """Integral floats are taken: some clients know no other numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(field, name)
    return _ranged(field, value, name)


def _number(field: Field, value: object, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong(field, name)
    return float(_ranged(field, value, name))


def _ranged(field: Field, value: Number, name: str) -> Number:
    low, high = field.range
    if not low <= value <= high:
        raise Refused(OUT_OF_RANGE, field=name, number=int(high), rule=field_rule(field))
    return value


def _boolean(field: Field, value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(field, name)
    return value


def _string(field: Field, value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(field, name)
    if field.limit is not None and len(value.encode()) > field.limit:
        raise Refused(TEXT_TOO_LONG, field=name, number=field.limit)
    if field.choices and value not in field.choices:
        raise _wrong(field, name)
    return value


def _any(_field: Field, value: object, _name: str) -> object:
    return value


def _list(field: Field, value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(field, name)
    return value


def _strings(field: Field, value: object, name: str) -> list[str]:
    items = _list(field, value, name)
    if not all(isinstance(item, str) for item in items):
        raise _wrong(field, name)
    return [_string(field, item, f"{name}[{index}]") for index, item in enumerate(items)]


def _ids(field: Field, value: object, name: str) -> list[int]:
    """Integral floats are taken here too; one bad id spoils the list."""
    items: list[Any] = _list(field, value, name)
    if not all(_is_id(item) for item in items) or (field.limit is not None and len(items) > field.limit):
        raise _wrong(field, name)
    return [int(item) for item in items]


def _is_id(item: Any) -> bool:
    integral = type(item) is int or (type(item) is float and item.is_integer())
    return integral and 0 <= item <= RANGES[Kind.U64][1]


def _object(field: Field, value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(field, name)
    return values_of(field.items, value, f"{name}.")


def _objects(field: Field, value: object, name: str) -> list[dict[str, Any]]:
    items = _list(field, value, name)
    if not all(isinstance(item, dict) for item in items):
        raise _wrong(field, name)
    return [_object(field, item, f"{name}[{index}]") for index, item in enumerate(items)]


CHECKS: dict[Kind, Check] = {
    Kind.U64: _integer,
    Kind.U32: _integer,
    Kind.I32: _integer,
    Kind.I64: _integer,
    Kind.F64: _number,
    Kind.BOOL: _boolean,
    Kind.STR: _string,
    Kind.RAW: _any,
    Kind.LIST: _list,
    Kind.TAGS: _strings,
    Kind.IDS: _ids,
    Kind.ID_LIST: _ids,
    Kind.OBJECT: _object,
    Kind.RETRY: _object,
    Kind.OBJECTS: _objects,
    Kind.CHOICE: _string,
}
