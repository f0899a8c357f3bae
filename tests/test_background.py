"""The one timer of the server layer: armed for what is due first, and back after a failure."""

from collections.abc import Callable

from flashq.server.background import LONGEST_WAIT_MS, RETRY_MS, Background
from support.simulated import VirtualLoop


class FakeHub:
    """Runs what it is given, and counts."""

    def __init__(self) -> None:
        self.turns = 0

    def turn(self, work: Callable[[], None]) -> None:
        self.turns += 1
        work()


class FakeTask:
    """Due at times that the test sets, by the loop's clock."""

    def __init__(self, loop: VirtualLoop, due: int | None, every: int | None = None) -> None:
        self.loop = loop
        self.due = None if due is None else loop.mono + due
        self.every = every
        self.runs: list[int] = []
        self.fails = 0

    def due_in(self) -> int | None:
        return None if self.due is None else self.due - self.loop.mono

    def run(self) -> None:
        self.due = None if self.every is None else self.loop.mono + self.every
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a fault")
        self.runs.append(self.loop.mono)


def background(loop: VirtualLoop, *tasks: FakeTask) -> tuple[Background, FakeHub, list[str]]:
    hub, told = FakeHub(), []

    def log(event: str, /, **fields: object) -> None:
        told.append(event)

    return Background(hub, loop, tasks, log), hub, told  # type: ignore[arg-type]


def test_nothing_waits() -> None:
    loop = VirtualLoop()
    made, _, _ = background(loop, FakeTask(loop, None))
    made.wake()
    assert loop.next_due() is None


def test_each_task_runs_when_it_is_due_and_no_other() -> None:
    loop = VirtualLoop()
    start = loop.mono
    one, two = FakeTask(loop, 100, 100), FakeTask(loop, 250)
    made, hub, _ = background(loop, one, two)
    made.wake()
    loop.advance(400)
    assert [at - start for at in one.runs] == [100, 200, 300, 400]
    assert [at - start for at in two.runs] == [250]
    assert hub.turns == 5


def test_waking_brings_the_timer_forward_and_leaves_one() -> None:
    loop = VirtualLoop()
    task = FakeTask(loop, 10_000)
    made, hub, _ = background(loop, task)
    made.wake()
    task.due = loop.mono + 5
    made.wake()
    made.wake()
    loop.advance(20_000)
    assert len(task.runs) == 1 and hub.turns == 1


def test_it_looks_again_when_the_wall_clock_may_have_been_set() -> None:
    loop = VirtualLoop()
    task = FakeTask(loop, 100 * LONGEST_WAIT_MS)
    made, hub, _ = background(loop, task)
    made.wake()
    loop.advance(LONGEST_WAIT_MS)
    assert (hub.turns, task.runs) == (1, [])


def test_a_failure_is_logged_and_tried_again_later() -> None:
    loop = VirtualLoop()
    task = FakeTask(loop, 10, 10)
    task.fails = 1
    made, _, told = background(loop, task)
    made.wake()
    loop.advance(10 + RETRY_MS - 1)
    assert told == ["background_failed"] and task.runs == []
    loop.advance(100)
    assert len(task.runs) > 5


def test_after_close_nothing_runs() -> None:
    loop = VirtualLoop()
    task = FakeTask(loop, 10, 10)
    made, hub, _ = background(loop, task)
    made.wake()
    made.close()
    made.wake()
    loop.advance(1000)
    assert hub.turns == 0
