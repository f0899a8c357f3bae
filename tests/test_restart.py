"""A server that goes on where another was killed: what its clients find, one rule a test."""

import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from flashq._core import probe
from flashq._core.engine import Engine
from flashq._core.recordforms import decode
from flashq._core.recordtally import RecordTally
from flashq._core.replay import DamagedRecord, Replay
from flashq._core.snapshot import Snapshot
from support.recovered import checkpoint_of, restarted
from support.simulated import Client, DelayedStore, Simulation

LEASE, GRACE = 30_000, 5_000


@pytest.fixture
def store() -> DelayedStore:
    return DelayedStore(at_once=True)


@pytest.fixture
def sim(store: DelayedStore) -> Simulation:
    """It is killed, not closed."""
    return Simulation(store, lease=LEASE, disconnect_grace=GRACE, lost_workers=3)


@pytest.fixture
def client(sim: Simulation) -> Client:
    return sim.connect()


class Restart:
    """Restarts a killed server: from its log, from a checkpoint of its end, or from one of its middle and the log."""

    def __init__(self, how: str, sim: Simulation, store: DelayedStore) -> None:
        self._how, self._sim, self._store = how, sim, store
        self._middle = checkpoint_of(sim.engine)
        self.made: list[Simulation] = []

    def halfway(self) -> None:
        """Here is the middle."""
        self._middle = checkpoint_of(self._sim.engine)

    def __call__(self, down_ms: int = 0) -> Simulation:
        checkpoint = {"log": (), "checkpoint": checkpoint_of(self._sim.engine), "both": self._middle}[self._how]
        self.made.append(restarted(self._sim, self._store, down_ms, checkpoint))
        return self.made[-1]


@pytest.fixture(params=["log", "checkpoint", "both"])
def restart(request: pytest.FixtureRequest, sim: Simulation, store: DelayedStore) -> Iterator[Restart]:
    made = Restart(request.param, sim, store)
    yield made
    for one in made.made:
        one.close()


def worker(sim: Simulation, session: str | None = None) -> Client:
    made = sim.connect()
    if session is not None:
        made.ok("HELLO", session=session)
    return made


# -- what a job is ------------------------------------------------------------------------------------------------


def test_jobs_come_in_their_order(sim: Simulation, client: Client, restart: Restart) -> None:
    pushed = {
        name: client.push(data=name, **options) for name, options in {
            "plain": {}, "urgent": {"priority": 5}, "last": {"priority": -1}, "second": {}, "top": {"lifo": True},
        }.items()
    }
    retried = client.pull(queue="q")["id"]          # the urgent one
    client.ok("FAIL", id=retried)
    restart.halfway()
    pushed["third"] = client.push(data="third")
    again = restart().connect()
    order = [again.pull()["data"] for _ in pushed]
    assert order == ["urgent", "top", "plain", "second", "third", "last"]


def test_a_delay_goes_on_by_the_wall_clock(sim: Simulation, client: Client, restart: Restart) -> None:
    soon, later = client.push(delay=1000), client.push(delay=60_000)
    again = restart(down_ms=10_000)
    probe = again.connect()
    assert (probe.state(soon), probe.state(later)) == ("waiting", "delayed")
    again.advance(50_000)
    assert probe.state(later) == "waiting"


def test_a_ttl_goes_on_for_jobs_in_line_and_for_those_that_come_back(
        sim: Simulation, client: Client, restart: Restart) -> None:
    waiting, active = client.push("a", ttl=20_000), client.push("b", ttl=20_000)
    assert client.pull("b")["id"] == active
    again = restart(down_ms=10_000)
    again.advance(9_000)
    probe = again.connect()
    assert probe.state(waiting) == "waiting"
    again.advance(2_000)
    assert probe.state(waiting) == "unknown"
    probe.ok("FAIL", id=active)
    assert probe.state(active) == "unknown", "it outlived its time with its worker"


