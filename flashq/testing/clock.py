"""The time of a test server: it flows with the machine's, or stands still, and is set forward by the test."""
import asyncio
import math
import time
from collections.abc import Callable
from typing import Any


def _machine_ms() -> int:
    return int(time.monotonic() * 1000)


class Timer:
    """What `call_later` gives back."""

    __slots__ = ("callback", "due", "order", "owner")

    def __init__(self, owner: "VirtualClock", due: int, order: int, callback: Callable[[], object]) -> None:
        self.owner = owner
        self.due = due          # monotonic ms of the clock
        self.order = order
        self.callback = callback

    def cancel(self) -> None:
        """It will not run."""
        self.owner.forget(self)


class VirtualClock:
    """Both clocks of a server in ms, and the timers set on them. All but `now` belongs to the thread of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: int, frozen: bool) -> None:
        self._loop = loop
        self._frozen = frozen
        self._ahead = 0                     # of the machine's monotonic clock
        self._held: int | None = None       # where it stands still
        if frozen:
            self._held = _machine_ms()
        self._since_1970 = now - self.mono
        self._timers: set[Timer] = set()    # a handful: one for the hub, one for the rooms, one a slow connection
        self._set = 0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def mono(self) -> int:
        """Monotonic ms."""
        held = self._held
        return _machine_ms() + self._ahead if held is None else held

    @property
    def now(self) -> int:
        """Wall ms since 1970."""
        return self.mono + self._since_1970

    def read(self) -> tuple[int, int]:
        """As flashq/server/clock.py wants it."""
        mono = self.mono
        return mono + self._since_1970, mono

    def call_later(self, seconds: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Run it in the loop, once so much of this clock's time has passed."""
        # Rounding first: 0.001 * 1000 is a little more than 1.
        due = self.mono + math.ceil(round(seconds * 1000, 3))
        self._set += 1
        timer = Timer(self, due, self._set, lambda: callback(*args))
        self._timers.add(timer)
        self._arm()
        return timer

    def forget(self, timer: Timer) -> None:
        """It was cancelled."""
        self._timers.discard(timer)

    def next_due(self) -> int | None:
        """Monotonic ms of the first timer; None without one."""
        return min((timer.due for timer in self._timers), default=None)

    def run_due(self) -> int:
        """Run the timers that are due now, in their order; how many. What they set is not run here."""
        mono = self.mono
        due = sorted((timer for timer in self._timers if timer.due <= mono), key=lambda timer: (timer.due, timer.order))
        ran = 0
        for timer in due:
            if timer in self._timers:       # else one before it has cancelled it
                self._timers.discard(timer)
                timer.callback()
                ran += 1
        return ran

    def hold(self, mono: int | None = None) -> None:
        """Stand still: at this time, or now. It is never set back."""
        self._held = max(self.mono, mono or 0)

    def release(self) -> None:
        """Flow on from where it stands, unless it is frozen."""
        if self._held is not None and not self._frozen:
            self._ahead = self._held - _machine_ms()
            self._held = None
        self._arm()

    def close(self) -> None:
        """No timer runs any more."""
        self._timers.clear()
        self._arm()

    def _arm(self) -> None:
        """One timer of the loop for the first of these; none while the clock stands still before it."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due = self.next_due()
        if due is None:
            return
        wait = max(due - self.mono, 0)
        if wait == 0 or self._held is None:
            self._alarm = self._loop.call_later(wait / 1000, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        try:
            self.run_due()
        finally:
            self._arm()
