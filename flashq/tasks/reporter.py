"""What carries to the server what handlers tell of their jobs."""
import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

from flashq.client.call import Call
from flashq.client.errors import ConnectionLost, DeadlineExceeded, FlashQError
from flashq.client.refusals import JobNotActive, JobNotFound, StaleToken
from flashq.tasks.context import CurrentJob

_LOG = logging.getLogger("flashq.tasks")


class ClientReporter:
    """Reports by a client of the loop that runs the jobs."""

    def __init__(self, send: Callable[[Call[Any]], Any], limit: int = 10_000) -> None:
        """`send`: what carries a call out, a coroutine function. Beyond `limit` under way, reports are dropped."""
        self._send = send
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._under_way: set[asyncio.Task[None]] = set()
        self.dropped = 0

    def report(self, current: CurrentJob, call: Call[Any]) -> None:
        """From any thread."""
        if threading.get_ident() == self._thread:
            self._begin(current, call)
        else:
            self._loop.call_soon_threadsafe(self._begin, current, call)

    def _begin(self, current: CurrentJob, call: Call[Any]) -> None:
        if len(self._under_way) >= self._limit:
            self.dropped += 1
            return
        task = self._loop.create_task(self._carry(current, call))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, current: CurrentJob, call: Call[Any]) -> None:
        try:
            await self._send(call)
        except (JobNotActive, JobNotFound, StaleToken):
            current.stop("lost")
        except FlashQError as error:    # what a handler says on the way is worth no failure of its job
            self.dropped += 1
            if not (call.command == "HEARTBEAT" and isinstance(error, ConnectionLost | DeadlineExceeded)):
                _LOG.warning("job %d: %s", current.id, error)

    async def flush(self) -> None:
        """All that was reported is answered."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))
