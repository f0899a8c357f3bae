"""Power losses at any moment of a random history: what is found afterwards must be what the history promised by then.

A `Run` leads one history in a process of its own, under the file layer, and checks any number of losses of it. All
comes from seeds, but for the moments at which threads met the disk: the directory of a loss that went wrong is kept.
"""

import json
import pickle
import random
import shutil
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashq.storage.journal import Journal
from support.filelayer import Action, FileLayer, Kind
from support.journalled import ANSWER, BEGIN, History
from support.look import compare, differences, expected, forget_evicted, forget_idle, look
from support.model_restart import RestartModel
from support.ondisk import OnDisk
from support.powerloss import Disk
from support.server import server_environment
from support.twin import LIMITS, Twin, asking, go_on, lead

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 300.0
SLOWNESS = 20_000       # us
PROGRAM = "from support.journalled import main; main()"


@dataclass(frozen=True)
class Loss:
    """One power loss: when, and what recovery then finds. `least`: the position that was promised by then."""

    seed: int
    point: int          # calls of the trace before it
    directory: Path
    least: int
    answered: frozenset[int]    # numbers of operations
    position: int


class Scout:
    """A replay that only looks how far there is something."""

    def __init__(self) -> None:
        self.position = 0

    jobs = 0

    def checkpoint(self, frames: Any) -> None:
        self._see(frames)

    log = checkpoint

    def _see(self, frames: Any) -> None:
        at = 0
        while at < len(frames):
            self.position = max(self.position, int.from_bytes(frames[at + 4:at + 12], "little"))
            at += 4 + int.from_bytes(frames[at:at + 4], "little")


def found_in(directory: Path) -> int:
    """The position that a start finds there; what it has to put in order is in order then."""
    journal = Journal(directory, durability="commit", sync_interval_ms=50, segment_size=64 << 10)
    journal.lock()
    try:
        return journal.load(Scout(), lambda progress: None).position
    finally:
        journal.close()


