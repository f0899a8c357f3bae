"""The model of what stands beside a job's life with a worker: managing, browsing, dead letters, limits, removal."""

from typing import Any

from support.model import Model, Refusal
from support.model_life import later
from support.model_parts import Client, Job, Message, Queue

LOG_ENTRIES = 100
LEVEL_BYTES = 11
ENDED = ("completed", "unknown")


class FullModel(Model):
    """The model of all commands but the rate limit's, whose wake-ups would meet other deadlines in no defined order."""

    def living(self, request: Message, code: str, text: str, *without: str) -> Job:
        """The job, unless it is unknown, completed, or in a state of `without`."""
        if self.state(request["id"]) in (*ENDED, *without):
            raise Refusal(code, text.format(request["id"]))
        return self.jobs[request["id"]]

    # --- one job ----------------------------------------------------------------------------------------------------

    def do_changepriority(self, client: Client, request: Message) -> Message:
        job = self.living(request, "CANNOT_PRIORITIZE", "Job {} not found or cannot change priority")
        job.priority = request["priority"]
        if job.state == "waiting":
            self.make_ready(job)
        return {}

    def do_promote(self, client: Client, request: Message) -> Message:
        state = self.state(request["id"])
        if state != "delayed":
            known = "is not delayed" if state != "unknown" else "not found or not in delayed state"
            raise Refusal("NOT_DELAYED", f"Job {request['id']} {known}")
        job = self.jobs[request["id"]]
        job.run_at = self.wall
        self.make_ready(job)
        return {}

    def do_movetodelayed(self, client: Client, request: Message) -> Message:
        text = "Job {} not in processing"
        job = self.living(request, "JOB_NOT_ACTIVE", text, "waiting", "delayed", "failed")
        self.end_delivery(job)
        job.progress, job.message = 0, None
        job.run_at = later(self.wall, request["delay"])
        if request["delay"]:
            self.delay(job, request["delay"])
        else:
            self.make_ready(job)
        return {}

    def do_updatejob(self, client: Client, request: Message) -> Message:
        self.living(request, "JOB_NOT_FOUND", "Job {} not found").data = request["data"]
        return {}

    do_update = do_updatejob

    def do_discard(self, client: Client, request: Message) -> Message:
        job = self.living(request, "CANNOT_DISCARD", "Job {} not found or already in DLQ/completed", "failed")
        if job.state == "active":
            self.note(job, "discarded", None)
            self.end_delivery(job)
        self.bury(job, "discarded")
        return {}

    def do_log(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["id"])
        if job is None:
            raise Refusal("JOB_NOT_FOUND", f"Job {request['id']} not found")
        if job.state == "active":
            self.beat(job)
        level = (request.get("level") or "info") if request.get("level") != "" else ""
        cut = level.encode()[:LEVEL_BYTES].decode(errors="ignore")
        job.log.append({"timestamp": self.wall, "message": request["message"], "level": cut})
        del job.log[:-LOG_ENTRIES]
        return {}

    # --- looking ----------------------------------------------------------------------------------------------------

    def do_getlogs(self, client: Client, request: Message) -> Message:
        job = self.jobs.get(request["id"])
        return {"id": request["id"], "logs": list(job.log) if job else []}

    def do_getjobbycustomid(self, client: Client, request: Message) -> Message:
        name = request.get("job_id", request.get("customId"))
        job = self.customs.get(name)
        return {"job": job.read() if job else None, "state": job.state if job else "unknown"}

    def do_getjobsbatch(self, client: Client, request: Message) -> Message:
        return {"jobs": [item(self.jobs[job_id]) for job_id in request["ids"] if job_id in self.jobs]}

    def do_getjobs(self, client: Client, request: Message) -> Message:
        queue, state = request.get("queue"), request.get("state")
        if queue is not None:
            self.seen(queue)
        found = [job for job in self.jobs.values()
                 if queue in (None, job.queue.name) and state in (None, job.state)]
        found.sort(key=lambda job: (job.created_at if queue is None else 0, job.id), reverse=True)
        begin = request.get("offset") or 0
        limit = 100 if request.get("limit") is None else request["limit"]
        return {"jobs": [item(job) for job in found[begin:begin + limit]], "total": len(found)}

    def do_getjobcounts(self, client: Client, request: Message) -> Message:
        queue = self.seen(request["queue"])
        counts = {state: self.in_state(request["queue"], state) for state in ("waiting", "active", "delayed")}
        counts |= {"completed": queue.completed if queue else 0, "failed": self.in_state(request["queue"], "failed"),
                   "waiting-children": 0}
        return {**counts, "counts": counts}

    # --- dead letters -----------------------------------------------------------------------------------------------

    def dead(self, name: str) -> list[Job]:
        """Oldest first."""
        self.seen(name)
        found = [job for job in self.jobs.values() if job.queue.name == name and job.state == "failed"]
        return sorted(found, key=lambda job: job.place)

    def do_dlq(self, client: Client, request: Message) -> Message:
        count = 100 if request.get("count") is None else request["count"]
        return {"jobs": [job.read() for job in self.dead(request["queue"])[:count]]}

    def do_retrydlq(self, client: Client, request: Message) -> Message:
        chosen = [job for job in self.dead(request["queue"]) if request.get("id") in (None, job.id)]
        for job in chosen:
            job.attempts, job.run_at, job.losses, job.missed = 0, self.wall, 0, 0
            self.make_ready(job)
        return {"ids": [len(chosen)], "count": len(chosen)}

    def do_purgedlq(self, client: Client, request: Message) -> Message:
        return self.removed(self.dead(request["queue"]))

    def removed(self, jobs: list[Job]) -> Message:
        for job in jobs:
            self.remove(job)
        return {"count": len(jobs)}

    # --- queues -----------------------------------------------------------------------------------------------------

    def do_setconcurrency(self, client: Client, request: Message) -> Message:
        queue = self.queue(request["queue"])
        queue.concurrency = request["limit"]
        self.wants_service(queue)
        return {}

    def do_setgroups(self, client: Client, request: Message) -> Message:
        """Rates and turns are held against rules of their own: test_groups."""
        concurrency = request.get("group_concurrency") or 1
        queue = self.seen(request["queue"]) if concurrency == 1 else self.queue(request["queue"])
        if queue is not None:
            queue.group_concurrency = concurrency
            self.wants_service(queue)
        return {}

    def do_clearconcurrency(self, client: Client, request: Message) -> Message:
        queue = self.seen(request["queue"])
        if queue is not None:
            queue.concurrency = None
            self.wants_service(queue)
        return {}

    def of_queue(self, queue: Queue | None, *states: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.queue is queue and job.state in states]

    def do_drain(self, client: Client, request: Message) -> Message:
        return self.removed(self.of_queue(self.seen(request["queue"]), "waiting", "delayed"))

    def do_obliterate(self, client: Client, request: Message) -> Message:
        queue = self.seen(request["queue"])
        reply = self.removed(self.of_queue(queue, "waiting", "delayed", "active", "failed"))
        if queue is not None:
            queue.paused, queue.concurrency, queue.group_concurrency = False, None, 1
            self.wants_service(queue)
        return reply

    def do_clean(self, client: Client, request: Message) -> Message:
        queue = self.seen(request["queue"])
        state = (request.get("state") or "").lower()
        if state not in ("waiting", "delayed", "completed", "failed"):
            raise Refusal("INVALID_STATE", "Invalid state. Use: waiting, delayed, completed, failed")
        before = max(self.wall - request["grace"], 0)
        old = [job for job in self.of_queue(queue, state)
               if (job.completed_at if state == "completed" else job.created_at) <= before]
        if state == "completed":
            old.sort(key=self.kept.index)
        else:
            old.sort(key=lambda job: job.id if state == "waiting" else job.place)
        chosen = old[:request.get("limit") or None]
        for job in chosen:
            if state == "completed":
                self.kept.remove(job)
                self.cleaned.add(job.id)
        return self.removed(chosen)


def item(job: Job) -> dict[str, Any]:
    """As browsers show it."""
    return {**job.shown(), "job": job.shown()}
