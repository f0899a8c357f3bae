"""The whole engine, behind its connections, against the model: random commands, clients, hang-ups and times."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conftest import SLOW_BUILD
from flashq import __version__
from flashq.commands import COMMANDS, MAX_BATCH, ON_DUPLICATE, ON_PARENT_FAILURE, RETRY_TYPES, STATES
from flashq.config import Settings
from support.model_manage import FullModel
from support.model_parts import SHARDS, Client
from support.model_records import check_records
from support.simulated import EPOCH, DelayedStore, Simulation
from support.simulated import Client as WireClient
from support.wire import CODECS, Message

QUEUES = ("a", "b.2", "ü")
KEPT = {"keep_completed": 12, "keep_results": 4}
LEASE, GRACE, LOST = 30_000, 5_000, 3
IDLE_MS = 60_000

DEFAULTS = Settings()
HELLO_REST = {"server": "flashq", "version": __version__, "max_batch": MAX_BATCH, "max_frame": DEFAULTS.max_frame,
              "max_job_size": DEFAULTS.max_job_size, "max_parked": DEFAULTS.max_parked}

CLIENT = st.integers(0, 11)
QUEUE = st.sampled_from(QUEUES)
NTH = st.integers(0, 8)
TOKEN = st.sampled_from(["none", "right", "stale"])
TEXT = st.sampled_from([None, "", "why", 'quoted "ü"\n'])
# Few different numbers, so that deadlines and priorities often meet.
PULL_TIME = st.sampled_from([None, 0, 0, 1, 40, 1000, 31_000])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**53) | st.text(max_size=5) | st.sampled_from([0.5, -1e300]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
NAMES = {"max_attempts": st.sampled_from(["max_attempts", "attempts", "maxAttempts"]),
         "job_id": st.sampled_from(["job_id", "jobId"])}
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "data": VALUES,
    "priority": st.sampled_from([-(2**31), -1, 0, 1, 2**31 - 1]),
    "delay": st.sampled_from([0, 1, 40, 6000, 2**63 - 1]),
    "ttl": st.sampled_from([0, 5, 45, 6005, 2**63 - 1]),
    "timeout": st.sampled_from([0, 39, 1000, 2**63 - 1]),
    "max_attempts": st.integers(0, 2),
    "backoff": st.sampled_from([0, 1, 20, 2**63 - 1]),
    "lifo": st.booleans(),
    "tags": st.lists(st.text(max_size=3), max_size=2),
    "job_id": st.sampled_from(["", "x", "y", "ä"]),
    "unique_key": st.sampled_from(["", "k", "ü"]),
    "on_duplicate": st.sampled_from(ON_DUPLICATE),
    "stall_timeout": st.sampled_from([0, 40, 6000, 60_000]),
    "remove_on_complete": st.booleans(),
    "remove_on_fail": st.booleans(),
    "group_id": st.sampled_from(["", "g", "g", "h"]),
    "name": st.sampled_from(["", "n", "n", "m"]),
    "version": st.integers(0, 2),
    "depends_on": st.lists(NTH, max_size=3),    # as some_id counts them
    "retry": st.fixed_dictionaries(
        {"type": st.sampled_from(RETRY_TYPES), "delay": st.sampled_from([0, 1, 20, 2**63 - 1])},
        optional={"max": st.sampled_from([None, 0, 30, 2**63 - 1]), "jitter": st.sampled_from([None, 0])},
    ),
}
PUSH_KEY = st.just({}) | st.fixed_dictionaries({"push_key": st.sampled_from([None, "", "p", "ü"])})
POLICY = st.sampled_from([None, *ON_PARENT_FAILURE])
ASKED: st.SearchStrategy[Message] = st.just({}) | st.just({}) | st.fixed_dictionaries({
    "names": st.lists(st.sampled_from(["n", "m", ""]), max_size=2)}) | st.sampled_from([
        {"names": ["n"], "versions": [1]}, {"names": ["m", "n"], "versions": [0, 2]}, {"names": [], "versions": []}])
FAIL_ORDER = st.fixed_dictionaries({}, optional={
    "retry": st.sampled_from([None, True, False]),
    "retry_after": st.sampled_from([None, 0, 1, 40, 2**63 - 1]),
    "release": st.sampled_from([None, False, True]),
})


@st.composite
def push_options(draw: st.DrawFn) -> Message:
    """Some of the push options, some of them null, some by an alias."""
    chosen = draw(st.sets(st.sampled_from(list(OPTIONS)), max_size=4))
    if chosen & {"group_id", "name"}:
        chosen.discard("lifo")          # LIFO jobs of different lines: see test_groups
    options = {draw(NAMES.get(name, st.just(name))): draw(st.none() | OPTIONS[name]) for name in sorted(chosen)}
    if options.get("depends_on"):
        options["on_parent_failure"] = draw(POLICY)
    return options


class ServerMachine(RuleBasedStateMachine):
    """Every step goes to the server as bytes and to the model as a request; then all that can be seen is compared."""

    store: DelayedStore | None = None

    def __init__(self) -> None:
        super().__init__()
        self.sim = Simulation(self.store, **KEPT, lease=LEASE, disconnect_grace=GRACE, lost_workers=LOST)
        self.requests = 0
        self.ids: list[int] = []
        self.pairs: list[tuple[WireClient, Client]] = []
        self.model = self.make_model()

    def make_model(self) -> FullModel:
        """A model that knows where each queue's ids go on, from one job that is gone again."""
        probe = self.sim.connect()
        ids = {name: probe.push(name) for name in QUEUES}
        for job_id in ids.values():
            probe.ok("CANCEL", id=job_id)
        probe.disconnect()
        sequences: dict[int, int] = {}
        for job_id in ids.values():
            sequences[job_id % SHARDS] = max(sequences.get(job_id % SHARDS, 0), job_id // SHARDS + 1)
        shards = {name: job_id % SHARDS for name, job_id in ids.items()}
        model = FullModel(
            self.sim.loop.wall, self.sim.loop.mono, EPOCH, shards, sequences,
            lease=LEASE, grace=GRACE, lost_workers=LOST, **KEPT,
        )
        for name in QUEUES:
            model.queue(name)
        return model

    # --- both sides ---------------------------------------------------------------------------------------------------

    def pair(self, number: int) -> tuple[WireClient, Client]:
        return self.pairs[number % len(self.pairs)]

    def ask(self, number: int, with_req_id: bool, cmd: str, **fields: Any) -> None:
        """One request, sent in two pieces; what is behind a parked pull waits for at most one client at a time."""
        wire, client = self.pair(number)
        self.requests += 1
        request = {"cmd": cmd, **fields}
        others = any(one.deferred for _, one in self.pairs if one is not client)
        behind = self.model.blocked(client)
        if with_req_id or (behind and (others or cmd in ("LISTQUEUES", "STATS"))):
            request["reqId"] = f'r"{self.requests}é'
        elif behind and request.get("timeout"):
            request["timeout"] = 100_000 + self.requests    # ends together with nothing else
        if cmd in ("PULL", "PULLB"):
            self.avoid(60_000 if request.get("timeout") is None else request["timeout"])
        data = wire.codec.encode(request)
        cut = self.requests % len(data)
        if cut:
            wire.send_raw(data[:cut])
        wire.send_raw(data[cut:])
        self.model.request(client, request)
        self.compare_replies()

    def avoid(self, *waits: int) -> None:
        """Pulls and lost connections whose time ends at the same instant end in no defined order."""
        while any(self.model.mono + wait in self.taken_times() for wait in waits):
            self.pass_time(1)

    def taken_times(self) -> set[int]:
        lines = [waiter.due for queue in self.model.queues.values() for waiter in queue.line]
        return {*lines, *(owner.due for owner in self.model.owners if owner.due is not None)}

    def pass_time(self, ms: int) -> None:
        """Up to each deadline, to see which queues went before it, and past it."""
        end = self.model.mono + ms
        while self.model.mono < end:
            due = min(self.model.deadlines(), default=end)
            step = min(max(due - self.model.mono - 1, 1), end - self.model.mono)
            self.sim.advance(step)
            self.model.advance(step)
            self.forget_idle_queues()

    def forget_idle_queues(self) -> None:
        """The server may forget queues that nobody needs, some time after the last use."""
        known = {one["name"] for one in self.sim.engine.queues()}
        for name, queue in list(self.model.queues.items()):
            if name not in known:
                assert self.model.is_idle(name) and self.model.mono - queue.touched >= IDLE_MS, name
                del self.model.queues[name]

    def compare_replies(self) -> None:
        """In order without reqId, by their reqId with one; what tells a worker of a CANCEL is test_events' business."""
        for wire, client in self.pairs:
            got, expected = [one for one in wire.replies() if "event" not in one], client.replies
            client.replies = []
            expected = [{**HELLO_REST, **reply} if "push" in reply else reply for reply in expected]
            assert [one for one in got if "reqId" not in one] == [one for one in expected if "reqId" not in one]
            assert by_req_id(got) == by_req_id(expected)

    # --- rules --------------------------------------------------------------------------------------------------------

    @initialize(codec=st.sampled_from(["json", "msgpack"]))
    def first_client(self, codec: str) -> None:
        self.connect(codec)

    @precondition(lambda self: len(self.pairs) < 4)
    @rule(codec=st.sampled_from(["json", "msgpack"]))
    def connect(self, codec: str) -> None:
        self.pairs.append((self.sim.connect(CODECS[codec]), self.model.connect(self.requests)))

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, options=push_options(), key=PUSH_KEY)
    def push(self, who: int, req: bool, queue: str, options: Message, key: Message) -> None:
        self.ask(who, req, "PUSH", queue=queue, **self.tied(options), **key)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, jobs=st.lists(push_options(), max_size=4), key=PUSH_KEY)
    def push_batch(self, who: int, req: bool, queue: str, jobs: list[Message], key: Message) -> None:
        self.ask(who, req, "PUSHB", queue=queue, jobs=[self.tied(options) for options in jobs], **key)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, nths=st.lists(NTH, min_size=1, max_size=2), policy=POLICY)
    def push_dependent(self, who: int, req: bool, queue: str, nths: list[int], policy: str | None) -> None:
        self.ask(who, req, "PUSH", queue=queue, on_parent_failure=policy, **self.tied({"depends_on": nths}))

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, timeout=PULL_TIME, names=ASKED)
    def pull(self, who: int, req: bool, queue: str, timeout: int | None, names: Message) -> None:
        self.ask(who, req, "PULL", queue=queue, timeout=timeout, **names)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, timeout=PULL_TIME, names=ASKED,
          count=st.sampled_from([0, 1, 2, 5, 2**63 - 1]))
    def pull_batch(self, who: int, req: bool, queue: str, timeout: int | None, names: Message, count: int) -> None:
        self.ask(who, req, "PULLB", queue=queue, timeout=timeout, count=count, **names)

    @rule(who=CLIENT, req=st.booleans(), queues=st.permutations(QUEUES), first=st.integers(0, 2), timeout=PULL_TIME,
          count=st.sampled_from([None, None, 0, 1, 2, 5]), names=ASKED)
    def pull_from_several(
        self, who: int, req: bool, queues: list[str], first: int, timeout: int | None, count: int | None,
        names: Message,
    ) -> None:
        more = {} if count is None else {"count": count}
        self.ask(who, req, "PULLB" if more else "PULL", queues=queues[first:], timeout=timeout, **more, **names)

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, token=TOKEN, result=st.none() | VALUES)
    def ack(self, who: int, req: bool, nth: int, token: str, result: Any) -> None:
        job_id = self.some_id(nth)
        self.ask(who, req, "ACK", id=job_id, result=result, **self.token_of(job_id, token))

    @rule(who=CLIENT, req=st.booleans(), nths=st.lists(NTH, max_size=6), token=TOKEN)
    def ack_batch(self, who: int, req: bool, nths: list[int], token: str) -> None:
        ids = [self.some_id(nth) for nth in nths]
        tokens = [self.token_of(job_id, token).get("token", 0) for job_id in ids]
        self.ask(who, req, "ACKB", ids=ids, **({} if token == "none" else {"tokens": tokens}))

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, token=TOKEN, error=TEXT, order=st.just({}) | FAIL_ORDER)
    def fail(self, who: int, req: bool, nth: int, token: str, error: str | None, order: Message) -> None:
        job_id = self.some_id(nth)
        self.ask(who, req, "FAIL", id=job_id, error=error, **order, **self.token_of(job_id, token))

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, token=TOKEN, percent=st.sampled_from([0, 7, 33.9, 100, 255]),
          message=TEXT)
    def progress(self, who: int, req: bool, nth: int, token: str, percent: float, message: str | None) -> None:
        job_id = self.some_id(nth)
        self.ask(who, req, "PROGRESS", id=job_id, progress=percent, message=message, **self.token_of(job_id, token))

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, token=TOKEN)
    def heartbeat(self, who: int, req: bool, nth: int, token: str) -> None:
        job_id = self.some_id(nth)
        self.ask(who, req, "HEARTBEAT", id=job_id, **self.token_of(job_id, token))

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, cmd=st.sampled_from(
        ["GETJOB", "GETJOB", "GETSTATE", "GETRESULT", "GETPROGRESS", "CANCEL"]))
    def one_job(self, who: int, req: bool, nth: int, cmd: str) -> None:
        self.ask(who, req, cmd, id=self.some_id(nth))

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, cmd=st.sampled_from(["PAUSE", "RESUME", "ISPAUSED", "COUNT"]))
    def one_queue(self, who: int, req: bool, queue: str, cmd: str) -> None:
        self.ask(who, req, cmd, queue=queue)

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, cmd=st.sampled_from(["PROMOTE", "DISCARD", "GETLOGS"]))
    def manage(self, who: int, req: bool, nth: int, cmd: str) -> None:
        self.ask(who, req, cmd, id=self.some_id(nth))

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, priority=OPTIONS["priority"])
    def change_priority(self, who: int, req: bool, nth: int, priority: int) -> None:
        self.ask(who, req, "CHANGEPRIORITY", id=self.some_id(nth), priority=priority)

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, delay=OPTIONS["delay"])
    def move_to_delayed(self, who: int, req: bool, nth: int, delay: int) -> None:
        self.ask(who, req, "MOVETODELAYED", id=self.some_id(nth), delay=delay)

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, data=VALUES, cmd=st.sampled_from(["UPDATEJOB", "UPDATE"]))
    def update(self, who: int, req: bool, nth: int, data: Any, cmd: str) -> None:
        self.ask(who, req, cmd, id=self.some_id(nth), data=data)

    @rule(who=CLIENT, req=st.booleans(), nth=NTH, message=st.sampled_from(["", "one", "ü" * 9]),
          level=st.sampled_from([None, "", "debug", "ü" * 9]))
    def log(self, who: int, req: bool, nth: int, message: str, level: str | None) -> None:
        self.ask(who, req, "LOG", id=self.some_id(nth), message=message, level=level)

    @rule(who=CLIENT, req=st.booleans(), name=OPTIONS["job_id"], alias=st.booleans())
    def by_custom_id(self, who: int, req: bool, name: str, alias: bool) -> None:
        self.ask(who, req, "GETJOBBYCUSTOMID", **{"customId" if alias else "job_id": name})

    @rule(who=CLIENT, req=st.booleans(), nths=st.lists(NTH, max_size=6))
    def jobs_batch(self, who: int, req: bool, nths: list[int]) -> None:
        self.ask(who, req, "GETJOBSBATCH", ids=[self.some_id(nth) for nth in nths])

    @rule(who=CLIENT, req=st.booleans(), queue=st.none() | QUEUE, state=st.none() | st.sampled_from(STATES),
          limit=st.sampled_from([None, 0, 1, 3, 5000]), offset=st.sampled_from([None, 0, 1, 2, 100, 2**63 - 1]))
    def jobs(
        self, who: int, req: bool, queue: str | None, state: str | None, limit: int | None, offset: int | None
    ) -> None:
        self.ask(who, req, "GETJOBS", queue=queue, state=state, limit=limit, offset=offset)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, cmd=st.sampled_from(
        ["GETJOBCOUNTS", "DLQ", "RETRYDLQ", "PURGEDLQ", "CLEARCONCURRENCY", "DRAIN", "OBLITERATE"]))
    def queue_control(self, who: int, req: bool, queue: str, cmd: str) -> None:
        self.ask(who, req, cmd, queue=queue)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, nth=NTH, count=st.integers(0, 2))
    def dead_letters(self, who: int, req: bool, queue: str, nth: int, count: int) -> None:
        self.ask(who, req, "DLQ", queue=queue, count=count)
        self.ask(who, req, "RETRYDLQ", queue=queue, id=self.some_id(nth))

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, limit=st.integers(0, 2))
    def limit_concurrency(self, who: int, req: bool, queue: str, limit: int) -> None:
        self.ask(who, req, "SETCONCURRENCY", queue=queue, limit=limit)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, limit=st.sampled_from([None, 1, 2, 2]))
    def set_groups(self, who: int, req: bool, queue: str, limit: int | None) -> None:
        self.ask(who, req, "SETGROUPS", queue=queue, group_concurrency=limit)

    @rule(who=CLIENT, req=st.booleans(), queue=QUEUE, grace=st.sampled_from([0, 0, 40, 6000, 2**63 - 1]),
          state=st.sampled_from([None, "waiting", "DELAYED", "Completed", "failed", "active"]),
          limit=st.sampled_from([None, 0, 1, 2]))
    def clean(self, who: int, req: bool, queue: str, grace: int, state: str | None, limit: int | None) -> None:
        self.ask(who, req, "CLEAN", queue=queue, grace=grace, state=state, limit=limit)

    @rule(who=CLIENT, req=st.booleans(), cmd=st.sampled_from(["LISTQUEUES", "STATS", "PING", "AUTH"]))
    def whole_server(self, who: int, req: bool, cmd: str) -> None:
        self.ask(who, req, cmd, **({"token": "any"} if cmd == "AUTH" else {}))

    @rule(who=CLIENT, req=st.booleans(), session=st.sampled_from([None, "", "one", "two"]), push=st.booleans())
    def hello(self, who: int, req: bool, session: str | None, push: bool) -> None:
        self.avoid(LEASE, GRACE)
        self.ask(who, req, "HELLO", session=session, push=push)

    @rule(who=CLIENT)
    def disconnect(self, who: int) -> None:
        self.avoid(LEASE, GRACE)
        wire, client = self.pair(who)
        wire.disconnect()
        self.model.disconnect(client)
        self.gone(wire, client)

    @rule(who=CLIENT)
    def finish(self, who: int) -> None:
        """A half-close: what was asked is answered, then the server hangs up."""
        self.avoid(LEASE, GRACE)
        wire, client = self.pair(who)
        wire.finish()
        self.model.finish(client)
        assert wire.closed
        self.gone(wire, client)

    def gone(self, wire: WireClient, client: Client) -> None:
        self.compare_replies()
        self.pairs.remove((wire, client))
        if not self.pairs:
            self.connect("json")

    @rule(ms=st.sampled_from([1, 4, 5, 39, 41, 999, 5001, 10_000, 29_999, 61_000, 240_000]))
    def time_passes(self, ms: int) -> None:
        self.pass_time(ms)
        self.compare_replies()

    @rule(ms=st.sampled_from([-3_600_000, -1, 3_600_000]))
    def wall_clock_is_set(self, ms: int) -> None:
        """What users see moves; no deadline does."""
        self.sim.loop.wall += ms
        self.model.wall += ms

    # --- what they are made from --------------------------------------------------------------------------------------

    def some_id(self, nth: int) -> int:
        """One of the newest jobs, or an id that never was."""
        self.ids.extend(sorted(set(self.model.jobs) - set(self.ids)))
        return self.ids[-1 - nth] if nth < len(self.ids) else 2**52 + nth

    def tied(self, options: Message) -> Message:
        """The options with real ids in `depends_on`."""
        if not options.get("depends_on"):
            return options
        return {**options, "depends_on": [self.some_id(nth) for nth in options["depends_on"]]}

    def token_of(self, job_id: int, which: str) -> Message:
        job = self.model.jobs.get(job_id)
        right = job.token if job is not None and job.token is not None else 1
        return {"none": {}, "right": {"token": right}, "stale": {"token": right - 1}}[which]

    # --- what holds after each ----------------------------------------------------------------------------------------

    @invariant()
    def all_agrees(self) -> None:
        engine = self.sim.engine
        engine.run_due()                    # completed jobs over the limits go in slices: now all
        self.forget_idle_queues()
        for job_id in {*self.ids, *self.model.jobs}:
            assert engine.get_state(job_id) == self.model.state(job_id), job_id
        queues = {one["name"]: one for one in engine.queues()}
        assert [queues[name] for name in sorted(queues)] == self.model.counts()
        assert engine.stats() == self.model.totals()
        held = engine.memory()
        assert (held["completed_ids"], held["completed_jobs"]) == (len(self.model.completed_ids), len(self.model.kept))
        assert held["limbo"] == 0

    def teardown(self) -> None:
        try:
            probe = self.sim.connect()
            for job_id, job in self.model.jobs.items():
                assert probe.job(job_id) == job.read()
                assert probe.ok("GETRESULT", id=job_id)["result"] == job.result
            if self.store is not None:
                check_records(self.store, self.model)
        finally:
            self.sim.close()


