"""Lists of jobs beyond one answer of the server, which gives them newest first, by their place, and cuts its answer
short where they are large."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flashq.cli.exits import Exit, Failure
from flashq.commands import MAX_BATCH

if TYPE_CHECKING:
    from flashq.client import FlashQ, Job
    from flashq.client.results import JobPage

PAGE = 200      # jobs taken from an answer
MARGIN = 200    # jobs asked for besides, at first: as many may be pushed while the answer is under way
TRIES = 20


def whole_page(client: "FlashQ", queue: str | None, state: str | None, limit: int, offset: int) -> "JobPage":
    """Up to `limit` jobs, newest first, behind the first `offset`; fewer only at the end."""
    from flashq.client.results import JobPage

    found: list[Job] = []
    while True:
        page = client.get_jobs(queue, state, limit=limit - len(found), offset=offset + len(found))
        found += page.jobs
        if not page.jobs or len(found) >= limit or offset + len(found) >= page.total:
            return JobPage(found, page.total)


def oldest_first(client: "FlashQ", queue: str) -> "Iterator[Job]":
    """The jobs that a queue has now, each once, though it is listed from its other end and changes meanwhile.

    Jobs that are pushed or removed move all older ones to other places. But an answer holds jobs that follow each
    other: one that reaches back to the last job taken leaves none out, and any other is asked for anew. Failure when
    the queue changes too fast for that.
    """
    first = client.get_jobs(queue, limit=1)
    if not first.jobs:
        return
    until, last, left, tries = first.jobs[0].id, 0, first.total, 0
    size, margin = PAGE, MARGIN
    while last < until:
        offset = max(left - size, 0)
        page = client.get_jobs(queue, limit=size + margin, offset=offset)
        at_end = offset + len(page.jobs) >= page.total
        fresh = [job for job in reversed(page.jobs) if last < job.id <= until]
        if fresh and (at_end or page.jobs[-1].id <= last):
            yield from fresh
            last, left, tries = fresh[-1].id, offset, 0
            continue
        if not at_end and len(page.jobs) < size + margin:
            size = max(len(page.jobs) // 2, 1)
        else:
            margin = min(2 * margin, MAX_BATCH - PAGE)
        left = _newer_than(client, queue, last)
        tries += 1
        if left == 0:
            return
        if tries > TRIES:
            raise Failure(Exit.REFUSED, f"queue {queue} changes faster than it can be read: pause it")


def _newer_than(client: "FlashQ", queue: str, id: int) -> int:
    """How many jobs of a queue have a greater id; they are at the front of its list."""
    low, high = 0, client.get_jobs(queue, limit=1).total
    while low < high:
        middle = (low + high) // 2
        page = client.get_jobs(queue, limit=1, offset=middle).jobs
        if page and page[0].id > id:
            low = middle + 1
        else:
            high = middle
    return low
