"""CRON and its kin, and the background task that lets the table fire through the engine."""
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, Protocol

import orjson

from flashq._core.engine import Rejected
from flashq.commands.cron import ENTRY_KEYS, JOB_OPTIONS
from flashq.config import Settings
from flashq.errors import (
    BY_STATUS,
    CRON_BAD_INTERVAL,
    CRON_BAD_SCHEDULE,
    CRON_BAD_ZONE,
    CRON_FULL,
    CRON_LONG,
    CRON_NEEDS_TIME,
    CRON_NOT_FOUND,
    DATA_TOO_LARGE,
    DISK_FULL,
    INTERNAL_ERROR,
    Refused,
)
from flashq.queue_names import wrong_queue_name
from flashq.scheduler import schedule
from flashq.scheduler.cron import CronTable, Entry
from flashq.server.alarm import Alarm
from flashq.server.handlers import cron_entry
from flashq.server.handlers.call import Body, Call
from flashq.server.kept import CRON_SPACE, Recorder

SLICE = 20                  # firings between two looks at the sockets
ENDED = ("completed", "failed", "unknown")


class Engine(Recorder, Protocol):
    """What is asked of the engine here."""

    @property
    def now(self) -> int: ...
    def command(self, frame: bytes, msgpack: bool = False) -> bytes: ...
    def get_state(self, id: int) -> str: ...


