"""Kinds of values on the command line: times with a unit, JSON, names of queues that the server completes."""

import json
import math
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from flashq.setting_types import TIME

COMPLETION_SECONDS = 0.5    # a shell that waits for longer is worse than one that completes nothing


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A time such as 500ms, 30s, 5m or 1h, as milliseconds; only 0 needs no unit."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds."""
        if isinstance(value, int):
            return value
        try:
            found = TIME.parse(str(value).strip())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        assert isinstance(found, int)
        return found


class Json(click.ParamType):  # type: ignore[type-arg]
    """Any value, written as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value."""
        if not isinstance(value, str):
            return value
        try:
            found = from_json(value)
        except ValueError as error:
            self.fail(f"{value!r} is no JSON ({error}); a text is written as '\"text\"'", param, ctx)
        try:
            sent_size(found)
        except ValueError as error:
            self.fail(f"it cannot be sent: {error}", param, ctx)
        return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is beyond all numbers")
    return value


# Not orjson: it makes floats of large integers.
_DECODE = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode


def from_json(text: str) -> Any:
    """The value of a JSON text. ValueError says what is wrong."""
    try:
        return _DECODE(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def sent_size(value: Any) -> int:
    """Bytes of a value on its way to the server. ValueError when it has no form in MessagePack."""
    import msgpack  # type: ignore[import-untyped]

    try:
        return len(msgpack.packb(value))
    except OverflowError:
        raise ValueError("it holds an integer beyond 64 bits") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair") from None


class JobState(click.Choice):  # type: ignore[type-arg]
    """A state of jobs. Dead letters are those in `failed`: whoever says `dead`, as other commands do, means it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The state as the server has it."""
        return super().convert("failed" if value == "dead" and "failed" in self.choices else value, param, ctx)


class QueueName(click.ParamType):  # type: ignore[type-arg]
    """Name of a queue; the shell completes those that the server knows."""

    name = "queue"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """None when the server does not answer at once: a completion must never fail."""
        return [CompletionItem(name) for name in _queue_names(ctx.params.get("url")) if name.startswith(incomplete)]


def _queue_names(url: str | None) -> list[str]:
    from flashq.cli.connection import client_of
    from flashq.client import FlashQError

    try:
        with client_of(url, COMPLETION_SECONDS, ask_again=False) as client:
            return sorted(one.name for one in client.list_queues())
    except (FlashQError, click.ClickException):
        return []


DURATION, JSON, QUEUE_NAME = Duration(), Json(), QueueName()
