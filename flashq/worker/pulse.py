"""Heartbeats: in time for jobs with a stall_timeout, and for others so that a lost reservation is noticed."""
import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial

from flashq.client.calls import jobs as calls
from flashq.client.shapes import Job
from flashq.tasks.context import CurrentJob, Reporter
from flashq.worker.lanes import Lanes

EVERY_SECONDS = 5.0         # for jobs without stall_timeout: a server that forgot them says so
SHORTEST_SECONDS = 0.02
PARTS = 3                   # heartbeats in one stall_timeout


class Pulse:
    """Of one worker: looks at its jobs as often as the most impatient of them wants.

    While `connected` says that there is no connection it is silent, and beats as soon as there is one again.
    """

    def __init__(self, lanes: Lanes, reporter: Reporter, connected: Callable[[], bool]) -> None:
        self._connected = connected
        self._lanes = lanes
        self._reporter = reporter
        self._beaten: dict[int, float] = {}
        self._news = asyncio.Event()

    def arrived(self, jobs: Iterable[Job]) -> None:
        """These were delivered: some may want a heartbeat before the next look."""
        if any(job.stall_timeout for job in jobs):
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat()):
                    await self._news.wait()
            self._news.clear()

    def _beat(self) -> float:
        """Seconds until the next look."""
        now, wait, connected = time.monotonic(), 1.0, self._connected()
        beaten: dict[int, float] = {}
        for current in [*self._lanes.running.values(), *map(self._waits, self._lanes.waiting)]:
            stall_ms = current.job.stall_timeout
            every = max(SHORTEST_SECONDS, stall_ms / PARTS / 1000) if stall_ms else EVERY_SECONDS
            last = self._beaten.get(current.id, now)
            if connected and now - last >= every and not current.cancelled:
                self._reporter.report(current, calls.heartbeat(current.job))
                last = now
            beaten[current.id] = last
            wait = min(wait, every / 2)
        self._beaten = beaten
        return wait

    def _waits(self, job: Job) -> CurrentJob:
        """One that no lane has yet: it is dropped when it is lost."""
        current = CurrentJob(job, self._reporter)
        current.interruptible(partial(self._lanes.drop, job.id))
        return current
