"""Pulls jobs by credit: as many as there is room for, ahead of what runs by as much as is done in a moment."""
import asyncio
import logging
import time
from collections.abc import Sequence

from flashq.client import refusals
from flashq.client.aio import AsyncFlashQ
from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.errors import ClientClosed, DeadlineExceeded, FlashQError
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
                jobs = await self._client.call(self._pull(want))
                if self._stopping:
                    self._settler.release(jobs)
                else:
                    self._lanes.add(jobs)
                    self._pulse.arrived(jobs)
            except HOPELESS:
                raise
            except DeadlineExceeded as error:
                _LOG.warning("%s", error)
            except FlashQError as error:
                _LOG.error("pulling failed: %s", error)
                await asyncio.sleep(PAUSE_SECONDS)

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
        if len(self._queues) == 1:
            return calls.pull_batch(
                self._queues[0], count, names=self._names, versions=self._versions, timeout=PULL_MS)
        return calls.pull_batch(
            None, count, queues=self._queues, weights=self._weights, names=self._names, versions=self._versions,
            timeout=PULL_MS)
