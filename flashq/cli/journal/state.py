"""The jobs of a data directory in the memory of this process, as a server would have them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from flashq import commands
from flashq._core import fieldtable
from flashq._core.browse import Browser
from flashq._core.engine import STATES, Engine
from flashq._core.replay import Replay
from flashq.config import Settings
from flashq.server.kept import CRON_SPACE, KV_SPACE
from flashq.storage.journal.format import checkpoints_in, segments_in

PAGE = 1000
UNLIMITED = 2**62
ID_BYTES = 8  # that the id of a completed job takes in the files, at least
_COUNTED = {"waiting": "waiting", "delayed": "delayed", "active": "active", "failed": "failed",
            "waiting-children": "blocked"}


class State(Replay):
    """A replay with an engine of its own, which forgets nothing by itself, however its server is set."""

    def __init__(self, directory: Path) -> None:
        fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
        files = (*checkpoints_in(directory).values(), *segments_in(directory).values())
        ids = sum(path.stat().st_size for path in files if path.exists()) // ID_BYTES
        limits = Settings().engine_limits()
        for name in ("memory", "results", "result_bytes"):
            limits[name] = UNLIMITED
        limits["completed"] = max(limits["completed"], ids)
        self.core = Engine(limits, seed=1, epoch=1)
        self.browser = Browser(self.core)
        super().__init__(self.core)

    def finish(self, ids_ahead: int = 0) -> dict[str, int]:
        """All was read. The number of jobs in each state. DamagedRecord when the records make no sense together."""
        self.core.tick(int(time.time() * 1000), int(time.monotonic() * 1000))
        return super().finish(ids_ahead)

    def ids(self) -> Iterator[int]:
        """Of all jobs that are kept whole."""
        last = 0
        while page := self.browser.job_ids(last, PAGE):
            yield from page
            last = page[-1]

    def job(self, id: int) -> bytes:
        """The job as GETJOB shows it, in JSON, and `result` and `logs` of one that has some. What clients put in stands
        there byte by byte."""
        job, _state = self.core.get_job(id, msgpack=False)
        assert job is not None
        parts = [job[:-1]]
        result = self.core.get_result(id, msgpack=False)
        if result is not None:
            parts.append(b'"result":' + result)
        logs = self.browser.logs(id)
        if logs:
            parts.append(b'"logs":' + orjson.dumps(logs))
        return b",".join(parts) + b"}"

    def counts(self) -> dict[str, dict[str, int]]:
        """Jobs by state of each queue."""
        return {str(queue["name"]): self.browser.counts(str(queue["name"])) for queue in self.core.queues()}

    def miscounted(self) -> list[str]:
        """Where the jobs that are there are not those that are counted."""
        there = dict.fromkeys(STATES, 0)
        for id in self.ids():
            there[self.core.get_state(id)] += 1
        counted = list(self.counts().values())
        wrong = []
        for state, name in _COUNTED.items():
            total = sum(one[name] for one in counted)
            if there[state] != total:
                wrong.append(f"{there[state]} jobs are {state}, and {total} are counted")
        return wrong

    def kept(self) -> list[tuple[int, list[bytes], Callable[[bytes], bytes | None]]]:
        """What stands beside the jobs, for a snapshot."""
        def reader(space: int) -> Callable[[bytes], bytes | None]:
            return lambda key: self.entries.get((space, key))

        spaces = sorted({space for space, _key in self.entries})
        return [(space, [key for at, key in self.entries if at == space], reader(space)) for space in spaces]

    def stored(self) -> Iterator[tuple[str, int | None, Any]]:
        """(key, when it runs out in ms since 1970 or None, value) of what KVSET stored, as far as it has not."""
        for (space, key), value in sorted(self.entries.items()):
            until, _, content = value.partition(b" ")
            if space == KV_SPACE and (int(until) == 0 or int(until) > self.core.now):
                yield key.decode("utf-8", "replace"), int(until) or None, orjson.loads(content)

    def crons(self) -> Iterator[dict[str, Any]]:
        """Cron entries as they are recorded."""
        for (space, _key), value in sorted(self.entries.items()):
            if space == CRON_SPACE:
                yield orjson.loads(value)
