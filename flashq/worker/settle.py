"""Tells the server how attempts ended: acknowledgements without a result go together, once in a turn of the loop."""
import asyncio
import logging
from collections.abc import Iterable, Sequence
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
        self._told: list[tuple[Job, Call[None]]] = []
        self._flushing = False
        self._under_way: set[asyncio.Task[None]] = set()

    def settle(self, job: Job, outcome: Outcome) -> None:
        """Tell it soon: with the others of this turn of the loop."""
        if outcome is DONE:
            self._done.append(job)
        elif (call := outcome.call(job, deadline=DEADLINE)) is not None:
            self._told.append((job, call))
        else:
            return
        self.open += 1
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
        told, self._told = self._told, []
        for at in range(0, len(done), MAX_BATCH):
            self._begin(self._acknowledge(done[at:at + MAX_BATCH]))
        if told:
            self._begin(self._tell(told))

    def _begin(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _acknowledge(self, jobs: list[Job]) -> None:
        ids, tokens = [job.id for job in jobs], [job.token or 0 for job in jobs]
        try:
            self.refused += len(jobs) - await self._client.call(
                calls.ack_batch(ids, tokens=tokens, deadline=DEADLINE))
        except FlashQError as error:
            self._lost(len(jobs), error)
        finally:
            self.open -= len(jobs)

    async def _tell(self, told: Sequence[tuple[Job, Call[None]]]) -> None:
        try:
            answers = await self._client.call_many([call for _, call in told])
            for (job, call), answer in zip(told, answers, strict=True):
                if answer is not None:
                    await self._not_taken(job, call, answer)
        except ClientClosed as error:
            self._lost(len(told), error)
        finally:
            self.open -= len(told)

    async def _not_taken(self, job: Job, call: Call[None], error: FlashQError) -> None:
        """The job was another's by then; or, of a second sending, the first had told it; or something was wrong."""
        if isinstance(error, JobNotFound | StaleToken):
            self.refused += not error.sent_again
        elif isinstance(error, CommandError) and call.command == "ACK":
            # It is the result, most likely its size: another attempt would only make it again.
            _LOG.warning("job %d: its result was refused: %s", job.id, error)
            await self._client.call_many([calls.fail(job, f"the result was refused: {error}", retry=False)])
        else:
            self._lost(1, error)

    def _lost(self, count: int, error: FlashQError) -> None:
        what, whom = ("1 job", "it") if count == 1 else (f"{count} jobs", "them")
        _LOG.warning("the server could not be told how %s ended, and will have %s run again: %s", what, whom, error)

    async def flush(self) -> None:
        """All ends are answered."""
        while self._flushing or self._under_way:
            if self._under_way:
                await asyncio.wait(set(self._under_way))
            else:
                await asyncio.sleep(0)
