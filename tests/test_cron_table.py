"""The table of cron entries by itself: the rules of a late clock, the order and the budget of firings."""

import pytest

from flashq.scheduler.cron import MAX_CAUGHT_UP, CronTable, Entry
from flashq.scheduler.schedule import Interval

MINUTE = 60_000
HOUR = 60 * MINUTE


def table_entry(every: int, catchup: str, start: int = 0) -> Entry:
    schedule = Interval(every, start)
    return Entry("c", "q", b"", {}, schedule, None, catchup, "allow", start + every, 10)  # type: ignore[arg-type]


def run_all(table: CronTable, now: int, budget: int = 1000) -> list[int]:
    """The slots that fire until nothing is due."""
    fired: list[int] = []
    slots = {}

    def push(entry: Entry) -> int:
        fired.append(slots["due"])
        return len(fired)

    while (due := table.due()) is not None and due <= now:
        slots["due"] = due
        table.run(now, push, lambda job: False, 1)
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
        table.run(1000, push, lambda job: False, 10)
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

    table.run(1000, push, lambda job: False, 2)
    assert order == ["c", "b"]
    table.run(1000, push, lambda job: False, 100)
    assert order == ["c", "b", "c", "a", "c", "b"]


def test_replacing_an_entry_for_ever_keeps_the_heap_small() -> None:
    table = CronTable()
    for n in range(10_000):
        table.put(table_entry(1000, "none", n))
    assert len(table) == 1 and len(table._slots) < 200 and table.size == 10
    assert table.due() == 9999 + 1000


def test_the_entries_of_a_queue_go_together() -> None:
    table = CronTable()
    for name, queue in (("a", "x"), ("b", "y"), ("c", "x")):
        one = table_entry(1000, "none")
        one.name, one.queue = name, queue
        table.put(one)
    assert table.remove_queue("x") == 2
    assert [one.name for one in table] == ["b"]
    assert table.remove_queue("x") == 0
