"""Jobs of the model that wait for others, and what they do when one of those ends."""

from abc import ABC, abstractmethod

from support.model_parts import SHARDS, Job


class Waiting(ABC):
    """A part of the World, which has the rest of what is used here."""

    wall: int
    mono: int
    jobs: dict[int, Job]
    sequences: dict[int, int]

    def __init__(self) -> None:
        self.awaited: dict[int, list[Job]] = {}     # who waits for an id to be completed, newest first
        self.minded: dict[int, list[Job]] = {}      # likewise, and is told of its death or removal as well
        self.told: list[tuple[int, str, list[Job]]] = []    # ids that have ended, how, and who is yet to be told

    @abstractmethod
    def all_children_done(self, job: Job) -> None:
        """A parent that waited for the last of them."""

    @abstractmethod
    def make_ready(self, job: Job) -> None:
        """Into its line."""

    @abstractmethod
    def delay(self, job: Job, ms: int) -> None:
        """It waits for its time."""

    @abstractmethod
    def bury(self, job: Job, reason: str) -> None:
        """Into the dead letters."""

    def outcome(self, job_id: int) -> str | None:
        """How an id has ended; None: not yet, or it was never given out."""
        if job_id in self.jobs:
            state = self.jobs[job_id].state
            return state if state in ("completed", "failed") else None
        return "completed" if 0 < job_id // SHARDS < self.sequences.get(job_id % SHARDS, 1) else None

    def wait_for(self, job: Job, job_id: int) -> None:
        """A new job depends on that id, which may be that of a child."""
        outcome, policy = self.outcome(job_id), job.policy_for(job_id)
        if outcome == "completed" or (outcome == "failed" and policy == "run"):
            job.children_completed += job_id in job.children
            return
        job.unmet += 1
        if outcome == "failed" and policy == "fail":
            self.told.append((job_id, outcome, [job]))
        else:
            who = self.awaited if policy == "wait" else self.minded
            who.setdefault(job_id, []).insert(0, job)

    def ended(self, job: Job, outcome: str) -> None:
        for who in (self.awaited, self.minded) if outcome == "completed" else (self.minded,):
            if job.id in who:
                self.told.append((job.id, outcome, who.pop(job.id)))

    def tell(self) -> None:
        """Those who wait hear what has ended; what they die of that, others hear in turn."""
        while self.told:
            job_id, outcome, waiting = self.told.pop(0)
            for job in waiting:
                if self.jobs.get(job.id) is job:
                    self.hear(job, job_id, outcome)

    def hear(self, job: Job, job_id: int, outcome: str) -> None:
        job.unmet -= 1
        if outcome == "completed" and job_id in job.children:
            job.children_completed += 1
            if job.children_completed == len(job.children) and job.state == "waiting-children":
                self.all_children_done(job)
        if job.state != "waiting-children":
            return
        if outcome != "completed" and job.policy_for(job_id) == "fail":
            job.message = f"{'Child' if job_id in job.children else 'Dependency'} {job_id} {outcome}"
            self.bury(job, "dependency_failed")
        elif job.unmet == 0 and job.run_at > self.wall and (job.expires is None or job.expires > self.mono):
            self.delay(job, job.run_at - self.wall)
        elif job.unmet == 0:
            self.make_ready(job)
