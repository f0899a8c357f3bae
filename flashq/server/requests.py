"""Frames of the cold tier into checked values, by the command table: clear before fast."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq.commands import BY_NAME
from flashq.errors import (
    BAD_MSGPACK,
    BAD_REQ_ID,
    BAD_SYNTAX,
    BAD_TYPE,
    DUPLICATE_FIELD,
    MISSING_FIELD,
    NOT_OBJECT,
    OUT_OF_RANGE,
    TEXT_TOO_LONG,
    UNKNOWN_COMMAND,
    Refused,
)
from flashq.fields import RANGES, Command, Field, Kind

MAX_REQ_ID = 256  # bytes; as in flashq/_core/request.pxd


@dataclass(frozen=True, slots=True)
class ColdRequest:
    """A decoded request; `values` has every field of the command by its canonical name, defaults filled in."""

    command: Command
    values: dict[str, Any]


def decode(in_msgpack: bool, frame: bytes) -> dict[str, object]:
    """The request's map. The core has checked the grammar before, so that a refusal here is rare.

    Refused with BAD_SYNTAX, BAD_MSGPACK or NOT_OBJECT.
    """
    try:
        decoded = msgpack.unpackb(frame) if in_msgpack else orjson.loads(frame)
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise Refused(BAD_MSGPACK if in_msgpack else BAD_SYNTAX, number=getattr(error, "pos", 0)) from None
    if not isinstance(decoded, dict):
        raise Refused(NOT_OBJECT)
    return decoded


def req_id_of(decoded: Mapping[str, object]) -> str | None:
    """The request's reqId, None when it has none. Refused with BAD_REQ_ID when it cannot be echoed."""
    req_id = decoded.get("reqId")
    if req_id is None:
        return None
    if not isinstance(req_id, str) or len(req_id.encode()) > MAX_REQ_ID:
        raise Refused(BAD_REQ_ID)
    return req_id


def check(decoded: Mapping[str, object]) -> ColdRequest:
    """The command and its values. Refused names the field that is missing or wrong; unknown fields are ignored."""
    name = decoded.get("cmd")
    if name is None:
        raise Refused(MISSING_FIELD, field="cmd")
    if not isinstance(name, str):
        raise Refused(BAD_TYPE, field="cmd", number=Kind.CMD)
    command = BY_NAME.get(name)
    if command is None or command.tier != "cold":
        raise Refused(UNKNOWN_COMMAND, text=name.encode())
    return ColdRequest(command, {field.name: _value(field, decoded) for field in command.fields})


def _value(field: Field, decoded: Mapping[str, object]) -> object:
    """The field's value under its name or an alias; null counts as not given."""
    given = [value for name in (field.name, *field.aliases) if (value := decoded.get(name)) is not None]
    if len(given) > 1:
        raise Refused(DUPLICATE_FIELD, field=field.name)
    if given:
        return CHECKS[field.kind](field, given[0])
    if field.required:
        raise Refused(MISSING_FIELD, field=field.name)
    return field.default


def _integer(field: Field, value: object) -> int:
    """Integral floats are taken: some clients know no other numbers."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(BAD_TYPE, field=field.name, number=field.kind)
    low, high = RANGES[field.kind]
    high = high if field.limit is None else field.limit
    if not low <= value <= high:
        raise Refused(OUT_OF_RANGE, field=field.name, number=high)
    return value


def _boolean(field: Field, value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(BAD_TYPE, field=field.name, number=field.kind)
    return value


def _string(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise Refused(BAD_TYPE, field=field.name, number=field.kind)
    if field.limit is not None and len(value.encode()) > field.limit:
        raise Refused(TEXT_TOO_LONG, field=field.name, number=field.limit)
    return value


# The kinds that a cold command may have so far (a test holds the table to it).
CHECKS: dict[Kind, Callable[[Field, object], object]] = {
    Kind.U64: _integer,
    Kind.U32: _integer,
    Kind.I32: _integer,
    Kind.BOOL: _boolean,
    Kind.STR: _string,
}
