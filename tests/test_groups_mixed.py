"""Groups beside all else that moves a queue's jobs: held against plain lists, and corners where two of them meet."""

import random
from dataclasses import dataclass, field

import pytest

from support.simulated import Client, Simulation
from support.wire import Codec

STEPS = 2500


@dataclass
class Job:
    """What the lists know of one."""

    id: int
    group: str
    priority: int
    run_at: int
    backoff: int
    max_attempts: int
    attempts: int = 0
    awaits: int = 0                         # id of the job that it depends on; 0 = none

    @property
    def place(self) -> tuple[int, int, int]:
        """Lower is sooner."""
        return -self.priority, self.run_at, self.id


@dataclass
class Lists:
    """One queue as plain lists; each step changes them as the reference says."""

    now: int
    states: dict[str, dict[int, Job]] = field(default_factory=dict)
    concurrency: int = 1
    paused: bool = False
    parked: list[str] = field(default_factory=list)
    told: list[tuple[str, int]] = field(default_factory=list)   # parked pulls that got a job since the last look

    def __post_init__(self) -> None:
        self.empty("waiting", "delayed", "active", "failed", "waiting-children")

    def empty(self, *states: str) -> int:
        """Forget all that is in these; how many there were."""
        count = sum(len(self.states.get(state, ())) for state in states)
        self.states |= {state: {} for state in states}
        return count

    def of(self, state: str) -> dict[int, Job]:
        return self.states[state]

    def place(self, job: Job) -> None:
        self.of("delayed" if job.run_at > self.now else "waiting")[job.id] = job

    def free(self) -> list[Job]:
        """The waiting jobs that may run."""
        busy = [job.group for job in self.of("active").values()]
        return [job for job in self.of("waiting").values()
                if job.group == "-" or busy.count(job.group) < self.concurrency]

    def next(self) -> Job | None:
        """What a pull gets now; it is active then."""
        free = self.free()
        if self.paused or not free:
            return None
        job = min(free, key=lambda one: one.place)
        self.of("active")[job.id] = self.of("waiting").pop(job.id)
        return job

    def serve(self) -> None:
        while self.parked and (job := self.next()) is not None:
            self.told.append((self.parked.pop(0), job.id))

    def complete(self, job: Job) -> None:
        del self.of("active")[job.id]
        for one in [one for one in self.of("waiting-children").values() if one.awaits == job.id]:
            self.place(self.of("waiting-children").pop(one.id))

    def fail(self, job: Job, *, after: int | None = None, release: bool = False) -> None:
        del self.of("active")[job.id]
        wait = after if after is not None else 0
        if not release:
            job.attempts += 1
            wait = job.backoff << min(job.attempts, 10) if after is None else after
            if job.max_attempts and job.attempts >= job.max_attempts:
                self.of("failed")[job.id] = job
                return
        if wait:
            job.run_at = self.now + wait
        self.place(job)

    def advance(self, ms: int) -> None:
        """What becomes due goes to who waits, one after the other."""
        end = self.now + ms
        for job in sorted(self.of("delayed").values(), key=lambda one: (one.run_at, one.id)):
            if job.run_at <= end:
                self.now = job.run_at
                self.of("waiting")[job.id] = self.of("delayed").pop(job.id)
                self.serve()
        self.now = end