def test_ids_and_tokens_go_on(sim: Simulation, client: Client, restart: Restart) -> None:
    first = client.push()
    gone = client.push()
    client.ok("CANCEL", id=gone)
    token = client.pull()["token"]
    again = restart().connect()
    assert again.push() > gone, "no id is given twice, not even of a job that is gone"
    assert again.error("ACK", id=first, token=token + 1)
    assert again.ok("ACK", id=first, token=token)["ok"] is True, "the worker that held it may still finish"


# -- reservations ---------------------------------------------------------------------------------------------------


def test_a_job_of_a_plain_connection_gets_a_lease(sim: Simulation, client: Client, restart: Restart) -> None:
    job_id = client.push()
    assert worker(sim).pull()["id"] == job_id
    again = restart(down_ms=3_600_000)
    probe = again.connect()
    again.advance(LEASE - 1)
    assert probe.state(job_id) == "active", "the lease counts from the start, however long the server was down"
    again.advance(2)
    assert probe.state(job_id) == "waiting"
    assert probe.job(job_id)["stall_count"] == 1


def test_a_session_has_its_grace_to_come_back(sim: Simulation, client: Client, restart: Restart) -> None:
    kept, lost = client.push(), client.push()
    assert worker(sim, "back").pull()["id"] == kept
    assert worker(sim, "gone").pull()["id"] == lost
    again = restart(down_ms=60_000)
    back = worker(again, "back")
    again.advance(10 * LEASE)
    assert (back.state(kept), back.state(lost)) == ("active", "waiting")
    back.ok("ACK", id=kept)


def test_a_session_named_after_the_pull_counts(sim: Simulation, client: Client, restart: Restart) -> None:
    job_id = client.push()
    late = worker(sim)
    late.pull()
    late.ok("HELLO", session="s")
    again = restart()
    back = worker(again, "s")
    again.advance(10 * LEASE)
    assert back.state(job_id) == "active"


def test_a_heartbeat_of_its_own_counts_from_the_start(sim: Simulation, client: Client, restart: Restart) -> None:
    job_id = client.push(stall_timeout=10_000)
    client.pull()
    again = restart(down_ms=50_000)
    probe = again.connect()
    again.advance(9_000)
    probe.ok("HEARTBEAT", id=job_id)
    again.advance(9_000)
    assert probe.state(job_id) == "active"
    again.advance(2_000)
    assert probe.state(job_id) == "waiting"


def test_a_timeout_goes_on(sim: Simulation, client: Client, restart: Restart) -> None:
    job_id = client.push(timeout=20_000, max_attempts=1)
    client.pull()
    again = restart(down_ms=15_000)
    probe = again.connect()
    again.advance(4_000)
    assert probe.state(job_id) == "active"
    again.advance(2_000)
    assert probe.state(job_id) == "failed"


def test_active_jobs_fill_limits_and_groups(sim: Simulation, client: Client, restart: Restart) -> None:
    client.ok("SETCONCURRENCY", queue="few", limit=1)
    client.push_many(2, "few")
    busy = client.pull("few")["id"]
    grouped = client.push_many(2, "g", group_id="x")
    assert client.pull("g")["id"] == grouped[0]
    again = restart().connect()
    assert again.pulls_nothing("few") and again.pulls_nothing("g")
    again.ok("ACK", id=busy)
    again.ok("ACK", id=grouped[0])
    assert again.pull("few") and again.pull("g")["id"] == grouped[1]


