"""Forms of single values: those that the wire has itself, and those that go as text or as a number."""
import base64
import binascii
import datetime as dt
import enum
import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

from flashq.tasks.forms.base import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    TEXT,
    Form,
    WrongValue,
    glimpse,
    wrong,
)

MIN_INT, MAX_INT = -(2**63), 2**64 - 1      # what both formats hold


class Same(Form):
    """Of a type that the wire has itself: what comes is checked as what goes."""

    def read(self, plain: Any) -> Any:
        return self.write(plain)


class Bool(Same):
    """`bool`."""

    kinds = frozenset((BOOL,))
    name = "bool"

    def write(self, value: Any) -> Any:
        if value is not True and value is not False:
            raise wrong("bool", value)
        return value


class Int(Form):
    """`int`; a bool is none."""

    kinds = frozenset((INT,))
    name = "int"

    def write(self, value: Any) -> Any:
        if not isinstance(value, int) or value is True or value is False:
            raise wrong("int", value)
        if not MIN_INT <= value <= MAX_INT:
            raise WrongValue("must fit into 64 bits")
        return int(value)

    def read(self, plain: Any) -> Any:
        if type(plain) is float and plain.is_integer():     # of a language that has no other numbers
            return int(plain)
        return self.write(plain)


class Float(Same):
    """`float`, finite; an int will do."""

    kinds = frozenset((FLOAT,))
    name = "float"

    def write(self, value: Any) -> Any:
        if not isinstance(value, int | float) or value is True or value is False:
            raise wrong("float", value)
        try:
            number = float(value)
        except OverflowError:
            raise WrongValue("must fit into a float") from None
        if not math.isfinite(number):
            raise WrongValue("must be a finite number, not nan or inf")
        return number


class Text(Same):
    """`str`."""

    kinds = frozenset((TEXT,))
    name = "str"

    def write(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise wrong("str", value)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise WrongValue("must be text that UTF-8 can hold, without lone surrogates") from None
        return str(value)


class Nothing(Same):
    """`None`."""

    kinds = frozenset((NULL,))
    name = "None"

    def write(self, value: Any) -> Any:
        if value is not None:
            raise wrong("None", value)
        return None


class ByText(Form):
    """Of a type whose values go as text, and are made from it."""

    kinds = frozenset((TEXT,))

    def __init__(self, kind: type, to_text: Callable[[Any], str], from_text: Callable[[str], Any]) -> None:
        self.name = kind.__name__
        self._kind = kind
        self._to_text = to_text
        self._from_text = from_text

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._kind) or (self._kind is dt.date and isinstance(value, dt.datetime)):
            raise wrong(self.name, value)
        return self._to_text(value)

    def read(self, plain: Any) -> Any:
        if not isinstance(plain, str):
            raise wrong(f"text for {self.name}", plain)
        try:
            return self._from_text(plain)
        except (ValueError, InvalidOperation, binascii.Error):
            raise WrongValue(f"must be text for {self.name}, not {glimpse(plain)}") from None


class Duration(Form):
    """`timedelta`, as a number of seconds; as their text where no number is exact."""

    kinds = frozenset((INT, FLOAT, TEXT))
    name = "timedelta"

    def write(self, value: Any) -> Any:
        if not isinstance(value, dt.timedelta):
            raise wrong("timedelta", value)
        seconds = value.total_seconds()
        if _of_seconds(seconds) == value:
            return int(seconds) if seconds.is_integer() else seconds
        return str(Decimal(value // dt.timedelta(microseconds=1)).scaleb(-6))

    def read(self, plain: Any) -> Any:
        if isinstance(plain, str):
            try:
                return dt.timedelta(microseconds=int(Decimal(plain).scaleb(6)))
            except (InvalidOperation, OverflowError, ValueError):
                raise WrongValue(f"must be seconds, not {glimpse(plain)}") from None
        if not isinstance(plain, int | float) or isinstance(plain, bool):
            raise wrong("a number of seconds", plain)
        found = _of_seconds(plain)
        if found is None:
            raise WrongValue("must be a number of seconds that timedelta can hold")
        return found


def _of_seconds(seconds: float) -> dt.timedelta | None:
    try:
        return dt.timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


class OneOf(Form):
    """`Enum` and `Literal`: each member has a value of its own on the wire."""

    def __init__(self, name: str, members: dict[Any, Any], kinds: frozenset[str]) -> None:
        """`members`: by what goes over the wire."""
        self.name = name
        self.kinds = kinds
        self._by_plain = {(type(plain), plain): member for plain, member in members.items()}
        self._plain_of = {(type(member), member): plain for plain, member in members.items()}

    def _said(self) -> str:
        return f"one of {', '.join(repr(plain) for _, plain in list(self._by_plain)[:20])}"

    def write(self, value: Any) -> Any:
        try:
            return self._plain_of[type(value), value]
        except (KeyError, TypeError):
            raise wrong(self.name if self.name != "Literal" else self._said(), value) from None

    def read(self, plain: Any) -> Any:
        try:
            return self._by_plain[type(plain), plain]
        except (KeyError, TypeError):
            raise wrong(self._said(), plain) from None


class Flags(Form):
    """`Flag`: the sum of its bits."""

    kinds = frozenset((INT,))

    def __init__(self, kind: type[enum.Flag]) -> None:
        self.name = kind.__name__
        self._kind = kind

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise wrong(self.name, value)
        return int(value.value)

    def read(self, plain: Any) -> Any:
        if not isinstance(plain, int) or isinstance(plain, bool):
            raise wrong(f"a number for {self.name}", plain)
        try:
            return self._kind(plain)
        except ValueError:
            raise wrong(f"a number for {self.name}", plain) from None


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


SCALARS: dict[Any, Form] = {
    bool: Bool(), int: Int(), float: Float(), str: Text(), None: Nothing(), type(None): Nothing(),
    bytes: ByText(bytes, lambda value: base64.b64encode(value).decode(), _from_base64),
    bytearray: ByText(bytearray, lambda value: base64.b64encode(value).decode(),
                      lambda text: bytearray(_from_base64(text))),
    dt.datetime: ByText(dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ByText(dt.date, dt.date.isoformat, dt.date.fromisoformat),
    dt.time: ByText(dt.time, dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: Duration(),
    UUID: ByText(UUID, str, UUID),
    Decimal: ByText(Decimal, str, Decimal),
    Path: ByText(PurePath, str, Path),
    PurePath: ByText(PurePath, str, PurePath),
}
