"""What the model is made of: owners, parked pulls, clients, queues and jobs."""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
SHARDS = 32


class AtMost(int):
    """A number that is only known to be no greater."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and 0 <= other <= int(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


@dataclass(eq=False)
class Owner:
    """Who keeps reservations alive: a connection, or a session that outlives one."""

    client: "Client | None"
    session: str | None = None
    due: int | None = None      # end of its grace or lease, while nobody is connected


@dataclass(eq=False)
class Waiter:
    """A parked pull."""

    client: "Client"
    request: Message
    queues: list["Queue"]       # in whose lines it stands
    count: int
    due: int

    @property
    def many(self) -> bool:
        return bool(self.request["cmd"] == "PULLB")

    @property
    def wanted(self) -> dict[str, int] | None:
        """The highest version of each name that it takes; None: all."""
        names = self.request.get("names")
        if names is None:
            return None
        versions = self.request.get("versions")
        found: dict[str, int] = {}
        for name, version in zip(names, [2**64] * len(names) if versions is None else versions, strict=True):
            found[name] = max(found.get(name, 0), version)
        return found


@dataclass(eq=False)
class Client:
    """One connection: the replies it must have got since the last look, and what it waits for."""

    name: int
    owner: Owner | None = None
    replies: list[Message] = field(default_factory=list)
    deferred: list[Message] = field(default_factory=list)
    at_eof: bool = False
    closed: bool = False


@dataclass(eq=False)
class Queue:
    name: str
    paused: bool = False
    concurrency: int | None = None
    group_concurrency: int = 1
    completed: int = 0
    line: list[Waiter] = field(default_factory=list)
    touched: int = 0

    def groups(self) -> Message | None:
        """What is set of its groups."""
        if self.group_concurrency == 1:
            return None
        return {"concurrency": self.group_concurrency, "rate": None, "fair": False}


@dataclass(eq=False)
class PushKey:
    """What a push with a key was answered: of each item the id, None where it was refused."""

    batch: bool
    ids: list[int | None]
    expires: int                # wall ms, for who reads the records
    due: int                    # monotonic


@dataclass(eq=False)
class Job:
    id: int
    queue: Queue
    data: Any
    priority: int
    created_at: int
    run_at: int
    max_attempts: int
    backoff: int
    ttl: int
    timeout: int
    stall_timeout: int
    lifo: bool
    tags: list[str]
    custom_id: str | None
    unique_key: str | None
    remove_on_complete: bool
    remove_on_fail: bool
    group: str | None = None
    name: str | None = None
    version: int = 0
    retry: Message | None = None
    depends_on: list[int] = field(default_factory=list)
    on_parent_failure: str = "wait"
    keep_age: int = 0
    keep_count: int = 0
    parent_id: int | None = None
    children: list[int] = field(default_factory=list)
    children_completed: int = 0
    miscounts: bool = False     # a parent that was dead at a restart: which ends it has heard of is not kept
    fail_parent: bool = False   # its children's end that is no completion is its own
    unmet: int = 0              # of depends_on and children, those that are not done yet
    state: str = "waiting"
    holds_key: bool = False
    attempts: int = 0
    progress: int = 0
    message: str | None = None
    result: Any = None
    started_at: int = 0
    last_heartbeat: int = 0
    stall_count: int = 0
    losses: int = 0             # of stall_count, those that count towards the limit
    missed: int = 0             # of those, heartbeats that a connected worker missed
    attempts_made: int = 0      # that ended badly
    history: list[Message] = field(default_factory=list)
    reason: str | None = None
    failed_at: int = 0
    completed_at: int = 0
    token: int | None = None
    ready_order: int = 0
    place: int = 0              # in the line of the delayed, the blocked or the dead
    log: list[Message] = field(default_factory=list)
    expires: int | None = None      # monotonic, as all below; None = never
    delayed_until: int | None = None
    times_out: int | None = None
    lease_until: int | None = None
    owner: Owner | None = None      # of an active job; None = held by its own lease

    def deadline(self) -> int | None:
        """When something happens to it by time alone."""
        if self.state == "active":
            times = [self.times_out, self.lease_until]
        elif self.state in ("waiting", "delayed"):
            times = [self.expires, self.delayed_until]
        else:
            times = []
        return min((one for one in times if one is not None), default=None)

    def policy_for(self, job_id: int) -> str:
        """What the death or the removal of one that it waits for means."""
        if job_id in self.children:
            return "fail" if self.fail_parent else "wait"
        return self.on_parent_failure

    def shown(self) -> Message:
        """The Job object of the wire, as a pull delivers it."""
        more: Message = {} if self.retry is None else {"retry": self.retry}
        more |= {} if self.name is None else {"name": self.name}
        more |= {"version": self.version} if self.version else {}
        if self.state == "failed":
            more |= {"reason": self.reason, "failed_at": self.failed_at}
        return {
            "id": self.id, "queue": self.queue.name, "data": self.data, "priority": self.priority,
            "created_at": self.created_at, "run_at": self.run_at, "started_at": self.started_at,
            "attempts": self.attempts, "max_attempts": self.max_attempts, "backoff": self.backoff, "ttl": self.ttl,
            "timeout": self.timeout, "unique_key": self.unique_key, "depends_on": self.depends_on,
            "progress": self.progress,
            "progress_msg": self.message, "tags": self.tags, "lifo": self.lifo,
            "remove_on_complete": self.remove_on_complete, "remove_on_fail": self.remove_on_fail,
            "last_heartbeat": self.last_heartbeat, "stall_timeout": self.stall_timeout,
            "stall_count": self.stall_count, "parent_id": self.parent_id, "children_ids": self.children,
            "children_completed": AtMost(len(self.children)) if self.miscounts else self.children_completed,
            "custom_id": self.custom_id, "keep_completed_age": self.keep_age,
            "keep_completed_count": self.keep_count, "completed_at": self.completed_at, "group_id": self.group,
            "state": self.state, "progress_message": self.message, "token": self.token, **more,
        }

    def read(self) -> Message:
        """As those see it who ask for it by its id, or among the dead."""
        return self.shown() | ({"history": list(self.history)} if self.history else {})
