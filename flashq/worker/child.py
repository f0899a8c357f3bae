"""The process of isolated handlers: it runs one job after the other that its worker hands over."""
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop

from flashq.client.call import Call
from flashq.client.readers import make_job
from flashq.tasks.app import App
from flashq.tasks.context import CurrentJob
from flashq.tasks.run import run_job
from flashq.worker.messages import Channel, Message
from flashq.worker.orphan import when_orphaned
from flashq.worker.target import load_app
from flashq.worker.threads import Threads


class ChannelReporter:
    """Hands what a handler tells on to the worker, which has the connection."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()

    def report(self, current: CurrentJob, call: Call[Any]) -> None:
        """From any thread."""
        message = {"report": call.command, "fields": call.fields}
        self._loop.call_soon_threadsafe(self._channel.send, message)


class Child:
    """One job at a time; between jobs it waits."""

    def __init__(self, app: App, channel: Channel) -> None:
        self._app = app
        self._channel = channel
        self._reporter = ChannelReporter(channel)
        self._threads = Threads(1)
        self._current: CurrentJob | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the worker hangs up."""
        self._channel.send({"ready": True})
        while (message := await self._channel.receive()) is not None:
            if "job" in message:
                task = asyncio.create_task(self._job(message["job"]))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            elif self._current is not None and self._current.id == message["stop"]:
                self._current.stop(message["reason"])

    async def _job(self, raw: Message) -> None:
        job = make_job(raw)
        self._current = current = CurrentJob(job, self._reporter)
        outcome = await run_job(self._app, job, executor=self._threads, current=current)
        self._current = None
        # After what the handler's thread has reported, which comes by way of the loop.
        asyncio.get_running_loop().call_soon(self._channel.send, {
            "outcome": outcome.kind, "result": outcome.result, "error": outcome.error,
            "retry_after": outcome.retry_after})


async def _main(descriptor: int, app: App) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=descriptor))
    await Child(app, Channel(reader, writer)).run()


def main(descriptor: int, target: str, directory: str, url: str) -> None:
    """Run until the worker is gone; its end is this process's end, whatever a handler does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    when_orphaned(lambda: os._exit(0))
    app = load_app(target, Path(directory))
    if url:
        app.connect_to(url)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(descriptor, app))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
