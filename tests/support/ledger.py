"""One client's share of a server: what it was told, and what may have happened of what it has not heard of.

The share is its own: queues, keys and entries that nobody else touches. Its requests are executed in the order in which
they were sent, and what a crash takes away is the end of the log. So the server that is found afterwards is one of few:
the model after all that was promised, and after one, two, … of the requests that were still open.
"""

import pickle
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from support.history import LONG, Requests
from support.look import Ask, View, compare, differences, expected, forget_idle, look
from support.model_parts import SHARDS, Message
from support.model_restart import RestartModel

SLACK = 10_000      # ms between what the model takes a time for and what the server's clock said
GAP = 5             # ms that keep apart what is put in order by time
# These put a job into line by the time of the request.
BY_TIME = frozenset({"PROMOTE", "RETRYDLQ", "MOVETODELAYED"})
NOTHING_DONE = frozenset({"DISK_FULL", "SERVICE_UNAVAILABLE"})     # codes of replies
# What a delivery does is not waited for, and these may change nothing.
PROMISES_NOTHING = frozenset({"PULL", "PULLB", "HEARTBEAT", "GETJOB", "GETJOBCOUNTS"})
TIMES = ("created_at", "run_at", "started_at", "completed_at", "failed_at", "last_heartbeat")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Asked:
    """A request, and the reply once it has come."""

    request: Message
    wall: int
    reply: Message | None = None


