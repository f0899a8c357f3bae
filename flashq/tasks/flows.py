"""Jobs that wait for others and take their results: `chain`, `group` with a callback, and `flow`.

The server keeps the order (FLOW, depends_on). A job that fails for good takes those that wait for it along.
"""
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flashq.client.calls import flows as flow_calls
from flashq.client.calls import jobs as calls
from flashq.client.calls import management
from flashq.client.errors import FlashQError
from flashq.tasks.errors import WrongArgument
from flashq.tasks.forms.base import never_fits
from flashq.tasks.forms.containers import Anything, Many
from flashq.tasks.handle import Handle
from flashq.tasks.meta import Meta
from flashq.tasks.plan import Plan

if TYPE_CHECKING:
    from flashq.tasks.app import App
    from flashq.tasks.task import Task

R = TypeVar("R")
MAX_GROUP = 1000
_RESULTS = Many(list, list, Anything())
KEEP_RESULT_MS = 24 * 3600 * 1000       # of a job that another one waits for, unless its task says more or less


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """A job to be: a task, and arguments as they go over the wire. Made by `task.step(…)`."""

    task: "Task[..., R]"
    data: dict[str, Any]

    def push(self) -> Handle[R]:
        """Push it alone."""
        return chain(self).push()

    async def push_async(self) -> Handle[R]:
        """The same in an event loop."""
        return await chain(self).push_async()

    def takes(self) -> str | None:
        """The parameter that a predecessor's result is for; None when no required one is missing. WrongArgument."""
        missing = self.task.parameters.missing(self.data)
        if len(missing) > 1:
            raise WrongArgument(self.task.name, f"a step may lack one argument, not {', '.join(missing)}", missing[1])
        return missing[0] if missing else None


Level = tuple[Step[Any], ...]       # of jobs that wait for the same, and run side by side


class Group:
    """Jobs that run side by side: `group(resize.step("a.png"), resize.step("b.png"))`."""

    def __init__(self, steps: Sequence[Step[Any]]) -> None:
        if not 0 < len(steps) <= MAX_GROUP:
            raise ValueError(f"a group has 1 to {MAX_GROUP} steps, not {len(steps)}")
        self.steps: Level = tuple(steps)

    def then(self, callback: Step[R]) -> "Chain[R]":
        """A job that runs when all are done; it takes the list of their results, in order."""
        return Chain((self.steps, (callback,)), many=(True, False))

    def push(self) -> "GroupHandle":
        """Push them. A group of a thousand is a request for each queue."""
        return _app(self.steps).carry_out(self._push(), "push")

    async def push_async(self) -> "GroupHandle":
        """The same in an event loop."""
        return await _app(self.steps).carry_out_async(self._push())

    def _push(self) -> Plan["GroupHandle"]:
        _check_first(self.steps)
        ids = yield from _push_level([_Job(one, {}) for one in self.steps])
        return GroupHandle([Handle(step.task, id) for step, id in zip(self.steps, ids, strict=True)])


class GroupHandle:
    """Of a group: `handles` in order."""

    def __init__(self, handles: list[Handle[Any]]) -> None:
        self.handles = handles

    def results(self, timeout: float | None = None) -> list[Any]:
        """What all of them returned, in order; `timeout` in seconds is for all together. As Handle.result."""
        return self.handles[0].task.app.carry_out(self._results(timeout), "results")

    async def results_async(self, timeout: float | None = None) -> list[Any]:
        """The same in an event loop."""
        return await self.handles[0].task.app.carry_out_async(self._results(timeout))

    def _results(self, timeout: float | None) -> Plan[list[Any]]:
        end = None if timeout is None else time.monotonic() + timeout
        found = []
        for handle in self.handles:
            left = None if end is None else max(0.0, end - time.monotonic())
            found.append((yield from handle.plan_result(left)))
        return found


class Chain(Generic[R]):
    """Jobs one after the other, each of which may take the result of the one before. Its handle is that of the last."""

    def __init__(self, levels: Sequence[Level], many: Sequence[bool]) -> None:
        """`many`: of which levels the results come as a list."""
        self.levels = tuple(levels)
        self.many = tuple(many)
        if self.many[-1]:
            raise ValueError("a chain ends with a step, not with a group: say what becomes of the results")

    def then(self, step: "Step[R] | Chain[R]") -> "Chain[R]":
        """The same, and one more at its end."""
        return chain(self, step)

    def push(self) -> Handle[R]:
        """Push all of it. What was pushed already is cancelled when the server refuses a part."""
        return _app(self.levels[0]).carry_out(self._push(), "push")

    async def push_async(self) -> Handle[R]:
        """The same in an event loop."""
        return await _app(self.levels[0]).carry_out_async(self._push())

    def _push(self) -> Plan[Handle[R]]:
        _check_first(self.levels[0])
        self._check_results()
        rows = [[_Job(step, self._meta(step, at), waited_for=at + 1 < len(self.levels)) for step in level]
                for at, level in enumerate(self.levels)]
        pushed: list[int] = []
        try:
            ids = yield from _push_rows(rows, pushed)
        except FlashQError:
            for id in reversed(pushed):     # a child cancelled before its parent would leave a dead letter
                with contextlib.suppress(FlashQError):
                    yield management.cancel(id)
            raise
        return Handle(self.levels[-1][0].task, ids[0])

    def _check_results(self) -> None:
        """That results may fit the parameters they are for, as far as both say what they are. WrongArgument."""
        for at, level in enumerate(self.levels[1:], 1):
            for step in level:
                parameter = step.takes()
                if parameter is not None:
                    _check_result(self.levels[at - 1], self.many[at - 1], step, parameter)

    def _meta(self, step: Step[Any], at: int) -> Meta:
        if not at:
            return {}
        parameter = step.takes()
        if parameter is None:
            return {"after": True}
        return {"take": {"parameter": parameter, "what": "all" if self.many[at - 1] else "one"}}