def by_req_id(replies: list[Message]) -> dict[str, Message]:
    found = {reply["reqId"]: reply for reply in replies if "reqId" in reply}
    assert len(found) == sum("reqId" in reply for reply in replies), "a request was answered twice"
    return found


class StoredServerMachine(ServerMachine):
    """The same with a store that takes the records and commits each at once."""

    def __init__(self) -> None:
        self.store = DelayedStore(at_once=True)
        super().__init__()


STEPS = settings(stateful_step_count=25 if SLOW_BUILD else 80)
TestServer = ServerMachine.TestCase
TestServer.settings = STEPS
TestStoredServer = StoredServerMachine.TestCase
TestStoredServer.settings = STEPS


# Held against models or rules of their own: test_kv, test_pubsub, test_events, test_waitjob, test_cron, test_metrics,
# test_workers_seen, test_relations, test_receipts.
ELSEWHERE = ("kv.", "pubsub.", "events.", "waits.", "cron.", "flows.", "syncs.", "statistics.metrics",
             "statistics.workers", "reading.explain")


def test_every_command_is_in_the_model() -> None:
    of_their_own = {"RATELIMIT", "RATELIMITCLEAR"}  # see FullModel
    expected = {command.name for command in COMMANDS if not command.handler.startswith(ELSEWHERE)} - of_their_own
    assert expected == {name.removeprefix("do_").upper() for name in dir(FullModel) if name.startswith("do_")}
