"""A task: a function that workers run, and how jobs of it are pushed."""
import inspect
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, Unpack

from flashq.client.call import Call
from flashq.client.calls import cron as cron_calls
from flashq.client.calls import jobs as calls
from flashq.client.record import Record
from flashq.client.results import BatchResult, RefusedItem
from flashq.client.shapes import CronOptions, PushOptions
from flashq.queue_names import check_queue_name
from flashq.tasks import schedules, tracing
from flashq.tasks.context import CurrentJob, current_job
from flashq.tasks.handle import Handle, no_attribute
from flashq.tasks.meta import META, Meta
from flashq.tasks.options import PushSettings, Seconds, TaskSettings, fields_of, milliseconds
from flashq.tasks.plan import Plan
from flashq.tasks.schedules import Scheduled
from flashq.tasks.signature import Parameters

if TYPE_CHECKING:
    from flashq.tasks.app import App
    from flashq.tasks.flows import Step

OTHER_NAMES = {"delay": "push", "apply_async": "push", "send": "push", "enqueue": "push", "kiq": "push_async",
               "s": "step", "si": "step", "signature": "step", "map": "push_many", "get": "result",
               "AsyncResult": "handle"}
P = ParamSpec("P")
R = TypeVar("R")
Arguments = tuple[Any, ...] | Mapping[str, Any]     # those of one job: by place, or by name


class ManyPushed(Record, Generic[R]):
    """What became of many pushes: handles of the jobs made, in order, and those that the server refused one by one."""

    handles: list[Handle[R]]
    refused: list[RefusedItem]