class Ledger:
    """`model` is what was promised; `open` what was asked since."""

    def __init__(self, model: RestartModel, rng: random.Random, prefix: str) -> None:
        self.model = model
        self.client = model.connect(0)
        self.rng = rng
        self.prefix = prefix
        self.requests = Requests(rng, sorted(model.shards), prefix, LONG)
        self.requests.long = (10, 300, 5000, 30_000)
        self.open: list[Asked] = []
        self.seen: dict[int, tuple[Message, Message]] = {}  # of jobs as they were found: them, and what the model said
        self._last_by_time = 0

    def __str__(self) -> str:
        return f"share {self.prefix!r}"

    # --- asking -----------------------------------------------------------------------------------------------------

    def choose(self) -> list[Message]:
        """What to send next, at once."""
        found = [self.requests.next(self.model) for _ in range(self.rng.choice([1, 1, 1, 2, 5, 20]))]
        alone = [one for one in found if one["cmd"] in BY_TIME]
        return alone[:1] or found

    def pause_before(self, requests: Sequence[Message]) -> float:
        """Seconds until they may be sent: the clock must tell what is in order by time from what is around it."""
        by_time = requests[0]["cmd"] in BY_TIME
        last = max([self._last_by_time, *((one.wall for one in self.open) if by_time else ())])
        wait = max(last + GAP - now_ms(), 0) / 1000 if last else 0.0
        return max(wait, GAP / 1000) if by_time else wait

    def sent(self, requests: Sequence[Message]) -> list[Asked]:
        asked = [Asked(one, now_ms()) for one in requests]
        self.open += asked
        return asked

    def answered(self, asked: Asked, reply: Message) -> None:
        """What it promises holds for all before it."""
        if reply.get("code") in NOTHING_DONE:
            self.open.remove(asked)
            return
        if reply.get("code") == "STORAGE_FAILED":
            return                      # it may have happened, or not
        asked.reply = reply
        if asked.request["cmd"] in BY_TIME:
            self._last_by_time = now_ms()
        if self._promises(asked):
            end = self.open.index(asked) + 1
            for one in self.open[:end]:
                self.happens(self.model, one)
            del self.open[:end]

    def _promises(self, asked: Asked) -> bool:
        """Whether the reply waited for a record of its own request."""
        assert asked.reply is not None
        cmd, reply = asked.request["cmd"], asked.reply
        if not reply["ok"] or cmd in PROMISES_NOTHING:
            return False
        if cmd in ("PUSH", "PUSHB"):
            ids = reply.get("ids", [reply.get("id")])
            return any(job_id not in self.model.issued and not self._named(job_id) for job_id in ids)
        if "count" in reply or "exists" in reply:
            return bool(reply.get("count") or reply.get("exists"))
        # Setting what is set already may write nothing.
        return cmd not in ("PAUSE", "RESUME", "SETCONCURRENCY", "CLEARCONCURRENCY", "SETGROUPS", "RATELIMITCLEAR")

    def _named(self, job_id: int) -> bool:
        """Whether another open request was answered with the same job."""
        replies = [one.reply for one in self.open if one.reply is not None]
        return sum(job_id in reply.get("ids", [reply.get("id")]) for reply in replies) > 1

    # --- the model --------------------------------------------------------------------------------------------------

    def happens(self, model: RestartModel, asked: Asked) -> None:
        """The request happens to the model, which learns from the reply and must give the same one."""
        client = model.clients[0]
        ahead = max(asked.wall - model.wall, 0)
        model.wall, model.mono = model.wall + ahead, model.mono + ahead
        reply = asked.reply
        if reply is not None and reply["ok"]:
            self._learn_ids(model, asked.request, reply)
        model.request(client, asked.request)
        (wanted,), client.replies = client.replies, []
        delivers = asked.request["cmd"] in ("PULL", "PULLB")
        for job in jobs_of(wanted) if delivers else ():
            job["token"] = model.jobs[job["id"]].token = None
        if reply is None:
            return
        told = list(compare(str(asked.request)[:300], wanted, reply, SLACK))
        assert told == [], f"{self}: {told}"
        for job in jobs_of(reply) if delivers else ():
            assert job["token"] >> 32 == model.epoch, f"a token of another epoch than {model.epoch}: {job}"
            model.jobs[job["id"]].token = job["token"]

    def _learn_ids(self, model: RestartModel, request: Message, reply: Message) -> None:
        """Numbers may be left out, but never come again."""
        ids = reply.get("ids", [reply.get("id"), reply.get("parent_id")]) if request["cmd"] != "ACKB" else []
        fresh = [job_id for job_id in ids if job_id is not None and job_id > SHARDS and job_id not in model.issued]
        if fresh and request["cmd"] in ("PUSH", "PUSHB", "FLOW"):
            shard, sequence = fresh[0] % SHARDS, fresh[0] // SHARDS
            assert sequence >= model.sequences[shard], f"{self}: id {fresh[0]} is used again"
            model.sequences[shard] = sequence

    def restarted(self, epoch: int) -> None:
        """Nothing was open, and the server has been started again."""
        assert self.open == []
        self.model.restart(epoch)
        self.client = self.model.connect(0)

    # --- after a crash ----------------------------------------------------------------------------------------------

    def check(self, ask: Ask, epoch: int) -> None:
        """The server that was found is one that may be; from here on it is the one that is."""
        issued = set(self.model.issued)
        for one in self.open:
            issued |= set(ids_in(one.reply))
        found = look(ask, self.model.queues, issued, self.prefix)
        tried: list[str] = []
        for count, candidate in enumerate(self.candidates()):
            told = self.differences(candidate, found, epoch)
            if not told:
                break
            tried += [f"with {count} of {len(self.open)} open requests:", *told[:10]]
        else:
            raise AssertionError("\n".join([f"{self} is not as it was promised, nor as it may be", *tried,
                                            "open:", *(str(one)[:600] for one in self.open)]))
        self.model, self.client = candidate, candidate.connect(0)
        self.open = []
        self.seen = {job_id: (job, candidate.jobs[job_id].read()) for job_id, job in found.jobs.items()}

    def candidates(self) -> Iterator[RestartModel]:
        """What was promised, and more and more of what was open."""
        model = copied(self.model)
        yield copied(model)
        for one in self.open:
            self.happens(model, one)
            yield copied(model)

    def differences(self, model: RestartModel, found: View, epoch: int) -> list[str]:
        """Where the model, which is restarted, is not what was found."""
        model.lose_counts()
        wanted = expected(model)
        told = [*compare("times of jobs", wanted.jobs, found.jobs, SLACK),
                *compare("times of logs", wanted.logs, found.logs, SLACK)]
        if told:
            return told
        for job_id, (job, said) in self.seen.items():
            if job_id in model.jobs and (now := model.jobs[job_id].read()) == said:
                as_before = {**job, "children_completed": now["children_completed"]}
                told += compare(f"job {job_id}, untouched", as_before, found.jobs[job_id])
        adopt(model, found)
        model.restart(epoch)
        forget_idle(model, found)
        return told + differences(expected(model), found)


def copied(model: RestartModel) -> RestartModel:
    copy: RestartModel = pickle.loads(pickle.dumps(model))
    return copy


def jobs_of(reply: Message) -> list[Message]:
    """Those that a delivery was answered with."""
    return [job for job in [*reply.get("jobs", []), reply.get("job")] if job is not None]


def ids_in(reply: Message | None) -> list[int]:
    """Ids of jobs that a reply names; others do no harm."""
    if reply is None:
        return []
    named: list[Any] = [*reply.get("ids", []), reply.get("id"), reply.get("parent_id"), *reply.get("children_ids", [])]
    return [one for one in named if one is not None and one > SHARDS]


def adopt(model: RestartModel, found: View) -> None:
    """The model takes over what only the server's clock, and its counter of deliveries, could tell."""
    for job_id, job in model.jobs.items():
        shown = found.jobs[job_id]
        for name in TIMES:
            setattr(job, name, shown.get(name, getattr(job, name)))
        if job.state == "active":
            job.token = shown["token"]
        for attempt, other in zip(job.history, shown.get("history", []), strict=True):
            attempt.update(started_at=other["started_at"], ended_at=other["ended_at"])
        for entry, line in zip(job.log, found.logs[job_id], strict=True):
            entry["timestamp"] = line["timestamp"]
