"""Calls: Changing single jobs from outside, read by the core itself.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.shapes import Job


def cancel(id: Job | int, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Remove a job that has not ended. A worker that holds it loses it; one that said HELLO with `push` hears
    `{event: "cancel", id, queue, token}`.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("CANCEL", fields, readers.nothing, receipt, deadline)


def change_priority(
    id: Job | int, priority: int, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Give a job that has not completed another priority.

    id: The job.

    priority: Greater runs sooner.
    """
    fields: dict[str, object] = {"id": id, "priority": priority}
    return make("CHANGEPRIORITY", fields, readers.nothing, receipt, deadline)


def promote(id: Job | int, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Make a delayed job ready now.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("PROMOTE", fields, readers.nothing, receipt, deadline)


def move_to_delayed(
    id: Job | int, delay: int, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Take an active job back, to run again after `delay`; its attempts stay as they are.

    id: The job.

    delay: ms from now until it may run.
    """
    fields: dict[str, object] = {"id": id, "delay": delay}
    return make("MOVETODELAYED", fields, readers.nothing, receipt, deadline)


def update_job(
    id: Job | int, data: object, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Replace the data of a job that has not completed.

    id: The job.

    data: The new payload, any value; at most `max_job_size` bytes.
    """
    fields: dict[str, object] = {"id": id, "data": data}
    return make("UPDATEJOB", fields, readers.nothing, receipt, deadline)


def update(
    id: Job | int, data: object, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """The same as UPDATEJOB.

    id: The job.

    data: The new payload, any value; at most `max_job_size` bytes.
    """
    fields: dict[str, object] = {"id": id, "data": data}
    return make("UPDATE", fields, readers.nothing, receipt, deadline)


def discard(id: Job | int, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Make a job that has not ended a dead letter at once.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("DISCARD", fields, readers.nothing, receipt, deadline)


def log(
    id: Job | int, message: str, level: str | None = None, *, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[None]:
    """Add a line to a job's log, which keeps the newest 100; of an active job it renews the lease.

    id: The job.

    message: The line, cut after 64 KiB.

    level: Any word, cut after 11 bytes.
    """
    fields: dict[str, object] = {"id": id, "message": message, "level": level}
    return make("LOG", fields, readers.nothing, receipt, deadline)

