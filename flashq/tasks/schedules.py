"""Entries of the schedule, as programs write them at each start: one that is there already stays as it is."""
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flashq.client.call import Call
from flashq.client.calls import cron as calls
from flashq.client.defaults import CRON_OPTIONS
from flashq.client.record import Record
from flashq.client.results import CronEntry
from flashq.tasks.plan import Plan

if TYPE_CHECKING:
    from flashq.tasks.app import App


class Scheduled(Record):
    """An entry. `next_run` is in UTC, None when none comes; `changed`: it was not there in this form before."""

    name: str
    next_run: datetime | None
    changed: bool


def plan(app: "App", call: Call[None], unnamed: bool) -> Plan[Scheduled]:
    """Write the entry of this call unless it is there. ValueError when the app has another one without a name."""
    name, place = str(call.fields["name"]), (str(app.endpoint), str(call.fields["name"]))
    earlier = app.unnamed_schedules.get(place) if unnamed else None
    if earlier is not None and earlier != call.fields:
        raise ValueError(f"task '{name}' has another schedule without a name, which this one would replace: "
                         "give each a name=, or unschedule() the first")
    entry = yield from _find(name)
    changed = entry is None or not _same(entry, call.fields)
    if changed:
        yield call
        entry = yield from _find(name)
    if unnamed:
        app.unnamed_schedules[place] = call.fields
    next_run = datetime.fromtimestamp(entry.next_run / 1000, UTC) if entry is not None else None
    return Scheduled(name, next_run, changed)


def plan_removal(app: "App", name: str) -> Plan[None]:
    """Remove the entry."""
    app.unnamed_schedules.pop((str(app.endpoint), name), None)
    yield calls.delete_cron(name)


def _find(name: str) -> Plan[CronEntry | None]:
    entries: list[CronEntry] = yield calls.list_crons()
    return next((one for one in entries if one.name == name), None)


def _same(entry: CronEntry, fields: Mapping[str, Any]) -> bool:
    """Whether writing it again would change nothing but its next time."""
    told = {**fields["options"], "priority": None}      # that is the entry's own
    options = {name: value for name, default in CRON_OPTIONS.items()
               if (value := told.get(name)) is not None and value not in (default, [])}
    ours = (fields["queue"], fields.get("schedule"), fields.get("repeat_every"), fields.get("tz", "UTC"),
            fields["data"], fields["options"].get("priority", 0), fields.get("limit"), fields.get("overlap", "allow"),
            "none", options)
    return ours == (entry.queue, entry.schedule, entry.repeat_every, entry.tz, entry.data, entry.priority, entry.limit,
                    entry.overlap, entry.catchup, entry.options)
