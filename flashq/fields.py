"""What a command's description is made of: kinds of values, fields, replies. The table itself is flashq/commands."""
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from flashq.errors import ErrorCode


class Kind(IntEnum):
    """How a field's value is read; below COLD_KINDS in step with `enum Kind` of request.pxd (a test compares).

    What each is in a cold command: IDS and ID_LIST a list of ints, TAGS a list of strings, RAW any decoded value.
    """

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
    CHOICE = 12   # one of `Field.choices`
    ID_LIST = 13
    RETRY = 14    # an object; its keys are `Field.items`
    # Of cold commands only; the core knows none of these.
    I64 = 32
    F64 = 33
    LIST = 34     # of anything: the handler looks at each item
    OBJECT = 35   # its keys are `Field.items`
    OBJECTS = 36  # a list of those


COLD_KINDS = Kind.I64

# Smallest and largest number of a kind. U64 ends at 2^63-1, which every client's integers hold.
RANGES: dict[Kind, tuple[int, int]] = {
    Kind.U64: (0, 2**63 - 1),
    Kind.U32: (0, 2**32 - 1),
    Kind.I32: (-(2**31), 2**31 - 1),
    Kind.PROGRESS: (0, 255),
    Kind.I64: (-(2**63), 2**63 - 1),
}
_REALS = (Kind.F64, Kind.PROGRESS)

_RULES: dict[Kind, str] = {
    Kind.BOOL: "true or false",
    Kind.STR: "a string",
    Kind.RAW: "a value",
    Kind.IDS: "a list of non-negative integers",
    Kind.ITEMS: "a list of objects",
    Kind.TAGS: "a list of strings",
    Kind.REQ_ID: "a string",
    Kind.CMD: "a string",
    Kind.CHOICE: "one of a few texts",
    Kind.ID_LIST: "a list of non-negative integers",
    Kind.RETRY: "an object",
    Kind.LIST: "a list",
    Kind.OBJECT: "an object",
    Kind.OBJECTS: "a list of objects",
}


def kind_rule(kind: Kind, limit: int | None = None) -> str:
    """What a value of this kind must be, as it stands in error texts and in the reference."""
    if kind not in RANGES:
        return _RULES.get(kind, "a number")
    low, high = RANGES[kind]
    return _range_rule(kind, low, high if limit is None else limit)


def _range_rule(kind: Kind, low: float, high: float) -> str:
    return f"{'a number' if kind in _REALS else 'an integer'} between {low} and {high}"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request.

    `limit`: the largest number, or the largest UTF-8 size of a text in bytes; `least`: the smallest number, of cold
    commands only. For TAGS of a cold command `limit` is that of each text. `rule`: what error texts say that the value
    must be, where its kind does not say all. `items`: the keys of an OBJECT or a RETRY, or of each of the OBJECTS.
    `choices`: the only texts that a CHOICE, or a STR of a cold command or of a RETRY, may be.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    default: object = None
    limit: int | None = None
    aliases: tuple[str, ...] = ()
    rule: str = ""
    least: int | None = None
    items: "tuple[Field, ...]" = ()
    choices: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether it is a span of time: its text then begins with the unit, ms."""
        return self.kind is Kind.U64 and self.doc.startswith("ms")

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest number."""
        low, high = RANGES.get(self.kind, (float("-inf"), float("inf")))
        return low if self.least is None else self.least, high if self.limit is None else self.limit


def field_rule(field: Field) -> str:
    """What a field's value must be, as it stands in error texts and in the reference."""
    if field.rule or field.choices:
        return field.rule or "one of " + ", ".join(field.choices)
    if field.kind in RANGES or field.least is not None or (field.kind in _REALS and field.limit is not None):
        return _range_rule(field.kind, *field.range)
    return kind_rule(field.kind)


@dataclass(frozen=True, slots=True)
class ReplyField:
    """One key of a successful reply, after `reqId`, `ok` and `success`."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `handler` is `room.method` of flashq/server/handlers if `tier` is cold; hot ones are the core's.

    One that `changes` something takes a `receipt` as well, which flashq/commands adds.
    """

    name: str
    doc: str
    fields: tuple[Field, ...]
    reply: tuple[ReplyField, ...]
    errors: tuple[ErrorCode, ...]
    tier: Literal["hot", "cold"]  # hot: parsed by the core; cold: by the Dispatcher
    resend: str  # what a client that heard no answer must know before it sends the command again
    example: tuple[dict[str, object], dict[str, object]]
    handler: str = ""
    changes: bool = False