class CronHandlers:
    """Owns the table of entries. They outlive the process: what becomes of each is recorded."""

    space = CRON_SPACE

    def __init__(self, engine: Engine, settings: Settings, alarm: Alarm, logger: Any) -> None:
        self._engine = engine
        self._alarm = alarm
        self._max_entries = settings.cron_max_entries
        self._max_size = settings.max_frame // 4    # CRONLIST names each entry twice, and must fit in a frame
        self._max_job_size = settings.max_job_size
        self._log = logger
        self.table = CronTable()
        self._unread: dict[bytes, bytes] = {}       # entries of the journal that cannot run here; they stay in it

    # -- commands ---------------------------------------------------------------------------------------------

    def add(self, call: Call) -> Body:
        """Everything is checked before an entry of the same name goes."""
        values = call.values
        _check_queue(values["queue"])
        when = self._schedule(values)
        size = len(orjson.dumps(values["data"]))
        if size > self._max_job_size:
            raise Refused(DATA_TOO_LARGE, number=size)
        options = _options(values)
        shown: dict[str, object] = {
            "name": values["name"],
            "queue": values["queue"],
            "data": values["data"],
            "schedule": values["schedule"],
            "repeat_every": values["repeat_every"],
            "priority": options.pop("priority", 0),
            "limit": values["limit"] or None,
            "tz": values["tz"],
            "catchup": values["catchup"],
            "overlap": values["overlap"],
            "options": options,
        }
        entry = cron_entry.make(shown, when, self._engine.now)
        self._make_room(entry)
        self.table.put(entry)
        self._keep(entry)
        self._alarm.ring()
        return {}

    def delete(self, call: Call) -> Body:
        """Jobs that it has pushed stay."""
        if not self._remove(call.values["name"]):
            raise Refused(CRON_NOT_FOUND)
        return {}

    def list(self, _call: Call) -> Body:
        """Twice: Go-E reads another key."""
        crons = [_shown(entry) for entry in self.table]
        return {"crons": crons, "jobs": crons}

    def remove_queue(self, queue: str) -> None:
        """The entries that push to a queue go with it."""
        for name in self.table.of_queue(queue):
            self._remove(name)

    def _remove(self, name: str) -> bool:
        """Whether there was one."""
        unread = self._unread.pop(name.encode(), None)
        found = self.table.remove(name) or unread is not None
        if found:
            self._engine.record_entry(self.space, name.encode(), None)
        return found

    def _schedule(self, values: Mapping[str, Any]) -> schedule.Schedule:
        """When to run. Refused when that is no time, or too long to look at."""
        text, every = values["schedule"], values["repeat_every"]
        zone = _zone(values["tz"])
        now = self._engine.now
        if text is not None and len(text) > schedule.MAX_TEXT:
            raise Refused(CRON_LONG, number=len(text))
        try:
            if every is not None:
                return schedule.interval(every, now, str(every))
            if text is None:
                raise Refused(CRON_NEEDS_TIME)
            return schedule.parse(text, zone, now)
        except schedule.BadInterval as error:
            raise Refused(CRON_BAD_INTERVAL, text=str(error).encode()) from None
        except schedule.BadSchedule as error:
            raise Refused(CRON_BAD_SCHEDULE, text=text.encode(), rule=str(error)) from None

    def _make_room(self, entry: Entry) -> None:
        """Refused when there is none: an entry that it replaces does not count."""
        if self._engine.full:
            raise Refused(DISK_FULL)
        old = self.table.find(entry.name)
        entries = len(self.table) + (old is None)
        size = self.table.size + entry.size - (0 if old is None else old.size)
        if entries > self._max_entries or size > self._max_size:
            raise Refused(CRON_FULL)

    # -- firing -----------------------------------------------------------------------------------------------

    def due_in(self) -> int | None:
        """By the wall clock: whoever waits must look again now and then, for it may be set."""
        due = self.table.due()
        return None if due is None else due - self._engine.now

    def run(self) -> None:
        """A slice of what is due."""
        self.table.run(self._engine.now, self._push, self._is_open, self._keep, SLICE)

    def _push(self, entry: Entry) -> int | None:
        try:
            job: int = orjson.loads(self._engine.command(entry.frame))["id"]
        except Rejected as rejected:
            error = BY_STATUS.get(rejected.status, INTERNAL_ERROR)
            self._log.warning("cron_push_refused", name=entry.name, queue=entry.queue, code=error.code)
            return None
        return job

    def _is_open(self, job: int) -> bool:
        return self._engine.get_state(job) not in ENDED

    # -- keeping ----------------------------------------------------------------------------------------------

    def _keep(self, entry: Entry, with_next: bool = False) -> None:
        """Record what it is now; `with_next`: together with the command that follows, or not at all."""
        key = entry.name.encode()
        self._unread.pop(key, None)
        self._engine.record_entry(self.space, key, cron_entry.written(entry) if entry.listed else None, not with_next)

    def kept_keys(self) -> Iterable[bytes]:
        """Of all entries."""
        return [entry.name.encode() for entry in self.table] + list(self._unread)

    def kept(self, key: bytes) -> bytes | None:
        """As it is recorded."""
        entry = self.table.find(key.decode())
        return self._unread.get(key) if entry is None else cron_entry.written(entry)

    def restore(self, key: bytes, value: bytes) -> None:
        """One whose time zone is no more waits for a start that knows it."""
        try:
            self.table.put(cron_entry.read(value))
        except schedule.BadSchedule as error:
            self._unread[key] = value
            self._log.error("cron_entry_not_read", name=key.decode(), reason=str(error))


def _zone(name: str) -> tzinfo:
    try:
        return schedule.zone_of(name)
    except schedule.BadSchedule:
        raise Refused(CRON_BAD_ZONE, text=name.encode()) from None


def _check_queue(name: str) -> None:
    """As the core checks it at each push; here, so that a wrong name shows at once."""
    if (wrong := wrong_queue_name(name)) is not None:
        raise Refused(wrong)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The push options that are not at their default; those beside `options` win over those in it."""
    inner = values["options"] or {}
    beside = {**values, "name": None}       # that is the entry's, not its jobs'
    found = {}
    for field in JOB_OPTIONS:
        for given in (beside, inner):
            value = given.get(field.name, field.default)
            if value not in (field.default, []) and field.name not in found:
                found[field.name] = value
    return found


def _shown(entry: Entry) -> Body:
    counters = {"next_run": entry.next_run, "executions": entry.executions, "skipped": entry.skipped}
    known = {**entry.shown, **counters}
    return {key: known[key] for key in ENTRY_KEYS}
