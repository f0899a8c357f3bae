"""The model of all that a restart must bring back: flows, keys, cron entries and rate limits too; and of the restart.

Its rate limits never bite, and its cron entries and keys never come due: what time does to them is held against rules
of their own elsewhere.
"""

from typing import Any

from support.model import Refusal
from support.model_life import later
from support.model_manage import FullModel
from support.model_parts import SHARDS, Client, Job, Message, Queue

CRON_DEFAULTS: Message = {"schedule": None, "repeat_every": None, "limit": None, "tz": "UTC", "catchup": "none",
                 "overlap": "allow", "data": None, "priority": 0, "options": {}}


class RestartModel(FullModel):
    """One server with one directory."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.keys: dict[str, Any] = {}
        self.crons: dict[str, Message] = {}
        self.rates: dict[str, int] = {}
        self.issued: set[int] = set()
        self.evicted: set[int] = set()      # completed jobs that made room for newer ones

    def complete(self, job: Job, result: Any) -> None:
        known = {*self.completed_ids}
        super().complete(job, result)
        self.evicted |= known - {*self.completed_ids} - self.cleaned

    def create(self, queue: Queue, options: Message) -> int:
        job_id = super().create(queue, options)
        self.issued.add(job_id)
        return job_id

    def lose_counts(self) -> None:
        """What a restart does not bring back exactly."""
        for job in self.jobs.values():
            job.miscounts |= bool(job.children and job.failed_at)

    def restart(self, epoch: int) -> None:
        """The process was killed, and another has begun with what it left: leases begin anew, lines by id."""
        self.lose_counts()
        # The place that a completed job had among those that are kept is not found again without it.
        self.completed_ids = [one for one in self.completed_ids if one not in self.cleaned]
        for client in list(self.clients):
            self.disconnect(client)
        for owner in self.owners:
            owner.due = self.mono + self.grace
        self.owners = [owner for owner in self.owners if owner.session]
        for job in sorted(self.jobs.values(), key=lambda one: one.id):
            if job.state == "active":
                self.held_anew(job)
            elif job.state == "waiting":
                self.readied += 1
                job.ready_order = self.readied
            elif job.state != "failed":
                self.stand(job)
        for job in sorted(self.jobs.values(), key=lambda one: (one.failed_at, one.id)):
            if job.state == "failed":
                self.stand(job)
        self.epoch, self.deliveries = epoch, 0

    def held_anew(self, job: Job) -> None:
        if job.owner not in self.owners:
            job.owner = None
        if job.stall_timeout:
            job.lease_until = later(self.mono, job.stall_timeout)
        elif job.owner is None:
            job.lease_until = later(self.mono, self.lease)

    # --- flows ------------------------------------------------------------------------------------------------------

    def do_flow(self, client: Client, request: Message) -> Message:
        """The children first; the parent has the id before theirs."""
        queue = self.queue(request["queue"])
        shard = self.shards[queue.name]
        parent_id = self.sequences[shard] * SHARDS + shard
        self.sequences[shard] += 1
        ids = [self.create(self.queue(one["queue"]), {**one, "parent_id": parent_id}) for one in request["children"]]
        self.create(queue, {**request, "flow_id": parent_id, "child_ids": ids})
        return {"parent_id": parent_id, "children_ids": ids}

    def do_getchildren(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["parent_id"])
        if job is None or not job.children:
            raise Refusal("PARENT_NOT_FOUND", f"Parent job {request['parent_id']} not found")
        shown = [self.jobs[one].shown() for one in job.children if one in self.jobs]
        return {"parent_id": job.id, "children": [{**one, "job": one} for one in shown], "children_ids": job.children,
                "completed": job.children_completed, "total": len(job.children)}

    # --- keys -------------------------------------------------------------------------------------------------------

    def do_kvset(self, client: Client, request: Message) -> Message:
        self.keys[request["key"]] = request["value"]
        return {}

    def do_kvmset(self, client: Client, request: Message) -> Message:
        self.keys |= {one["key"]: one["value"] for one in request["entries"]}
        return {"count": len(request["entries"])}

    def do_kvdel(self, client: Client, request: Message) -> Message:
        there = request["key"] in self.keys
        self.keys.pop(request["key"], None)
        return {"exists": there}

    def do_kvincr(self, client: Client, request: Message) -> Message:
        value = self.keys.get(request["key"])
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise Refusal("NOT_A_NUMBER", "")
        self.keys[request["key"]] = (value or 0) + request["by"]
        return {"value": self.keys[request["key"]]}

    def do_kvget(self, client: Client, request: Message) -> Message:
        return {"value": self.keys.get(request["key"])}

    # --- cron and limits --------------------------------------------------------------------------------------------

    def do_cron(self, client: Client, request: Message) -> Message:
        given = {**CRON_DEFAULTS, **{name: request[name] for name in CRON_DEFAULTS if name in request}}
        self.crons[request["name"]] = {"name": request["name"], "queue": request["queue"], **given,
                                       "executions": 0, "skipped": 0}
        return {}

    def do_crondelete(self, client: Client, request: Message) -> Message:
        if self.crons.pop(request["name"], None) is None:
            raise Refusal("CRON_NOT_FOUND", "Cron job not found")
        return {}

    def do_ratelimit(self, client: Client, request: Message) -> Message:
        self.rates[self.queue(request["queue"]).name] = request["limit"]
        return {}

    def do_ratelimitclear(self, client: Client, request: Message) -> Message:
        self.rates.pop(request["queue"], None)
        return {}

    def do_obliterate(self, client: Client, request: Message) -> Message:
        self.crons = {name: one for name, one in self.crons.items() if one["queue"] != request["queue"]}
        self.rates.pop(request["queue"], None)
        return super().do_obliterate(client, request)

    def counts(self) -> list[Message]:
        return [{**one, "rate_limit": self.rates.get(one["name"])} for one in super().counts()]

    def do_listqueues(self, client: Client, request: Message) -> Message:
        queues = super().do_listqueues(client, request)["queues"]
        return {"queues": [{**one, "rate_limit": self.rates.get(one["name"])} for one in queues]}

    def is_idle(self, name: str) -> bool:
        return name not in self.rates and super().is_idle(name)
