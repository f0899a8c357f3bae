"""`flashq push`: one job, or one for each line of a file or of stdin."""

import sys
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.exits import Exit, Failure
from flashq.cli.lines import BadLine, Pusher, Tally, decoded, utf8
from flashq.cli.output import counted
from flashq.cli.push_options import push_options, taken
from flashq.cli.values import QUEUE_NAME, from_json, sent_size
from flashq.commands import BY_NAME, PUSH_OPTIONS

if TYPE_CHECKING:
    from flashq.client import PushOptions

FIELDS = tuple(field for field in BY_NAME["PUSH"].fields if field.name not in ("queue", "receipt"))
OPTION_NAMES = {name for field in PUSH_OPTIONS for name in (field.name, *field.aliases)}
STDIN = "-"


@client_command("push")
@click.argument("queue", type=QUEUE_NAME)
@click.argument("data", required=False)
@click.option("--file", "-f", "file", type=click.File("rb"), metavar="FILE",
              help="Push a job for each line of the file, which is JSON; `-` is stdin.")
@click.option("--text", is_flag=True, help="DATA, or each line, is a text as it stands, not JSON.")
@click.option("--with-options", is_flag=True,
              help="Each line is an object of push options, as `{\"data\": …, \"priority\": 5}`, not the data alone.")
@push_options(FIELDS, frozenset({"data"}))
def command(here: Here, queue: str, data: str | None, file: BinaryIO | None, text: bool, with_options: bool,
            **parameters: Any) -> None:
    """Add a job with DATA (JSON; left out: null) to QUEUE and print its id.

    With `-` in place of DATA, or --file, each line is a job: any number of them, pushed as they come. Lines that are
    refused are named by their number, the others go on, and the status is 1. Options count for all lines; those that a
    line brings by --with-options win.
    """
    options = taken(FIELDS, parameters)
    stream = _stdin() if data == STDIN and file is None else file
    if file is not None and data is not None:
        raise click.UsageError("DATA and --file exclude each other")
    if stream is None:
        if with_options:
            raise click.UsageError("--with-options is for lines: of --file, or of stdin by `-`")
        _one(here, queue, data if text or data is None else _value(data), options)
        return
    if text and with_options:
        raise click.UsageError("--text and --with-options exclude each other")
    if "push_key" in options:
        raise click.UsageError("--push-key is for one job: lines get keys of their own")
    durability = options.pop("durability", None)

    def read_line(line: bytes) -> tuple[str, "PushOptions"]:
        return queue, cast("PushOptions", {**options, **_job(line, text, with_options)})

    finish(here, Pusher(here.client, here.out, read_line, durability).run(stream))


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise click.UsageError("there is no stdin to read lines from")
    return sys.stdin.buffer


def _value(data: str) -> Any:
    try:
        return from_json(data)
    except ValueError as error:
        raise click.UsageError(f"DATA is no JSON ({error}); say --text to push it as a text") from None


def _one(here: Here, queue: str, data: Any, options: dict[str, Any]) -> None:
    try:
        sent_size(data)
    except ValueError as error:
        raise click.UsageError(f"DATA cannot be sent: {error}") from None
    id = here.client.push(queue, data, **options)
    here.out.said(str(id), id=id)


def _job(line: bytes, text: bool, with_options: bool) -> dict[str, Any]:
    if text:
        return {"data": utf8(line.rstrip(b"\r"))}
    value = decoded(line)
    if not with_options:
        return {"data": value}
    return checked(value)


def checked(value: Any) -> dict[str, Any]:
    """An object of push options. BadLine when it is none, or holds others: the server would pass over those."""
    if not isinstance(value, dict):
        raise BadLine("it is no object of push options")
    unknown = sorted(set(value) - OPTION_NAMES)
    if unknown:
        raise BadLine(f"'{unknown[0]}' is no push option")
    return value


def finish(here: Here, tally: Tally) -> None:
    """Say what became of all lines; Failure when some were refused."""
    if here.as_json:
        here.out.json(vars(tally))
    else:
        over = "".join(f", {count:,} {why} passed over" for why, count in sorted(tally.passed_over.items()))
        refused = f", {tally.refused:,} refused" if tally.refused else ""
        there = counted(tally.there_already, "was there already", "were there already")
        there = f", {there}" if tally.there_already else ""
        here.out.note(f"pushed {counted(tally.pushed, 'job')}{there}{refused}{over}")
    if tally.refused:
        raise Failure(Exit.REFUSED, f"{counted(tally.refused, 'line')} refused")
