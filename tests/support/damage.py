"""A small data directory of a real history, damaged in one place: all of it is found, or the start says where not."""

import hashlib
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashq.storage.base import StorageError
from flashq.storage.journal import Journal
from support.look import differences, expected, forget_evicted, forget_idle, look
from support.model_restart import RestartModel
from support.ondisk import OnDisk
from support.outage import Run, copied
from support.twin import asking

HEAD = 64       # bytes of a segment before its first group
# The file and the byte, the reason, and the command that shows more; a newer format has no place.
REFUSAL = re.compile(r"\S+/(segment-\d{12}\.log|checkpoint-\d{20}\.ckpt) (is damaged at byte \d+, after \d+ good "
                     r"records: .+; see: flashq journal verify \S+|.*version.*)")


@dataclass(frozen=True)
class Damage:
    """What becomes of one file: bytes replaced from `at` on, or cut off there; None for its end."""

    name: str
    at: int
    data: bytes | None = None

    def of(self, content: bytes) -> bytes:
        if self.data is None:
            return content[:self.at]
        return content[:self.at] + self.data + content[self.at + len(self.data):]

    def __str__(self) -> str:
        what = "cut off" if self.data is None else f"{len(self.data)} bytes changed"
        return f"{self.name}, {what} at {self.at}"


def has_groups(name: str, content: bytes) -> bool:
    """Whether it is a segment, with something written to it since it has that name: each group says its number."""
    return name.startswith("segment-") and content[HEAD + 8:HEAD + 16] == int(name[8:20]).to_bytes(8, "little")


class Listener:
    """A replay that only remembers what it was given."""

    def __init__(self) -> None:
        self._heard = hashlib.sha256()
        self.position = 0
        self.jobs = 0

    def checkpoint(self, frames: Any) -> None:
        self._heard.update(b"checkpoint")
        self._heard.update(frames)

    def log(self, frames: Any) -> None:
        self._heard.update(frames)

    def digest(self) -> bytes:
        return self._heard.digest()


class Patient:
    """The directory, with the model of what is in it."""

    def __init__(self, home: Path, seed: int, steps: int) -> None:
        run = Run(home / "run", seed, steps, close=True)
        source = run.home / "root" / "data"
        self.files = {path.name: path.read_bytes() for path in sorted(source.iterdir())}
        self.directory = home / "patient"
        self.directory.mkdir(0o700)
        self.settings = run.settings
        self.model: RestartModel = run.model_at_end()
        self.whole = self.listen(self.files)
        self.outcomes: Counter[str] = Counter()
        self.needed = [name for name in self.files if name.startswith(("segment-", "checkpoint-"))]
        assert any(name.startswith("checkpoint-") for name in self.needed), self.needed
        assert sum(name.startswith("segment-") for name in self.needed) > 1, self.needed

    def put(self, files: dict[str, bytes]) -> None:
        """These, and nothing else."""
        shutil.rmtree(self.directory)
        self.directory.mkdir(0o700)
        for name, content in files.items():
            (self.directory / name).write_bytes(content)

    def listen(self, files: dict[str, bytes]) -> bytes:
        """What a start reads of them. StorageError."""
        self.put(files)
        journal = Journal(self.directory, durability="commit", sync_interval_ms=50, segment_size=64 << 10)
        listener = Listener()
        journal.lock()
        try:
            journal.load(listener, lambda progress: None)
        finally:
            journal.close()
        return listener.digest()

    def suffer(self, files: dict[str, bytes], what: str) -> None:
        """Everything is found, or the start is refused with a place and a reason: `outcomes` counts both. Whatever else
        happens is raised."""
        try:
            heard = self.listen(files)
        except StorageError as error:
            assert REFUSAL.fullmatch(str(error)), f"{what}: {error}"
            self.outcomes["refused"] += 1
            return
        except Exception as error:
            error.add_note(what)
            raise
        if heard != self.whole:
            told = self.look(files)
            assert told == [], "\n".join([f"silently lost: {what}", *told[:20]])
        self.outcomes["all found"] += 1

    def damage(self, one: Damage) -> None:
        self.suffer({**self.files, one.name: one.of(self.files[one.name])}, str(one))

    def look(self, files: dict[str, bytes]) -> list[str]:
        """What a start finds otherwise than it should; one that reads something else may come to the same."""
        self.put(files)
        sim = OnDisk(self.directory, (self.model.wall, self.model.mono), writes=False, **self.settings)
        sim.engine.run_due()
        model = copied(self.model)
        model.restart(sim.engine.epoch)
        found = look(asking(sim), model.queues, model.issued)
        forget_idle(model, found)
        forget_evicted(model, found)
        told = differences(expected(model), found)
        sim.journal.close()
        return told

    def flips(self, rng: random.Random) -> Iterator[Damage]:
        """One bit of every byte of what a start reads."""
        for name in self.needed:
            for at, byte in enumerate(self.files[name]):
                yield Damage(name, at, bytes([byte ^ 1 << rng.randrange(8)]))

    def cuts(self) -> Iterator[Damage]:
        """Every such file ends at each of its bytes."""
        for name in self.needed:
            for at in range(len(self.files[name])):
                yield Damage(name, at)

    def blots(self, rng: random.Random, count: int) -> Iterator[Damage]:
        """Zeros or noise over a stretch. Not in the last segment: over its end that looks as if it had ended before."""
        last = max(name for name in self.needed if has_groups(name, self.files[name]))
        for _ in range(count):
            name, content = rng.choice([one for one in self.files.items() if one[0] != last])
            at = rng.randrange(len(content))
            size = min(rng.choice([2, 16, 64, 512, 4096]), len(content) - at)
            yield Damage(name, at, bytes(size) if rng.random() < 0.5 else rng.randbytes(size))
