"""When a schedule runs: cron expressions in a time zone, and plain intervals. Plain Python; the time is passed in.

croniter says which wall-clock times an expression names; what those are on the days when clocks change is decided here
(docs/cron.md has the rules), because croniter 7 runs `30 2 * * *` twice on the day that has 02:30 twice.
All times are ms since 1970, UTC.
"""
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]

MAX_TEXT = 256          # characters of a schedule
MAX_INTERVAL = 2**53    # ms; also the last moment that is reckoned with
SHOWN = 32              # characters of a field that are told back
LEGACY = re.compile(r"\*/([0-9]+)")
# What a field may hold: croniter knows `H` and `R` besides, which are different at every look.
FIELD = re.compile(
    r"([0-9*?,/#\-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat|l)+", re.IGNORECASE
)
# What each field is called, and how far it goes; of five fields the second is left out.
FIELDS = (("second", "0 to 59"), ("minute", "0 to 59"), ("hour", "0 to 23"), ("day of the month", "1 to 31"),
          ("month", "1 to 12, or jan to dec"), ("weekday", "0 to 7, or sun to sat"))
# Words that other programs know; here an entry says when it runs, so that its list shows it.
WORDS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
         "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
HOURS = 24
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
MAX_YEARS = 8           # between two runs: a February 29th comes at least so often


class BadSchedule(ValueError):
    """What is wrong with a schedule or a time zone, for people."""


class BadInterval(BadSchedule):
    """A text that begins like an interval and is none."""


class Schedule(Protocol):
    """What the table asks of a schedule."""

    def next_after(self, ms: int) -> int | None:
        """The first run later than `ms`; None when there is none within years."""
        ...

    def last_until(self, ms: int, since: int) -> int:
        """The last run not later than `ms`, where `since` is one too."""
        ...


class Interval:
    """Every so many ms, counted from the moment it was set up."""

    def __init__(self, every_ms: int, start_ms: int) -> None:
        self.every_ms = every_ms
        self.start_ms = start_ms

    def next_after(self, ms: int) -> int:
        """Never the start itself."""
        done = max(ms - self.start_ms, 0) // self.every_ms
        return self.start_ms + (done + 1) * self.every_ms

    def last_until(self, ms: int, since: int) -> int:
        """One division."""
        return since + (ms - since) // self.every_ms * self.every_ms


class Expression:
    """A cron expression of 5 or 6 fields (seconds first) in a time zone."""

    def __init__(self, text: str, zone: tzinfo) -> None:
        """BadSchedule when it is none, or names no moment that comes."""
        self.text = text
        self.zone = zone
        fields = _fields(text)
        try:
            # 6 fields with the seconds first; croniter's own order has them last.
            self._iterator = croniter(text, _NAIVE_EPOCH, second_at_beginning=True,
                                      max_years_between_matches=MAX_YEARS)
            hours = croniter.expand(text, second_at_beginning=True)[0][1]
            self._next: Callable[[int], datetime | None]
            self._next = self._hourly if hours == ["*"] or len(set(hours)) == HOURS else self._fixed
            self._iterator.get_next(datetime, start_time=_NAIVE_EPOCH)
        except CroniterBadDateError:
            raise BadSchedule("it never runs") from None
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise BadSchedule(_wrong_field(fields) or _plain(error, text)) from None

    def next_after(self, ms: int) -> int | None:
        """Cost: some 50 microseconds, more where the next run is years away."""
        try:
            found = self._next(ms)
        except (ValueError, OverflowError):     # croniter found none, or the calendar ends
            return None
        return None if found is None else _to_ms(found)

    def last_until(self, ms: int, since: int) -> int:
        """By bisection: the run after any earlier second is not later than `ms`."""
        low, high = since // 1000, ms // 1000 + 1
        while high - low > 1:
            middle = (low + high) // 2
            following = self.next_after(middle * 1000 - 1)
            if following is not None and following <= ms:
                low = middle
            else:
                high = middle
        return low * 1000

    # -- wall-clock times to moments ---------------------------------------------------------------------------

    def _named_after(self, wall: datetime) -> datetime:
        """The first wall-clock time later than `wall` that the expression names. ValueError when there is none."""
        found: datetime = self._iterator.get_next(datetime, start_time=_whole(wall))
        return found

    def _wall(self, moment: datetime) -> datetime:
        """What a clock on the wall shows at a moment."""
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.zone).utcoffset() or timedelta()

    def _fixed(self, ms: int) -> datetime | None:
        """Of an expression that names certain hours: each named time once.

        A time that the clock skips runs at the jump; one that it shows twice runs the first time.
        """
        after = _from_ms(ms)
        local = after.astimezone(self.zone)
        wall = local.replace(tzinfo=None, fold=0)
        if local.fold:      # everything up to the end of the repeated hour has had its run
            jump = self._change(after - _span(local), after)
            wall = self._wall(jump - SECOND)
        while True:
            wall = self._named_after(wall)
            moment = self._first(wall)
            if moment > after:
                return moment

    def _first(self, wall: datetime) -> datetime:
        """The first moment at which the clock shows at least this time."""
        local = wall.replace(tzinfo=self.zone, fold=0)
        moment = local.astimezone(UTC)
        if self._wall(moment) == wall:
            return moment
        # Skipped: the offset before the jump puts it after the jump, the offset after it before.
        return self._change(wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC) - SECOND, moment)

    def _change(self, low: datetime, high: datetime) -> datetime:
        """The first moment with the offset of `high`, which `low` does not have; to the second."""
        wanted = self._offset(high)
        low, high = _whole(low), _whole(high)
        while high - low > SECOND:
            middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
            if self._offset(middle) == wanted:
                high = middle
            else:
                low = middle
        return high

    def _hourly(self, ms: int) -> datetime | None:
        """Of an expression that runs in every hour: whenever the clock shows a named time, also the second time."""
        after = _from_ms(ms)
        wall, offset = self._wall(after), self._offset(after)
        while True:
            moment = (self._named_after(wall) - offset).replace(tzinfo=UTC)
            jump = self._next_change(after, moment)
            if jump is None:
                return moment
            after, wall, offset = jump, self._wall(jump) - SECOND, self._offset(jump)

    def _next_change(self, after: datetime, until: datetime) -> datetime | None:
        """The first moment in (after, until] whose offset is not that of `after`. Looks once a day of the zone."""
        offset = self._offset(after)
        day = after
        while day < until:
            following = min(day + DAY, until)
            if self._offset(following) != offset:
                return self._change(day, following)
            day = following
        return None


