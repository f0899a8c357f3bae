"""Middleware: functions that run before and after each handler, and when it raised."""
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from flashq.tasks.context import CurrentJob

Before = Callable[[CurrentJob], Awaitable[None] | None]
After = Callable[[CurrentJob, Any], Awaitable[None] | None]
OnError = Callable[[CurrentJob, BaseException], Awaitable[None] | None]


class Middleware:
    """Override what you need; each may be async. Sync ones run in the event loop: they must not block.

    What `before` raises is the failure of the attempt, and the handler does not run.
    """

    def before(self, job: CurrentJob) -> Awaitable[None] | None:
        """The attempt begins."""

    def after(self, job: CurrentJob, result: Any) -> Awaitable[None] | None:
        """The handler returned; `result` is plain, as it is kept."""

    def on_error(self, job: CurrentJob, error: BaseException) -> Awaitable[None] | None:
        """The handler raised, or another hook did."""


class Hooks:
    """All of an app. `before` runs in the order in which they were added, the others the other way round."""

    def __init__(self) -> None:
        self.any = False
        self._before: list[Before] = []
        self._after: list[After] = []
        self._on_error: list[OnError] = []

    def add(
        self, before: Before | None = None, after: After | None = None, on_error: OnError | None = None
    ) -> None:
        """Those that are given."""
        if before is not None:
            self._before.append(before)
        if after is not None:
            self._after.insert(0, after)
        if on_error is not None:
            self._on_error.insert(0, on_error)
        self.any = True

    async def before(self, job: CurrentJob) -> None:
        """What it raises fails the attempt."""
        for hook in self._before:
            await _done(hook(job))

    async def after(self, job: CurrentJob, result: Any) -> None:
        """Likewise."""
        for hook in self._after:
            await _done(hook(job, result))

    async def on_error(self, job: CurrentJob, error: BaseException) -> None:
        """What one of them raises takes the place of the error."""
        for hook in self._on_error:
            await _done(hook(job, error))


async def _done(made: Awaitable[None] | None) -> None:
    if inspect.isawaitable(made):
        await made
