"""Calls: Counting over the whole server.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, make
from flashq.client.results import Metrics, Stats


def stats(*, deadline: float | None = None) -> Call[Stats]:
    """Count the jobs of the whole server."""
    fields: dict[str, object] = {}
    return make("STATS", fields, readers.stats, None, deadline)


def metrics(*, deadline: float | None = None) -> Call[Metrics]:
    """Totals since the start, and how fast it goes now."""
    fields: dict[str, object] = {}
    return make("METRICS", fields, readers.metrics, None, deadline)

