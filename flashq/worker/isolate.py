"""Isolation: each job runs in a process that has no other one at that time, and is replaced when the job harmed it."""
import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from functools import partial

from flashq.client.call import Call
from flashq.client.record import Record
from flashq.tasks.context import CurrentJob, Reporter
from flashq.tasks.outcome import Outcome
from flashq.worker.messages import Channel

START_SECONDS = 60.0        # to import the app
KILL_SECONDS = 1.0          # after the job was to stop, until its process is killed
_LOG = logging.getLogger("flashq.worker")


class Isolation(Record):
    """How handlers are isolated. `target` names the app, as in `myapp.tasks:app`, for the processes to import it.

    `directory` is looked into for that; `url` is the server of the app there, if not its own. A process is replaced
    after `max_jobs`, which bounds what handlers leak.
    """

    target: str
    directory: str = "."
    url: str = ""
    max_jobs: int | None = None

    def begin(self, reporter: Reporter) -> "Isolated":
        """The processes of one worker."""
        return Isolated(self, reporter)


class Dead(Exception):
    """The process ended; the text says how."""


class Process:
    """One process, and the channel to it."""

    def __init__(self, isolation: Isolation, reporter: Reporter) -> None:
        self.jobs = 0
        self._isolation = isolation
        self._reporter = reporter
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._killed_for = ""

    async def start(self) -> None:
        """Until it has imported the app. Dead when it could not."""
        ours, theirs = socket.socketpair()
        try:
            given = self._isolation
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "flashq.worker.child", str(theirs.fileno()), given.target, given.directory,
                given.url, stdin=subprocess.PIPE, pass_fds=(theirs.fileno(),), start_new_session=True)
            reader, writer = await asyncio.open_connection(sock=ours)
        finally:
            theirs.close()
        self._channel = Channel(reader, writer)
        async with asyncio.timeout(START_SECONDS):
            if await self._channel.receive() is None:
                raise Dead(await self._end_text())

    async def run(self, current: CurrentJob) -> Outcome:
        """How a job ends in it. Dead when the process did."""
        assert self._channel is not None
        self.jobs += 1
        self._killed_for = ""
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        if current.job.timeout:
            seconds = current.job.timeout / 1000
            timers.append(loop.call_later(
                seconds + KILL_SECONDS, self._kill_for, f"timed out after {seconds:g} s, and had to be killed"))
        current.interruptible(partial(self._interrupt, current, timers))
        self._channel.send({"job": vars(current.job)})
        try:
            while (message := await self._channel.receive()) is not None:
                if "outcome" in message:
                    return Outcome(message["outcome"], message["result"], message["error"], message["retry_after"])
                self._reporter.report(current, Call(message["report"], message["fields"], lambda _reply: None))
        finally:
            current.interruptible(None)
            for timer in timers:
                timer.cancel()
        raise Dead(self._killed_for or await self._end_text())

    def _interrupt(self, current: CurrentJob, timers: list[asyncio.TimerHandle]) -> None:
        assert self._channel is not None
        self._channel.send({"stop": current.id, "reason": current.stop_reason})
        timers.append(asyncio.get_running_loop().call_later(KILL_SECONDS, self._kill_for, "had to be killed"))

    def _kill_for(self, reason: str) -> None:
        self._killed_for = reason
        self.kill()

    def kill(self) -> None:
        """At once, with all that it has started in its session."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """It ends when it hears that the worker hung up; it is killed if it does not."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(KILL_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
                await self._process.wait()

    async def _end_text(self) -> str:
        assert self._process is not None
        status = await self._process.wait()
        if status >= 0:
            return f"the process of the handler ended with status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"the process of the handler was killed by {name}"


class Isolated:
    """As many processes as jobs run at once, started when they are needed."""

    def __init__(self, isolation: Isolation, reporter: Reporter) -> None:
        self._isolation = isolation
        self._reporter = reporter
        self._free: list[Process] = []
        self._all: set[Process] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def execute(self, current: CurrentJob) -> Outcome:
        """How a job ends; the end of its process is the failure of this job alone."""
        try:
            process = await self._take()
        except (Dead, OSError, TimeoutError) as error:
            _LOG.error("no process for handlers could be started: %s", error)
            await asyncio.sleep(KILL_SECONDS)       # the next one fares no better at once
            return Outcome("released", error=str(error))
        try:
            outcome = await process.run(current)
        except Dead as error:
            self._retire(process)
            return _of_death(current, str(error))
        except BaseException:
            self._retire(process)
            raise
        if self._isolation.max_jobs is not None and process.jobs >= self._isolation.max_jobs:
            self._retire(process)
        else:
            self._free.append(process)
        return outcome

    async def _take(self) -> Process:
        if self._free:
            return self._free.pop()
        process = Process(self._isolation, self._reporter)
        self._all.add(process)
        try:
            await process.start()
        except BaseException:
            self._retire(process)
            raise
        return process

    def _retire(self, process: Process) -> None:
        self._all.discard(process)
        task = asyncio.get_running_loop().create_task(process.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """No process is left."""
        for process in list(self._all):
            self._retire(process)
        await asyncio.gather(*self._ending)


def _of_death(current: CurrentJob, text: str) -> Outcome:
    """A process that ended because its job was to stop did what was asked; else the handler is to blame."""
    if current.stop_reason == "shutdown":
        return Outcome("released", error=text)
    if current.stop_reason in ("cancelled", "lost"):
        return Outcome("lost", error=text)
    return Outcome("failed", error=text)
