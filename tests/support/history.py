"""Random requests, one after another, that make sense: about jobs that there are, in the state that the command is for.

By a seed, and by the model of what the server holds. `Times` says how long delays may be: a simulated server lets them
pass, a real one must not come to any of them while it is looked at.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flashq.commands import ON_DUPLICATE, ON_PARENT_FAILURE, RETRY_TYPES
from support.model_parts import Job, Message
from support.model_restart import RestartModel

HOUR = 3_600_000


@dataclass(frozen=True)
class Times:
    """What may be chosen, in ms."""

    delays: Sequence[int] = (0, HOUR, 48 * HOUR)
    lives: Sequence[int] = (0, HOUR, 100 * HOUR)        # of ttl
    runs: Sequence[int] = (0, HOUR)                     # of timeout and stall_timeout
    backoffs: Sequence[int] = (0, 0, HOUR)
    graces: Sequence[int] = (0, 100 * HOUR)


LONG = Times()
SHORT = Times(delays=(0, 1, 40, 6000, HOUR), lives=(0, 5, 45, 6005, HOUR), runs=(0, 39, 1000, HOUR),
              backoffs=(0, 1, 20, HOUR), graces=(0, 40, 6000, 100 * HOUR))


class Requests:
    """Makes requests for `queues`. Names of its own begin with `prefix`, so that several can share a server."""

    def __init__(self, rng: random.Random, queues: Sequence[str], prefix: str = "", times: Times = LONG) -> None:
        self.rng = rng
        self.queues = queues
        self.prefix = prefix
        self.times = times
        self.long: Sequence[int] = (10, 300, 5000)      # sizes of long texts
        self.keeping = True     # whether jobs may say how long they are kept, which the model knows nothing of
        self.kinds: dict[Callable[[RestartModel], Message], int] = {
            self.push: 24, self.push_batch: 8, self.flow: 4, self.pull: 14, self.pull_batch: 6, self.ack: 16,
            self.ack_batch: 4, self.fail: 12, self.progress: 4, self.heartbeat: 1, self.cancel: 3, self.promote: 2,
            self.change_priority: 3, self.move_to_delayed: 2, self.update: 3, self.discard: 2, self.log: 3,
            self.retry_dead: 3, self.switch: 3, self.limits: 4, self.groups: 2, self.sweep: 1, self.purge: 1,
            self.keys: 6, self.cron: 4, self.read: 5,
        }

    def next(self, model: RestartModel) -> Message:
        """A request for what the model holds."""
        (kind,) = self.rng.choices(list(self.kinds), list(self.kinds.values()))
        return kind(model)

    # --- what they are made from --------------------------------------------------------------------------------------

    def chance(self, part: float) -> bool:
        return self.rng.random() < part

    def queue(self) -> str:
        return self.rng.choice(self.queues)

    def name(self, *choices: str) -> str:
        """One of them, of its own; empty stays empty."""
        chosen = self.rng.choice(choices)
        return self.prefix + chosen if chosen else ""

    def value(self, depth: int = 2) -> Any:
        """Any JSON."""
        long = "x" * self.rng.choice(self.long)
        choices: list[Any] = [None, True, 0, -1, 2**53, 0.5, -1e300, "", "ü\n\"", long]
        chosen = self.rng.randrange(len(choices) + 2 * (depth > 0))
        if chosen < len(choices):
            return choices[chosen]
        if chosen == len(choices):
            return [self.value(depth - 1) for _ in range(self.rng.randrange(3))]
        return {key: self.value(depth - 1) for key in self.rng.sample(["a", "ß", "long name"], self.rng.randrange(3))}

    def job(self, model: RestartModel, *states: str) -> Job | None:
        """Mostly one in one of these states, and mostly a new one."""
        jobs = list(model.jobs.values())
        if self.chance(0.95):
            jobs = [job for job in jobs if job.state in states]
        if not jobs:
            return None
        return self.rng.choice(jobs[-8:] if self.chance(0.5) else jobs)

    def id(self, model: RestartModel, *states: str) -> int:
        job = self.job(model, *states)
        return 2**52 + self.rng.randrange(99) if job is None else job.id

    def token(self, job: Job | None) -> Message:
        """The right one, none, or an old one."""
        if job is None or job.token is None or self.chance(0.3):
            return {}
        return {"token": job.token - self.chance(0.1)}

    # --- pushes -------------------------------------------------------------------------------------------------------

    def options(self, model: RestartModel, most: int = 5) -> Message:
        """Some push options."""
        rng, times = self.rng, self.times
        all_of_them: dict[str, Callable[[], Any]] = {
            "data": self.value, "priority": lambda: rng.choice([-(2**31), -1, 0, 1, 2**31 - 1]),
            "delay": lambda: rng.choice(times.delays), "ttl": lambda: rng.choice(times.lives),
            "timeout": lambda: rng.choice(times.runs), "stall_timeout": lambda: rng.choice(times.runs),
            "max_attempts": lambda: rng.randrange(3), "backoff": lambda: rng.choice(times.backoffs),
            "lifo": lambda: True, "tags": lambda: rng.choice([[], ["t"], ["t", "ü"]]),
            "job_id": lambda: self.name("", "x", "y", "ä", f"n{rng.randrange(100)}"),
            "unique_key": lambda: self.name("k", "ü", f"n{rng.randrange(100)}"),
            "on_duplicate": lambda: rng.choice(ON_DUPLICATE), "remove_on_complete": lambda: self.chance(0.3),
            "remove_on_fail": lambda: self.chance(0.3), "group_id": lambda: rng.choice(["g", "g", "h"]),
            "name": lambda: rng.choice(["n", "n", "m"]), "version": lambda: rng.randrange(3),
            "keep_completed_age": lambda: HOUR, "keep_completed_count": lambda: 1000,
            "depends_on": lambda: self.dependencies(model), "retry": self.policy,
        }
        chosen = rng.sample(list(all_of_them), rng.randrange(most + 1))
        if not self.keeping:
            chosen = [name for name in chosen if not name.startswith("keep_")]
        if {"group_id", "name"} & set(chosen) and "lifo" in chosen:
            chosen.remove("lifo")           # LIFO jobs of different lines have no order that can be told beforehand
        options = {name: all_of_them[name]() for name in chosen}
        if options.get("depends_on"):
            options["on_parent_failure"] = rng.choice([None, *ON_PARENT_FAILURE])
        return options

    def dependencies(self, model: RestartModel) -> list[int]:
        found = [self.id(model, "waiting", "delayed", "active", "failed", "completed") for _ in range(3)]
        return [job_id for job_id in found[:self.rng.randrange(4)] if job_id < 2**52]

    def policy(self) -> Message:
        wait = self.rng.choice(self.times.backoffs)
        return {"type": self.rng.choice(RETRY_TYPES), "delay": wait, **({"max": wait + 10} if self.chance(0.3) else {})}

    def push_key(self) -> Message:
        return {"push_key": self.name("p", f"p{self.rng.randrange(50)}")} if self.chance(0.1) else {}

    def push(self, model: RestartModel) -> Message:
        return {"cmd": "PUSH", "queue": self.queue(), **self.options(model), **self.push_key()}

    def push_batch(self, model: RestartModel) -> Message:
        jobs = [self.options(model, 3) for _ in range(self.rng.choice([1, 2, 5, 20]))]
        return {"cmd": "PUSHB", "queue": self.queue(), "jobs": jobs, **self.push_key()}

    def flow(self, model: RestartModel) -> Message:
        """Without what could refuse a part of it."""
        def plain() -> Message:
            options = {"data": self.value(), "priority": self.rng.randrange(2), "max_attempts": self.rng.randrange(3)}
            return {"queue": self.queue(), **options}

        children = [plain() for _ in range(self.rng.randint(1, 4))]
        return {"cmd": "FLOW", **plain(), "children": children, "fail_parent": self.chance(0.5)}

    # --- work ---------------------------------------------------------------------------------------------------------

    def asked(self) -> Message:
        """From where, and for which names."""
        several = self.rng.sample(self.queues, self.rng.randint(1, len(self.queues)))
        where: Message = {"queues": several} if self.chance(0.2) else {"queue": self.queue()}
        names: Message = self.rng.choice([
            {}, {}, {}, {"names": ["n"]}, {"names": ["m", "n"], "versions": [0, 2]}, {"names": []}])
        return {**where, **names, "timeout": 0}

    def pull(self, model: RestartModel) -> Message:
        return {"cmd": "PULL", **self.asked()}

    def pull_batch(self, model: RestartModel) -> Message:
        return {"cmd": "PULLB", **self.asked(), "count": self.rng.choice([1, 2, 5, 20])}

    def work(self, model: RestartModel, cmd: str, **fields: Any) -> Message:
        """What a worker says of a job that it has, mostly with the token."""
        job = self.job(model, "active")
        return {"cmd": cmd, "id": 2**52 if job is None else job.id, **fields, **self.token(job)}

    def ack(self, model: RestartModel) -> Message:
        return self.work(model, "ACK", result=self.value())

    def ack_batch(self, model: RestartModel) -> Message:
        jobs = [job for job in (self.job(model, "active") for _ in range(self.rng.randrange(5))) if job is not None]
        tokens = [job.token or 0 for job in jobs]
        ids = [job.id for job in jobs]
        return {"cmd": "ACKB", "ids": ids, **({"tokens": tokens} if self.chance(0.5) else {})}

    def fail(self, model: RestartModel) -> Message:
        order: Message = self.rng.choice([{}, {}, {"retry": False}, {"release": True}, {
            "retry_after": self.rng.choice(self.times.delays)}])
        return self.work(model, "FAIL", error=self.rng.choice([None, "", "why", "ü" * 400]), **order)

    def progress(self, model: RestartModel) -> Message:
        return self.work(model, "PROGRESS", progress=self.rng.choice([0, 7, 33.9, 100]),
                         message=self.rng.choice([None, "how far"]))

    def heartbeat(self, model: RestartModel) -> Message:
        return self.work(model, "HEARTBEAT")

    # --- managing -----------------------------------------------------------------------------------------------------

    def cancel(self, model: RestartModel) -> Message:
        return {"cmd": "CANCEL", "id": self.id(model, "waiting", "delayed", "active", "waiting-children")}

    def promote(self, model: RestartModel) -> Message:
        return {"cmd": "PROMOTE", "id": self.id(model, "delayed")}

    def change_priority(self, model: RestartModel) -> Message:
        job_id = self.id(model, "waiting", "delayed", "active", "failed", "waiting-children")
        return {"cmd": "CHANGEPRIORITY", "id": job_id, "priority": self.rng.randint(-2, 2)}

    def move_to_delayed(self, model: RestartModel) -> Message:
        return {"cmd": "MOVETODELAYED", "id": self.id(model, "active"), "delay": self.rng.choice(self.times.delays)}

    def update(self, model: RestartModel) -> Message:
        job_id = self.id(model, "waiting", "delayed", "active", "failed", "waiting-children")
        return {"cmd": "UPDATEJOB", "id": job_id, "data": self.value()}

    def discard(self, model: RestartModel) -> Message:
        return {"cmd": "DISCARD", "id": self.id(model, "waiting", "delayed", "active", "waiting-children")}

    def log(self, model: RestartModel) -> Message:
        job_id = self.id(model, "waiting", "active")
        return {"cmd": "LOG", "id": job_id, "message": self.rng.choice(["", "line", "ü" * 99]),
                "level": self.rng.choice([None, "debug"])}

    def retry_dead(self, model: RestartModel) -> Message:
        job = self.job(model, "failed")
        if job is None or self.chance(0.3):
            return {"cmd": "RETRYDLQ", "queue": self.queue()}
        return {"cmd": "RETRYDLQ", "queue": job.queue.name, "id": job.id}

    def switch(self, model: RestartModel) -> Message:
        """Mostly on: paused queues give nothing."""
        return {"cmd": self.rng.choice(["PAUSE", "RESUME", "RESUME", "RESUME"]), "queue": self.queue()}

    def limits(self, model: RestartModel) -> Message:
        """Rate limits that never bite."""
        cmd, more = self.rng.choice([
            ("SETCONCURRENCY", {"limit": self.rng.randint(1, 50)}), ("CLEARCONCURRENCY", {}),
            ("RATELIMIT", {"limit": 2**32 - 1 - self.rng.randrange(9)}), ("RATELIMITCLEAR", {})])
        return {"cmd": cmd, "queue": self.queue(), **more}

    def groups(self, model: RestartModel) -> Message:
        return {"cmd": "SETGROUPS", "queue": self.queue(), "group_concurrency": self.rng.choice([None, 1, 2, 3])}

    def sweep(self, model: RestartModel) -> Message:
        """Much is gone at once: seldom, and not where others would hear of several ends, in whatever order."""
        queue = self.queue()
        if sum(job_id in model.jobs and model.jobs[job_id].queue.name == queue for job_id in model.minded) > 1:
            return self.switch(model)
        if self.chance(0.5):
            return {"cmd": self.rng.choice(["DRAIN", "DRAIN", "OBLITERATE"]), "queue": queue}
        state = self.rng.choice(["waiting", "delayed", "completed", "failed"])
        # Which of the completed are the oldest is another matter where some are kept for longer.
        limit = None if state == "completed" and self.keeping else self.rng.choice([None, 1, 5])
        return {"cmd": "CLEAN", "queue": queue, "grace": self.rng.choice(self.times.graces), "state": state,
                "limit": limit}

    def purge(self, model: RestartModel) -> Message:
        return {"cmd": "PURGEDLQ", "queue": self.queue()}

    def read(self, model: RestartModel) -> Message:
        states = ("waiting", "delayed", "active", "failed", "completed", "waiting-children")
        return {"cmd": "GETJOB", "id": self.id(model, *states)}

    # --- beside jobs --------------------------------------------------------------------------------------------------

    def keys(self, model: RestartModel) -> Message:
        key = self.name("a", "b", "ü", f"n{self.rng.randrange(100)}")
        entries = [{"key": self.prefix + name, "value": self.value()} for name in self.rng.sample("abcdef", 3)]
        return self.rng.choice([
            {"cmd": "KVSET", "key": key, "value": self.value()}, {"cmd": "KVDEL", "key": key},
            {"cmd": "KVMSET", "entries": entries}, {"cmd": "KVINCR", "key": self.prefix + "count",
                                                    "by": self.rng.randint(-5, 5)}])

    def cron(self, model: RestartModel) -> Message:
        """Entries whose time does not come."""
        name = self.name("c", "d", f"n{self.rng.randrange(30)}")
        if self.chance(0.3):
            return {"cmd": "CRONDELETE", "name": name}
        when: Message = {"repeat_every": 400 * 24 * HOUR} if self.chance(0.5) else {
            "schedule": "0 0 29 2 *", "tz": self.rng.choice(["UTC", "Europe/Berlin"])}
        options: Message = {"options": {"max_attempts": 3}} if self.chance(0.3) else {}
        return {"cmd": "CRON", "name": name, "queue": self.queue(), "data": self.value(),
                "priority": self.rng.randrange(3), "overlap": self.rng.choice(["allow", "skip"]), **when, **options}
