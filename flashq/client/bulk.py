"""Work of many calls, planned here once and carried out by both clients: large pushes, and listings by pages."""
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Literal

from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.calls import reading
from flashq.client.defaults import MAX_BATCH
from flashq.client.errors import FlashQError
from flashq.client.results import BatchResult, JobPage, RefusedItem
from flashq.client.shapes import Job, PushOptions
from flashq.client.wire import Packed, Wire

CHUNKS_IN_FLIGHT = 8            # the server is never idle, and little is kept for sending again
FRAME_ROOM = 1024               # bytes of a frame around the fields of a push
PAGE = 100
Durability = Literal["memory", "interval", "commit"]


class PushInterrupted(FlashQError):
    """A large push ended early; the cause is its `__cause__`.

    `done` is what is known to be taken, with places counted from the first job on; `open` are the ranges of places of
    which nothing is known, or that were refused as a whole. Jobs behind `pushed_until` were not looked at.
    """

    def __init__(self, done: BatchResult, open: list[range], pushed_until: int) -> None:
        super().__init__(f"{len(done.ids)} jobs were pushed, then a batch failed")
        self.done = done
        self.open = open
        self.pushed_until = pushed_until


class Chunk:
    """Some jobs of a large push: one PUSHB, packed; `first` is the place of the first job."""

    __slots__ = ("call", "first", "packed", "size")

    def __init__(self, call: Call[BatchResult], packed: Packed, first: int, size: int) -> None:
        self.call = call
        self.packed = packed
        self.first = first
        self.size = size

    @property
    def places(self) -> range:
        """Of its jobs in the whole."""
        return range(self.first, self.first + self.size)


class BulkPush:
    """A push of any number of jobs: gives chunks one by one, and puts their results together in order."""

    def __init__(
        self, wire: Wire, queue: str, jobs: Iterable[PushOptions], durability: Durability | None,
        deadline: float | None, max_frame: int,
    ) -> None:
        self._wire = wire
        self._queue = queue
        self._jobs = iter(jobs)
        self._durability = durability
        self._deadline = deadline
        self._room = max_frame - FRAME_ROOM
        self._first = 0
        self._split: deque[list[PushOptions]] = deque()
        self._open: list[range] = []
        self._result = BatchResult([], [])
        self._error: FlashQError | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, of at most 1000 jobs and of what a frame holds; none more after one has failed."""
        while self._error is None:
            jobs = self._split.popleft() if self._split else list(islice(self._jobs, MAX_BATCH))
            if not jobs:
                return
            call = calls.push_batch(self._queue, jobs, durability=self._durability, deadline=self._deadline)
            packed = self._wire.pack(call.fields)
            if len(packed.raw) > self._room and len(jobs) > 1:
                half = len(jobs) // 2
                self._split.extendleft((jobs[half:], jobs[:half]))
                continue
            yield Chunk(call, packed, self._first, len(jobs))
            self._first += len(jobs)

    def done(self, chunk: Chunk, result: BatchResult) -> None:
        """A chunk was answered; they come in their order."""
        self._result.ids.extend(result.ids)
        self._result.refused.extend(RefusedItem(chunk.first + one.index, one.error) for one in result.refused)

    def failed(self, chunk: Chunk, error: FlashQError) -> None:
        """A chunk has failed; those that are under way are still to be heard of."""
        self._open.append(chunk.places)
        self._error = self._error or error

    def result(self) -> BatchResult:
        """Of all. PushInterrupted when a chunk failed."""
        if self._error is not None:
            raise PushInterrupted(self._result, self._open, self._first) from self._error
        return self._result


def pages(queue: str | None, state: str | None, page_size: int) -> Generator[Call[JobPage], JobPage, None]:
    """Calls for one page after another; it is sent each page, and ends after the last."""
    offset = 0
    while True:
        page = yield reading.get_jobs(queue, state, limit=page_size, offset=offset)
        offset += len(page.jobs)
        if not page.jobs or offset >= page.total:
            return


class NewOnes:
    """Jobs of pages, each once: while jobs are pushed, the end of a page comes again on the next."""

    def __init__(self) -> None:
        self._last: set[int] = set()

    def of(self, page: JobPage) -> list[Job]:
        """Those that were not on the page before."""
        found = [job for job in page.jobs if job.id not in self._last]
        self._last = {job.id for job in page.jobs}
        return found
