"""What a command's description is made of: kinds of values, fields, replies. The table itself is flashq/commands.py."""
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from flashq.errors import ErrorCode


class Kind(IntEnum):
    """How a field's value is read; in step with `enum Kind` of flashq/_core/request.pxd (a test compares)."""

    U64 = 0
    U32 = 1
    I32 = 2
    BOOL = 3
    STR = 4
    RAW = 5
    IDS = 6
    ITEMS = 7
    TAGS = 8
    PROGRESS = 9
    REQ_ID = 10
    CMD = 11
    LATER = 12


# Smallest and largest number of a kind. U64 ends at 2^63-1, which every client's integers hold.
RANGES: dict[Kind, tuple[int, int]] = {
    Kind.U64: (0, 2**63 - 1),
    Kind.U32: (0, 2**32 - 1),
    Kind.I32: (-(2**31), 2**31 - 1),
    Kind.PROGRESS: (0, 255),
}

_RULES: dict[Kind, str] = {
    Kind.BOOL: "true or false",
    Kind.STR: "a string",
    Kind.RAW: "a value",
    Kind.IDS: "a list of non-negative integers",
    Kind.ITEMS: "a list of objects",
    Kind.TAGS: "a list of strings",
    Kind.REQ_ID: "a string",
    Kind.CMD: "a string",
    Kind.LATER: "left out",
}


def kind_rule(kind: Kind, limit: int | None = None) -> str:
    """What a value of this kind must be, as it stands in error texts and in the reference."""
    if kind not in RANGES:
        return _RULES[kind]
    low, high = RANGES[kind]
    noun = "a number" if kind is Kind.PROGRESS else "an integer"
    return f"{noun} between {low} and {high if limit is None else limit}"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request.

    `limit`: the largest number, or the largest UTF-8 size of a text in bytes. `rule`: what error texts say that the
    value must be, where its kind does not say all.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    default: object = None
    limit: int | None = None
    aliases: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True, slots=True)
class ReplyField:
    """One key of a successful reply, after `reqId`, `ok` and `success`."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `handler` names the Dispatcher's method when `tier` is cold; hot ones are the engine's."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    reply: tuple[ReplyField, ...]
    errors: tuple[ErrorCode, ...]
    tier: Literal["hot", "cold"]  # hot: parsed by the core; cold: by the Dispatcher
    resend: str  # what a client that heard no answer must know before it sends the command again
    example: tuple[dict[str, object], dict[str, object]]
    handler: str = ""
