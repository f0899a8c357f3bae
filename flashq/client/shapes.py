"""What goes in and comes out: the Job, the options of a push, states and types of events.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from typing import Any, Literal, Required, TypedDict

from flashq.client.record import Record

State = Literal["waiting", "delayed", "active", "completed", "failed", "waiting-children", "unknown"]
EndReason = Literal["failed", "timeout", "stalled", "worker_lost", "discarded", "dependency_failed"]
EventType = Literal[
    "pushed", "completed", "failed", "progress", "timeout", "partial", "retry", "stalled", "worker_lost", "cancelled",
    "expired", "removed",
]


class RetryPolicy(TypedDict, total=False):
    """How long a retry waits."""

    # How the waits grow.
    type: Required[Literal["fixed", "exponential", "linear"]]
    # ms; the first wait.
    delay: Required[int]
    # ms that no wait is longer than; 0 = any.
    max: int | None
    # Up to this part of a wait, at random, is taken off it; kept to six digits.
    jitter: float | None


class PushOptions(TypedDict, total=False):
    """One job of a batch, or what belongs to a push."""

    # The payload, any value; at most `max_job_size` bytes.
    data: object
    # Greater runs sooner.
    priority: int | None
    # ms from now until the job may run.
    delay: int | None
    # ms after which a job nobody has taken is dropped; 0 = never. Unset: `--default-ttl`, or 0.
    ttl: int | None
    # ms a worker may take; then the attempt has failed. 0 = no limit. Unset: `--default-timeout`, or 0.
    timeout: int | None
    # Failures until the job is dead; 0 = retried for ever. Unset: `--default-max-attempts`, or 0.
    max_attempts: int | None
    # ms; a retry waits backoff * 2^min(attempts, 10). 0 = no wait. Unset: `--default-backoff`, or 0.
    backoff: int | None
    # Newest first among jobs of the same priority, before those that are not; among several groups, the one first whose
    # turn came last.
    lifo: bool | None
    # Free labels.
    tags: list[str] | None
    # A custom id: while that job exists, a push only answers with its id.
    job_id: str | None
    # ms between heartbeats; a missed one takes the job back. 0 = `lease`, which counts only once the worker's
    # connection is lost.
    stall_timeout: int | None
    # Keep neither job nor result when it is acknowledged.
    remove_on_complete: bool | None
    # Remove the job instead of keeping it as a dead letter.
    remove_on_fail: bool | None
    # Refused while another job of the queue holds this key: from its push until it is done, dead or removed.
    unique_key: str | None
    # Refused while the window of an earlier push to the queue with this id is open.
    debounce_id: str | None
    # ms of the window that this push opens with `debounce_id`; 0 = none.
    debounce_ttl: int | None
    # Ids of jobs, up to 1000: it waits until all of them are completed. What one that is dead or removed means for it,
    # `on_parent_failure` says; one removed before this push counts as completed.
    depends_on: list[int] | None
    # ms for which the completed job and its result are kept, whatever else is completed, then as the server's limits
    # say; 0 = as they say at once. At most `keep_completed` jobs are kept so.
    keep_completed_age: int | None
    # The same while it is among the newest so many completed jobs of its queue; with both, until either ends.
    keep_completed_count: int | None
    # How long a retry waits, in place of `backoff`: `fixed` delay, `exponential` delay * 2^(attempts - 1), `linear`
    # delay * attempts, where attempts counts the failure before it.
    retry: RetryPolicy | None
    # Of the jobs of a queue with the same group one is active at a time, in the order of the queue; SETGROUPS may say
    # otherwise.
    group_id: str | None
    # When another job holds `unique_key`: refuse (`error`), answer with that job's id (`existing`), or do so and give
    # it this payload, but refuse while it is active (`replace`).
    on_duplicate: Literal["error", "existing", "replace"] | None
    # When a job of `depends_on` is dead or removed: `wait` on, `fail` as well (as `dependency_failed`; retrying that
    # job does not bring this one back), or `run` as if it were completed.
    on_parent_failure: Literal["wait", "fail", "run"] | None
    # What kind of job it is, for workers whose pulls say `names`.
    name: str | None
    # Of that kind: goes only to workers that can run it, or a higher one.
    version: int | None


class FlowChild(TypedDict, total=False):
    """One child of a flow."""

    # The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    queue: Required[str]
    # The payload, any value; at most `max_job_size` bytes.
    data: object
    # Greater runs sooner.
    priority: int | None
    # ms from now until the job may run.
    delay: int | None
    # ms after which a job nobody has taken is dropped; 0 = never. Unset: `--default-ttl`, or 0.
    ttl: int | None
    # ms a worker may take; then the attempt has failed. 0 = no limit. Unset: `--default-timeout`, or 0.
    timeout: int | None
    # Failures until the job is dead; 0 = retried for ever. Unset: `--default-max-attempts`, or 0.
    max_attempts: int | None
    # ms; a retry waits backoff * 2^min(attempts, 10). 0 = no wait. Unset: `--default-backoff`, or 0.
    backoff: int | None
    # Newest first among jobs of the same priority, before those that are not; among several groups, the one first whose
    # turn came last.
    lifo: bool | None
    # Free labels.
    tags: list[str] | None
    # A custom id: while that job exists, a push only answers with its id.
    job_id: str | None
    # ms between heartbeats; a missed one takes the job back. 0 = `lease`, which counts only once the worker's
    # connection is lost.
    stall_timeout: int | None
    # Keep neither job nor result when it is acknowledged.
    remove_on_complete: bool | None
    # Remove the job instead of keeping it as a dead letter.
    remove_on_fail: bool | None
    # Refused while another job of the queue holds this key: from its push until it is done, dead or removed.
    unique_key: str | None
    # Ids of jobs, up to 1000: it waits until all of them are completed. What one that is dead or removed means for it,
    # `on_parent_failure` says; one removed before this push counts as completed.
    depends_on: list[int] | None
    # ms for which the completed job and its result are kept, whatever else is completed, then as the server's limits
    # say; 0 = as they say at once. At most `keep_completed` jobs are kept so.
    keep_completed_age: int | None
    # The same while it is among the newest so many completed jobs of its queue; with both, until either ends.
    keep_completed_count: int | None
    # How long a retry waits, in place of `backoff`: `fixed` delay, `exponential` delay * 2^(attempts - 1), `linear`
    # delay * attempts, where attempts counts the failure before it.
    retry: RetryPolicy | None
    # Of the jobs of a queue with the same group one is active at a time, in the order of the queue; SETGROUPS may say
    # otherwise.
    group_id: str | None
    # When another job holds `unique_key`: refuse the flow (`error`), or take that job in place of this one
    # (`existing`).
    on_duplicate: Literal["error", "existing"] | None
    # When a job of `depends_on` is dead or removed: `wait` on, `fail` as well (as `dependency_failed`; retrying that
    # job does not bring this one back), or `run` as if it were completed.
    on_parent_failure: Literal["wait", "fail", "run"] | None
    # What kind of job it is, for workers whose pulls say `names`.
    name: str | None
    # Of that kind: goes only to workers that can run it, or a higher one.
    version: int | None


class CronOptions(TypedDict, total=False):
    """Options of the jobs that a cron entry pushes."""

    # Greater runs sooner.
    priority: int | None
    # ms from now until the job may run.
    delay: int | None
    # ms after which a job nobody has taken is dropped; 0 = never. Unset: `--default-ttl`, or 0.
    ttl: int | None
    # ms a worker may take; then the attempt has failed. 0 = no limit. Unset: `--default-timeout`, or 0.
    timeout: int | None
    # Failures until the job is dead; 0 = retried for ever. Unset: `--default-max-attempts`, or 0.
    max_attempts: int | None
    # ms; a retry waits backoff * 2^min(attempts, 10). 0 = no wait. Unset: `--default-backoff`, or 0.
    backoff: int | None
    # Newest first among jobs of the same priority, before those that are not; among several groups, the one first whose
    # turn came last.
    lifo: bool | None
    # Free labels.
    tags: list[str] | None
    # A custom id: while that job exists, a push only answers with its id.
    job_id: str | None
    # ms between heartbeats; a missed one takes the job back. 0 = `lease`, which counts only once the worker's
    # connection is lost.
    stall_timeout: int | None
    # Keep neither job nor result when it is acknowledged.
    remove_on_complete: bool | None
    # Remove the job instead of keeping it as a dead letter.
    remove_on_fail: bool | None
    # Refused while another job of the queue holds this key: from its push until it is done, dead or removed.
    unique_key: str | None
    # Refused while the window of an earlier push to the queue with this id is open.
    debounce_id: str | None
    # ms of the window that this push opens with `debounce_id`; 0 = none.
    debounce_ttl: int | None
    # Ids of jobs, up to 1000: it waits until all of them are completed. What one that is dead or removed means for it,
    # `on_parent_failure` says; one removed before this push counts as completed.
    depends_on: list[int] | None
    # ms for which the completed job and its result are kept, whatever else is completed, then as the server's limits
    # say; 0 = as they say at once. At most `keep_completed` jobs are kept so.
    keep_completed_age: int | None
    # The same while it is among the newest so many completed jobs of its queue; with both, until either ends.
    keep_completed_count: int | None
    # How long a retry waits, in place of `backoff`: `fixed` delay, `exponential` delay * 2^(attempts - 1), `linear`
    # delay * attempts, where attempts counts the failure before it.
    retry: RetryPolicy | None
    # Of the jobs of a queue with the same group one is active at a time, in the order of the queue; SETGROUPS may say
    # otherwise.
    group_id: str | None
    # When another job holds `unique_key`: refuse (`error`), answer with that job's id (`existing`), or do so and give
    # it this payload, but refuse while it is active (`replace`).
    on_duplicate: Literal["error", "existing", "replace"] | None
    # When a job of `depends_on` is dead or removed: `wait` on, `fail` as well (as `dependency_failed`; retrying that
    # job does not bring this one back), or `run` as if it were completed.
    on_parent_failure: Literal["wait", "fail", "run"] | None
    # What kind of job it is, for workers whose pulls say `names`.
    name: str | None
    # Of that kind: goes only to workers that can run it, or a higher one.
    version: int | None


class KvEntry(TypedDict, total=False):
    """One key to be set."""

    # 1 to 1024 bytes of any text.
    key: Required[str]
    # Any value, at most 10485760 bytes as compact JSON.
    value: object
    # ms until the key is gone; left out, it stays.
    ttl: int | None


class Attempt(Record):
    """An attempt that ended badly. Times are ms since 1970; `worker` is its session."""

    started_at: int
    ended_at: int
    reason: EndReason
    error: str | None
    worker: str | None


class Job(Record):
    """A job as the server shows it; `token` names this delivery. Times are milliseconds."""

    # Below 2^53, increasing within a queue, never reused.
    id: int
    # Its queue.
    queue: str
    # The payload as pushed.
    data: Any
    # Greater runs sooner.
    priority: int
    # ms since 1970.
    created_at: int
    # ms since 1970; earliest start.
    run_at: int
    # ms since 1970; 0 = not started.
    started_at: int
    # Failures so far.
    attempts: int
    # 0 = retried for ever.
    max_attempts: int
    # ms; 0 = none.
    backoff: int
    # ms; 0 = none.
    ttl: int
    # ms; 0 = none.
    timeout: int
    # Of the push.
    unique_key: str | None
    # Of the push.
    depends_on: list[int]
    # 0 to 100.
    progress: int
    # Of the last PROGRESS, or the text of the last failure.
    progress_msg: str | None
    # Labels.
    tags: list[str]
    # Newest first.
    lifo: bool
    # Nothing is kept after ACK.
    remove_on_complete: bool
    # Not kept as a dead letter.
    remove_on_fail: bool
    # ms since 1970; set by PULL, PROGRESS and HEARTBEAT.
    last_heartbeat: int
    # ms; 0 = the server's `lease`.
    stall_timeout: int
    # Lost workers so far.
    stall_count: int
    # The parent of the flow that it is a child of.
    parent_id: int | None
    # The children of its flow.
    children_ids: list[int]
    # How many of them are completed.
    children_completed: int
    # The `job_id` of the push.
    custom_id: str | None
    # ms that it is kept for once completed; 0 = as the server's limits say.
    keep_completed_age: int
    # Kept while it is among so many newest; 0 = likewise.
    keep_completed_count: int
    # ms since 1970; 0 = not completed.
    completed_at: int
    # Its group.
    group_id: str | None
    # waiting, delayed, active, completed, failed or waiting-children.
    state: State
    # The same as progress_msg.
    progress_message: str | None
    # Of this delivery, for ACK, FAIL, PROGRESS, HEARTBEAT; null when not active.
    token: int | None
    # What kind of job it is.
    name: str | None = None
    # Of that kind; also where only it was given.
    version: int | None = None
    # The retry policy of the push.
    retry: RetryPolicy | None = None
    # Why it is dead: failed, timeout, stalled, worker_lost, discarded, dependency_failed. Of a `failed` job.
    reason: EndReason | None = None
    # ms since 1970; when it died. Of a `failed` job.
    failed_at: int | None = None
    # The attempts that ended badly, the last 10 of them, oldest first; `error` (or null) is cut after 1024 bytes,
    # `worker` is its session (or null). Shown by GETJOB, GETJOBBYCUSTOMID and DLQ. A release is no such attempt.
    history: list[Attempt] | tuple[()] = ()

    def __hash__(self) -> int:
        return hash((self.id, self.token))
