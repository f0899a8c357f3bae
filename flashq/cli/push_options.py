"""The options of a push as flags, made from the table of push options: none can be missing."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from flashq.cli.values import DURATION, JSON
from flashq.commands import PUSH_OPTIONS
from flashq.fields import RANGES, Field, Kind

Function = Callable[..., None]
_RENAMED = {"tags": ("--tag", "--tags"), "version": ("--job-version",)}
_OPTION = re.compile("`(" + "|".join(one.name for one in PUSH_OPTIONS) + ")`")    # named in the text of another
_NUMBERS = (Kind.U64, Kind.U32, Kind.I32)


def push_options(fields: Iterable[Field], leave_out: frozenset[str] = frozenset()) -> Callable[[Function], Function]:
    """A command with a flag for each field; `taken` finds what was given among its parameters."""

    def decorate(function: Function) -> Function:
        for field in reversed([one for one in fields if one.name not in leave_out]):
            for option in reversed(list(_options(field))):
                function.__dict__.setdefault("__click_params__", []).append(option)
        return function

    return decorate


def _options(field: Field) -> Iterable[click.Option]:
    if field.kind is Kind.RETRY:
        return [_option(part, f"{field.name}_{part.name}") for part in field.items]
    return [_option(field, field.name)]


def _option(field: Field, name: str) -> click.Option:
    flags = [*_flags(name), name]
    help = _help(field)
    if field.kind is Kind.BOOL:
        return click.Option(flags, is_flag=True, default=None, flag_value=True, help=help)
    if field.kind is Kind.TAGS:
        return click.Option(flags, multiple=True, metavar="TEXT", help=f"{help} May be given several times.")
    if field.kind is Kind.ID_LIST:
        return click.Option(flags, multiple=True, type=click.IntRange(0, 2**63 - 1), metavar="ID",
                            help=f"{help} May be given several times.")
    return click.Option(flags, type=_type(field), help=help)


def _flags(name: str) -> tuple[str, ...]:
    return _RENAMED.get(name, (f"--{name.replace('_', '-')}",))


def _type(field: Field) -> click.ParamType:  # type: ignore[type-arg]
    if field.choices:
        return click.Choice(field.choices)
    if field.is_time:
        return DURATION
    if field.kind in _NUMBERS:
        low, high = RANGES[field.kind]
        return click.IntRange(low, high)
    if field.kind is Kind.F64:
        low_f, high_f = field.range
        return click.FloatRange(low_f, high_f)
    return JSON if field.kind is Kind.RAW else click.STRING


def _help(field: Field) -> str:
    """The text of the table in the words of the command line: a time has its unit, options are flags."""
    text = _OPTION.sub(lambda found: f"`{_flags(found[1])[0]}`", field.doc).replace("SETGROUPS", "`flashq limit`")
    if not field.is_time:
        return text
    rest = text.removeprefix("ms").lstrip("; ")
    return f"Time {rest}" if text.startswith("ms ") else rest[:1].upper() + rest[1:]


def taken(fields: Iterable[Field], parameters: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given, taken out of the parameters of the command."""
    given: dict[str, Any] = {}
    for field in fields:
        if field.kind is Kind.RETRY:
            parts = {part.name: parameters.pop(f"{field.name}_{part.name}", None) for part in field.items}
            parts = {name: value for name, value in parts.items() if value is not None}
            lacking = [one.name for one in field.items if one.required and one.name not in parts]
            if parts and lacking:
                raise click.UsageError(f"--{field.name}-{lacking[0]}: is needed for a retry policy")
            value: Any = parts or None
        else:
            value = parameters.pop(field.name, None)
        if value is None or value == ():
            continue
        given[field.name] = list(value) if isinstance(value, tuple) else value
    return given
