"""Calls: Pushing, pulling and ending jobs: nearly all of it hot, read by the core itself.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Iterable, Sequence
from typing import Literal

from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.results import BatchResult
from flashq.client.shapes import Job, PushOptions, RetryPolicy


def push(
    queue: str, data: object = None, *, priority: int | None = None, delay: int | None = None, ttl: int | None = None,
    timeout: int | None = None, max_attempts: int | None = None, backoff: int | None = None, lifo: bool | None = None,
    tags: Sequence[str] | None = None, job_id: str | None = None, stall_timeout: int | None = None,
    remove_on_complete: bool | None = None, remove_on_fail: bool | None = None, unique_key: str | None = None,
    debounce_id: str | None = None, debounce_ttl: int | None = None, depends_on: Sequence[int] | None = None,
    keep_completed_age: int | None = None, keep_completed_count: int | None = None, retry: RetryPolicy | None = None,
    group_id: str | None = None, on_duplicate: Literal["error", "existing", "replace"] | None = None,
    on_parent_failure: Literal["wait", "fail", "run"] | None = None, name: str | None = None,
    version: int | None = None, push_key: str | None = None,
    durability: Literal["memory", "interval", "commit"] | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[int]:
    """Add a job to a queue.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    push_key: For 5 minutes the same push with this key, to the same queue, is answered as this one was and makes no
        job; what was refused of it is tried again.

    durability: Wait for more than the server promises by its `--durability`, as for `commit` where that is
        `interval`; what asks for less, or as much, changes nothing.

    All others: as in PushOptions.
    """
    fields: dict[str, object] = {
        "queue": queue, "data": data, "priority": priority, "delay": delay, "ttl": ttl, "timeout": timeout,
        "max_attempts": max_attempts, "backoff": backoff, "lifo": lifo, "tags": tags, "job_id": job_id,
        "stall_timeout": stall_timeout, "remove_on_complete": remove_on_complete, "remove_on_fail": remove_on_fail,
        "unique_key": unique_key, "debounce_id": debounce_id, "debounce_ttl": debounce_ttl, "depends_on": depends_on,
        "keep_completed_age": keep_completed_age, "keep_completed_count": keep_completed_count, "retry": retry,
        "group_id": group_id, "on_duplicate": on_duplicate, "on_parent_failure": on_parent_failure, "name": name,
        "version": version, "push_key": push_key, "durability": durability,
    }
    return make("PUSH", fields, readers.id, receipt, deadline)


def push_batch(
    queue: str, jobs: Iterable[PushOptions], *, push_key: str | None = None,
    durability: Literal["memory", "interval", "commit"] | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[BatchResult]:
    """Add up to 1000 jobs to a queue.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    jobs: List of push options, those of PUSH.

    push_key: For 5 minutes the same push with this key, to the same queue, is answered as this one was and makes no
        job; what was refused of it is tried again.

    durability: Wait for more than the server promises by its `--durability`, as for `commit` where that is
        `interval`; what asks for less, or as much, changes nothing.
    """
    fields: dict[str, object] = {"queue": queue, "jobs": list(jobs), "push_key": push_key, "durability": durability}
    return make("PUSHB", fields, readers.batch, receipt, deadline)


def pull(
    queue: str | None = None, *, queues: Sequence[str] | None = None, weights: Sequence[int] | None = None,
    names: Sequence[str] | None = None, versions: Sequence[int] | None = None, timeout: int | None = None,
    deadline: float | None = None,
) -> Call[Job | None]:
    """Take the next ready job of a queue, or of several, or wait for one.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`. Either it or `queues`.

    queues: Up to 100 queues, none twice: each job comes from the first of them that has one to give.

    weights: One for each of `queues`: each job comes from one that chance chooses, in proportion to them, among
        those that have one to give.

    names: Only jobs with one of these names, up to 100, or with none.

    versions: The highest version that this worker can run of each of `names`; without, any.

    timeout: ms to wait for a job; 0 = do not wait.
    """
    fields: dict[str, object] = {
        "queue": queue, "queues": queues, "weights": weights, "names": names, "versions": versions, "timeout": timeout,
    }
    return make("PULL", fields, readers.job, None, deadline)


def pull_batch(
    queue: str | None, count: int, *, queues: Sequence[str] | None = None, weights: Sequence[int] | None = None,
    names: Sequence[str] | None = None, versions: Sequence[int] | None = None, timeout: int | None = None,
    deadline: float | None = None,
) -> Call[list[Job]]:
    """Take up to `count` ready jobs; waits for the first, never for more.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`. Either it or `queues`.

    queues: Up to 100 queues, none twice: each job comes from the first of them that has one to give.

    weights: One for each of `queues`: each job comes from one that chance chooses, in proportion to them, among
        those that have one to give.

    names: Only jobs with one of these names, up to 100, or with none.

    versions: The highest version that this worker can run of each of `names`; without, any.

    count: Jobs wanted; over 1000 counts as 1000, 0 answers at once.

    timeout: ms to wait for a job; 0 = do not wait.
    """
    fields: dict[str, object] = {
        "queue": queue, "queues": queues, "weights": weights, "names": names, "versions": versions, "count": count,
        "timeout": timeout,
    }
    return make("PULLB", fields, readers.jobs, None, deadline)


def ack(
    id: Job | int, result: object = None, *, token: int | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[None]:
    """Report a job as done.

    id: The job.

    result: Kept for GETRESULT, at most `max_job_size` bytes; null = none.

    token: `token` of the delivered Job: refused when the job was delivered again since.
    """
    fields: dict[str, object] = {"id": id, "result": result, "token": token}
    return make("ACK", fields, readers.nothing, receipt, deadline)


def ack_batch(
    ids: Sequence[Job | int], *, tokens: Sequence[int] | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[int]:
    """Report up to 1000 jobs as done; ids that are not active are passed over.

    ids: The jobs.

    tokens: Their tokens, one for each; a stale one's job is passed over.
    """
    fields: dict[str, object] = {"ids": ids, "tokens": tokens}
    return make("ACKB", fields, readers.count, receipt, deadline)


def fail(
    id: Job | int, error: str | None = None, *, token: int | None = None, retry: bool | None = None,
    retry_after: int | None = None, release: bool | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[None]:
    """Report an attempt as failed: the job is retried, or dead after `max_attempts`.

    id: The job.

    error: Why; shown as the job's progress_msg, cut after 64 KiB.

    token: `token` of the delivered Job: refused when the job was delivered again since.

    retry: false: no retry, the job is dead at once.

    retry_after: ms that this retry waits, in place of `backoff` and the retry policy; the last attempt stays the
        last.

    release: true: back to the queue at its old place, or after `retry_after`; the attempt is not counted.
    """
    fields: dict[str, object] = {
        "id": id, "error": error, "token": token, "retry": retry, "retry_after": retry_after, "release": release,
    }
    return make("FAIL", fields, readers.nothing, receipt, deadline)


def progress(
    id: Job | int, progress: float, message: str | None = None, *, token: int | None = None,
    receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Note how far an active job is; renews its lease.

    id: The job.

    progress: Percent; fractions are rounded down, over 100 counts as 100.

    message: What it does now, cut after 64 KiB; null or absent clears it.

    token: `token` of the delivered Job: refused when the job was delivered again since.
    """
    fields: dict[str, object] = {"id": id, "progress": progress, "message": message, "token": token}
    return make("PROGRESS", fields, readers.nothing, receipt, deadline)


def partial(
    id: Job | int, data: object = None, *, index: int | None = None, token: int | None = None,
    deadline: float | None = None,
) -> Call[None]:
    """Tell those who listen to the queue's events a part of an active job's result; renews its lease.

    id: The job.

    data: Any value; at most `max_job_size` bytes with what is around it. Kept nowhere.

    index: Which part it is.

    token: `token` of the delivered Job: refused when the job was delivered again since.
    """
    fields: dict[str, object] = {"id": id, "data": data, "index": index, "token": token}
    return make("PARTIAL", fields, readers.nothing, None, deadline)


def heartbeat(id: Job | int, *, token: int | None = None, deadline: float | None = None) -> Call[None]:
    """Renew the reservation of an active job; heartbeats missed before no longer count against it.

    id: The job.

    token: `token` of the delivered Job: refused when the job was delivered again since.
    """
    fields: dict[str, object] = {"id": id, "token": token}
    return make("HEARTBEAT", fields, readers.nothing, None, deadline)