class Mixed:
    """A queue and its lists, stepped alike."""

    def __init__(self, sim: Simulation, codec: Codec, seed: int) -> None:
        self.sim, self.rng = sim, random.Random(seed)
        self.client, self.parking = sim.connect(codec), sim.connect(codec)
        self.lists = Lists(sim.loop.wall)
        self.pulls = 0
        self.lifo = False

    def some(self, *states: str) -> Job | None:
        found = [job for state in states for job in self.lists.of(state).values()]
        return self.rng.choice(found) if found else None

    def step(self) -> None:
        names = ["push"] * 9 + ["pull"] * 5 + ["ack"] * 4 + ["fail"] * 3 + ["advance"] * 3 + [
            "park", "cancel", "priority", "promote", "later", "discard", "setgroups", "pause", "retrydlq"]
        name = self.rng.choices([*names, "drain", "obliterate"], [*[10] * len(names), 1, 1])[0]
        getattr(self, name)()
        self.served(name)

    def served(self, name: str) -> None:
        """What parked pulls got after this step."""
        self.lists.serve()
        got = [(reply["reqId"], reply["job"]["id"]) for reply in self.parking.replies()]
        assert got == self.lists.told, name
        self.lists.told = []

    def counted(self) -> None:
        for state, jobs in self.lists.states.items():
            page = self.client.ok("GETJOBS", queue="q", state=state, limit=1000)
            shown = [job["id"] for job in page["jobs"]]
            assert (shown, page["total"]) == (sorted(jobs, reverse=True), len(jobs)), state

    def push(self) -> None:
        rng, options = self.rng, {}
        job = Job(0, rng.choice("aabbccdefgh---"), rng.randrange(3), self.lists.now, rng.choice([0, 0, 3]),
                  rng.choice([0, 1, 2]))
        delay = rng.choice([0, 0, 0, rng.randrange(40)])
        job.run_at += delay
        other = self.some("waiting", "delayed", "active", "failed") if rng.random() < 0.1 else None
        if job.group != "-":
            options["group_id"] = job.group
        if other:
            job.awaits = other.id
        job.id = self.client.push(
            priority=job.priority, delay=delay, backoff=job.backoff, max_attempts=job.max_attempts,
            depends_on=[other.id] if other else [], lifo=self.lifo, **options)
        if other:
            self.lists.of("waiting-children")[job.id] = job
        else:
            self.lists.place(job)

    def pull(self) -> None:
        count = self.rng.randrange(1, 4)
        jobs = self.client.ok("PULLB", queue="q", count=count, timeout=0)["jobs"]
        wanted = [job for _ in range(count) if (job := self.lists.next())]
        assert [(job["id"], job["group_id"] or "-") for job in jobs] == [(job.id, job.group) for job in wanted]

    def park(self) -> None:
        self.pulls += 1
        self.parking.send("PULL", queue="q", timeout=10**9, reqId=str(self.pulls))
        self.lists.parked.append(str(self.pulls))

    def ack(self) -> None:
        if job := self.some("active"):
            self.client.ok("ACK", id=job.id)
            self.lists.complete(job)

    def fail(self) -> None:
        if job := self.some("active"):
            after = self.rng.choice([None, None, 0, 7])
            release = self.rng.random() < 0.3
            self.client.ok("FAIL", id=job.id, release=release, retry_after=after)
            self.lists.fail(job, after=after, release=release)

    def cancel(self) -> None:
        if job := self.some("waiting", "delayed", "active", "waiting-children"):
            self.client.ok("CANCEL", id=job.id)
            self.lists.states = {state: {one: it for one, it in jobs.items() if it is not job}
                                 for state, jobs in self.lists.states.items()}

    def discard(self) -> None:
        for state in ("waiting", "delayed", "active", "waiting-children"):
            if self.rng.random() < 0.3 and (job := self.some(state)):
                self.client.ok("DISCARD", id=job.id)
                self.lists.of("failed")[job.id] = self.lists.of(state).pop(job.id)
                return

    def priority(self) -> None:
        if job := self.some("waiting", "delayed", "active", "waiting-children"):
            job.priority = self.rng.randrange(4)
            self.client.ok("CHANGEPRIORITY", id=job.id, priority=job.priority)

    def promote(self) -> None:
        if job := self.some("delayed"):
            self.client.ok("PROMOTE", id=job.id)
            job.run_at = self.lists.now
            self.lists.place(self.lists.of("delayed").pop(job.id))

    def later(self) -> None:
        if job := self.some("active"):
            delay = self.rng.choice([0, 5])
            self.client.ok("MOVETODELAYED", id=job.id, delay=delay)
            job.run_at = self.lists.now + delay
            self.lists.place(self.lists.of("active").pop(job.id))

    def setgroups(self) -> None:
        """Sometimes the groups took turns until now, without a pull that would notice."""
        if not self.lists.parked and self.rng.random() < 0.5:
            self.client.ok("SETGROUPS", queue="q", group_concurrency=self.lists.concurrency, fair=True)
            for _ in range(8):
                self.rng.choice([self.push, self.fail, self.ack, self.priority, self.retrydlq])()
        self.lists.concurrency = self.rng.randrange(1, 4)
        self.client.ok("SETGROUPS", queue="q", group_concurrency=self.lists.concurrency)

    def pause(self) -> None:
        self.lists.paused = not self.lists.paused and self.rng.random() < 0.5
        self.client.ok("PAUSE" if self.lists.paused else "RESUME", queue="q")

    def retrydlq(self) -> None:
        count = len(self.lists.of("failed"))
        assert self.client.ok("RETRYDLQ", queue="q")["count"] == count
        for job in self.lists.of("failed").values():
            job.attempts, job.run_at = 0, self.lists.now
            self.lists.place(job)
        self.lists.empty("failed")

    def drain(self) -> None:
        assert self.client.ok("DRAIN", queue="q")["count"] == self.lists.empty("waiting", "delayed")

    def obliterate(self) -> None:
        count = self.lists.empty("waiting", "delayed", "active", "failed", "waiting-children")
        assert self.client.ok("OBLITERATE", queue="q")["count"] == count
        self.lists.concurrency, self.lists.paused = 1, False

    def advance(self) -> None:
        ms = self.rng.choice([0, 1, 3, 10])
        self.sim.advance(ms)
        self.lists.advance(ms)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_groups_beside_all_else_against_plain_lists(sim: Simulation, codec: Codec, seed: int) -> None:
    mixed = Mixed(sim, codec, seed)
    for number in range(STEPS):
        mixed.step()
        if number % 50 == 0:
            mixed.counted()
    mixed.counted()


