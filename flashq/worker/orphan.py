"""Notices that the process that started this one is gone: its end of our stdin is closed then."""
import os
import threading
from collections.abc import Callable


def when_orphaned(act: Callable[[], object]) -> None:
    """Call it, in a thread of its own, when stdin ends."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=watch, name="flashq-orphan", daemon=True).start()
