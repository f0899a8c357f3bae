"""Apps and workers for tests: a worker inside the test, or `flashq worker` as a process of its own."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flashq import App, CurrentJob, Worker
from flashq.client import AsyncFlashQ
from support.clients import url_of
from support.server import ServerProcess, server_environment

PATIENCE = 30.0


@asynccontextmanager
async def working(app: App, **options: Any) -> AsyncIterator[Worker]:
    """A worker of the app in this loop, which is stopped and has drained at the end."""
    worker = Worker(app, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
        worker.stop()
        await asyncio.wait_for(task, PATIENCE)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await app.close_async()


async def reason_after_discard(
    app: App, server: ServerProcess, handler: Callable[[CurrentJob], Awaitable[object]]
) -> str | None:
    """Why the handler, which goes on for ever, is interrupted when somebody else has made its job a dead letter."""
    running: list[CurrentJob] = []
    heard: list[str | None] = []

    @app.task
    async def goes_on(job: CurrentJob) -> None:
        running.append(job)
        try:
            await handler(job)
        finally:
            heard.append(job.stop_reason)

    async with working(app), AsyncFlashQ(url_of(server)) as other:
        handle = await goes_on.push_async()
        await eventually(lambda: running)
        await other.discard(handle.id)
        await eventually(lambda: heard)
    return heard[0]


async def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait in the loop until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.01)


def soon(condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait in this thread until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


class WorkerProcess:
    """`flashq worker` of a program that is written into a directory. `events` are those of its log so far."""

    def __init__(
        self, directory: Path, program: str, server: ServerProcess, *flags: str, module: str = "program"
    ) -> None:
        (directory / f"{module}.py").write_text(textwrap.dedent(program))
        self._flags = flags
        self._file = directory / f"worker-{time.monotonic_ns()}.log"
        with self._file.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flashq", "worker", f"{module}:app", "--log-format", "json", *flags],
                cwd=directory, env=server_environment({"FLASHQ_URL": url_of(server)}), stdout=out, stderr=out)

    def flag(self, name: str, default: str) -> str:
        """What it was given for a flag."""
        return dict(zip(self._flags, self._flags[1:], strict=False)).get(name, default)

    @property
    def text(self) -> str:
        """All that it wrote."""
        return self._file.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those of its log."""
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def named(self, event: str) -> list[dict[str, Any]]:
        """Events of this name."""
        return [one for one in self.events if one.get("event") == event]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """The last of so many events of this name."""
        deadline = time.monotonic() + PATIENCE
        while len(self.named(event)) < count:
            assert time.monotonic() < deadline, f"no {event}; the log:\n{self.text}"
            assert self.process.poll() is None or self.named(event), f"the worker ended; the log:\n{self.text}"
            time.sleep(0.02)
        return self.named(event)[count - 1]

    def stop(self, status: int = 0) -> None:
        """SIGTERM; it must end with this status."""
        self.process.send_signal(signal.SIGTERM)
        self.ended(status)

    def ended(self, status: int = 0) -> None:
        """It must end with this status."""
        found = self.process.wait(PATIENCE)
        assert found == status, f"status {found}; the log:\n{self.text}"

    def kill(self) -> None:
        """End it, if it runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