# -- what ties jobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "policy", "state"), [
    ("ACK", "wait", "waiting"), ("ACK gone", "wait", "waiting"), ("CANCEL", "wait", "waiting-children"),
    ("CANCEL", "fail", "failed"), ("CANCEL", "run", "waiting"), ("FAIL", "wait", "waiting-children"),
    ("FAIL gone", "wait", "waiting-children"), ("FAIL gone", "fail", "failed"), ("DRAIN", "wait", "waiting-children"),
    ("DRAIN", "fail", "failed"), ("PURGEDLQ", "wait", "waiting-children"),
])
def test_what_a_job_waits_for_counts_as_it_ended(sim: Simulation, client: Client, restart: Restart, how: str,
                                                 policy: str, state: str) -> None:
    """Of an id that is gone only the records can tell how."""
    options = {"remove_on_complete": True, "remove_on_fail": True} if how.endswith("gone") else {}
    first = client.push("first", max_attempts=1, **options)
    other = client.push("other")
    job_id = client.push(depends_on=[first, other], on_parent_failure=policy)
    if how == "DRAIN":
        client.ok("DRAIN", queue="first")
    elif how == "CANCEL":
        client.ok("CANCEL", id=first)
    else:
        client.pull("first")
        client.ok("ACK" if how.startswith("ACK") else "FAIL", id=first)
    if how == "PURGEDLQ":
        client.ok("PURGEDLQ", queue="first")
    restart.halfway()
    client.push("unrelated")
    again = restart()
    probe = again.connect()
    again.advance(1)
    before = probe.state(job_id)
    assert before == ("failed" if state == "failed" else "waiting-children")
    probe.pull("other")
    probe.ok("ACK", id=other)
    assert probe.state(job_id) == state


def test_many_who_were_not_told_yet_are_told(sim: Simulation, client: Client, store: DelayedStore) -> None:
    """The end of one job is told to those who wait for it in slices; a crash comes between two of them."""
    first = client.push("first")
    waiting = client.push_many(3000, depends_on=[first])
    client.pull("first")
    client.send("ACK", id=first)
    before_the_rest = DelayedStore(at_once=True)
    frames = decode(bytes(store.log))
    ended = next(at for at, group in frames if any(one["kind"] == "done" for one in group))
    size = 0
    for at, _ in frames:            # the log up to the frame of the ACK
        size += 4 + int.from_bytes(store.log[size:size + 4], "little")
        if at == ended:
            break
    before_the_rest.log += store.log[:size]
    before_the_rest.position = ended
    again = restarted(sim, before_the_rest)
    again.advance(1)
    probe = again.connect()
    assert {probe.state(job_id) for job_id in waiting} == {"waiting"}
    assert again.engine.count("q") == 3000
    again.close()


def test_keys_are_held_as_before(sim: Simulation, client: Client, restart: Restart) -> None:
    dead = client.push(unique_key="k", max_attempts=1)
    client.pull()
    client.ok("FAIL", id=dead)
    holder = client.push(unique_key="k", job_id="c")
    client.ok("RETRYDLQ", queue="q")                # it waits again, without its key
    client.push(debounce_id="d", debounce_ttl=10_000)
    pushed = client.ok("PUSHB", queue="q", jobs=[{}, {}], push_key="p")["ids"]
    again = restart(down_ms=1000)
    probe = again.connect()
    assert probe.error("PUSH", queue="q", unique_key="k") == "Duplicate job with key: k"
    assert probe.ok("PUSH", queue="q", job_id="c")["id"] == holder
    assert probe.error("PUSH", queue="q", debounce_id="d").startswith("Debounced")
    assert probe.ok("PUSHB", queue="q", jobs=[{}, {}], push_key="p")["ids"] == pushed
    probe.ok("CANCEL", id=dead)
    assert probe.error("PUSH", queue="q", unique_key="k"), "the other one holds it"
    probe.ok("CANCEL", id=holder)
    probe.push(unique_key="k")
    again.advance(9_001)
    probe.push(debounce_id="d")
    again.advance(300_000)
    assert probe.ok("PUSHB", queue="q", jobs=[{}, {}], push_key="p")["ids"] != pushed


def test_a_flow_goes_on(sim: Simulation, client: Client, restart: Restart) -> None:
    reply = client.ok("FLOW", queue="q", children=[{"queue": "a"}, {"queue": "a"}, {"queue": "a"}])
    parent, children = reply["parent_id"], reply["children_ids"]
    client.pull("a")
    client.ok("ACK", id=children[0], result=1)
    restart.halfway()
    client.pull("a")
    client.ok("ACK", id=children[1])
    again = restart().connect()
    assert again.ok("GETCHILDREN", parent_id=parent)["completed"] == 2
    again.pull("a")
    again.ok("ACK", id=children[2])
    assert again.state(parent) == "waiting"
    assert again.ok("GETLOGS", id=parent)["logs"][-1]["message"] == "All children completed, parent job ready"


