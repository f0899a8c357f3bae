"""`--json`, which every command has: for programs."""

from collections.abc import Callable
from typing import Any

import click

HELP = "Print JSON: an object, or an object a line; errors as well, on stderr."

Decorated = Callable[[Callable[..., Any]], Callable[..., Any]]


def json_flag(help: str = HELP) -> click.Option:
    """The option; the command gets it as `as_json`."""
    return click.Option(["--json", "as_json"], is_flag=True, help=help)


def json_option(help: str = HELP) -> Decorated:
    """The same as a decorator, for commands that do not ask a server."""
    return click.option("--json", "as_json", is_flag=True, help=help)