_NAIVE_EPOCH = datetime(2024, 1, 1)  # only that croniter has a start; each call gives its own


def zone_of(name: str) -> tzinfo:
    """The time zone of this name. BadSchedule when there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise BadSchedule(f"unknown time zone '{name[:64]}'") from None


def parse(text: str, zone: tzinfo, now_ms: int) -> Schedule:
    """The schedule of a text: `*/N` alone is every N seconds. BadSchedule, BadInterval."""
    text = text.strip()
    legacy = LEGACY.fullmatch(text)
    if legacy is not None:
        return interval(int(legacy[1]) * 1000, now_ms, text)
    if text.startswith("*/") and len(text.split()) == 1:
        raise BadInterval(text)
    schedule = Expression(text, zone)
    if schedule.next_after(now_ms) is None:
        raise BadSchedule("it never runs")
    return schedule


def interval(every_ms: int, now_ms: int, text: str) -> Interval:
    """Every so many ms from now. BadInterval, with the text, when that is nothing or beyond all time."""
    if not 0 < every_ms <= MAX_INTERVAL - now_ms:
        raise BadInterval(text)
    return Interval(every_ms, now_ms)


def _fields(text: str) -> list[str]:
    """Of an expression, of characters that it may hold. BadSchedule."""
    fields = text.split()
    if text.lower() in WORDS:
        raise BadSchedule(f"write it as '{WORDS[text.lower()]}'")
    if len(fields) not in (5, 6):
        raise BadSchedule(f"expected 5 or 6 fields, got {len(fields)}")
    for (name, _range), field in zip(FIELDS[-len(fields):], fields, strict=True):
        if not FIELD.fullmatch(field):
            raise BadSchedule(f"the {name} holds something else than numbers, names and * ? , - / # L")
    return fields


def _wrong_field(fields: list[str]) -> str:
    """Which one croniter refuses also where all others are `*`; empty when they are only wrong together."""
    for place, (name, reach) in enumerate(FIELDS[-len(fields):]):
        alone = ["*"] * len(fields)
        alone[place] = fields[place]
        try:
            croniter.expand(" ".join(alone), second_at_beginning=True)
        except (ValueError, TypeError, KeyError, IndexError):
            return f"the {name} cannot be '{fields[place][:SHOWN]}': it goes from {reach}"
    return ""


def _plain(error: Exception, text: str) -> str:
    """croniter's words without the expression, which the reply names already."""
    return str(error).replace(f"[{text}] ", "").replace("\n", " ").strip() or "it cannot be read"


def _span(local: datetime) -> timedelta:
    """How far the clock was put back before this repeated time."""
    before, after = local.replace(fold=0).utcoffset(), local.utcoffset()
    return abs((before or timedelta()) - (after or timedelta())) + SECOND


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def _to_ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
