"""When schedules run: plain expressions, and every zone of zoneinfo on the days when its clocks change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq.scheduler.schedule import WORDS, BadInterval, BadSchedule, Expression, Interval, parse, zone_of

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def at(text: str) -> int:
    """ms of a moment written with its offset; UTC without one."""
    moment = datetime.fromisoformat(text)
    return ms(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def runs(text: str, zone: tzinfo, start: int, end: int) -> list[int]:
    """Every run in (start, end]."""
    schedule = Expression(text, zone)
    found = []
    following = schedule.next_after(start)
    while following is not None and following <= end:
        found.append(following)
        following = schedule.next_after(following)
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:00:59", "2026-01-01T00:01:00"),
        ("*/5 * * * * *", "2026-01-01T00:00:05", "2026-01-01T00:00:10"),
        ("* * * * * *", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("30 15 9 * * *", "2026-01-01T00:00:00", "2026-01-01T09:15:30"),
        ("15 9 * * *", "2026-01-01T09:15:00", "2026-01-02T09:15:00"),
        ("0 9 * * mon-fri", "2026-01-02T10:00:00", "2026-01-05T09:00:00"),
        ("0 0 1,15 * *", "2026-01-02T10:00:00", "2026-01-15T00:00:00"),
        ("0 0 13 * fri", "2026-01-02T10:00:00", "2026-01-09T00:00:00"),  # day or weekday
        ("0 12 * jan,JUL *", "2026-02-01T00:00:00", "2026-07-01T12:00:00"),
        ("10-50/20 * * * *", "2026-01-01T00:10:00", "2026-01-01T00:30:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 * * 7", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
    ],
)
def test_the_next_run_in_utc(text: str, after: str, expected: str) -> None:
    assert Expression(text, UTC).next_after(at(after)) == at(expected)


def test_the_next_run_is_strictly_later_to_the_millisecond() -> None:
    schedule = Expression("* * * * * *", UTC)
    noon = at("2026-01-01T12:00:00")
    assert [schedule.next_after(noon + past) for past in (-1, 0, 1, 999)] == [noon, *[noon + 1000] * 3]


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 32 * *", "* * * 13 *", "a b c d e", "@daily",
     "*/0 * * * *", "5-1/0 * * * *", "0 0 30 2 *", "H * * * *", "R * * * *", "1;2 * * * *", "\0 * * * *", "ä * * * *",
     "*/x * * * *", "1,,2 * * * *"],
)
def test_what_is_no_expression_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadSchedule) as caught:
        parse(text, UTC, at("2026-01-01T00:00:00"))
    assert str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [
    ("0 25 * * *", "the hour cannot be '25': it goes from 0 to 23"),
    ("60 0 * * * *", "the second cannot be '60': it goes from 0 to 59"),
    ("0 60 * * * *", "the minute cannot be '60': it goes from 0 to 59"),
    ("0 0 32 * *", "the day of the month cannot be '32': it goes from 1 to 31"),
    ("0 0 * feb-99 *", "the month cannot be 'feb-99': it goes from 1 to 12, or jan to dec"),
    ("0 0 0 * * 9", "the weekday cannot be '9': it goes from 0 to 7, or sun to sat"),
    ("0 h * * *", "the hour holds something else than numbers, names and * ? , - / # L"),
    (f"0 0 * * {'9,' * 99}9", f"the weekday cannot be '{'9,' * 16}': it goes from 0 to 7, or sun to sat"),
    ("@daily", "write it as '0 0 * * *'"), ("@Weekly", "write it as '0 0 * * 0'"),
])
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(BadSchedule) as caught:
        parse(text, UTC, 0)
    assert str(caught.value) == said


@pytest.mark.parametrize("word", WORDS)
def test_what_is_to_be_written_for_a_word_can_be_read(word: str) -> None:
    assert parse(WORDS[word], UTC, 0).next_after(0) is not None


def test_the_whole_text_star_slash_n_is_an_interval_in_seconds() -> None:
    now = 1_000_500
    schedule = parse("*/60", UTC, now)
    assert isinstance(schedule, Interval)
    assert schedule.next_after(now) == now + 60_000
    assert schedule.next_after(now + 60_000) == now + 120_000
    assert schedule.next_after(now + 130_000) == now + 180_000


@pytest.mark.parametrize("text", ["*/0", "*/", "*/x", "*/-5", "*/5x", "*/1.5", "*/" + "9" * 200])
def test_an_interval_that_is_none(text: str) -> None:
    with pytest.raises(BadInterval):
        parse(text, UTC, 0)


def test_six_fields_that_begin_with_a_step_are_an_expression() -> None:
    """The original refused each text that begins with `*/` (wire document, 10.2 number 30)."""
    assert isinstance(parse("*/5 * * * * *", UTC, 0), Expression)
    assert isinstance(parse("*/5 * * * *", UTC, 0), Expression)


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc/passwd", "/etc/passwd", "Europe", "\0", "a" * 255, "posix"])
def test_zones_that_are_none(name: str) -> None:
    with pytest.raises(BadSchedule, match="unknown time zone"):
        zone_of(name)


# -- the days when clocks change --------------------------------------------------------------------------------


def offset(moment: datetime, zone: tzinfo) -> timedelta:
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """Every moment in the years looked at when a zone's offset changes, to the minute."""
    zone = ZoneInfo(name)
    found = []
    day = START
    while day < END:
        low, high = day, day + DAY
        if offset(low, zone) != offset(high, zone):
            while high - low > MINUTE:
                middle = low + (high - low) // 2 // MINUTE * MINUTE
                low, high = (middle, high) if offset(middle, zone) == offset(day, zone) else (low, middle)
            found.append(high)
        day += DAY
    return tuple(found)