class Task(Generic[P, R]):
    """Made by `app.task`. Calling it runs the function here and now; `push` has a worker run it.

    The methods whose names end with `_async` are for event loops, the others for threads.
    """

    def __init__(
        self, app: "App", function: Callable[..., Any], settings: TaskSettings, parameters: Parameters | None = None
    ) -> None:
        self.app = app
        self.function = function
        self.settings = settings
        if not inspect.isroutine(function):
            raise TypeError(f"a task is made of a function, not of a {type(function).__name__}")
        self.name: str = settings.get("name") or function.__name__
        self.queue = check_queue_name(settings.get("queue", app.queue))
        self.version = settings.get("version")
        self.no_retry = tuple(settings.get("no_retry", ()))
        self.is_async = inspect.iscoroutinefunction(function)
        self.parameters = parameters or Parameters(self.name, function)
        self._fields: PushOptions = {**fields_of(settings), "name": self.name}
        self.__doc__ = function.__doc__
        self.__name__ = self.name
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's own result; no job is made. Its parameter for the job, if it has one, gets the one at work."""
        made: R = self._called(args, kwargs)
        return made

    def _called(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        injected = self.parameters.injected
        if injected is None or injected in kwargs or any(isinstance(one, CurrentJob) for one in args):
            return self.function(*args, **kwargs)
        at = self.parameters.injected_at
        if at is not None and at <= len(args):
            return self.function(*args[:at], current_job(), *args[at:], **kwargs)
        return self.function(*args, **{**kwargs, injected: current_job()})

    def __repr__(self) -> str:
        return f"<Task {self.name} of queue {self.queue}>"

    if not TYPE_CHECKING:       # type checkers say it by themselves
        def __getattr__(self, name):
            raise no_attribute(self, name, OTHER_NAMES)

    def using(self, **settings: Unpack[PushSettings]) -> Self:
        """The same task with other settings for what is pushed: `task.using(priority=9).push(…)`."""
        merged: TaskSettings = {**self.settings, **settings}
        return type(self)(self.app, self.function, merged, self.parameters)

    # -- pushing ------------------------------------------------------------------------------------------------------

    def push(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Push a job with these arguments. WrongArgument, before anything is sent, when they do not fit.

        RuntimeError in an event loop, which it would block: `push_async` is for there.
        """
        return self.app.carry_out(self._push(args, kwargs), "push")

    async def push_async(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """The same in an event loop."""
        return await self.app.carry_out_async(self._push(args, kwargs))

    def push_in(self, delay: Seconds, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Push a job that runs in so many seconds."""
        return self.using(delay=delay).push(*args, **kwargs)

    async def push_in_async(self, delay: Seconds, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """The same in an event loop."""
        return await self.using(delay=delay).push_async(*args, **kwargs)

    def push_at(self, when: datetime, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Push a job that runs at a time; one without a zone is local. What is past runs at once."""
        return self.push_in(_until(when), *args, **kwargs)

    async def push_at_async(self, when: datetime, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """The same in an event loop."""
        return await self.push_in_async(_until(when), *args, **kwargs)

    def push_many(self, jobs: Iterable[Arguments]) -> ManyPushed[R]:
        """Push any number of jobs: `[("a@b.c",), {"to": "d@e.f"}]`. A generator is read as the jobs go out.

        WrongArgument for one whose arguments do not fit; those before it may be pushed then. PushInterrupted when a
        batch fails as a whole.
        """
        client = self.app.sync_client("push_many")
        return self._many(client.push_many(self.queue, map(self._of, jobs)))

    async def push_many_async(self, jobs: Iterable[Arguments]) -> ManyPushed[R]:
        """The same in an event loop."""
        return self._many(await self.app.async_client().push_many(self.queue, map(self._of, jobs)))

    def step(self, *args: Any, **kwargs: Any) -> "Step[R]":
        """For `chain`, `group` and `flow`: a job to be. One argument may be missing, which a predecessor gives."""
        from flashq.tasks.flows import Step

        return Step(self, self.parameters.pack(args, kwargs, partial=True))

    # -- schedules ----------------------------------------------------------------------------------------------------

    def schedule(
        self, cron: str | None = None, *, every: Seconds | None = None, tz: str = "UTC", name: str | None = None,
        args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, overlap: bool = True,
        limit: int | None = None,
    ) -> Scheduled:
        """Have the server push a job whenever `cron` says so, read in the zone `tz`, or `every` so many seconds.

        An entry of the same `name` (that of the task) is replaced, unless it is the same in all: then its next time
        stays. ValueError for a second one without a name that differs. `overlap=False` passes a slot over while the
        job before is not done; after `limit` jobs the entry goes. docs/cron.md tells the rest.
        """
        call = self._schedule(cron, every, tz, name, args, kwargs or {}, overlap, limit)
        return self.app.carry_out(schedules.plan(self.app, call, unnamed=name is None), "schedule")

    async def schedule_async(
        self, cron: str | None = None, *, every: Seconds | None = None, tz: str = "UTC", name: str | None = None,
        args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, overlap: bool = True,
        limit: int | None = None,
    ) -> Scheduled:
        """The same in an event loop."""
        call = self._schedule(cron, every, tz, name, args, kwargs or {}, overlap, limit)
        return await self.app.carry_out_async(schedules.plan(self.app, call, unnamed=name is None))

    def unschedule(self, name: str | None = None) -> None:
        """Remove the entry; jobs that it pushed stay."""
        self.app.carry_out(schedules.plan_removal(self.app, name or self.name), "unschedule")

    async def unschedule_async(self, name: str | None = None) -> None:
        """The same in an event loop."""
        await self.app.carry_out_async(schedules.plan_removal(self.app, name or self.name))

    # -- results ------------------------------------------------------------------------------------------------------

    def result(self, job: Handle[R] | int, timeout: float | None = None) -> R:
        """The result of a job of this task, by handle or id: see Handle.result."""
        return self.handle(job).result(timeout)

    async def result_async(self, job: Handle[R] | int, timeout: float | None = None) -> R:
        """The same in an event loop."""
        return await self.handle(job).result_async(timeout)

    def handle(self, job: Handle[R] | int) -> Handle[R]:
        """A handle of a job by its id."""
        return job if isinstance(job, Handle) else Handle(self, job)

    # -- how a job is told to the server ------------------------------------------------------------------------------

    def options(self, data: dict[str, Any], meta: Meta | None = None) -> PushOptions:
        """All of a push but its queue."""
        made: PushOptions = {**self._fields}
        unique, group = self.settings.get("unique"), self.settings.get("group")
        if unique:
            made["unique_key"] = self._key(unique, data)
            made["on_duplicate"] = self.settings.get("on_duplicate", "existing")
        if callable(group):
            made["group_id"] = self._made_of(group, data)
        trace = tracing.carried()
        carried: Meta = {**(meta or {}), **({"trace": trace} if trace else {})}
        made["data"] = {**data, META: carried} if carried else data
        return made

    def _of(self, given: Arguments) -> PushOptions:
        if isinstance(given, Mapping):
            return self.options(self.parameters.pack((), given))
        if not isinstance(given, tuple):
            raise TypeError("push_many takes a tuple or a mapping of arguments for each job")
        return self.options(self.parameters.pack(given, {}))

    def _push(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Plan[Handle[R]]:
        options: dict[str, Any] = {**self.options(self.parameters.pack(args, kwargs))}
        call: Call[int] = calls.push(self.queue, **options)
        return Handle(self, (yield call))

    def _many(self, done: BatchResult) -> ManyPushed[R]:
        return ManyPushed([Handle(self, id) for id in done.ids], done.refused)

    def _key(self, unique: bool | str | Callable[..., str], data: dict[str, Any]) -> str:
        """Of the same arguments the same, and another for each task: keys are those of the queue."""
        if isinstance(unique, bool):
            import hashlib  # here, because most programs never get here

            import orjson

            plain = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
            return f"{self.name}:{hashlib.sha256(plain).hexdigest()[:32]}"
        return unique if isinstance(unique, str) else f"{self.name}:{self._made_of(unique, data)}"

    def _made_of(self, function: Callable[..., str], data: dict[str, Any]) -> str:
        """What the user's function makes of the arguments, as the handler will see them."""
        placed, named = self.parameters.unpack(data)
        return function(*placed, **named)

    def _schedule(
        self, cron: str | None, every: Seconds | None, tz: str, name: str | None, args: tuple[Any, ...],
        kwargs: Mapping[str, Any], overlap: bool, limit: int | None,
    ) -> Call[None]:
        if (cron is None) == (every is None):
            raise TypeError("schedule takes either cron or every")
        data = self.parameters.pack(args, kwargs)
        options: dict[str, Any] = {**self.options(data)}
        del options["data"]     # with the trace of this moment, which its jobs are no part of
        made: CronOptions = options     # type: ignore[assignment]  # those of a push are options of an entry, too
        return cron_calls.add_cron(
            name or self.name, self.queue, cron, tz=tz, data=data, options=made, limit=limit,
            repeat_every=None if every is None else milliseconds(every, "every"),
            overlap=None if overlap else "skip")


class AsyncTask(Task[P, R]):
    """Of an async function: calling it gives a coroutine. All else is the same."""

    def __call__(  # type: ignore[override]  # the one difference
        self, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """The function's coroutine. No job is made."""
        made: Coroutine[Any, Any, R] = self._called(args, kwargs)
        return made


def _until(when: datetime) -> timedelta:
    return timedelta(seconds=max(0.0, when.timestamp() - time.time()))