class Unordered(Mixed):
    """With what makes the order hard to tell: turns, rates, LIFO. Who gets a job may have it; nobody waits in vain."""

    rate: int | None = None

    def taken(self, job_id: int) -> None:
        assert job_id in [job.id for job in self.lists.free()] and not self.lists.paused
        self.lists.of("active")[job_id] = self.lists.of("waiting").pop(job_id)

    def served(self, name: str) -> None:
        for reply in self.parking.replies():
            assert reply["reqId"] == self.lists.parked.pop(0)
            self.taken(reply["job"]["id"])
        if self.lists.parked and not self.lists.paused and self.rate is None:
            assert self.lists.free() == [], name

    def push(self) -> None:
        self.lifo = self.rng.random() < 0.3
        super().push()

    def pull(self) -> None:
        count = self.rng.randrange(1, 4)
        which = {"queue": "q"} if self.rng.random() < 0.5 else {"queues": ["p", "q"], "weights": [1, 2]}
        jobs = self.client.ok("PULLB", **which, count=count, timeout=0)["jobs"]
        for job in jobs:
            self.taken(job["id"])
        if len(jobs) < count and not self.lists.paused and self.rate is None:
            assert self.lists.free() == []

    def setgroups(self) -> None:
        self.rate = self.rng.choice([None, None, 50, 1000])
        self.lists.concurrency = self.rng.randrange(1, 4)
        self.client.ok("SETGROUPS", queue="q", group_concurrency=self.lists.concurrency, group_rate=self.rate,
                       fair=self.rng.random() < 0.6)

    def obliterate(self) -> None:
        super().obliterate()
        self.rate = None

    def advance(self) -> None:
        ms = self.rng.choice([0, 1, 3, 10])
        self.sim.advance(ms)
        parked, self.lists.parked = self.lists.parked, []
        self.lists.advance(ms)
        self.lists.parked = parked


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_waits_in_vain_whatever_is_set_of_groups(sim: Simulation, codec: Codec, seed: int) -> None:
    mixed = Unordered(sim, codec, seed)
    for number in range(STEPS):
        mixed.step()
        if number % 50 == 0:
            mixed.counted()
    mixed.parking.disconnect()
    while mixed.lists.of("active"):
        mixed.ack()
    mixed.client.ok("RESUME", queue="q")
    mixed.client.ok("SETGROUPS", queue="q", group_concurrency=1000)
    sim.advance(100_000)
    jobs = mixed.client.ok("PULLB", queue="q", count=1000, timeout=0)["jobs"]
    assert len(jobs) == len(mixed.lists.of("waiting")) + len(mixed.lists.of("delayed"))


# -- corners ----------------------------------------------------------------------------------------------------


def test_groups_take_turns_from_now_on_while_a_retry_is_next(sim: Simulation, client: Client) -> None:
    """The retry stands out of order among the next jobs of all groups when another takes its group's turn."""
    retried = client.push(group_id="a")
    second = client.push(group_id="b")
    sim.advance(5)
    assert client.pull()["id"] == retried
    third = client.push(group_id="c")
    client.ok("FAIL", id=retried)
    client.ok("SETGROUPS", queue="q", fair=True)
    newest = client.push(group_id="a", lifo=True)
    jobs = client.ok("PULLB", queue="q", count=10, timeout=0)["jobs"]
    assert sorted(job["id"] for job in jobs) == sorted([second, third, newest])
    client.ok("ACK", id=newest)
    assert client.pull()["id"] == retried


def test_lower_limits_for_thousands_of_groups(sim: Simulation, client: Client) -> None:
    """More than one command looks at: who pulls meanwhile is served once all were looked at."""
    client.ok("SETGROUPS", queue="q", group_concurrency=2)
    active: list[int] = []
    for _ in range(2):
        for first in range(0, 4000, 1000):
            client.ok("PUSHB", queue="q", jobs=[{"group_id": f"g{first + n}"} for n in range(1000)])
    for _ in range(4):
        active += [job["id"] for job in client.ok("PULLB", queue="q", count=1000, timeout=0)["jobs"]]
    client.push(group_id="free", priority=-1)
    request = client.encode("SETGROUPS", queue="q", group_concurrency=1)
    client.send_raw(request + client.encode("PULL", queue="q", timeout=60_000, reqId="r"))
    sim.advance(1)
    replies = client.replies()
    assert replies[0]["ok"] and [reply["job"]["group_id"] for reply in replies[1:]] == ["free"]
    client.ok("ACK", id=active[7])
    assert client.pull()["group_id"] == "g7"
    assert client.pulls_nothing()