def walls(zone: tzinfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every minute in (start, end], and what the clock on the wall shows then."""
    moment = start
    while moment < end:
        moment += MINUTE
        yield moment, moment.astimezone(zone).replace(tzinfo=None, fold=0)


def kinds_of_change() -> list[tuple[str, datetime]]:
    """One zone and change for each way in which a clock changes: from what to what, at which time of day."""
    found: dict[object, tuple[str, datetime]] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for change in changes(name):
            wall = change.astimezone(zone)
            jump = wall.utcoffset() - offset(change - MINUTE, zone)  # type: ignore[operator]
            found.setdefault((jump, wall.hour, wall.minute), (name, change))
    return list(found.values())


KINDS = kinds_of_change()


def test_there_is_something_to_look_at() -> None:
    jumps = {offset(change, ZoneInfo(name)) - offset(change - MINUTE, ZoneInfo(name)) for name, change in KINDS}
    assert {timedelta(hours=1), timedelta(hours=-1), timedelta(minutes=30), timedelta(minutes=-30)} <= jumps
    assert len(available_timezones()) > 400


@pytest.mark.parametrize(
    ("minutes", "hours"), [((30,), (2,)), ((0, 20, 40), (0, 1, 2, 3)), ((15,), (23,)), ((0,), (3,))]
)
@pytest.mark.parametrize(("name", "change"), KINDS, ids=lambda value: str(value))
def test_named_hours_run_once(name: str, change: datetime, minutes: tuple[int, ...], hours: tuple[int, ...]) -> None:
    """By the definition: at the first moment at which the clock shows at least the named time."""
    zone = ZoneInfo(name)
    start, end = change - DAY, change + DAY
    day = start.astimezone(zone).replace(hour=0, minute=0, tzinfo=None)
    named = [day + timedelta(days=d, hours=h, minutes=m) for d in range(4) for h in hours for m in minutes]
    expected = set()
    shown = start.astimezone(zone).replace(tzinfo=None, fold=0)     # the latest time shown so far
    for moment, wall in walls(zone, start, end):
        expected |= {ms(moment) for time in named if shown < time <= wall}
        shown = max(shown, wall)
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    assert runs(text, zone, ms(start), ms(end)) == sorted(expected)


@pytest.mark.parametrize("minutes", [(0, 30), (7,), tuple(range(0, 60, 5))])
@pytest.mark.parametrize(("name", "change"), KINDS, ids=lambda value: str(value))
def test_every_hour_runs_whenever_the_clock_says_so(name: str, change: datetime, minutes: tuple[int, ...]) -> None:
    zone = ZoneInfo(name)
    start, end = change - DAY, change + DAY
    expected = [ms(moment) for moment, wall in walls(zone, start, end) if wall.minute in minutes]
    for text in (f"{','.join(map(str, minutes))} * * * *", f"{','.join(map(str, minutes))} 0-23 * * *"):
        assert runs(text, zone, ms(start), ms(end)) == expected


@pytest.mark.parametrize("text", ["30 2 * * *", "0 0 * * *", "30 1 * * *", "59 23 * * *"])
def test_a_daily_job_runs_once_a_day_in_every_zone(text: str) -> None:
    looked_at = 0
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for change in changes(name)[-3:]:
            local = (change - DAY).astimezone(zone).replace(hour=0, minute=0, second=0, fold=0)
            end = (local.replace(tzinfo=None) + 3 * DAY).replace(tzinfo=zone)
            found = runs(text, zone, ms(local) - 1, ms(end) - 1)
            assert len(found) == 3, (name, change)
            assert {round((b - a) / 86_400_000) for a, b in pairwise(found)} == {1}
            looked_at += 1
    assert looked_at > 300


def test_a_run_asked_for_in_the_middle_of_a_repeated_hour() -> None:
    zone = ZoneInfo("Europe/Berlin")
    second = at("2026-10-25T02:10:00+01:00")
    assert Expression("30 2 * * *", zone).next_after(second) == at("2026-10-26T02:30:00+01:00")
    assert Expression("30 * * * *", zone).next_after(second) == at("2026-10-25T02:30:00+01:00")
    assert Expression("0 3 * * *", zone).next_after(second) == at("2026-10-25T03:00:00+01:00")


def test_an_hourly_date_in_the_repeated_hour() -> None:
    """The next time named on the wall is an hour on; the repeated hour comes before it."""
    zone = ZoneInfo("Europe/Berlin")
    first = at("2026-10-25T02:45:00+02:00")
    assert Expression("30 * 25 10 *", zone).next_after(first) == at("2026-10-25T02:30:00+01:00")


def test_berlin_as_the_page_says() -> None:
    zone = ZoneInfo("Europe/Berlin")
    march = runs("30 2 * * *", zone, at("2026-03-28T12:00:00"), at("2026-03-30T12:00:00"))
    assert march == [at("2026-03-29T03:00:00+02:00"), at("2026-03-30T02:30:00+02:00")]
    october = runs("30 2 * * *", zone, at("2026-10-24T12:00:00"), at("2026-10-26T12:00:00"))
    assert october == [at("2026-10-25T02:30:00+02:00"), at("2026-10-26T02:30:00+01:00")]


@given(
    text=st.sampled_from(["*/7 * * * * *", "30 2 * * *", "*/15 * * * *", "0 0 1 * *", "5,35 1-3 * * *"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Antarctica/Troll"]),
    now=st.integers(ms(START), ms(END)),
    past=st.integers(0, 40 * 86_400_000),
)
def test_the_last_run_until_now(text: str, zone: str, now: int, past: int) -> None:
    schedule = Expression(text, ZoneInfo(zone))
    since = schedule.next_after(now - past)
    assert since is not None
    if since <= now:
        last = schedule.last_until(now, since)
        assert since <= last <= now
        assert schedule.next_after(last - 1) == last
        following = schedule.next_after(last)
        assert following is not None and following > now


@given(every=st.integers(1, 10**9), start=st.integers(0, 10**13), past=st.integers(0, 10**10))
def test_intervals(every: int, start: int, past: int) -> None:
    schedule = Interval(every, start)
    following = schedule.next_after(start + past)
    assert start + past < following <= start + past + every
    assert (following - start) % every == 0
    if following - every > start:
        assert schedule.last_until(start + past, start + every) == following - every
