"""Calls: Steering whole queues.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.results import QueueInfo


def pause(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Hand out no more jobs of a queue; pushes go on.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("PAUSE", fields, readers.nothing, receipt, deadline)


def resume(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Hand out the jobs of a paused queue again.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("RESUME", fields, readers.nothing, receipt, deadline)


def is_paused(queue: str, *, deadline: float | None = None) -> Call[bool]:
    """Tell whether a queue is paused.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("ISPAUSED", fields, readers.paused, None, deadline)


def list_queues(*, deadline: float | None = None) -> Call[list[QueueInfo]]:
    """List the queues that hold jobs, or are paused."""
    fields: dict[str, object] = {}
    return make("LISTQUEUES", fields, readers.queues, None, deadline)


def count(queue: str, *, deadline: float | None = None) -> Call[int]:
    """Count a queue's waiting and delayed jobs.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("COUNT", fields, readers.count, None, deadline)


def limit_rate(
    queue: str, limit: int, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Deliver at most `limit` jobs of a queue a second.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    limit: Jobs a second, and as many at once when none went out for a second; 0 = none at all. Only jobs delivered
        count.
    """
    fields: dict[str, object] = {"queue": queue, "limit": limit}
    return make("RATELIMIT", fields, readers.nothing, receipt, deadline)


def clear_rate_limit(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Take a queue's rate limit away.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("RATELIMITCLEAR", fields, readers.nothing, receipt, deadline)


def limit_concurrency(
    queue: str, limit: int, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Let at most `limit` jobs of a queue be active at once.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    limit: Jobs; those active already count. 0 = none.
    """
    fields: dict[str, object] = {"queue": queue, "limit": limit}
    return make("SETCONCURRENCY", fields, readers.nothing, receipt, deadline)


def clear_concurrency_limit(
    queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Take a queue's concurrency limit away.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("CLEARCONCURRENCY", fields, readers.nothing, receipt, deadline)


def set_groups(
    queue: str, *, group_concurrency: int | None = None, group_rate: int | None = None, fair: bool | None = None,
    receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Say how a queue runs the jobs of each of its groups; what is left out is the default.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    group_concurrency: Jobs of one group that may be active at once.

    group_rate: Jobs of one group that are delivered a second, and as many at once when none went out for a second.

    fair: Among jobs of equal priority the groups take turns, a job each, and those without a group as if they were
        one more; else the order of the queue counts.
    """
    fields: dict[str, object] = {
        "queue": queue, "group_concurrency": group_concurrency, "group_rate": group_rate, "fair": fair,
    }
    return make("SETGROUPS", fields, readers.nothing, receipt, deadline)


def drain(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[int]:
    """Remove all waiting and delayed jobs of a queue.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("DRAIN", fields, readers.count, receipt, deadline)


def obliterate(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[int]:
    """Remove all jobs of a queue but completed ones, its pause, limits, push keys and cron entries.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("OBLITERATE", fields, readers.count, receipt, deadline)


def clean(
    queue: str, grace: int, state: str | None = None, *, limit: int | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[int]:
    """Remove old jobs of a queue that are in one state, the oldest first.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    grace: ms that must have passed since they were pushed; since they completed, of completed ones.

    state: waiting, delayed, completed or failed, in letters of either case; an error without.

    limit: Jobs to remove at most; 0 = all.
    """
    fields: dict[str, object] = {"queue": queue, "grace": grace, "state": state, "limit": limit}
    return make("CLEAN", fields, readers.count, receipt, deadline)

