"""Frames of the cold tier into checked values, by the command table: clear before fast."""
from collections.abc import Mapping
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
    MISSING_FIELD,
    NOT_OBJECT,
    UNKNOWN_COMMAND,
    Refused,
)
from flashq.fields import Command, Kind
from flashq.server.checks import values_of

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
    return ColdRequest(command, values_of(command.fields, decoded))
