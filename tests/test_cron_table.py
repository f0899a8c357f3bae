"""The table of cron entries by itself: the rules of a late clock, the order and the budget of firings."""

import pytest

from flashq.scheduler.cron import MAX_CAUGHT_UP, CronTable, Entry
from flashq.scheduler.schedule import Interval

MINUTE = 60_000
HOUR = 60 * MINUTE


def table_entry(every: int, catchup: str, start: int = 0) -> Entry:
    schedule = Interval(every, start)
    return Entry("c", "q", b"", {}, schedule, None, catchup, "allow", start + every, 10)  # type: ignore[arg-type]


def unkept(entry: Entry, with_next: bool) -> None:
    """Nobody writes it down."""


def run_all(table: CronTable, now: int, budget: int = 1000) -> list[int]:
    """The slots that fire until nothing is due."""
    fired: list[int] = []
    slots = {}

    def push(entry: Entry) -> int:
        fired.append(slots["due"])
        return len(fired)

    while (due := table.due()) is not None and due <= now:
        slots["due"] = due
        table.run(now, push, lambda job: False, unkept, 1)
    return fired


@pytest.mark.parametrize(
    ("catchup", "late", "fired"),
    [
        ("none", 0, [1000]), ("none", 999, [1000]), ("none", 1000, [2000]), ("none", 5500, [6000]),
        ("last", 5500, [6000]), ("all", 5500, [1000, 2000, 3000, 4000, 5000, 6000]),
    ],
)
def test_slots_that_have_gone_by(catchup: str, late: int, fired: list[int]) -> None:
    table = CronTable()
    table.put(table_entry(1000, catchup))
    assert run_all(table, 1000 + late) == fired
    assert table.due() == (1000 + late) // 1000 * 1000 + 1000


@pytest.mark.parametrize(("late", "fires"), [(60_000, True), (60_001, False)])
def test_a_slot_is_missed_after_a_minute(late: int, fires: bool) -> None:
    for catchup in ("none", "last"):
        table = CronTable()
        table.put(table_entry(HOUR, catchup))
        assert bool(run_all(table, HOUR + late)) == (fires or catchup == "last")
        assert table.due() == 2 * HOUR


def test_catching_up_ends() -> None:
    table = CronTable()
    table.put(table_entry(1000, "all"))
    fired = run_all(table, 1000 * 1_000_000)
    assert len(fired) == MAX_CAUGHT_UP + 1
    assert (fired[0], fired[-2], fired[-1]) == (1000, 1000 * MAX_CAUGHT_UP, 1000 * 1_000_000)


def test_the_slot_is_used_up_also_when_the_push_raises() -> None:
    table = CronTable()
    table.put(table_entry(1000, "all"))

    def push(entry: Entry) -> int:
        raise MemoryError

    with pytest.raises(MemoryError):
        table.run(1000, push, lambda job: False, unkept, 10)
    assert table.due() == 2000


def test_entries_fire_in_the_order_of_their_slots_and_within_the_budget() -> None:
    table = CronTable()
    for name, every in (("b", 500), ("a", 700), ("c", 300)):
        one = table_entry(every, "all")
        one.name = name
        table.put(one)
    order: list[str] = []

    def push(entry: Entry) -> int:
        order.append(entry.name)
        return 1

    table.run(1000, push, lambda job: False, unkept, 2)
    assert order == ["c", "b"]
    table.run(1000, push, lambda job: False, unkept, 100)
    assert order == ["c", "b", "c", "a", "c", "b"]


def test_replacing_an_entry_for_ever_keeps_the_heap_small() -> None:
    table = CronTable()
    for n in range(10_000):
        table.put(table_entry(1000, "none", n))
    assert len(table) == 1 and len(table._slots) < 200 and table.size == 10
    assert table.due() == 9999 + 1000


def test_the_entries_of_a_queue() -> None:
    table = CronTable()
    for name, queue in (("a", "x"), ("b", "y"), ("c", "x")):
        one = table_entry(1000, "none")
        one.name, one.queue = name, queue
        table.put(one)
    assert table.of_queue("x") == ["a", "c"]
    table.remove("a")
    assert (table.of_queue("x"), table.of_queue("y"), table.of_queue("z")) == (["c"], ["b"], [])


def test_an_entry_is_kept_before_its_push_and_after_it_where_the_next_slot_asks_for_the_job() -> None:
    table = CronTable()
    for name, overlap in (("allowed", "allow"), ("skipping", "skip")):
        one = table_entry(1000, "none")
        one.name, one.overlap = name, overlap  # type: ignore[assignment]
        table.put(one)
    seen: list[tuple[object, ...]] = []

    def push(entry: Entry) -> int:
        seen.append(("push", entry.name))
        return 7

    def keep(entry: Entry, with_next: bool) -> None:
        seen.append((entry.name, entry.next_run, entry.executions, entry.skipped, entry.last_job, with_next))

    table.run(1000, push, lambda job: True, keep, 2)
    assert seen == [
        ("allowed", 2000, 1, 0, None, True), ("push", "allowed"),
        ("skipping", 2000, 1, 0, None, True), ("push", "skipping"), ("skipping", 2000, 1, 0, 7, False),
    ]
    seen.clear()
    table.run(2000, push, lambda job: True, keep, 2)
    assert seen == [
        ("allowed", 3000, 2, 0, None, True), ("push", "allowed"),
        ("skipping", 3000, 1, 1, 7, False),
    ]
