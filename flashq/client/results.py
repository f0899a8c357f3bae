"""What calls return, typed; flashq/client/readers.py makes them.

Most take over a reply's dict as it is, so that reading costs nothing per key: keys that a newer server adds are there
as attributes too, and a key that an older one does not send fails only when it is asked for.
"""
from typing import Any, TypedDict

from flashq.client.errors import recognise
from flashq.client.record import Record, take_over
from flashq.client.shapes import CronOptions, Job, State


class Receipt(Record):
    """What a change survives, and where it stands; see `sync`."""

    durability: str
    position: int


class RefusedItem(Record):
    """A job of a batch that was not taken: its place in the batch, and why."""

    index: int
    error: str

    @property
    def code(self) -> str:
        """The code of the error; empty when this version does not know its text."""
        error, _ = recognise("", self.error)
        return "" if error is None else error.code


class BatchResult(Record):
    """What became of a batch: ids of the jobs taken, in their order, and those that were refused."""

    ids: list[int]
    refused: list[RefusedItem]


class ServerInfo(Record):
    """What HELLO tells of the server."""

    session: str | None
    server: str
    version: str
    push: bool
    max_batch: int
    max_frame: int
    max_job_size: int
    max_parked: int


class Reason(TypedDict, total=False):
    """Why a job does not run: `reason`, and what belongs to it."""

    reason: str
    count: int
    at_least: bool
    ids: list[int]
    until: int
    limit: int
    active: int
    free_in: int | None
    group_id: str


class Explanation(Record):
    """A job's state, and what is in its way."""

    id: int
    state: State
    reasons: list[Reason]


class Progress(Record):
    """How far a job is, in percent."""

    id: int
    progress: int
    message: str | None


class JobPage(Record):
    """Some jobs, and how many there are in all."""

    jobs: list[Job]
    total: int


class JobCounts(Record):
    """A queue's jobs by state."""

    waiting: int
    active: int
    delayed: int
    completed: int
    failed: int
    waiting_children: int


class LogLine(Record):
    """A line of a job's log; `timestamp` is ms since 1970."""

    timestamp: int
    message: str
    level: str


class GroupRules(Record):
    """How a queue runs its groups."""

    concurrency: int
    rate: int | None
    fair: bool


class QueueInfo(Record):
    """One queue of the list."""

    name: str
    pending: int
    processing: int
    dlq: int
    paused: bool
    rate_limit: int | None
    concurrency_limit: int | None
    completed: int
    delayed: int
    groups: GroupRules | None = None


class QueueCounts(Record):
    """One queue of STATS."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    paused: bool


class StoreInfo(Record):
    """How the server stores changes, and how far it is."""

    durability: str
    health: str
    position: int
    durable: int
    pending_bytes: int
    log_bytes: int
    checkpoint_bytes: int


class Stats(Record):
    """Jobs of the whole server."""

    queued: int
    processing: int
    delayed: int
    dlq: int
    completed: int
    queues: dict[str, QueueCounts]


class Times(Record):
    """How long something took in the last one to two minutes: how often it was counted, and percentiles in ms."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


NO_TIMES = take_over(Times, {"count": 0, "p50": None, "p95": None, "p99": None})


class QueueMetrics(Record):
    """One queue of METRICS; what follows `rate_limit` a server of an older version does not tell."""

    name: str
    pending: int
    processing: int
    dlq: int
    rate_limit: int | None
    waiting_pulls: int = 0
    workers: int = 0
    busy_workers: int = 0
    wait_ms: Times = NO_TIMES
    processing_ms: Times = NO_TIMES


class Metrics(Record):
    """Totals since the start, and how fast it goes now; what follows `queues` likewise."""

    total_pushed: int
    total_completed: int
    total_failed: int
    jobs_per_second: float
    avg_latency_ms: float
    store: StoreInfo
    queues: list[QueueMetrics]
    connections: int = 0
    workers: int = 0
    busy_workers: int = 0
    waiting_pulls: int = 0
    wait_ms: Times = NO_TIMES
    processing_ms: Times = NO_TIMES


class WorkerInfo(Record):
    """A connection that works: holds jobs, waits in a pull, or pulled lately. Times are ms since 1970."""

    session: str | None
    address: str | None
    connected_at: int
    last_pull_at: int | None
    active: int
    waiting_pulls: int
    queues: list[str]


class WorkerList(Record):
    """Some workers, and how many there are in all."""

    workers: list[WorkerInfo]
    total: int


class CronEntry(Record):
    """An entry of the schedule; `next_run` is ms since 1970."""

    name: str
    queue: str
    data: Any
    schedule: str | None
    repeat_every: int | None
    priority: int
    next_run: int
    executions: int
    limit: int | None
    tz: str
    catchup: str
    overlap: str
    options: CronOptions
    skipped: int


class Flow(Record):
    """The ids of a flow."""

    parent_id: int
    children_ids: list[int]


class Children(Record):
    """The children of a flow's parent: those whose data is kept, and the ids of all."""

    parent_id: int
    children: list[Job]
    children_ids: list[int]
    completed: int
    total: int
