"""Cron entries: made of what CRON says, written down for the journal, and read back."""
from typing import Any

import orjson

from flashq.scheduler import schedule
from flashq.scheduler.cron import Entry

OVERHEAD = 100      # bytes that CRONLIST writes for an entry beside what it was given
_STATE = ("made", "next_run", "executions", "skipped", "last_job", "caught_up")


def make(shown: dict[str, object], when: schedule.Schedule, made: int) -> Entry:
    """An entry that has not run yet; `shown` is what CRONLIST tells of it beside the counters, `made` when it was."""
    options: Any = shown["options"]
    push = {"cmd": "PUSH", "queue": shown["queue"], "priority": shown["priority"], **options, "data": shown["data"]}
    said: Any = shown
    return Entry(
        name=said["name"],
        queue=said["queue"],
        frame=orjson.dumps(push),
        shown=shown,
        schedule=when,
        limit=said["limit"],
        catchup=said["catchup"],
        overlap=said["overlap"],
        next_run=when.next_after(made) or 0,
        size=len(orjson.dumps(shown)) + OVERHEAD,
        made=made,
    )


def written(entry: Entry) -> bytes:
    """The entry as the journal keeps it."""
    return orjson.dumps({**entry.shown, **{name: getattr(entry, name) for name in _STATE}})


def read(value: bytes) -> Entry:
    """What `written` gave. BadSchedule when its time zone is not known here any more."""
    shown: dict[str, Any] = orjson.loads(value)
    state = {name: shown.pop(name) for name in _STATE}
    entry = make(shown, _schedule(shown, state["made"]), state["made"])
    for name, found in state.items():
        setattr(entry, name, found)
    return entry


def _schedule(shown: dict[str, Any], made: int) -> schedule.Schedule:
    """Intervals count from when the entry was made."""
    every = shown["repeat_every"]
    if every is not None:
        return schedule.interval(every, made, str(every))
    return schedule.parse(shown["schedule"], schedule.zone_of(shown["tz"]), made)