# -- queues, counts, what is over ------------------------------------------------------------------------------------


def test_settings_and_counts_of_queues(sim: Simulation, client: Client, restart: Restart) -> None:
    client.ok("RATELIMIT", queue="q", limit=7)
    client.ok("SETGROUPS", queue="q", group_concurrency=3, fair=True)
    client.push_many(5)
    for _ in range(2):
        client.ok("ACK", id=client.pull()["id"])
    restart.halfway()
    client.ok("ACK", id=client.pull()["id"])
    client.ok("PAUSE", queue="q")
    before = client.ok("LISTQUEUES")["queues"], client.ok("METRICS"), client.ok("STATS")["completed"]
    again = restart().connect()
    after = again.ok("LISTQUEUES")["queues"], again.ok("METRICS"), again.ok("STATS")["completed"]
    assert after[0] == before[0] and after[2] == before[2] == 3
    assert after[1]["metrics"]["total_pushed"] == before[1]["metrics"]["total_pushed"] == 5


def test_an_obliterated_queue_stays_empty(sim: Simulation, client: Client, restart: Restart) -> None:
    client.ok("PAUSE", queue="q")
    client.push_many(3, unique_key="")
    restart.halfway()
    client.ok("OBLITERATE", queue="q")
    kept = client.push()
    again = restart().connect()
    assert again.ok("COUNT", queue="q")["count"] == 1
    assert again.pull()["id"] == kept, "and it is no longer paused"


def test_results_and_dead_letters(sim: Simulation, client: Client, restart: Restart) -> None:
    done, dead = client.push(data=1), client.push(max_attempts=2, backoff=0)
    client.ok("ACK", id=client.pull()["id"], result={"a": [1]})
    for why in ("first", "second"):
        client.pull()
        client.ok("FAIL", id=dead, error=why)
    client.ok("LOG", id=dead, message="looked at", level="warn")
    before = client.job(dead)
    again = restart(down_ms=5).connect()
    assert again.ok("GETRESULT", id=done)["result"] == {"a": [1]}
    after = again.job(dead)
    unlike = {name for name in before if before[name] != after[name]}
    assert unlike <= {"last_heartbeat"}
    assert [one["error"] for one in after["history"]] == ["first", "second"]
    assert again.ok("GETLOGS", id=dead)["logs"][-1]["message"] == "looked at"
    again.ok("RETRYDLQ", queue="q")
    assert again.pull()["id"] == dead


def test_completed_jobs_stay_for_as_long_as_their_push_said(sim: Simulation, client: Client, restart: Restart) -> None:
    by_age = client.push(keep_completed_age=60_000)
    by_count = client.push(keep_completed_count=2)
    for job_id in (by_age, by_count):
        client.pull()
        client.ok("ACK", id=job_id, result=job_id)
    again = restart(down_ms=30_000)
    probe = again.connect()
    assert probe.ok("GETRESULT", id=by_age)["result"] == by_age
    assert again.engine.memory()["completed_ids"] == 0, "they do not count among the others yet"
    again.advance(31_000)
    probe.push()
    probe.ok("ACK", id=probe.pull()["id"])
    probe.push()
    probe.ok("ACK", id=probe.pull()["id"])
    assert again.engine.memory()["completed_ids"] == 4


def test_what_is_completed_and_stripped_while_a_checkpoint_is_made() -> None:
    """Of a job that is known by its id alone when its shard is told, the ids must tell, which were told before."""
    store = DelayedStore(at_once=True)
    sim = Simulation(store, keep_results=4, keep_completed=1000)
    client = sim.connect()
    names = sorted((f"q{n}" for n in range(40)), key=lambda name: client.push(name) % 32)
    client.push_many(900, names[0])
    late = client.push_many(40, names[-1])
    snapshot = Snapshot(sim.engine)
    slices = [snapshot.slice(100)]
    for _ in range(30):
        client.ok("ACK", id=client.pull(names[-1])["id"])
    while piece := snapshot.slice(100):
        slices.append(piece)
    client.ok("DRAIN", queue=names[0])
    states = {job_id: client.state(job_id) for job_id in late}
    again = restarted(sim, store, checkpoint=slices)
    probe = again.connect()
    assert {job_id: probe.state(job_id) for job_id in late} == states
    assert sum(state == "completed" for state in states.values()) >= 29
    again.close()


