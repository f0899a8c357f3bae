"""Work that the clock sets off in the server layer: one loop timer for all of it, armed for what comes first."""
import traceback
from collections.abc import Callable, Iterable
from typing import Protocol

LONGEST_WAIT_MS = 30_000    # the wall clock may be set meanwhile
RETRY_MS = 1000             # after a failure


class Task(Protocol):
    """Something that is to be done at times."""

    def due_in(self) -> int | None:
        """ms until `run` should be called; None when nothing waits for time."""
        ...

    def run(self) -> None:
        """Do what is due, for about a millisecond; what is left is due at once."""
        ...


class Timer(Protocol):
    """What a loop gives back."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """What is needed of the event loop."""

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Timer: ...


class Hub(Protocol):
    """What is needed of the hub."""

    def turn(self, work: Callable[[], None]) -> None: ...


class Log(Protocol):
    """Where failures are told."""

    def __call__(self, event: str, /, **fields: object) -> object: ...


class Background:
    """Owns the timer. `wake` must be called whenever a task may have become due earlier."""

    def __init__(self, hub: Hub, loop: Loop, tasks: Iterable[Task], log: Log) -> None:
        self._hub = hub
        self._loop = loop
        self._tasks = tuple(tasks)
        self._log = log
        self._timer: Timer | None = None
        self._closed = False

    def wake(self) -> None:
        """Arm the timer for what is due first."""
        waits = [wait for task in self._tasks if (wait := task.due_in()) is not None]
        self._arm(min(max(min(waits), 0), LONGEST_WAIT_MS) if waits else None)

    def add(self, task: Task) -> None:
        """One more that is to be done at times."""
        self._tasks += (task,)

    def close(self) -> None:
        """Nothing is run any more."""
        self._closed = True
        self._arm(None)

    def _arm(self, wait_ms: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_ms is not None and not self._closed:
            self._timer = self._loop.call_later(wait_ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self._hub.turn(self._run)
            self.wake()
        except Exception:
            self._log("background_failed", exception=traceback.format_exc())
            self._arm(RETRY_MS)

    def _run(self) -> None:
        for task in self._tasks:
            wait = task.due_in()
            if wait is not None and wait <= 0:
                task.run()
