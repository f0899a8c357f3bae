"""A thread that looks at the server again and again, and does what the keys ask for: the screen never waits for it."""

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flashq.cli.output import now_ms
from flashq.cli.top.readings import History, Reading, View

if TYPE_CHECKING:
    from flashq.client import FlashQ

Action = Callable[["FlashQ"], str]


def _nothing(_client: "FlashQ") -> str:
    return ""


def look(client: "FlashQ", names: frozenset[str], workers: int, seconds: float) -> Reading:
    """One reading; of the queues with these names also how old the oldest waiting job is, and so many workers.
    FlashQError."""
    queues, metrics = client.list_queues(deadline=seconds), client.metrics(deadline=seconds)
    listed = client.workers(limit=workers, deadline=seconds).workers if workers else []
    oldest: dict[str, int] = {}
    for one in queues:
        waiting = one.pending - one.delayed
        if one.name in names and waiting > 0:
            page = client.get_jobs(one.name, "waiting", limit=1, offset=waiting - 1, deadline=seconds)
            if page.jobs:
                oldest[one.name] = max(now_ms() - page.jobs[0].created_at, 0)
    return Reading(time.monotonic(), metrics, queues, oldest, tuple(listed))


class Watcher:
    """Owns the thread. What it found is in `view`, `error` (None while the server answers) and `said`."""

    def __init__(self, client: "FlashQ", every: float, seconds: float) -> None:
        self.view: View | None = None
        self.error: str | None = None
        self.lost_at = time.monotonic()     # of the last answer: since then there has been none
        self.said = ""                      # what became of the last action
        self.names: frozenset[str] = frozenset()    # queues on the screen
        self.workers = 0                    # most that are listed
        self.changes = 0                    # counts up whenever something is new
        self.crash: Exception | None = None     # a bug: what ended the thread
        self._client = client
        self._every = every
        self._seconds = seconds
        self._actions: queue.Queue[Action | None] = queue.Queue()
        self._history = History()
        self._thread = threading.Thread(target=self._run, name="flashq-top", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. A call that waits for a lost server is not waited for."""
        self._actions.put(None)

    def do(self, action: Action) -> None:
        """Soon; `said` tells how it went."""
        self._actions.put(action)

    def look_now(self) -> None:
        """Before it is time."""
        self._actions.put(_nothing)

    def _run(self) -> None:
        try:
            self._watch()
        except Exception as error:  # for the thread that draws, which raises it
            self.crash = error

    def _watch(self) -> None:
        """Looks at fixed times, and at once after an action."""
        due = time.monotonic()
        while True:
            self._look()
            if due <= time.monotonic():     # a look at an action comes beside them, and puts none off
                due = max(due + self._every, time.monotonic())
            try:
                action = self._actions.get(timeout=max(due - time.monotonic(), 0))
            except queue.Empty:
                continue
            if action is None:
                return
            self._act(action)

    def _look(self) -> None:
        from flashq.client import ClientClosed, FlashQError

        try:
            reading = look(self._client, self.names, self.workers, self._seconds)
        except ClientClosed:
            return
        except FlashQError as error:
            self.error = str(error)
        else:
            self.view, self.error, self.lost_at = self._history.add(reading), None, time.monotonic()
        self.changes += 1

    def _act(self, action: Action) -> None:
        from flashq.client import FlashQError

        try:
            self.said = action(self._client)
        except FlashQError as error:
            self.said = str(error)
        self.changes += 1
