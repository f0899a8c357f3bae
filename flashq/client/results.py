"""What calls return, typed; flashq/client/readers.py makes them.

Most take over a reply's dict as it is, so that reading costs nothing per key: keys that a newer server adds are there
as attributes too, and a key that an older one does not send fails only when it is asked for.
"""
from dataclasses import dataclass
from typing import Any, TypedDict

from flashq.client.errors import recognise
from flashq.client.shapes import CronOptions, Job, State


@dataclass(frozen=True)
class Receipt:
    """What a change survives, and where it stands; see `sync`."""

    durability: str
    position: int


@dataclass(frozen=True)
class RefusedItem:
    """A job of a batch that was not taken: its place in the batch, and why."""

    index: int
    error: str

    @property
    def code(self) -> str:
        """The code of the error; empty when this version does not know its text."""
        error, _ = recognise("", self.error)
        return "" if error is None else error.code


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch: ids of the jobs taken, in their order, and those that were refused."""

    ids: list[int]
    refused: list[RefusedItem]


@dataclass(frozen=True)
class ServerInfo:
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


@dataclass(frozen=True)
class Explanation:
    """A job's state, and what is in its way."""

    id: int
    state: State
    reasons: list[Reason]


@dataclass(frozen=True)
class Progress:
    """How far a job is, in percent."""

    id: int
    progress: int
    message: str | None


@dataclass(frozen=True)
class JobPage:
    """Some jobs, and how many there are in all."""

    jobs: list[Job]
    total: int


@dataclass(frozen=True)
class JobCounts:
    """A queue's jobs by state."""

    waiting: int
    active: int
    delayed: int
    completed: int
    failed: int
    waiting_children: int


@dataclass(frozen=True)
class LogLine:
    """A line of a job's log; `timestamp` is ms since 1970."""

    timestamp: int
    message: str
    level: str


@dataclass(frozen=True)
class GroupRules:
    """How a queue runs its groups."""

    concurrency: int
    rate: int | None
    fair: bool


@dataclass(frozen=True)
class QueueInfo:
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


@dataclass(frozen=True)
class QueueCounts:
    """One queue of STATS."""

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    paused: bool


@dataclass(frozen=True)
class StoreInfo:
    """How the server stores changes, and how far it is."""

    durability: str
    health: str
    position: int
    durable: int
    pending_bytes: int
    log_bytes: int
    checkpoint_bytes: int


@dataclass(frozen=True)
class Stats:
    """Jobs of the whole server."""

    queued: int
    processing: int
    delayed: int
    dlq: int
    completed: int
    queues: dict[str, QueueCounts]


@dataclass(frozen=True)
class Times:
    """How long something took in the last one to two minutes: how often it was counted, and percentiles in ms."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


NO_TIMES = Times(0, None, None, None)


@dataclass(frozen=True)
class QueueMetrics:
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


@dataclass(frozen=True)
class Metrics:
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


@dataclass(frozen=True)
class WorkerInfo:
    """A connection that works: holds jobs, waits in a pull, or pulled lately. Times are ms since 1970."""

    session: str | None
    address: str | None
    connected_at: int
    last_pull_at: int | None
    active: int
    waiting_pulls: int
    queues: list[str]


@dataclass(frozen=True)
class WorkerList:
    """Some workers, and how many there are in all."""

    workers: list[WorkerInfo]
    total: int


@dataclass(frozen=True)
class CronEntry:
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


@dataclass(frozen=True)
class Flow:
    """The ids of a flow."""

    parent_id: int
    children_ids: list[int]


@dataclass(frozen=True)
class Children:
    """The children of a flow's parent: those whose data is kept, and the ids of all."""

    parent_id: int
    children: list[Job]
    children_ids: list[int]
    completed: int
    total: int
