"""Calls: Dead letters: jobs that failed for good.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.shapes import Job


def dead_letters(queue: str, count: int | None = None, *, deadline: float | None = None) -> Call[list[Job]]:
    """Show a queue's dead letters, oldest first.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    count: Jobs wanted; over 1000 counts as 1000.
    """
    fields: dict[str, object] = {"queue": queue, "count": count}
    return make("DLQ", fields, readers.jobs, None, deadline)


def retry_dead_letters(
    queue: str, id: Job | int | None = None, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[int]:
    """Let a queue's dead letters run again, with no attempt and no lost worker counted. They wait for no other job
    any more.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    id: Only this one.
    """
    fields: dict[str, object] = {"queue": queue, "id": id}
    return make("RETRYDLQ", fields, readers.count, receipt, deadline)


def purge_dead_letters(queue: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[int]:
    """Remove a queue's dead letters for good.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("PURGEDLQ", fields, readers.count, receipt, deadline)

