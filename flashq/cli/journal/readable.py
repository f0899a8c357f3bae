"""Decoded records as plain values: what was JSON or MessagePack is shown as such, what is no text as base64."""

import base64
import struct
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq._core.engine import STATES
from flashq._core.recordforms import Record, Value
from flashq.commands import REASONS, RETRY_TYPES

DATA_MSGPACK, RESULT_MSGPACK = 2, 16  # of the flags of a job (flashq/_core/job.pxd)
NONE = 2**64 - 1  # a limit that is not set
_RETRY = struct.Struct("<BIQQ")


def readable(record: Record) -> dict[str, Any]:
    """The record as values that JSON has."""
    return {name: _SHOWN.get(name, _plain)(value, record) for name, value in record.items()}


def payload(value: bytes, is_msgpack: bool) -> Any:
    """What a client put in; {"base64": …} when it is not what it should be."""
    if not value:
        return None
    try:
        if is_msgpack:
            return msgpack.unpackb(value, strict_map_key=False)
        orjson.loads(value)
        return orjson.Fragment(value)   # byte by byte, also numbers that Python would round
    except ValueError:      # msgpack's own errors are ValueErrors, too
        return text(value)


def text(value: bytes) -> str | dict[str, str]:
    """Bytes that are mostly text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def ids_of(value: Value) -> list[int]:
    """A list of job ids, 8 bytes each."""
    assert isinstance(value, bytes)
    return [number for (number,) in struct.iter_unpack("<Q", value[: len(value) // 8 * 8])]


def _plain(value: Value, _record: Record) -> Any:
    return text(value) if isinstance(value, bytes) else value


def _flagged(bit: int) -> Callable[[Value, Record], Any]:
    return lambda value, record: payload(bytes(value), bool(int(record["flags"]) & bit))  # type: ignore[arg-type]


def _either(value: Value, _record: Record) -> Any:
    """An array of a job whose format stands in another record."""
    assert isinstance(value, bytes)
    return payload(value, value[:1] != b"[")


def _limit(value: Value, _record: Record) -> Any:
    return None if value == NONE else value


def _retry(value: Value, _record: Record) -> Any:
    if not isinstance(value, bytes) or len(value) != _RETRY.size:
        return None
    kind, jitter, delay, most = _RETRY.unpack(value)
    return {"type": _name(RETRY_TYPES, kind - 1), "jitter": jitter, "delay": delay, "max": most}


def _reason(value: Value, _record: Record) -> Any:
    return None if value == 0 else _name(REASONS, int(value) - 1)


def _state(value: Value, _record: Record) -> Any:
    return _name(STATES, int(value))


def _name(names: tuple[str, ...], number: int) -> str | int:
    return names[number] if 0 <= number < len(names) else number


_SHOWN: dict[str, Callable[[Value, Record], Any]] = {
    "data": _flagged(DATA_MSGPACK),
    "tags": _flagged(DATA_MSGPACK),
    "result": _flagged(RESULT_MSGPACK),
    "depends_on": _either,
    "ids": lambda value, _record: ids_of(value),
    "children": lambda value, _record: ids_of(value),
    "met": lambda value, _record: ids_of(value),
    "sequences": lambda value, _record: ids_of(value),
    "retry": _retry,
    "reason": _reason,
    "state": _state,
    "rate_limit": _limit,
    "concurrency_limit": _limit,
    "group_concurrency": _limit,
    "group_rate": _limit,
}
