"""Engines that are filled from records, and what can be seen of an engine: to hold one against the other."""

from collections.abc import Iterable
from typing import Any

import orjson

from flashq._core.browse import Browser
from flashq._core.engine import Engine
from flashq._core.recordforms import decode
from flashq._core.replay import Replay
from flashq._core.snapshot import Snapshot
from support.simulated import DelayedStore, Simulation

# A heartbeat is not recorded; how long a deadline is away begins anew.
UNRECORDED = ("last_heartbeat",)
Picture = dict[str, Any]


def fill(engine: Engine, log: bytes, checkpoint: Iterable[bytes] = ()) -> Replay:
    """Everything that the records say; the replay is finished."""
    replay = Replay(engine)
    for frames in checkpoint:
        replay.checkpoint(frames)
    replay.log(log)
    replay.finish()
    return replay


def recovered(sim: Simulation, log: bytes, checkpoint: Iterable[bytes] = ()) -> Engine:
    """An engine with the settings and the clock of this server that has read the records and done what was due."""
    engine = Engine(sim.settings.engine_limits(), 54321, 8)
    engine.tick(*sim.loop.clock())
    fill(engine, log, checkpoint)
    settle(engine)
    return engine


def settle(engine: Engine) -> None:
    """All that is due at this time."""
    for _ in range(100):
        if not engine.run_due():
            return
    raise AssertionError("work that is due for ever")


def ids_of(store: DelayedStore) -> list[int]:
    """Of all jobs that the records ever named."""
    return sorted({int(record["id"]) for _, group in decode(bytes(store.log)) for record in group if "id" in record})


def picture(engine: Engine, ids: Iterable[int]) -> Picture:
    """All that a client can ask of the engine, but for who waits."""
    browser = Browser(engine)
    queues = {str(queue["name"]): queue for queue in engine.queues()}
    # A queue that holds nothing may have been forgotten by the one and not yet by the other.
    shown = {name: queue for name, queue in queues.items() if _says_something(queue)}
    return {
        "jobs": {job_id: _job(engine, browser, job_id) for job_id in ids},
        "queues": {name: _without(queue, ("completed",)) for name, queue in shown.items()},
        "counts": {name: browser.counts(name) for name in shown},
        "dead": {name: sorted(_dead(browser, name)) for name in shown},
        "stats": engine.stats(),
        "metrics": _without(engine.metrics(), ("latency_ms",)),
    }


def assert_same(live: Picture, again: Picture) -> None:
    """What was recovered is what there was. Of completed jobs the one may keep more whole than the other."""
    for job_id, one in live["jobs"].items():
        other = again["jobs"][job_id]
        if one["state"] == other["state"] == "completed" and (one["job"] is None or other["job"] is None):
            one = other
        assert one == other, job_id
    for name in live.keys() - {"jobs"}:
        assert live[name] == again[name], name


def _says_something(queue: dict[str, Any]) -> bool:
    quiet = {"paused": False, "rate_limit": None, "concurrency_limit": None, "groups": None}
    return any(queue[name] for name in ("waiting", "delayed", "active", "failed")) or any(
        queue[name] != value for name, value in quiet.items())


def _without(found: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


def _dead(browser: Browser, queue: str) -> list[tuple[int, int]]:
    """When they died, and which. Of those that died in one ms any may be listed first."""
    jobs = [orjson.loads(job) for job in browser.dead(queue, 1000, False)]
    found = [(job["failed_at"], job["id"]) for job in jobs]
    assert [when for when, _ in found] == sorted(when for when, _ in found)
    return found


def _job(engine: Engine, browser: Browser, job_id: int) -> Picture:
    whole, state = engine.get_job(job_id, False)
    shown = None if whole is None else _without(orjson.loads(whole), UNRECORDED)
    custom = None if shown is None or not shown.get("custom_id") else browser.by_custom_id(shown["custom_id"], False)
    return {
        "state": state,
        "job": shown,
        "result": engine.get_result(job_id, False),
        "progress": engine.get_progress(job_id),
        "logs": browser.logs(job_id),
        "custom": None if custom is None or custom[0] is None else orjson.loads(custom[0])["id"],
    }


def checkpoint_of(engine: Engine) -> tuple[bytes, ...]:
    """A whole checkpoint of this moment."""
    made = Checkpoints(engine, 4096)
    while not made.newest:
        made.step()
    return made.newest


class Checkpoints:
    """Checkpoints of an engine made slice by slice between its commands."""

    def __init__(self, engine: Engine, slice_bytes: int) -> None:
        self._engine = engine
        self._slice_bytes = slice_bytes
        self._snapshot: Snapshot | None = None
        self._slices: list[bytes] = []
        self.newest: tuple[bytes, ...] = ()

    def step(self) -> None:
        """One slice; the last one of a checkpoint makes it the newest."""
        if self._snapshot is None:
            self._snapshot, self._slices = Snapshot(self._engine), []
        piece = self._snapshot.slice(self._slice_bytes)
        if piece:
            self._slices.append(piece)
        else:
            self.newest, self._snapshot = tuple(self._slices), None


def restarted(sim: Simulation, store: DelayedStore, down_ms: int = 0, checkpoint: Iterable[bytes] = ()) -> Simulation:
    """A server that goes on where this one was killed, `down_ms` later; its store has the records of both."""
    after = DelayedStore(at_once=True)
    after.log += store.log
    after.position = store.position
    clock = sim.loop.wall + down_ms, sim.loop.mono + down_ms
    given = {name: getattr(sim.settings, name) for name in ("lease", "disconnect_grace", "lost_workers",
                                                            "keep_completed", "keep_results", "memory_limit")}
    again = Simulation(after, lambda engine: fill(engine, bytes(store.log), checkpoint), clock, **given)
    again.engine.run_due()
    return again
