"""Jobs that the clock pushes."""
from flashq.commands.options import PUSH_OPTIONS
from flashq.commands.shared import AGAIN, QUEUE, QUEUE_ERRORS
from flashq.errors import (
    CRON_BAD_INTERVAL,
    CRON_BAD_SCHEDULE,
    CRON_BAD_ZONE,
    CRON_FULL,
    CRON_LONG,
    CRON_NEEDS_TIME,
    CRON_NOT_FOUND,
    DATA_TOO_LARGE,
    DISK_FULL,
)
from flashq.fields import Command, Field, Kind, ReplyField

CATCHUP = ("none", "last", "all")
OVERLAP = ("allow", "skip")
JOB_OPTIONS = tuple(field for field in PUSH_OPTIONS if field.name != "data")    # of the generated jobs

_NAME = Field("name", Kind.STR, "Name of the entry.", required=True, limit=1024)
_ENTRY_EXAMPLE: dict[str, object] = {
    "name": "nightly", "queue": "reports", "data": {"kind": "daily"}, "schedule": "0 30 2 * * *", "repeat_every": None,
    "priority": 0, "next_run": 1767234600000, "executions": 3, "limit": None, "tz": "Europe/Berlin",
    "catchup": "none", "overlap": "allow", "options": {"max_attempts": 5}, "skipped": 0,
}
ENTRY_KEYS = tuple(_ENTRY_EXAMPLE)      # what CRONLIST says of each, in this order
_ENTRY = ("By name: {name, queue, data, schedule, repeat_every, priority, next_run (ms since 1970), executions, limit, "
          "tz, catchup, overlap, options (those that are not at their default), skipped (times that it passed slots "
          "over)}.")

COMMANDS = (
    Command(
        "CRON", "Push a job whenever a schedule says so; an entry of the same name is replaced. [Rules](cron.md).",
        (_NAME, QUEUE,
         Field("schedule", Kind.STR, "`second minute hour day month weekday`, or without the second; up to 256 "
               "characters. `*/N` alone is every N seconds."),
         Field("repeat_every", Kind.U64, "ms between two jobs, the first after as long; wins over `schedule`."),
         Field("limit", Kind.U64, "Jobs after which the entry goes; 0 = no limit."),
         Field("tz", Kind.STR, "Time zone that `schedule` is read in, as in `Europe/Berlin`.", default="UTC",
               limit=255),
         Field("catchup", Kind.STR, "Of slots missed by more than a minute push `none`, the `last`, or `all`.",
               default="none", choices=CATCHUP),
         Field("overlap", Kind.STR, "While the job before is not done, push another all the same (`allow`) or `skip` "
               "the slot.", default="allow", choices=OVERLAP),
         Field("options", Kind.OBJECT, "Push options once more, in an object; those beside it win.", default=None,
               items=JOB_OPTIONS),
         *(field for field in PUSH_OPTIONS if field.name != "name")), (),      # that is the entry's own
        (CRON_NEEDS_TIME, CRON_LONG, CRON_BAD_INTERVAL, CRON_BAD_SCHEDULE, CRON_BAD_ZONE, CRON_FULL, DATA_TOO_LARGE,
         DISK_FULL, *QUEUE_ERRORS),
        "cold", "Safe: the second replaces the first; `repeat_every` counts from then, and `executions` from 0.",
        ({"cmd": "CRON", "name": "nightly", "queue": "reports", "data": {"kind": "daily"}, "schedule": "0 30 2 * * *",
          "tz": "Europe/Berlin", "max_attempts": 5}, {"ok": True, "success": True}), "cron.add", changes=True,
    ),
    Command(
        "CRONDELETE", "Remove an entry; jobs that it has pushed stay.", (_NAME,), (), (CRON_NOT_FOUND,), "cold",
        "Safe: the second is refused as `Cron job not found` and changes nothing.",
        ({"cmd": "CRONDELETE", "name": "nightly"}, {"ok": True, "success": True}), "cron.delete", changes=True,
    ),
    Command(
        "CRONLIST", "List the entries.", (),
        (ReplyField("crons", "[CronJob]", _ENTRY), ReplyField("jobs", "[CronJob]", "The same list.")), (), "cold",
        AGAIN,
        ({"cmd": "CRONLIST"}, {"ok": True, "success": True, "crons": [_ENTRY_EXAMPLE], "jobs": [_ENTRY_EXAMPLE]}),
        "cron.list",
    ),
)
