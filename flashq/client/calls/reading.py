"""Calls: Looking at jobs.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Sequence
from typing import Any

from flashq.client import readers
from flashq.client.call import Call, make
from flashq.client.results import Explanation, JobCounts, JobPage, LogLine, Progress
from flashq.client.shapes import Job, State


def get_job(id: Job | int, *, deadline: float | None = None) -> Call[Job | None]:
    """Show a job.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("GETJOB", fields, readers.job, None, deadline)


def explain(id: Job | int, *, deadline: float | None = None) -> Call[Explanation]:
    """Tell why a job does not run.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("EXPLAIN", fields, readers.explanation, None, deadline)


def get_state(id: Job | int, *, deadline: float | None = None) -> Call[State]:
    """Tell a job's state.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("GETSTATE", fields, readers.state, None, deadline)


def get_result(id: Job | int, *, deadline: float | None = None) -> Call[Any]:
    """Show what a job's ACK gave as its result.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("GETRESULT", fields, readers.result, None, deadline)


def wait_job(id: Job | int, *, timeout: int | None = None, deadline: float | None = None) -> Call[Any]:
    """Wait until a job has ended, and show its result.

    id: The job.

    timeout: ms to wait; 0 = do not wait.
    """
    fields: dict[str, object] = {"id": id, "timeout": timeout}
    return make("WAITJOB", fields, readers.result, None, deadline)


def get_progress(id: Job | int, *, deadline: float | None = None) -> Call[Progress]:
    """Show how far a job is.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("GETPROGRESS", fields, readers.progress, None, deadline)


def get_job_by_custom_id(job_id: str, *, deadline: float | None = None) -> Call[Job | None]:
    """Show the job that has a custom id.

    job_id: The `job_id` of its push.
    """
    fields: dict[str, object] = {"job_id": job_id}
    return make("GETJOBBYCUSTOMID", fields, readers.job, None, deadline)


def get_jobs_batch(ids: Sequence[int], *, deadline: float | None = None) -> Call[list[Job]]:
    """Show up to 1000 jobs.

    ids: The jobs.
    """
    fields: dict[str, object] = {"ids": ids}
    return make("GETJOBSBATCH", fields, readers.jobs, None, deadline)


def get_jobs(
    queue: str | None = None, state: str | None = None, *, limit: int | None = None, offset: int | None = None,
    deadline: float | None = None,
) -> Call[JobPage]:
    """List jobs, newest first.

    queue: Only this queue's.

    state: Only these: waiting, delayed, active, completed, failed, waiting-children, in letters of either case,
        with `-`, `_` or nothing between the words; `waiting-parent` is `waiting-children`. Any other word filters
        nothing.

    limit: Jobs wanted; over 1000 counts as 1000.

    offset: Jobs passed over first.
    """
    fields: dict[str, object] = {"queue": queue, "state": state, "limit": limit, "offset": offset}
    return make("GETJOBS", fields, readers.page, None, deadline)


def get_job_counts(queue: str, *, deadline: float | None = None) -> Call[JobCounts]:
    """Count a queue's jobs by state.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("GETJOBCOUNTS", fields, readers.counts, None, deadline)


def get_logs(id: Job | int, *, deadline: float | None = None) -> Call[list[LogLine]]:
    """Show a job's log.

    id: The job.
    """
    fields: dict[str, object] = {"id": id}
    return make("GETLOGS", fields, readers.logs, None, deadline)