class Run:
    """A history of `steps` steps, from what `model` says is in `initial`, or from nothing. Syncs of files whose names
    match `slow` take long, so that much happens beside them.
    """

    def __init__(self, home: Path, seed: int, steps: int, *, initial: Path | None = None,
                 model: RestartModel | None = None, close: bool = False, slow: str = "", **settings: Any) -> None:
        self.home = home
        self.seed = seed
        self.settings = {**LIMITS, **settings}
        root = home / "root"
        if initial is None:
            root.mkdir(parents=True)
        else:
            shutil.copytree(initial, root)
        layer = FileLayer(home, root)
        if slow:
            layer.rule(0, Kind.SYNC, Action.SLOW, SLOWNESS, pattern=slow)
        word, pickled = home / "word", home / "model"
        if model is not None:
            pickled.write_bytes(pickle.dumps(model))
        arguments = {"directory": str(root / "data"), "trace": str(layer.trace_path), "word": str(word), "seed": seed,
                     "steps": steps, "model": str(pickled) if model else "", "settings": settings, "close": close}
        environment = server_environment(layer.env)
        environment["PYTHONPATH"] += f":{TESTS}"
        done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(arguments)], env=environment,
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, f"{self}: {done.stderr}"
        self.calls = layer.trace()
        self.history: History = pickle.loads(word.read_bytes())
        self.begun = next(at for at, call in enumerate(self.calls) if call.data == BEGIN and call.kind == Kind.MARK)
        self.disk = Disk(self.calls, initial)

    def __str__(self) -> str:
        return f"history of seed {self.seed} with {self.settings} in {self.home}"

    def check_losses(self, seeds: Sequence[int], more: Callable[[Loss, RestartModel], None] | None = None) -> int:
        """Lose power once for each seed. `more` is asked of each; how many it was."""
        moments = sorted((random.Random(seed).randint(self.begun + 1, len(self.calls)), seed) for seed in seeds)
        losses = [self.lose(seed, point) for point, seed in moments]
        for loss, model in self.models_at(losses):
            self.check(loss, model)
            if more is not None:
                more(loss, model)
            shutil.rmtree(loss.directory)
        return len(losses)

    def lose(self, seed: int, point: int) -> Loss:
        """Losses come in the order of their moments."""
        self.disk.play(point)
        directory = self.home / f"loss-{seed}"
        self.disk.lose_power(random.Random(seed), directory)
        answers = [ANSWER.unpack(call.data) for call in self.calls[self.begun + 1:point] if call.kind == Kind.MARK]
        history = self.history
        promised = [history.positions[number] for number, _ in answers if history.kept.get(number)]
        synced = [synced for _, synced in answers]
        least = max([history.base, *(promised if self.strict else []), *synced])
        position = self.position_in(directory, seed, point)
        loss = Loss(seed, point, directory, least, frozenset(number for number, _ in answers), position)
        assert position >= least, f"what was acknowledged is lost: {loss} of the {self}"
        return loss

    @property
    def strict(self) -> bool:
        """Whether a reply promises that it survives a power loss."""
        return bool(self.settings.get("durability", "commit") == "commit")

    def position_in(self, directory: Path, seed: int, point: int) -> int:
        try:
            return found_in(directory / "data")
        except Exception as error:
            error.add_note(f"seed {seed} at call {point} of the {self}; see {directory}")
            raise

    def check_losses_of_the_start(self, seeds: Sequence[int], before: RestartModel, position: int) -> None:
        """Lose power while the server starts on what is there: all of that must be found again."""
        for point, seed in sorted((random.Random(seed).randint(0, self.begun), seed) for seed in seeds):
            directory = self.home / f"loss-{seed}"
            self.disk.play(point).lose_power(random.Random(seed), directory)
            found_position = self.position_in(directory, seed, point)
            assert position <= found_position <= self.history.base, f"seed {seed} at call {point} of the {self}"
            sim = OnDisk(directory / "data", (before.wall, before.mono), writes=False, **self.settings)
            found = look(asking(sim), before.queues, before.issued)
            sim.journal.close()
            wanted = expected(before)
            # The probes for the next ids may have come, too.
            found.states = {job_id: found.states[job_id] for job_id in wanted.states}
            found.jobs = {job_id: job for job_id, job in found.jobs.items() if job_id in wanted.states}
            told = [*compare("states", wanted.states, found.states), *compare("jobs", wanted.jobs, found.jobs),
                    *compare("keys", wanted.keys, found.keys)]
            assert told == [], "\n".join([f"seed {seed} at call {point} of the {self}", *told[:20]])
            shutil.rmtree(directory)

    def models_at(self, losses: Sequence[Loss]) -> Iterator[tuple[Loss, RestartModel]]:
        """Each with the model of what it must have found, in the order of their positions."""
        model: RestartModel = pickle.loads(self.history.start)
        clients = list(model.clients)
        done = 0
        for loss in sorted(losses, key=lambda one: one.position):
            assert not self.history.positions or loss.position <= self.history.positions[-1], f"too much: {loss}"
            # What follows without a record is time that passed, and such: a checkpoint may have seen it.
            until = bisect_right(self.history.positions, loss.position)
            for op in self.history.ops[done:until]:
                lead(model, clients, op)
            done = max(done, until)
            yield loss, model

    def model_at_end(self) -> RestartModel:
        model: RestartModel = pickle.loads(self.history.start)
        clients = list(model.clients)
        for op in self.history.ops:
            lead(model, clients, op)
        return model

    def check(self, loss: Loss, model: RestartModel) -> None:
        """What was found is what the model says."""
        sim = OnDisk(loss.directory / "data", (model.wall, model.mono), writes=False, **self.settings)
        try:
            assert sim.recovered_position == loss.position, f"a second start finds something else: {loss}"
            sim.engine.run_due()        # completed jobs over the limits go in slices: now all
            model = copied(model)
            model.restart(sim.engine.epoch)
            found = look(asking(sim), model.queues, model.issued)
            forget_idle(model, found)
            forget_evicted(model, found)
            told = differences(expected(model), found)
            assert told == [], "\n".join([f"{loss} of the {self}", *told[:20]])
            shown = {job_id for number in loss.answered for job_id in self.history.shown.get(number, ())}
            assert not self.strict or shown <= model.issued, f"a delivered job is lost: {loss} of the {self}"
        finally:
            sim.journal.close()


def serves_on(loss: Loss, model: RestartModel, steps: int, **settings: Any) -> None:
    """A server that begins with what was found goes on as if nothing had happened, also after a stop and a start."""
    model = copied(model)
    rng = random.Random(loss.seed)
    for _ in range(2):
        sim = OnDisk(loss.directory / "data", (model.wall, model.mono), **settings)
        model.restart(sim.engine.epoch)
        if keeps_more(sim, model):
            sim.shut()
            return
        go_on(sim, model)
        twin = PatientTwin(sim, model, rng)
        for _ in range(steps):
            twin.step()
        twin.compare()
        sim.shut()
        assert sim.faults() == []


def keeps_more(sim: OnDisk, model: RestartModel) -> bool:
    """Whether completed jobs over the limits were still to go when the power was lost.

    They go some at a time, and a server that is not over a limit as it starts lets the rest be, which the model cannot
    follow.
    """
    states = asking(sim)([{"cmd": "GETSTATE", "id": job_id} for job_id in sorted(model.evicted)])
    return any(reply["state"] == "completed" for reply in states)


def copied(model: RestartModel) -> RestartModel:
    copy: RestartModel = pickle.loads(pickle.dumps(model))
    return copy


class PatientTwin(Twin):
    """Each reply is waited for."""

    def expect(self, op: Any, replies: list[Any]) -> None:
        assert isinstance(self.sim, OnDisk)
        self.sim.wait_for_disk()
        super().expect(op, replies)
