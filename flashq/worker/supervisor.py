"""Keeps worker processes going: starts and replaces them, hands signals on, begins anew when code has changed."""
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvloop

from flashq.worker.watch import changed

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0        # seconds before a process that failed is started again
HEALTHY_SECONDS = 10.0                      # a process that lived so long begins with the shortest wait again
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Logger(Protocol):
    """One of structlog."""

    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """`arguments` of `flashq`, for each of so many processes; anew when a file below one of `watched` changes.

    A status of `final` is that of a process which another one would only follow.
    """

    arguments: Sequence[str]
    processes: int
    watched: Sequence[Path] = ()
    final: Collection[int] = ()


class Supervisor:
    """Of one command."""

    def __init__(self, plan: Plan, logger: Logger) -> None:
        self._plan = plan
        self._logger = logger
        self._running: set[asyncio.subprocess.Process] = set()
        self._generation = 0
        self._stopping = False
        self._news = asyncio.Event()        # that this generation is over
        self._status = 0

    def run_forever(self) -> int:
        """Until SIGTERM or SIGINT, and until all processes have ended; the status of the command."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        slots: set[asyncio.Task[None]] = self._start()
        watching = asyncio.ensure_future(self._watch(slots)) if self._plan.watched else None
        while slots:
            done, _ = await asyncio.wait(slots, return_when=asyncio.FIRST_COMPLETED)
            slots -= done
            for one in done:
                one.result()
        if watching is not None:
            watching.cancel()
        return self._status

    def _start(self) -> "set[asyncio.Task[None]]":
        return {asyncio.ensure_future(self._slot(number, self._generation))
                for number in range(self._plan.processes)}

    def _signalled(self) -> None:
        """The first time they drain, the second time they are in a hurry: so are they told, too."""
        self._stopping = True
        self._news.set()
        self._end_processes()

    def _end_processes(self) -> None:
        for process in list(self._running):
            _send(process, signal.SIGTERM)

    # -- one process after the other ----------------------------------------------------------------------------------

    async def _slot(self, number: int, generation: int) -> None:
        """Keep one process going, until all stop or there is newer code."""
        wait = FIRST_WAIT
        while not self._over(generation):
            begun, news = time.monotonic(), self._news
            status = await self._process(number)
            if self._over(generation):
                return
            if status == 0:
                continue        # it has done what one process is to do: the next one
            if status in self._plan.final and not self._plan.watched:
                self._give_up(status)
                return
            wait = FIRST_WAIT if time.monotonic() - begun >= HEALTHY_SECONDS else min(2 * wait, LONGEST_WAIT)
            # With code that is being worked on, another try before it has changed would only say the same.
            await self._pause(number, status, None if self._plan.watched else wait, news)

    async def _pause(self, number: int, status: int, wait: float | None, news: asyncio.Event) -> None:
        self._logger.warning("process_ended", process=number, status=status, again_in=wait or "until a change")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await news.wait()

    async def _process(self, number: int) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flashq", *self._plan.arguments, stdin=subprocess.PIPE, start_new_session=True)
        self._running.add(process)
        self._logger.info("process_started", process=number, pid=process.pid)
        if self._stopping:
            _send(process, signal.SIGTERM)
        try:
            return await process.wait()
        finally:
            self._running.discard(process)

    def _over(self, generation: int) -> bool:
        return self._stopping or generation != self._generation

    def _give_up(self, status: int) -> None:
        self._status = status
        self._signalled()

    # -- changes of the code ------------------------------------------------------------------------------------------

    async def _watch(self, slots: "set[asyncio.Task[None]]") -> None:
        """Those with the old code drain while others begin with the new one."""
        while True:
            path = await changed(list(self._plan.watched))
            self._logger.info("reload", changed=path)
            self._generation += 1
            self._news.set()
            self._news = asyncio.Event()
            self._end_processes()
            slots |= self._start()


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
