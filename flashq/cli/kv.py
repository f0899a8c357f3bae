"""`flashq kv`: keys and values."""

from typing import Any

import click

from flashq.cli import CONTEXT
from flashq.cli.connection import Here, client_command
from flashq.cli.exits import Exit, Failure
from flashq.cli.output import json_text, span
from flashq.cli.values import DURATION, JSON


@click.group(name="kv", context_settings=CONTEXT)
def command() -> None:
    """Keys and values: small shared state beside the jobs."""


@client_command("get")
@click.argument("key")
def get(here: Here, key: str) -> None:
    """Print the value of KEY as JSON. Status 1 when there is no such key."""
    value = here.client.kv_get(key)
    if value is None and not here.client.kv_exists(key):
        raise _missing(key)
    if here.as_json:
        here.out.json({"key": key, "value": value})
    else:
        here.out.line(json_text(value))


@client_command("set")
@click.argument("key")
@click.argument("value", type=JSON)
@click.option("--ttl", type=DURATION, help="Time until the key is gone; left out, it stays.")
def set_(here: Here, key: str, value: Any, ttl: int | None) -> None:
    """Set KEY to VALUE, which is JSON."""
    here.client.kv_set(key, value, ttl=ttl)
    here.out.said(f"{key} is set{f', for {span(ttl)}' if ttl else ''}", key=key, ttl=ttl)


@client_command("del")
@click.argument("key")
def delete(here: Here, key: str) -> None:
    """Remove KEY. Status 1 when there is no such key."""
    if not here.client.kv_delete(key):
        raise _missing(key)
    here.out.said(f"{key} is removed", key=key, removed=True)


@client_command("keys")
@click.argument("pattern", required=False)
def keys(here: Here, pattern: str | None) -> None:
    """List the keys, or those that match PATTERN: `*` is any run of characters, `?` one."""
    for key in sorted(here.client.kv_keys(pattern)):
        here.out.said(key, key=key)


def _missing(key: str) -> Failure:
    return Failure(Exit.REFUSED, f"there is no key {key}")


for one in (get, set_, delete, keys):
    command.add_command(one)
