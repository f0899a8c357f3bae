"""`flashq cron`: the entries of the schedule, and when one runs next."""

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

import click

from flashq.cli import CONTEXT
from flashq.cli.connection import Here, client_command
from flashq.cli.exits import Exit, Failure
from flashq.cli.output import now_ms, short, span, when
from flashq.cli.push_options import push_options, taken
from flashq.cli.values import DURATION, JSON, QUEUE_NAME
from flashq.commands import BY_NAME, PUSH_OPTIONS
from flashq.errors import CRON_BAD_SCHEDULE, CRON_BAD_ZONE, CRON_NOT_FOUND
from flashq.scheduler import schedule

if TYPE_CHECKING:
    from flashq.client.results import CronEntry

COLUMNS = ("name", "queue", "task", "schedule", "zone", "next", "#runs", "#skipped", "data")
OPTIONS = tuple(field for field in PUSH_OPTIONS if field.name not in ("data", "name"))
_FIELDS = {field.name: field for field in BY_NAME["CRON"].fields}
CATCHUP, OVERLAP, LIMIT, TZ = (_FIELDS[name] for name in ("catchup", "overlap", "limit", "tz"))


@click.group(name="cron", context_settings=CONTEXT)
def command() -> None:
    """Jobs that the clock pushes: list the entries, add and remove them, see when they run."""


@client_command("list")
def list_(here: Here) -> None:
    """List the entries, by name."""
    entries = here.client.list_crons()
    if here.as_json:
        for one in entries:
            here.out.json(one)
    else:
        here.out.table(COLUMNS, map(_row, entries))


def _row(one: "CronEntry") -> tuple[str, ...]:
    of = f" of {one.limit}" if one.limit else ""
    return (one.name, one.queue, one.options.get("name") or "", _rhythm(one), one.tz, when(one.next_run),
            f"{one.executions}{of}", str(one.skipped), short(one.data, 40))


def _rhythm(one: "CronEntry") -> str:
    return f"every {span(one.repeat_every)}" if one.repeat_every is not None else str(one.schedule)


@client_command("add")
@click.argument("name")
@click.argument("queue", type=QUEUE_NAME)
@click.argument("schedule", metavar="[SCHEDULE]", required=False)
@click.option("--every", type=DURATION, help="Time between two jobs, in place of SCHEDULE; the first after as long.")
@click.option("--tz", help=f"{TZ.doc} [{TZ.default}]")
@click.option("--name", "task", metavar="TEXT", help="Name of the jobs: the task that runs them. NAME is the entry's.")
@click.option("--data", type=JSON, help="Payload of the jobs, as JSON.")
@click.option("--limit", type=click.IntRange(0), help=LIMIT.doc)
@click.option("--catchup", type=click.Choice(CATCHUP.choices), help=CATCHUP.doc)
@click.option("--overlap", type=click.Choice(OVERLAP.choices), help=OVERLAP.doc)
@push_options(OPTIONS)
def add(here: Here, name: str, queue: str, every: int | None, task: str | None, **parameters: Any) -> None:
    """Push a job to QUEUE whenever SCHEDULE says so; an entry of the same NAME is replaced.

    SCHEDULE is one word to the shell: "minute hour day month weekday", or with the second before them. `*/N` alone is
    every N seconds. `flashq cron next SCHEDULE` shows what it means.
    """
    if (parameters["schedule"] is None) == (every is None):
        raise click.UsageError("either SCHEDULE or --every says when it runs")
    options = taken(OPTIONS, parameters)
    if task is not None:
        options["options"] = {"name": task}
    here.client.add_cron(name, queue, repeat_every=every, **parameters, **options)
    entry = _stored(here, name)
    here.out.said(f"{name} runs next {when(entry.next_run)}", name=name, next_run=entry.next_run)


@client_command("rm")
@click.argument("name")
def remove(here: Here, name: str) -> None:
    """Remove the entry NAME. Jobs that it has pushed stay."""
    here.client.delete_cron(name)
    here.out.said(f"{name} is removed", name=name, removed=True)


@client_command("next")
@click.argument("what", metavar="NAME_OR_SCHEDULE")
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many times.")
@click.option("--tz", help=f"Zone of a SCHEDULE that is no entry's. [{TZ.default}]")
@click.option("--entry", is_flag=True, help="It is the name of an entry, whatever it looks like.")
def following(here: Here, what: str, count: int, tz: str | None, entry: bool) -> None:
    """Show the next times of a stored entry, or of a schedule such as "30 2 * * mon", in its time zone.

    A schedule has several words, or is `*/N`, and needs no server; anything else is the name of an entry.
    """
    if not entry and (len(what.split()) > 1 or what.startswith("*/") or what.lower() in schedule.WORDS):
        zone = zone_of(tz or "UTC")
        times = _times(parsed(what, zone, now_ms()), now_ms(), count)
    elif tz is not None:
        raise click.UsageError("--tz is for a schedule: an entry has its own")
    else:
        stored = _stored(here, what)
        zone = zone_of(stored.tz)
        left = count if stored.limit is None else min(count, stored.limit - stored.executions)
        times = [stored.next_run, *_times(_schedule_of(stored, zone), stored.next_run, left - 1)]
    for ms in times:
        _print(here, ms, zone)


def _print(here: Here, ms: int, zone: tzinfo) -> None:
    there = datetime.fromtimestamp(ms / 1000, zone)
    utc = f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    if here.as_json:
        here.out.json({"time": ms, "local": there.isoformat(), "utc": f"{utc.replace(' ', 'T')}Z"})
        return
    offset = f"{there:%z}"
    local = f"{there:%a %Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"
    here.out.line(f"{local}   {utc} UTC   in {span(ms - now_ms())}")


def _stored(here: Here, name: str) -> "CronEntry":
    entry = next((one for one in here.client.list_crons() if one.name == name), None)
    if entry is None:
        raise Failure(Exit.REFUSED, f"there is no cron entry {name}", CRON_NOT_FOUND.code, "name")
    return entry


def _schedule_of(entry: "CronEntry", zone: tzinfo) -> schedule.Schedule:
    """From its next time on: an interval counts from there."""
    if entry.repeat_every is not None:
        return schedule.Interval(entry.repeat_every, entry.next_run)
    return parsed(entry.schedule or "", zone, entry.next_run)


def parsed(text: str, zone: tzinfo, now: int) -> schedule.Schedule:
    """As the server reads it. Failure when it would refuse it."""
    try:
        return schedule.parse(text, zone, now)
    except schedule.BadSchedule as error:
        raise Failure(Exit.REFUSED, f"Invalid cron expression '{text}': {error}", CRON_BAD_SCHEDULE.code,
                      "schedule") from None


def zone_of(name: str) -> tzinfo:
    """Likewise, a time zone."""
    try:
        return schedule.zone_of(name)
    except schedule.BadSchedule:
        raise Failure(Exit.REFUSED, f"Unknown time zone '{name}'", CRON_BAD_ZONE.code, "tz") from None


def _times(runs: schedule.Schedule, after: int, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count and (ms := runs.next_after(after)) is not None:
        found.append(ms)
        after = ms
    return found


for one in (list_, add, remove, following):
    command.add_command(one)
