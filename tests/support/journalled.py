"""A program: leads a simulated server whose journal is real through a random history, and leaves word of all of it.

Run under the file layer, whose trace then tells which replies had arrived at each moment; the history tells what they
have promised. `main` takes one argument, a JSON object: the fields of `Arguments`.
"""

import json
import os
import pickle
import random
import struct
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.filelayer import mark
from support.model_parts import Message
from support.model_restart import RestartModel
from support.ondisk import OnDisk, loop_writes, often
from support.twin import LIMITS, Op, Twin, check_reply, go_on, model_of

BEGIN = b"begin"            # marks: from here on the history counts; and the answer to an operation
ANSWER = struct.Struct("<IQ")


@dataclass(frozen=True)
class Arguments:
    directory: str
    trace: str
    word: str                               # where the history goes
    seed: int
    steps: int
    model: str = ""                         # pickled: what is in the directory; empty: nothing
    settings: dict[str, Any] = field(default_factory=dict)
    close: bool = False                     # whether it ends as it should


@dataclass
class History:
    """What was done, and the position of the log after each of it."""

    start: bytes                            # the model before it, pickled
    base: int                               # position then
    ops: list[Op] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    kept: dict[int, bool] = field(default_factory=dict)     # by number of op: whether its reply promises that it stays
    shown: dict[int, list[int]] = field(default_factory=dict)   # and the jobs that it shows


class DiskTwin(Twin):
    """Replies come when the disk lets them; each that comes is marked in the trace."""

    def __init__(self, sim: OnDisk, model: RestartModel, rng: random.Random, trace: Path) -> None:
        super().__init__(sim, model, rng)
        self.disk = sim
        self.trace = trace
        self.history = History(pickle.dumps(model), sim.engine.position)
        self._waiting: list[deque[tuple[int, Op, Message]]] = [deque() for _ in self.wires]
        self._had = sim.engine.position

    def happens(self, op: Op) -> None:
        self._had = self.sim.engine.position
        if op.kind == "hang up":
            self._waiting[op.who].clear()
        super().happens(op)
        self.history.ops.append(op)
        self.history.positions.append(self.sim.engine.position)
        self.listen()

    def expect(self, op: Op, replies: list[Message]) -> None:
        """Later."""
        number, (reply,) = len(self.history.ops), replies
        self._waiting[op.who].append((number, op, reply))
        assert op.request is not None
        pull = op.request["cmd"] in ("PULL", "PULLB")
        # A delivery waits for the push of its job alone.
        self.history.kept[number] = not pull and reply["ok"] and self.sim.engine.position > self._had
        jobs = (reply.get("jobs") or [reply.get("job")]) if pull else []
        self.history.shown[number] = [job["id"] for job in jobs if job is not None]

    def listen(self) -> None:
        """Take what has come; now and then wait until all has."""
        if self.rng.random() < 0.1:
            self.disk.wait_for_disk()
        else:
            self.disk.disk.listen()
        for wire, waiting in zip(self.wires, self._waiting, strict=True):
            for found in wire.replies():
                number, op, wanted = waiting.popleft()
                check_reply(op, wanted, found)
                mark(self.trace, ANSWER.pack(number, self.sim.engine.synced))


def begin(arguments: Arguments) -> tuple[OnDisk, RestartModel]:
    """The server, and a model of it."""
    often()
    loop_writes(arguments.seed % 4 < 2)
    settings = {**LIMITS, **arguments.settings}
    if not arguments.model:
        sim = OnDisk(Path(arguments.directory), **settings)
        return sim, model_of(sim)
    model: RestartModel = pickle.loads(Path(arguments.model).read_bytes())
    sim = OnDisk(Path(arguments.directory), (model.wall, model.mono), **settings)
    model.restart(sim.engine.epoch)
    go_on(sim, model)
    return sim, model


def main() -> None:
    arguments = Arguments(**json.loads(sys.argv[1]))
    sim, model = begin(arguments)
    sim.wait_for_disk()
    twin = DiskTwin(sim, model, random.Random(arguments.seed), Path(arguments.trace))
    mark(twin.trace, BEGIN)
    try:
        for _ in range(arguments.steps):
            twin.step()
        if arguments.close:
            sim.wait_for_disk()
            twin.listen()
            sim.shut()
    finally:
        Path(arguments.word).write_bytes(pickle.dumps(twin.history))
    assert sim.faults() == []
    sys.stdout.flush()
    os._exit(0)             # unless it was shut its threads are in the middle of something