def chain(*parts: "Step[Any] | Group | Chain[Any]") -> Chain[Any]:
    """One after the other: `chain(fetch.step(url), group(…), report.step())`."""
    levels: list[Level] = []
    many: list[bool] = []
    for part in parts:
        if isinstance(part, Chain):
            levels += part.levels
            many += part.many
        else:
            levels.append((part,) if isinstance(part, Step) else part.steps)
            many.append(isinstance(part, Group))
    if not levels:
        raise ValueError("a chain needs a step")
    return Chain(levels, many)


def group(*steps: Step[Any]) -> Group:
    """Side by side: `group(…).push()`, or `group(…).then(callback)`."""
    return Group(steps)


def flow(parent: Step[R], children: Sequence[Step[Any]]) -> Chain[R]:
    """A parent that runs when all its children are done, and takes the list of their results if one argument lacks."""
    return Group(children).then(parent)


@dataclass(frozen=True, slots=True)
class _Job:
    """A step with what is said of its place among the others."""

    step: Step[Any]
    meta: Meta
    waited_for: bool = False

    def options(self, depends_on: list[int]) -> dict[str, Any]:
        options: dict[str, Any] = {**self.step.task.options(self.step.data, self.meta)}
        if self.waited_for:
            options.setdefault("keep_completed_age", KEEP_RESULT_MS)
            options.pop("remove_on_complete", None)     # the result is wanted still
        if depends_on:
            options["depends_on"] = depends_on
            options["on_parent_failure"] = "fail"
        return options


def _app(steps: Level) -> "App":
    return steps[0].task.app


def _check_first(steps: Level) -> None:
    """Those that wait for nobody have nobody to take an argument from. WrongArgument."""
    for step in steps:
        missing = step.takes()
        if missing is not None:
            raise WrongArgument(step.task.name, f"missing a required argument: '{missing}'", missing)


def _check_result(before: Level, many: bool, step: Step[Any], parameter: str) -> None:
    form = step.task.parameters.slots[parameter].form
    for one in before[:1] if many else before:
        given = _RESULTS if many else one.task.parameters.returns
        if never_fits(given, form):
            raise WrongArgument(step.task.name, f"argument '{parameter}' must be {form.name}, and the result of "
                                f"{'a group' if many else one.task.name} is {given.name}", parameter)


def _push_rows(rows: list[list[_Job]], pushed: list[int]) -> Plan[list[int]]:
    """Ids of the last row; all are noted in `pushed` as they come."""
    ids: list[int] = []
    if len(rows) > 1 and len(rows[1]) == 1:     # as one: nobody sees the first without the second
        made = yield _flow_call(rows[1][0], rows[0])
        pushed += [*made.children_ids, made.parent_id]
        ids, rows = [made.parent_id], rows[2:]
    for row in rows:
        ids = yield from _push_level(row, ids)
        pushed += ids
    return ids


def _flow_call(parent: _Job, children: list[_Job]) -> Any:
    """Each job has an id of our own, so that the flow may be sent again."""
    names = (f"flow-{os.urandom(12).hex()}" for _ in range(len(children) + 1))
    told: list[Any] = [{**one.options([]), "queue": one.step.task.queue, "job_id": next(names)} for one in children]
    return flow_calls.push_flow(
        parent.step.task.queue, told, **{**parent.options([]), "job_id": next(names), "fail_parent": True})


def _push_level(row: list[_Job], depends_on: Sequence[int] = ()) -> Plan[list[int]]:
    """A request for each queue."""
    ids: dict[int, int] = {}
    for queue, places in _by_queue(row):
        jobs: list[Any] = [row[at].options(list(depends_on)) for at in places]
        if len(jobs) == 1:
            ids[places[0]] = yield calls.push(queue, **jobs[0])
            continue
        done = yield calls.push_batch(queue, jobs)
        if done.refused:
            for id in done.ids:
                with contextlib.suppress(FlashQError):
                    yield management.cancel(id)
            raise FlashQError(f"a step was refused: {done.refused[0].error}")
        ids.update(zip(places, done.ids, strict=True))
    return [ids[at] for at in range(len(row))]


def _by_queue(row: list[_Job]) -> Iterator[tuple[str, list[int]]]:
    places: dict[str, list[int]] = {}
    for at, one in enumerate(row):
        places.setdefault(one.step.task.queue, []).append(at)
    yield from places.items()
