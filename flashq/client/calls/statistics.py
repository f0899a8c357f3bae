"""Calls: Counting over the whole server.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, make
from flashq.client.results import Metrics, Stats, WorkerList


def stats(*, deadline: float | None = None) -> Call[Stats]:
    """Count the jobs of the whole server."""
    fields: dict[str, object] = {}
    return make("STATS", fields, readers.stats, None, deadline)


def metrics(*, deadline: float | None = None) -> Call[Metrics]:
    """Totals since the start, and how fast it goes now."""
    fields: dict[str, object] = {}
    return make("METRICS", fields, readers.metrics, None, deadline)


def workers(queue: str | None = None, *, limit: int | None = None, deadline: float | None = None) -> Call[WorkerList]:
    """List the connections that work: hold jobs, wait in a pull, or pulled in the last 30 s.

    queue: Only those that work for this queue.

    limit: At most so many, those that are connected for longest.
    """
    fields: dict[str, object] = {"queue": queue, "limit": limit}
    return make("WORKERS", fields, readers.workers, None, deadline)

