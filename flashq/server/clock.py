"""Where the time of a server comes from: the machine's clocks, or one that is handed to it."""
import time
from collections.abc import Callable
from typing import Protocol

from flashq.server.background import Loop


class Clock(Loop, Protocol):
    """Everything that a server does at times, it does by this. The callbacks run in the server's event loop."""

    def read(self) -> tuple[int, int]:
        """Wall ms since 1970, and ms of a clock that is never set back."""
        ...


Reading = Callable[[], tuple[int, int]]


def machine_clock() -> tuple[int, int]:
    """Wall and monotonic ms."""
    return int(time.time() * 1000), int(time.monotonic() * 1000)
