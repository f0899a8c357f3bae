"""Threads for sync handlers: as many as are needed at once, up to a limit; none of them keeps a process from ending."""
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Executor):
    """Daemon threads, unlike those of ThreadPoolExecutor: a handler that never returns must not hold up the exit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._count = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run it in a thread that is free, or a new one."""
        if self._closed:
            raise RuntimeError("the threads were shut down")
        future: Future[T] = Future()
        with self._lock:
            self._busy += 1
            if self._count < min(self._busy, self._limit):
                self._count += 1
                threading.Thread(target=self._run, name=f"flashq-handler-{self._count}", daemon=True).start()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Threads that are free end; others do when their work does, which is not waited for."""
        self._closed = True
        for _ in range(self._count):
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, work = item
            try:
                if future.set_running_or_notify_cancel():
                    _settle(future, work)
            finally:
                with self._lock:
                    self._busy -= 1
            del item, future, work      # nothing of a job outlives it in a thread that waits


def _settle(future: "Future[Any]", work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
