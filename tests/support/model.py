"""What the server must do, in plain lists and dicts: the semantics of wire document and design, slow and obvious.

Time is the caller's. Ids are predicted from the shard of each queue, tokens from the number of deliveries so far.
"""

from typing import Any

from support.model_life import World, later, nothing
from support.model_parts import SHARDS, Client, Job, Message, PushKey, Queue, Waiter

MAX_BACKOFF = 2**32 - 1
MAX_BATCH = 1000
DEFAULT_WAIT = 60_000
PUSH_KEY_MS = 300_000


class Refusal(Exception):
    """An error reply: its code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.reply = {"ok": False, "error": text, "code": code}


def policy(given: Message | None) -> Message | None:
    """A retry policy with its defaults filled in."""
    if given is None:
        return None
    return {**given, "max": given.get("max") or 0, "jitter": given.get("jitter") or 0}


class Model(World):
    """A world that takes requests, one method a command."""

    # --- requests ---------------------------------------------------------------------------------------------------

    def request(self, client: Client, request: Message) -> None:
        """Execute a request, or keep it until the pull before it is answered; then what it sets off."""
        if "reqId" not in request and (self.blocked(client) or client.deferred):
            client.deferred.append(request)
        else:
            self.execute(client, request)
        self.run_deferred()

    def execute(self, client: Client, request: Message) -> None:
        handler = getattr(self, "do_" + request["cmd"].lower())
        try:
            body = handler(client, request)
        except Refusal as refusal:
            self.reply(client, request, refusal.reply)
        else:
            if body is not None:        # a parked pull is answered later
                self.reply(client, request, {"ok": True, "success": True, **body})
        self.tell()
        self.serve()

    def queue(self, name: str) -> Queue:
        if name not in self.queues:
            self.queues[name] = Queue(name)
        self.queues[name].touched = self.mono
        return self.queues[name]

    def active(self, request: Message, code: str, text: str) -> Job:
        """The active job that a request names, by its token if it gives one."""
        job = self.jobs.get(request["id"])
        if job is None or job.state != "active":
            raise Refusal(code, text.format(request["id"]))
        if request.get("token") not in (None, job.token):
            raise Refusal("STALE_TOKEN", f"Job {request['id']} is held by a newer delivery (stale token)")
        return job

    def do_push(self, client: Client, request: Message) -> Message:
        queue = self.queue(request["queue"])
        key = self.push_key(request, [None])
        if key.ids[0] is None:
            key.ids[0] = self.create(queue, request)
            self.remember(request, key)
        return {"id": key.ids[0]}

    def do_pushb(self, client: Client, request: Message) -> Message:
        queue = self.queue(request["queue"])
        key = self.push_key(request, [None for _ in request["jobs"]])
        before, errors = list(key.ids), []
        for index, options in enumerate(request["jobs"]):
            try:
                key.ids[index] = key.ids[index] or self.create(queue, options)
            except Refusal as refusal:
                errors.append({"index": index, "error": refusal.reply["error"]})
        if key.ids != before:
            self.remember(request, key)
        told = {"errors": errors, "failed": [one["index"] for one in errors]} if errors else {}
        return {"ids": [one for one in key.ids if one is not None], **told}

    def push_key(self, request: Message, ids: list[int | None]) -> PushKey:
        """What is known of the push; without a key, or of a new one, nothing."""
        batch, name = request["cmd"] == "PUSHB", request.get("push_key") or ""
        known = self.push_keys.get((request["queue"], name))
        if known is None:
            return PushKey(batch, ids, 0, 0)
        if (known.batch, len(known.ids)) != (batch, len(ids)):
            raise Refusal("PUSH_KEY_TAKEN", f"Push key '{name}' belongs to another push")
        return known

    def remember(self, request: Message, key: PushKey) -> None:
        """As long as a push that took something is answered by its key."""
        key.expires, key.due = later(self.wall, PUSH_KEY_MS), self.mono + PUSH_KEY_MS
        if request.get("push_key"):
            self.push_keys[request["queue"], request["push_key"]] = key

    def create(self, queue: Queue, options: Message) -> int:
        """The id of a new job, or of the living one that has its custom id or, if wished, its unique key."""

        def option(name: str, default: Any, *aliases: str) -> Any:
            given = [options[one] for one in (name, *aliases) if options.get(one) is not None]
            return given[0] if given else default

        custom_id = option("job_id", "", "jobId") or None
        for job in self.jobs.values():
            if custom_id is not None and job.custom_id == custom_id and job.state != "completed":
                return job.id
        unique_key = option("unique_key", "") or None
        holder = self.holder(queue, unique_key) if unique_key else None
        if holder is not None:
            return self.duplicate(holder, option("on_duplicate", "error"), options.get("data"))
        shard = self.shards[queue.name]
        delay, ttl = option("delay", 0), option("ttl", 0)
        job = Job(
            id=options.get("flow_id") or self.sequences[shard] * SHARDS + shard, queue=queue, data=options.get("data"),
            priority=option("priority", 0), created_at=self.wall, run_at=later(self.wall, delay),
            max_attempts=option("max_attempts", 0, "attempts", "maxAttempts"),
            backoff=min(option("backoff", 0), MAX_BACKOFF), ttl=ttl, timeout=option("timeout", 0),
            stall_timeout=option("stall_timeout", 0), lifo=option("lifo", False), tags=option("tags", []),
            custom_id=custom_id, unique_key=unique_key, holds_key=unique_key is not None,
            remove_on_complete=option("remove_on_complete", False),
            remove_on_fail=option("remove_on_fail", False), retry=policy(option("retry", None)),
            group=option("group_id", "") or None, name=option("name", "") or None, version=option("version", 0),
            depends_on=option("depends_on", []), on_parent_failure=option("on_parent_failure", "wait"),
            keep_age=option("keep_completed_age", 0, "keepCompletedAge"),
            keep_count=option("keep_completed_count", 0, "keepCompletedCount"),
            parent_id=options.get("parent_id"), children=options.get("child_ids", []),
            fail_parent=option("fail_parent", False),
        )
        self.sequences[shard] += "flow_id" not in options
        self.jobs[job.id] = job
        if custom_id is not None:
            self.customs[custom_id] = job
        if ttl:
            job.expires = later(self.mono, ttl) + 1     # it lives while now - created_at <= ttl
        for one in [*job.depends_on, *job.children]:
            self.wait_for(job, one)
        if job.unmet:
            job.state = "waiting-children"
            self.stand(job)
        elif delay:
            self.delay(job, delay)
        else:
            self.make_ready(job)
        return job.id

    def duplicate(self, holder: Job, wish: str, data: Any) -> int:
        """What becomes of a push whose key is held."""
        if wish == "error" or (wish == "replace" and holder.state == "active"):
            raise Refusal("DUPLICATE_KEY", f"Duplicate job with key: {holder.unique_key}")
        if wish == "replace":
            holder.data = data
        return holder.id

    def do_pull(self, client: Client, request: Message) -> Message | None:
        return self.pull(client, request, 1)

    def do_pullb(self, client: Client, request: Message) -> Message | None:
        return self.pull(client, request, min(request["count"], MAX_BATCH))

    def pull(self, client: Client, request: Message, count: int) -> Message | None:
        queues = [self.queue(name) for name in request.get("queues") or [request["queue"]]]
        timeout = DEFAULT_WAIT if request.get("timeout") is None else request["timeout"]
        waiter = Waiter(client, request, queues, count, self.mono + timeout)
        if body := self.taken(waiter, queues):  # who waits in front has had a look, and takes nothing of what is there
            return body
        if count == 0 or timeout == 0 or client.at_eof:
            return nothing(waiter)
        for queue in queues:
            queue.line.append(waiter)
        return None

    def do_ack(self, client: Client, request: Message) -> Message:
        self.complete(self.active(request, "JOB_NOT_FOUND", "Job {} not found"), request.get("result"))
        return {}

    def do_ackb(self, client: Client, request: Message) -> Message:
        done = 0
        tokens = request.get("tokens") or [None] * len(request["ids"])
        for job_id, token in zip(request["ids"], tokens, strict=True):
            job = self.jobs.get(job_id)
            if job is not None and job.state == "active" and token in (None, job.token):
                self.complete(job, None)
                done += 1
        return {"ids": [done], "count": done}

    def do_fail(self, client: Client, request: Message) -> Message:
        others = {"release": bool(request.get("release")), "retry_after": request.get("retry_after") is not None}
        for field in (name for name, given in others.items() if given and request.get("retry") is False):
            raise Refusal("CONTRADICTION", f"Invalid: field '{field}' and 'retry: false' exclude each other")
        self.fail(self.active(request, "JOB_NOT_FOUND", "Job {} not found"), "failed", request.get("error"), request)
        return {}

    def do_progress(self, client: Client, request: Message) -> Message:
        job = self.active(request, "JOB_NOT_ACTIVE", "Job {} not found in processing")
        job.progress = min(int(request["progress"]), 100)
        job.message = request.get("message") or None
        self.beat(job)
        return {}

    def do_heartbeat(self, client: Client, request: Message) -> Message:
        job = self.active(request, "JOB_NOT_ACTIVE", "Job {} not in processing")
        self.beat(job)
        job.losses -= job.missed
        job.missed = 0
        return {}

    def do_auth(self, client: Client, request: Message) -> Message:
        return {}

    def do_hello(self, client: Client, request: Message) -> Message:
        session = request.get("session")
        if session:
            self.open_session(client, session)
        # The rest of the reply is the server's business, and does not change.
        return {"session": session, "push": bool(request.get("push"))}

    def open_session(self, client: Client, session: str) -> None:
        known = [owner for owner in self.owners if owner.session == session]
        if client.owner is not None and client.owner.session == session:
            return
        if not known and client.owner is not None and client.owner.session is None:
            client.owner.session = session      # what it holds already is the session's from now on
            return
        self.leave(client)
        if not known:
            self.owner_of(client).session = session
            return
        owner = known[0]
        if owner.client is not None:
            owner.client.owner = None           # an older connection of the session: the newest speaks for it
        owner.client, owner.due, client.owner = client, None, owner

    def do_ping(self, client: Client, request: Message) -> Message:
        return {"pong": True}

    def do_getjob(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["id"])
        return {"job": job.read() if job else None, "state": self.state(request["id"])}

    def do_getstate(self, client: Client, request: Message) -> Message:
        return {"id": request["id"], "state": self.state(request["id"])}

    def do_getresult(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["id"])
        return {"id": request["id"], "result": job.result if job else None}

    def do_getprogress(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["id"])
        if job is None or job.state not in ("active", "completed"):
            raise Refusal("JOB_NOT_FOUND", f"Job {request['id']} not found")
        shown = {"id": job.id, "progress": job.progress, "message": job.message}
        return {"progress": shown, "message": job.message}

    def do_cancel(self, client: Client, request: Message) -> Message:
        state = self.state(request["id"])
        if state == "unknown":
            raise Refusal("JOB_NOT_FOUND", f"Job {request['id']} not found")
        if state in ("completed", "failed"):
            raise Refusal("CANNOT_CANCEL", f"Job {request['id']} cannot be cancelled (already completed/failed)")
        self.remove(self.jobs[request["id"]])
        return {}

    def do_pause(self, client: Client, request: Message) -> Message:
        self.queue(request["queue"]).paused = True
        return {}

    def do_resume(self, client: Client, request: Message) -> Message:
        queue = self.queue(request["queue"])
        queue.paused = False
        self.wants_service(queue)
        return {}

    def do_ispaused(self, client: Client, request: Message) -> Message:
        queue = self.seen(request["queue"])
        return {"paused": queue is not None and queue.paused}

    def do_listqueues(self, client: Client, request: Message) -> Message:
        return {"queues": [
            {"name": one["name"], "pending": one["waiting"] + one["delayed"], "processing": one["active"],
             "dlq": one["failed"], "paused": one["paused"], "rate_limit": None,
             "concurrency_limit": one["concurrency_limit"], "completed": one["completed"], "delayed": one["delayed"],
             **({"groups": one["groups"]} if one["groups"] else {})}
            for one in self.counts()
        ]}

    def do_count(self, client: Client, request: Message) -> Message:
        self.seen(request["queue"])
        return {"count": self.in_state(request["queue"], "waiting") + self.in_state(request["queue"], "delayed")}

    def do_stats(self, client: Client, request: Message) -> Message:
        names = ("waiting", "active", "completed", "failed", "delayed", "paused")
        return {**self.totals(), "queues": {one["name"]: {name: one[name] for name in names} for one in self.counts()}}

    # --- what can be seen -------------------------------------------------------------------------------------------

    def seen(self, name: str) -> Queue | None:
        """The queue, if there is one; asking for it is using it."""
        return self.queue(name) if name in self.queues else None

    def state(self, job_id: int) -> str:
        if job_id in self.jobs:
            return self.jobs[job_id].state
        return "completed" if job_id in self.completed_ids and job_id not in self.cleaned else "unknown"

    def in_state(self, queue: str, state: str) -> int:
        return sum(job.queue.name == queue and job.state == state for job in self.jobs.values())

    def counts(self) -> list[Message]:
        """Each queue's numbers, by name."""
        states = ("waiting", "delayed", "active", "failed")
        return [
            {"name": name, **{state: self.in_state(name, state) for state in states},
             "completed": queue.completed, "paused": queue.paused, "rate_limit": None,
             "concurrency_limit": queue.concurrency, "groups": queue.groups()}
            for name, queue in sorted(self.queues.items())
        ]

    def totals(self) -> dict[str, int]:
        names = {"queued": "waiting", "processing": "active", "delayed": "delayed", "dlq": "failed"}
        found = {key: sum(job.state == state for job in self.jobs.values()) for key, state in names.items()}
        return {**found, "completed": self.completed}

    def is_idle(self, name: str) -> bool:
        """Whether nothing needs the queue, so that the server may forget it."""
        queue = self.queues[name]
        if queue.line or queue.paused or queue.concurrency is not None or queue.groups():
            return False
        if any(queue_name == name for queue_name, _ in self.push_keys):
            return False
        return not any(job.queue is queue for job in self.jobs.values())