def test_a_slice_of_a_checkpoint_is_bounded_by_its_bytes(sim: Simulation, client: Client) -> None:
    client.push_many(100, data="x" * 50_000)
    snapshot = Snapshot(sim.engine)
    sizes = []
    while piece := snapshot.slice(100_000):
        sizes.append(len(piece))
    assert max(sizes) < 200_000 and sum(sizes) > 5_000_000


# -- damage ---------------------------------------------------------------------------------------------------------


def replayed(sim: Simulation, log: bytes) -> Replay:
    engine = Engine(sim.settings.engine_limits(), 1, 8)
    engine.tick(*sim.loop.clock())
    replay = Replay(engine)
    replay.log(log)
    return replay


def test_a_change_of_a_job_that_never_was_is_damage(sim: Simulation, client: Client, store: DelayedStore) -> None:
    client.push()
    start = len(store.log)
    client.pull()
    with pytest.raises(DamagedRecord, match="nothing says what it was"):
        replayed(sim, bytes(store.log[start:])).finish()


def test_records_are_judged_by_their_form(sim: Simulation, client: Client, store: DelayedStore) -> None:
    """Cut, and damaged byte by byte: an engine, or an error that says where; never a crash."""
    client.push(data={"a": 1}, priority=3, job_id="c", tags=["t"], unique_key="k", retry={"type": "fixed", "delay": 5})
    client.ok("FAIL", id=client.pull()["id"], error="why")
    client.ok("PAUSE", queue="q")
    client.ok("OBLITERATE", queue="other")
    whole = bytes(store.log)
    refused = 0
    for at in range(len(whole)):
        for damage in (0xFF, 0x01):
            damaged = bytearray(whole)
            damaged[at] ^= damage
            try:
                replayed(sim, bytes(damaged)).finish()
            except DamagedRecord as error:
                assert 0 <= error.offset <= len(whole) and error.reason
                refused += 1
            except MemoryError:
                refused += 1
    assert refused > len(whole) // 4


@pytest.mark.parametrize(("rest", "reason"), [
    (b"elevenbytes", "a frame is cut off"),
    (struct.pack("<IQ", 7, 9), "a frame says 7 bytes, 8 are there"),
    (struct.pack("<IQ", 9, 9), "a frame says 9 bytes, 8 are there"),
    (struct.pack("<IQ", 0xFFFFFFFF, 9), "a frame says 4294967295 bytes, 8 are there"),
])
def test_a_frame_that_is_not_whole_is_damage_where_it_begins(
        sim: Simulation, client: Client, store: DelayedStore, rest: bytes, reason: str) -> None:
    client.push()
    whole = bytes(store.log)
    for read in (partial(replayed, sim), RecordTally().add):
        with pytest.raises(DamagedRecord, match=reason) as caught:
            read(whole + rest)
        assert caught.value.offset == len(whole)


def test_an_engine_that_cannot_be_filled_says_so_and_leaks_nothing(
        sim: Simulation, client: Client, store: DelayedStore) -> None:
    """Each allocation fails once: MemoryError, never half a job that is served."""
    jobs: list[dict[str, Any]] = [{"data": [1], "unique_key": "k", "tags": ["t"]}, {"delay": 10, "group_id": "g"}]
    for job in jobs:
        client.push(**job)
    client.ok("ACK", id=client.pull()["id"], result="r")
    failed = 0
    for nth in range(1, 400):
        engine = Engine(sim.settings.engine_limits(), 1, 8)
        engine.tick(*sim.loop.clock())
        replay = Replay(engine)
        probe.fail_allocations(nth, 1)
        try:
            replay.log(bytes(store.log))
            replay.finish()
        except MemoryError:
            failed += 1
        finally:
            probe.fail_allocations(0, 0)
        if failed and nth > 3 * failed:
            break
    assert failed > 3
