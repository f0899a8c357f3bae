"""Lanes: tasks of the event loop that run jobs one after the other, as many lanes as jobs may run at once.

A lane, and not each job, has a task of its own: a handler that never waits then costs no turn of the loop. All that a
job may change for those after it in its lane is undone (cancellation), or ends the lane (context variables).
"""
import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context

from flashq.client.shapes import Job
from flashq.tasks.context import CurrentJob, Reporter, StopReason
from flashq.tasks.outcome import Outcome

SLICE_SECONDS = 0.002       # of running handlers that never wait, until the loop has a turn
WOKEN_AT_ONCE = 16

Execute = Callable[[CurrentJob], Awaitable[Outcome]]
Finished = Callable[[CurrentJob, Outcome], object]


class Lanes:
    """Up to `limit` of them. `waiting` are jobs that no lane has taken, `running` those that one has, by id."""

    def __init__(self, limit: int, reporter: Reporter, execute: Execute, finished: Finished) -> None:
        self.waiting: deque[Job] = deque()
        self.running: dict[int, CurrentJob] = {}
        self.finished = 0
        self._limit = limit
        self._reporter = reporter
        self._execute = execute
        self._tell = finished
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._lanes: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._waking = 0
        self._slice_end = 0.0
        self._in_slice = False
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def held(self) -> int:
        """Jobs that wait or run."""
        return len(self.waiting) + len(self.running)

    def add(self, jobs: Iterable[Job]) -> None:
        """Run these."""
        self.waiting.extend(jobs)
        if self.waiting:
            self._empty.clear()
            self._wake()

    def find(self, id: int) -> CurrentJob | None:
        """A job that runs."""
        return self.running.get(id)

    def drop(self, id: int) -> None:
        """A job that waits is not to be run: it was cancelled, or is another worker's."""
        if any(job.id == id for job in self.waiting):
            self.waiting = deque(job for job in self.waiting if job.id != id)
            self._look_empty()

    def take_waiting(self) -> list[Job]:
        """Those that wait; nobody runs them any more."""
        taken = list(self.waiting)
        self.waiting.clear()
        self._look_empty()
        return taken

    def stop(self, reason: StopReason) -> None:
        """All that run: async handlers are interrupted."""
        for current in list(self.running.values()):
            current.stop(reason)

    async def empty(self) -> None:
        """Nothing waits or runs."""
        await self._empty.wait()

    async def close(self) -> None:
        """End the lanes, whatever they do; nobody is told how their jobs ended."""
        self._closed = True
        self.running.clear()
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)

    # -- waking -------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Some lanes, which wake others in turn when there is more than they can take."""
        wanted = min(len(self.waiting), WOKEN_AT_ONCE) - self._waking
        while wanted > 0 and (self._idle or len(self._lanes) < self._limit):
            self._waking += 1
            wanted -= 1
            if self._idle:
                self._idle.pop().set_result(None)
            else:
                self._start()

    def _start(self) -> None:
        lane = self._loop.create_task(self._run(), context=self._context.copy())
        self._lanes.add(lane)
        lane.add_done_callback(self._ended)

    def _ended(self, lane: "asyncio.Task[None]") -> None:
        self._lanes.discard(lane)
        if not lane.cancelled() and (error := lane.exception()) is not None:
            self._loop.call_exception_handler({"message": "a lane of the worker ended", "exception": error})
        if self.waiting:
            self._wake()

    def _look_empty(self) -> None:
        if not self.waiting and not self.running:
            self._empty.set()

    # -- running ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        clean = copy_context()
        self._waking -= 1
        while not self._closed:
            if not self.waiting:
                await self._sleep()
                continue
            await self._one(self.waiting.popleft())
            if copy_context() != clean:
                return      # a handler has set context variables: the next job must not see them
            if self._over():
                await asyncio.sleep(0)

    async def _sleep(self) -> None:
        woken = self._loop.create_future()
        self._idle.append(woken)
        await woken
        self._waking -= 1

    async def _one(self, job: Job) -> None:
        current = CurrentJob(job, self._reporter)
        self.running[job.id] = current
        if self.waiting and not self._waking:
            self._wake()
        try:
            outcome = await self._execute(current)
        finally:
            ours = self.running.get(job.id) is current
            if ours:
                del self.running[job.id]
            self.finished += 1
            if not self.waiting and not self.running:
                self._empty.set()
        if ours:
            self._tell(current, outcome)

    def _over(self) -> bool:
        """Whether the loop should have a turn; all lanes that run in one of its turns share a slice of time."""
        if self._in_slice:
            return time.monotonic() >= self._slice_end
        self._in_slice = True
        self._slice_end = time.monotonic() + SLICE_SECONDS
        self._loop.call_soon(self._end_slice)
        return False

    def _end_slice(self) -> None:
        self._in_slice = False
