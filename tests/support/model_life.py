"""The life of jobs, clients and reservations in the model, and what time does to them; no command is known here."""

from abc import abstractmethod
from typing import Any

from support.model_parts import SHARDS, Client, Job, Message, Owner, PushKey, Queue, Waiter
from support.model_waiting import Waiting

LAST_TIME = 2**53 - 1
ATTEMPTS_KEPT = 10


def later(now: int, more: int) -> int:
    """Their sum; times end where JavaScript's integers do."""
    return min(now + more, LAST_TIME)


def nothing(waiter: Waiter) -> Message:
    """The reply to a pull that found no job."""
    return {"jobs": [], "job": None} if waiter.many else {"job": None}


class World(Waiting):
    """`sequences` has the next sequence of each shard, `shards` the shard of each queue name."""

    def __init__(self, wall: int, mono: int, epoch: int, shards: dict[str, int], sequences: dict[int, int], *,
                 lease: int, grace: int, lost_workers: int, keep_completed: int, keep_results: int) -> None:
        super().__init__()
        self.wall = wall
        self.mono = mono
        self.epoch = epoch
        self.shards = shards
        self.sequences = sequences
        self.lease = lease
        self.grace = grace
        self.lost_workers = lost_workers
        self.keep_completed = keep_completed
        self.keep_results = keep_results
        self.jobs: dict[int, Job] = {}
        self.completed_ids: list[int] = []      # oldest first; some of them still have their job in `kept`
        self.kept: list[Job] = []
        self.queues: dict[str, Queue] = {}
        self.owners: list[Owner] = []
        self.clients: list[Client] = []
        self.completed = 0
        self.readied = 0
        self.places = 0
        self.customs: dict[str, Job] = {}
        self.push_keys: dict[tuple[str, str], PushKey] = {}     # by queue and key
        self.cleaned: set[int] = set()          # completed ids whose job was removed since
        self.deliveries = 0
        self.wanting: list[Queue] = []          # got a ready job while pulls wait there

    # --- clients ----------------------------------------------------------------------------------------------------

    def connect(self, name: int) -> Client:
        client = Client(name)
        self.clients.append(client)
        return client

    def disconnect(self, client: Client) -> None:
        """The connection is gone: its pulls take nothing, its jobs wait for it a while."""
        client.closed = True
        client.deferred.clear()
        for waiter in self.waiters(client):
            self.unpark(waiter)
        self.leave(client)
        self.clients.remove(client)

    def leave(self, client: Client) -> None:
        """Its owner stays behind, as long as it holds jobs."""
        owner = client.owner
        client.owner = None
        if owner is None:
            return
        owner.client = None
        if not self.held_by(owner):
            self.owners.remove(owner)
            return
        owner.due = self.mono + (self.grace if owner.session else self.lease)

    def finish(self, client: Client) -> None:
        """A half-close: parked pulls are answered empty, what stands behind them is executed, then it is closed."""
        client.at_eof = True
        for waiter in self.waiters(client):
            self.answer_empty(waiter)
        self.run_deferred()
        self.disconnect(client)

    def run_deferred(self) -> None:
        for client in list(self.clients):
            while client.deferred and not self.blocked(client):
                self.execute(client, client.deferred.pop(0))

    @abstractmethod
    def execute(self, client: Client, request: Message) -> None:
        """A request whose turn it is: what commands there are is the Model's business."""

    def reply(self, client: Client, request: Message, body: Message) -> None:
        known = {"reqId": request["reqId"]} if "reqId" in request else {}
        client.replies.append({**known, **body})

    def waiters(self, client: Client) -> list[Waiter]:
        parked = [waiter for queue in self.queues.values() for waiter in queue.line if waiter.client is client]
        return list(dict.fromkeys(parked))      # each once, in however many lines it stands

    def blocked(self, client: Client) -> bool:
        """Whether a parked pull without reqId holds up its later requests without one."""
        return any("reqId" not in waiter.request for waiter in self.waiters(client))

    def owner_of(self, client: Client) -> Owner:
        if client.owner is None:
            client.owner = Owner(client)
            self.owners.append(client.owner)
        return client.owner

    def held_by(self, owner: Owner) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == "active" and job.owner is owner]

    # --- the life of a job ------------------------------------------------------------------------------------------

    def first_ready(self, queue: Queue, wanted: dict[str, int] | None) -> Job | None:
        """The job that runs next: by priority; LIFO before FIFO, newest first; then by run_at and id.

        Of a group the first only, while it has not as many active jobs as it may; of the jobs with a name those that
        are wanted, up to a version each (None: all).
        """
        if queue.paused:
            return None
        jobs = [job for job in self.jobs.values() if job.queue is queue]
        active = [job.group for job in jobs if job.state == "active"]
        waiting = sorted((job for job in jobs if job.state == "waiting"), key=self.ready_rank)
        seen: set[str] = set()
        for job in waiting:
            is_next = job.group is None or (job.group not in seen and active.count(job.group) < queue.group_concurrency)
            seen.add(job.group or "")
            if is_next and (wanted is None or job.name is None or job.version <= wanted.get(job.name, -1)):
                return job
        return None

    def ready_rank(self, job: Job) -> tuple[int, ...]:
        if job.lifo:
            return -job.priority, 0, -job.ready_order, 0
        return -job.priority, 1, job.run_at, job.id

    def room(self, queue: Queue) -> int:
        """How many more jobs of it may be active."""
        if queue.concurrency is None:
            return len(self.jobs)
        return queue.concurrency - sum(job.queue is queue and job.state == "active" for job in self.jobs.values())

    def taken(self, waiter: Waiter, queues: list[Queue]) -> Message | None:
        """The reply with the jobs that a pull gets now from these queues, in this order; None without any."""
        jobs: list[Job] = []
        for queue in queues:
            while len(jobs) < waiter.count and self.room(queue) > 0:
                job = self.first_ready(queue, waiter.wanted)
                if job is None:
                    break
                self.deliver(job, waiter.client)
                jobs.append(job)
        if not jobs:
            return None
        shown = [job.shown() for job in jobs]
        return {"jobs": shown} if waiter.many else {"job": shown[0]}

    def serve(self) -> None:
        """Give ready jobs to the pulls that wait for them, in order of arrival.

        That the queue which got its job last comes first shows in the numbers of the tokens alone.
        """
        for queue in reversed(self.wanting):
            for waiter in list(queue.line):
                if (body := self.taken(waiter, [queue])) is not None:
                    self.reply(waiter.client, waiter.request, {"ok": True, "success": True, **body})
                    self.unpark(waiter)
        self.wanting = []

    def wants_service(self, queue: Queue) -> None:
        if queue.line and queue not in self.wanting:
            self.wanting.append(queue)

    def unpark(self, waiter: Waiter) -> None:
        for queue in waiter.queues:
            queue.line.remove(waiter)
            queue.touched = self.mono

    def answer_empty(self, waiter: Waiter) -> None:
        self.reply(waiter.client, waiter.request, {"ok": True, "success": True, **nothing(waiter)})
        self.unpark(waiter)

    def make_ready(self, job: Job) -> None:
        """Into its line; an expired job is dropped instead."""
        job.state = "waiting"
        job.delayed_until = None
        self.readied += 1
        job.ready_order = self.readied
        if job.expires is not None and job.expires <= self.mono:
            self.remove(job)
        else:
            self.wants_service(job.queue)

    def deliver(self, job: Job, client: Client) -> None:
        job.state = "active"
        self.deliveries += 1
        job.token = self.epoch << 32 | self.deliveries
        job.started_at = job.last_heartbeat = self.wall
        job.owner = self.owner_of(client)
        job.times_out = later(self.mono, job.timeout) + 1 if job.timeout else None
        job.lease_until = later(self.mono, job.stall_timeout) if job.stall_timeout else None

    def delay(self, job: Job, ms: int) -> None:
        """It waits for its time; `run_at` is the caller's."""
        job.state = "delayed"
        job.delayed_until = later(self.mono, ms)
        self.stand(job)

    def stand(self, job: Job) -> None:
        """At the end of a line."""
        self.places += 1
        job.place = self.places

    def end_delivery(self, job: Job) -> None:
        self.wants_service(job.queue)           # a slot may have come free
        job.owner, job.token, job.started_at = None, None, 0
        job.times_out = job.lease_until = None

    def complete(self, job: Job, result: Any) -> None:
        job.holds_key = False
        self.wants_service(job.queue)
        self.ended(job, "completed")
        job.queue.completed += 1
        self.completed += 1
        if job.remove_on_complete:
            self.remove(job)
            return
        job.state, job.result, job.completed_at, job.token = "completed", result, self.wall, None
        self.completed_ids.append(job.id)
        self.kept.append(job)
        if len(self.kept) > self.keep_results:
            for old in self.kept[: self.keep_results // 2 + 1]:
                self.forget_job(old)
        if len(self.completed_ids) > self.keep_completed:
            for old_id in self.completed_ids[: self.keep_completed // 2 + 1]:
                if old_id in self.jobs:
                    self.forget_job(self.jobs[old_id])
                self.completed_ids.remove(old_id)

    def forget_job(self, job: Job) -> None:
        """Of a completed job only the id stays."""
        self.kept.remove(job)
        self.remove(job)

    def fail(self, job: Job, reason: str, error: str | None, order: Message) -> None:
        """`order` is what FAIL says: retry, retry_after, release."""
        charged = not order.get("release")
        if charged:
            self.note(job, reason, error)
            job.attempts += 1
        self.end_delivery(job)
        job.message = error or job.message
        if charged and (order.get("retry") is False or 0 < job.max_attempts <= job.attempts):
            self.bury(job, reason)
            return
        wait = order.get("retry_after")
        if wait is None:
            wait = self.backoff(job) if charged else 0
        if wait:
            job.run_at = later(self.wall, wait)
            self.delay(job, wait)
        else:
            self.make_ready(job)

    def all_children_done(self, job: Job) -> None:
        job.log.append({"timestamp": self.wall, "message": "All children completed, parent job ready", "level": "info"})

    def backoff(self, job: Job) -> int:
        """ms before the retry that follows the failure just counted."""
        if job.retry is None:
            return job.backoff * 2 ** min(job.attempts, 10)
        factor = {"fixed": 1, "linear": job.attempts, "exponential": 2 ** (job.attempts - 1)}[job.retry["type"]]
        wait: int = job.retry["delay"] * factor
        return min(wait, job.retry["max"] or wait)

    def note(self, job: Job, reason: str, error: str | None) -> None:
        """One more attempt that ended badly."""
        worker = job.owner.session if job.owner is not None else None
        job.attempts_made += 1
        job.history.append({"started_at": job.started_at, "ended_at": self.wall, "reason": reason,
                            "error": error or None, "worker": worker})
        del job.history[:-ATTEMPTS_KEPT]

    def lose(self, job: Job, reason: str, text: str) -> None:
        """Its worker is gone: back to its place, or dead at the last of so many losses."""
        self.note(job, reason, text)
        connected = job.owner is not None and job.owner.client is not None
        self.end_delivery(job)
        job.stall_count += 1
        job.losses += 1
        job.missed += connected
        if job.losses >= self.lost_workers:
            job.message = text
            self.bury(job, reason)
        else:
            self.make_ready(job)

    def bury(self, job: Job, reason: str) -> None:
        job.state, job.reason, job.failed_at = "failed", reason, self.wall
        job.holds_key = False
        job.delayed_until = None
        self.stand(job)
        self.ended(job, "failed")
        if job.remove_on_fail:
            self.remove(job)

    def holder(self, queue: Queue, key: str | None) -> Job | None:
        """The job that holds this unique key."""
        found = [job for job in self.jobs.values() if job.queue is queue and job.holds_key and job.unique_key == key]
        return found[0] if found else None

    def remove(self, job: Job) -> None:
        self.ended(job, "was removed")
        del self.jobs[job.id]
        if job.custom_id is not None and self.customs.get(job.custom_id) is job:
            del self.customs[job.custom_id]
        if job.state == "active":
            self.wants_service(job.queue)

    def beat(self, job: Job) -> None:
        """A sign of life, from whichever connection."""
        job.last_heartbeat = self.wall
        lost = job.owner is None or job.owner.client is None
        if job.stall_timeout:
            job.lease_until = later(self.mono, job.stall_timeout)
        elif lost and (job.owner is None or job.owner.session is None):
            job.lease_until = self.mono + self.lease
        else:
            return                              # its connection holds it, or its session has time to come back
        if lost:
            job.owner = None

    # --- time -------------------------------------------------------------------------------------------------------

    def advance(self, ms: int) -> None:
        """Let time pass and do what falls due, in its order."""
        end = self.mono + ms
        while (due := min(self.deadlines(), default=end + 1)) <= end:
            self.wall += due - self.mono
            self.mono = due
            self.run_due()
        self.wall += end - self.mono
        self.mono = end

    def deadlines(self) -> list[int]:
        times = [job.deadline() for job in self.jobs.values()] + [owner.due for owner in self.owners]
        times += [key.due for key in self.push_keys.values()]
        return [one for one in times if one is not None] + [
            waiter.due for queue in self.queues.values() for waiter in queue.line]

    def run_due(self) -> None:
        """At one instant: parked pulls and owners first, then jobs by shard and id."""
        self.push_keys = {name: key for name, key in self.push_keys.items() if key.due > self.mono}
        for queue in list(self.queues.values()):
            for waiter in list(queue.line):     # one that stands in several lines is answered in the first
                if waiter.due <= self.mono:
                    self.answer_empty(waiter)
        for owner in list(self.owners):
            if owner.due is not None and owner.due <= self.mono:
                self.owner_due(owner)
                self.serve()
        for job in sorted(self.jobs.values(), key=lambda one: (one.id % SHARDS, one.id)):
            deadline = job.deadline()
            if job.id in self.jobs and deadline is not None and deadline <= self.mono:
                self.job_due(job)
                self.serve()
        self.tell()
        self.serve()
        self.run_deferred()

    def owner_due(self, owner: Owner) -> None:
        """Nobody came back. A job with a lease of its own that still runs is not lost with a mere connection."""
        held = self.held_by(owner)
        self.owners.remove(owner)
        for job in sorted(held, key=lambda one: one.token or 0):
            if owner.session is None and job.lease_until is not None and job.lease_until > self.mono:
                job.owner = None
            else:
                self.lose(job, "worker_lost", "Worker lost")

    def job_due(self, job: Job) -> None:
        if job.state == "active":
            if job.times_out is not None and job.times_out <= self.mono:
                self.fail(job, "timeout", "Job timed out", {})
            else:
                self.lose(job, "stalled", "Job stalled")
        elif job.expires is not None and job.expires <= self.mono:
            self.remove(job)
        else:
            self.make_ready(job)
