"""Pulls jobs by credit: as many as there is room for, ahead of what runs by as much as is done in a moment."""
import asyncio
import logging
import time
from collections.abc import Sequence

from flashq.client import refusals
from flashq.client.aio import AsyncFlashQ
from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.errors import ClientClosed, CommandError, DeadlineExceeded, FlashQError
from flashq.client.shapes import Job
from flashq.worker.lanes import Lanes
from flashq.worker.pulse import Pulse
from flashq.worker.settle import Settler

MAX_PULL = 1000
MAX_PREFETCH = 2000
PREFETCH_SECONDS = 0.05     # of work that waits here while other workers might do it
MAX_OPEN = 20_000           # ends of jobs that were not answered; no more is pulled then
PULL_MS = 500               # a worker that drains waits for the answer: what came later would be lost for a while
PAUSE_SECONDS = 1.0         # after a refusal
SET_ASIDE_SECONDS = 10.0    # a queue whose pull was refused, while others are served
HOPELESS = (            # what waiting does not mend
    ClientClosed, refusals.AuthRequired, refusals.InvalidToken, refusals.InvalidQueueName, refusals.InvalidField,
    refusals.OutOfRange, refusals.FieldTooLong, refusals.Contradiction, refusals.UnknownCommand)
_LOG = logging.getLogger("flashq.worker")


class Feed:
    """Of one worker. `prefetch` is how many jobs may wait here beside those that run, None for what the speed
    says. Of `max_jobs` in all it pulls no more."""

    def __init__(
        self, client: AsyncFlashQ, lanes: Lanes, pulse: Pulse, settler: Settler, concurrency: int, prefetch: int | None,
        queues: Sequence[str], weights: Sequence[int] | None, names: Sequence[str] | None,
        versions: Sequence[int] | None, max_jobs: int | None = None,
    ) -> None:
        self._client = client
        self._lanes = lanes
        self._pulse = pulse
        self._settler = settler
        self._concurrency = concurrency
        self._fixed = prefetch
        self._queues = list(queues)
        self._weights = weights
        self._set_aside: dict[str, float] = {}      # queues that were refused, until when
        self._names = names
        self._versions = versions
        self._max_jobs = max_jobs
        self._rate = 0.0
        self._counted = 0
        self._counted_at = time.monotonic()
        self._room = asyncio.Event()
        self._stopping = False

    def room(self) -> None:
        """A job has ended: there may be room."""
        self._room.set()

    def stop(self) -> None:
        """Pull no more; what a pull on its way brings goes back uncounted."""
        self._stopping = True
        self._room.set()

    async def run(self) -> None:
        """Pull until stopped. What the server will refuse every time is raised."""
        while not self._stopping:
            want = self._credit()
            if want <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            try:
                self._take(await self._client.call(self._pull(want)))
            except HOPELESS:
                raise
            except DeadlineExceeded as error:
                if self._client.connected:      # else the worker has said so
                    _LOG.warning("%s", error)
            except FlashQError as error:
                if not (isinstance(error, CommandError) and await self._find_refused()):
                    _LOG.error("pulling failed: %s", error)
                    await asyncio.sleep(PAUSE_SECONDS)

    def _take(self, jobs: list[Job]) -> None:
        if self._stopping:
            self._settler.release(jobs)
        else:
            self._lanes.add(jobs)
            self._pulse.arrived(jobs)

    async def _find_refused(self) -> bool:
        """One queue may be why a pull of several was refused: ask each alone. Whether one was, and not all."""
        served = self._served()
        for queue in served:
            if self._credit() <= 0:
                break
            try:
                self._take(await self._client.call(self._pull_of([queue], 1, timeout=0)))
            except CommandError as error:
                self._set_aside[queue] = time.monotonic() + SET_ASIDE_SECONDS
                _LOG.error("queue %s is left out for %g s: %s", queue, SET_ASIDE_SECONDS, error)
            except FlashQError:
                return False        # the next pull says it again
        return 0 < len(self._served()) < len(served)

    def _served(self) -> list[str]:
        """Queues that are not set aside; all when all are."""
        now = time.monotonic()
        self._set_aside = {queue: until for queue, until in self._set_aside.items() if until > now}
        return [queue for queue in self._queues if queue not in self._set_aside] or self._queues

    def _credit(self) -> int:
        """How many to pull now; none while a later pull would bring more at once."""
        ahead = self._ahead()
        want = min(self._concurrency + ahead - self._lanes.held, MAX_PULL, MAX_OPEN - self._settler.open)
        if want < max(1, ahead // 2):
            return 0
        return want if self._max_jobs is None else min(want, self._max_jobs - self._lanes.finished - self._lanes.held)

    def _ahead(self) -> int:
        if self._fixed is not None:
            return self._fixed
        now, done = time.monotonic(), self._lanes.finished
        passed = now - self._counted_at
        if passed >= 0.001:
            self._rate = (self._rate + (done - self._counted) / passed) / 2
            self._counted, self._counted_at = done, now
        return min(MAX_PREFETCH, int(self._rate * PREFETCH_SECONDS))

    def _pull(self, count: int) -> Call[list[Job]]:
        return self._pull_of(self._served() if self._set_aside else self._queues, count, PULL_MS)

    def _pull_of(self, queues: Sequence[str], count: int, timeout: int) -> Call[list[Job]]:
        if len(queues) == 1:
            return calls.pull_batch(queues[0], count, names=self._names, versions=self._versions, timeout=timeout)
        weights = self._weights
        if weights is not None and len(queues) < len(self._queues):
            weights = [weight for queue, weight in zip(self._queues, weights, strict=True) if queue in queues]
        return calls.pull_batch(
            None, count, queues=queues, weights=weights, names=self._names, versions=self._versions, timeout=timeout)
