"""A thread with an event loop and one link: what carries the calls of a client whose callers wait in threads."""
import asyncio
import os
import threading
import weakref
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import uvloop

from flashq.client.call import Call
from flashq.client.core import Core, Request
from flashq.client.link import Link
from flashq.client.setup import Setup
from flashq.client.wire import Packed

T = TypeVar("T")
STOP_SECONDS = 5.0


class Portal:
    """Takes requests from any thread. Many that come at once wake the loop once."""

    def __init__(self, setup: Setup) -> None:
        self.pid = os.getpid()
        self.core: Core = setup.core()
        self._asked: deque[tuple[Request, float]] = deque()
        self._woken = False
        self._stopped = False
        self._loop = uvloop.new_event_loop()
        started = threading.Event()
        self._link: Link | None = None
        self._thread = threading.Thread(target=self._run, args=(setup, started), name="flashq-client", daemon=True)
        self._thread.start()
        started.wait()

    def ask(self, call: Call[Any], packed: Packed, seconds: float) -> "tuple[Request, Future[dict[str, Any]]]":
        """Have a call carried out: its request, and the future of the reply."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a call from on_told would wait for itself: hand it to a thread of your own")
        future: Future[dict[str, Any]] = Future()
        request = Request(call, packed, future)
        self._asked.append((request, seconds))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._take)
        return request, future

    def abandon(self, request: Request) -> None:
        """Nobody waits any more."""
        self._loop.call_soon_threadsafe(self.core.abandon, request)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns that runs in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_SECONDS)

    def stop(self) -> None:
        """Hang up and end the thread. In a process that was forked off there is neither."""
        if self._stopped or self.pid != os.getpid():
            return
        self._stopped = True
        self._loop.call_soon_threadsafe(self._end)
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)

    def _end(self) -> None:
        assert self._link is not None
        self._loop.create_task(self._link.close()).add_done_callback(lambda _task: self._loop.stop())

    def _take(self) -> None:
        self._woken = False     # first: what comes from here on wakes again
        assert self._link is not None
        while self._asked:
            request, seconds = self._asked.popleft()
            timer = self._link.ask(request, seconds)
            assert isinstance(request.future, Future)
            request.future.add_done_callback(lambda _future, timer=timer: timer.cancel())  # type: ignore[misc]

    def _run(self, setup: Setup, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._begin, setup, started)
        try:
            self._loop.run_forever()
        finally:
            self._take()        # what was asked for meanwhile hears that the client is closed
            self._loop.close()

    def _begin(self, setup: Setup, started: threading.Event) -> None:
        self._link = Link(self.core, setup.endpoint, setup.tls, setup.connect_timeout, setup.on_connection)
        started.set()


def stop_with(owner: object, portal: Portal) -> None:
    """Stop the portal when its owner is no more, or the interpreter ends."""
    weakref.finalize(owner, portal.stop)
