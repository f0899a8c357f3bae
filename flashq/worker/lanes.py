"""Lanes: tasks of the event loop that run jobs one after the other, as many lanes as jobs may run at once.

A lane, and not each job, has a task of its own: a handler that never waits then costs no turn of the loop. All that a
job may change for those after it in its lane is undone (cancellation), or ends the lane (context variables).
"""
import asyncio
import time
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import copy_context
from typing import Any, TypeVar

from flashq.client.shapes import Job
from flashq.tasks.context import CurrentJob, Reporter, StopReason
from flashq.tasks.outcome import Outcome

SLICE_SECONDS = 0.002       # of running handlers that never wait, until the loop has a turn
CLOSE_SECONDS = 1.0
AWAKE_AT_ONCE = 16          # lanes that look for jobs, while jobs wait and handlers do as well

T = TypeVar("T")
Execute = Callable[[CurrentJob], Coroutine[Any, Any, Outcome]]
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
        self._awake = 0             # lanes that run a handler which has not waited yet, or look for a job
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
            if not self._awake:
                self._wake(1)

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

    async def close(self) -> bool:
        """End the lanes; nobody is told how their jobs ended. Whether that went well: a handler may not heed it."""
        self._closed = True
        self.running.clear()
        for lane in self._lanes:
            lane.cancel()
        if not self._lanes:
            return True
        _, left = await asyncio.wait(set(self._lanes), timeout=CLOSE_SECONDS)
        return not left

    # -- waking -------------------------------------------------------------------------------------------------------

    def _wake(self, wanted: int) -> None:
        """Have so many lanes awake, if there are as many jobs.

        One is enough for handlers that never wait. When one does wait, others have to take its place.
        """
        wanted = min(wanted, self._awake + len(self.waiting))
        while self._awake < wanted and (self._idle or len(self._lanes) < self._limit):
            self._awake += 1
            if self._idle:
                self._idle.pop().set_result(None)
            else:
                lane = self._loop.create_task(self._run(), context=self._context.copy())
                self._lanes.add(lane)
                lane.add_done_callback(self._ended)

    def _ended(self, lane: "asyncio.Task[None]") -> None:
        self._lanes.discard(lane)
        if not lane.cancelled() and (error := lane.exception()) is not None:
            self._loop.call_exception_handler({"message": "a lane of the worker ended", "exception": error})
        self._awake -= 1
        if self.waiting:
            self._wake(1)

    def _look_empty(self) -> None:
        if not self.waiting and not self.running:
            self._empty.set()

    # -- running ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        lane, clean = asyncio.current_task(), copy_context()
        while not self._closed:
            if not self.waiting:
                await self._sleep()
                continue
            await self._one(self.waiting.popleft(), lane)
            if copy_context() != clean:
                return      # a handler has set context variables: the next job must not see them
            if self._over():
                await asyncio.sleep(0)

    async def _sleep(self) -> None:
        woken = self._loop.create_future()
        self._idle.append(woken)
        self._awake -= 1
        await woken

    async def _one(self, job: Job, lane: "asyncio.Task[None] | None") -> None:
        current = CurrentJob(job, self._reporter)
        current.runs_in = lane
        self.running[job.id] = current
        outcome = await noticed(self._execute(current), self)
        ours = self.running.get(job.id) is current
        if ours:
            del self.running[job.id]
        self.finished += 1
        if not self.waiting and not self.running:
            self._empty.set()
        if ours:
            self._tell(current, outcome)

    def suspended(self) -> None:
        """The handler of an awake lane waits: others may run."""
        self._awake -= 1
        self._wake(AWAKE_AT_ONCE)

    def resumed(self) -> None:
        """It has ended, and its lane looks for the next job."""
        self._awake += 1

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


@types.coroutine
def noticed(work: Coroutine[Any, Any, T], lanes: Lanes) -> Generator[Any, Any, T]:
    """Awaits the work, and tells the lanes if it waits for something. As `yield from`, but for that."""
    try:
        awaited = work.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    lanes.suspended()
    try:
        while True:
            try:
                sent = yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(sent)
    except StopIteration as end:
        done = end.value
        return done
    finally:
        lanes.resumed()
