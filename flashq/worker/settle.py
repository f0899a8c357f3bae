"""Tells the server how attempts ended: acknowledgements without a result go together, once in a turn of the loop."""
import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from flashq.client.aio import AsyncFlashQ
from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.errors import ClientClosed, CommandError, FlashQError
from flashq.client.refusals import JobNotFound, StaleToken
from flashq.client.shapes import Job
from flashq.tasks.outcome import DONE, Outcome

MAX_BATCH = 1000
DEADLINE = 120.0        # seconds for one request: the server may be restarting
RELEASED = Outcome("released")
_LOG = logging.getLogger("flashq.worker")


class Settler:
    """Of one worker. `open` counts the jobs whose end was not answered yet; `refused` those that were lost by then."""

    def __init__(self, client: AsyncFlashQ) -> None:
        self.open = 0
        self.refused = 0
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._done: list[Job] = []
        self._flushing = False
        self._under_way: set[asyncio.Task[None]] = set()

    def settle(self, job: Job, outcome: Outcome) -> None:
        """Tell it soon: with the others of this turn of the loop."""
        if outcome is not DONE:
            call = outcome.call(job)
            if call is not None:
                self.open += 1
                self._begin(self._tell(job, call))
            return
        self.open += 1
        self._done.append(job)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def release(self, jobs: Iterable[Job]) -> None:
        """Back to their queues, uncounted."""
        for job in jobs:
            self.settle(job, RELEASED)

    def _flush(self) -> None:
        self._flushing = False
        done, self._done = self._done, []
        for at in range(0, len(done), MAX_BATCH):
            self._begin(self._acknowledge(done[at:at + MAX_BATCH]))

    def _begin(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _acknowledge(self, jobs: list[Job]) -> None:
        try:
            if len(jobs) == 1:
                await self._once(jobs[0], calls.ack(jobs[0], deadline=DEADLINE))
                return
            ids, tokens = [job.id for job in jobs], [job.token or 0 for job in jobs]
            self.refused += len(jobs) - await self._client.call(
                calls.ack_batch(ids, tokens=tokens, deadline=DEADLINE))
        except FlashQError as error:
            self._lost(jobs, error)
        finally:
            self.open -= len(jobs)

    async def _tell(self, job: Job, call: Call[None]) -> None:
        try:
            await self._once(job, call)
        except CommandError as error:
            # What was wrong is the result, most likely its size: another attempt would only make it again.
            with contextlib.suppress(FlashQError):
                await self._once(job, calls.fail(job, f"the result was refused: {error}", retry=False))
            _LOG.warning("job %d: %s was refused: %s", job.id, call.command, error)
        except FlashQError as error:
            self._lost([job], error)
        finally:
            self.open -= 1

    async def _once(self, job: Job, call: Call[None]) -> None:
        """Refused as not found, a second sending was done by the first; else the job was another's by then."""
        try:
            await self._client.call(call)
        except JobNotFound as error:
            self.refused += not error.sent_again
        except StaleToken:
            self.refused += 1

    def _lost(self, jobs: list[Job], error: FlashQError) -> None:
        if not isinstance(error, ClientClosed):
            _LOG.warning("%d jobs are done, but the server could not be told, and will have them run again: %s",
                         len(jobs), error)

    async def flush(self) -> None:
        """All ends are answered."""
        while self._flushing or self._under_way:
            if self._under_way:
                await asyncio.wait(set(self._under_way))
            else:
                await asyncio.sleep(0)
