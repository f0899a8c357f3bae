"""An app: tasks by name, the server they go to, and what runs around their handlers."""
import contextlib
import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, Unpack, overload

from flashq.client.endpoint import Endpoint, parse
from flashq.client.shapes import Job
from flashq.client.sync import FlashQ
from flashq.queue_names import check_queue_name
from flashq.tasks.context import CurrentJob, Reporter
from flashq.tasks.delays import Delays
from flashq.tasks.errors import NamelessJob, UnknownTask
from flashq.tasks.hooks import After, Before, Hooks, Middleware, OnError
from flashq.tasks.options import TaskSettings, check_names
from flashq.tasks.plan import Plan, carry_out, carry_out_async, refuse_in_loop
from flashq.tasks.task import AsyncTask, Task

if TYPE_CHECKING:
    import asyncio
    import ssl

    from flashq.client.aio import AsyncFlashQ

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
QUEUE = "default"
# Called with an app before it speaks with its server; what they raise keeps it from that. flashq.testing has one.
USE_CHECKS: "list[Callable[[App], None]]" = []


def _running_loop() -> "asyncio.AbstractEventLoop":
    import asyncio  # here: a program that only defines tasks does without

    return asyncio.get_running_loop()


def _checked(method: "Callable[Concatenate[App, P], R]") -> "Callable[Concatenate[App, P], R]":
    """USE_CHECKS come before it."""
    @functools.wraps(method)
    def checked(app: "App", /, *args: P.args, **kwargs: P.kwargs) -> R:
        for check in USE_CHECKS:
            check(app)
        return method(app, *args, **kwargs)
    return checked


class App:
    """Tasks, and the server of their jobs. `url` as in flashq/client/endpoint.py, else FLASHQ_URL.

    Settings are the defaults of all its tasks; their queue, when neither says one, is `default`. Nothing is connected
    before the first push. `deadline` and `connect_timeout`, in seconds, are those of the clients: see FlashQ.
    """

    def __init__(
        self, url: str | Endpoint | None = None, *, token: str | None = None, tls: "ssl.SSLContext | None" = None,
        deadline: float | None = None, connect_timeout: float | None = None, **defaults: Unpack[TaskSettings],
    ) -> None:
        check_names(defaults)
        if "name" in defaults:
            raise TypeError("each task has a name of its own")
        self.queue = check_queue_name(defaults.get("queue", QUEUE))
        self.tasks: dict[str, Task[..., Any]] = {}
        self.hooks = Hooks()
        self.delays = Delays()
        self.unnamed_schedules: dict[tuple[str, str], dict[str, Any]] = {}      # written here, by server and task
        self._given = url
        self._token = token
        self._tls = tls
        self._deadline = deadline
        self._connect_timeout = connect_timeout
        self._defaults: TaskSettings = defaults
        self._sync: FlashQ | None = None
        self._lock = threading.Lock()
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncFlashQ] = weakref.WeakKeyDictionary()

    # -- tasks --------------------------------------------------------------------------------------------------------

    @overload
    def task(
        self, function: Callable[Concatenate[CurrentJob, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[Concatenate[CurrentJob, P], R], /) -> Task[P, R]: ...
    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(self, /, **settings: Unpack[TaskSettings]) -> "TaskMaker": ...
    def task(self, function: Callable[..., Any] | None = None, /, **settings: Unpack[TaskSettings]) -> Any:
        """Make a task of a function, sync or async: `@app.task` or `@app.task(queue="mail", retries=3)`.

        Its name is that of the function, or `name=`. TypeError for a type hint whose values cannot go over the wire,
        ValueError for a name that the app has already, and for a queue name that the server would refuse.
        """
        merged: TaskSettings = {**self._defaults, **settings}
        maker = TaskMaker(self, merged)
        return maker if function is None else maker(function)

    def add(self, task: Task[..., Any]) -> None:
        """Have workers of this app run it."""
        other = self.tasks.get(task.name)
        if other is not None:
            raise ValueError(f"two tasks are called '{task.name}': {_place(other)} and {_place(task)}; "
                             "give one of them another name=")
        self.tasks[task.name] = task

    def task_of(self, job: Job) -> Task[..., Any]:
        """The task of a job: by its name, or the only one of its queue. UnknownTask, NamelessJob."""
        if job.name is not None:
            task = self.tasks.get(job.name)
            if task is None:
                raise UnknownTask(f"no task of this app is called '{job.name}'")
            return task
        of_queue = [task for task in self.tasks.values() if task.queue == job.queue]
        if len(of_queue) != 1:
            raise NamelessJob(f"the job has no name, and queue '{job.queue}' has {len(of_queue)} tasks, not one")
        return of_queue[0]

    def check(self) -> None:
        """That all type hints can go over the wire. TypeError."""
        for task in self.tasks.values():
            task.parameters.check()

    # -- middleware ---------------------------------------------------------------------------------------------------

    def use(self, middleware: Middleware) -> None:
        """Run it around every handler."""
        kind = type(middleware)
        self.hooks.add(
            middleware.before if kind.before is not Middleware.before else None,
            middleware.after if kind.after is not Middleware.after else None,
            middleware.on_error if kind.on_error is not Middleware.on_error else None)

    def before(self, hook: Before) -> Before:
        """A decorator: run it before each handler, with the job."""
        self.hooks.add(before=hook)
        return hook

    def after(self, hook: After) -> After:
        """A decorator: run it after each handler, with the job and the result."""
        self.hooks.add(after=hook)
        return hook

    def on_error(self, hook: OnError) -> OnError:
        """A decorator: run it when a handler raised, with the job and the error."""
        self.hooks.add(on_error=hook)
        return hook

    # -- the server ---------------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> Endpoint:
        """Where the server is."""
        return self._given if isinstance(self._given, Endpoint) else parse(self._given)

    def connect_to(self, url: str | Endpoint) -> None:
        """Another server, for what is not connected yet. ValueError for a URL that is none."""
        self._given = url if isinstance(url, Endpoint) else parse(url)

    @_checked
    def sync_client(self, what: str) -> FlashQ:
        """The client for threads. RuntimeError in an event loop, naming what was called there."""
        refuse_in_loop(what)
        with self._lock:
            if self._sync is None:
                self._sync = FlashQ(self._given, token=self._token, tls=self._tls, deadline=self._deadline,
                                    connect_timeout=self._connect_timeout)
            return self._sync

    @_checked
    def async_client(self) -> "AsyncFlashQ":
        """The client of the running event loop."""
        loop = _running_loop()
        client = self._by_loop.get(loop)
        if client is None:
            client = self._by_loop[loop] = self.new_async_client()
        return client

    @_checked
    def new_async_client(self, /, **options: Any) -> "AsyncFlashQ":
        """One more, which the caller closes."""
        from flashq.client.aio import AsyncFlashQ  # with asyncio the larger half of an import; many apps never ask

        times = {"deadline": self._deadline, "connect_timeout": self._connect_timeout}
        return AsyncFlashQ(self._given, token=self._token, tls=self._tls, **{**times, **options})

    @contextlib.contextmanager
    def adopted(self, client: "AsyncFlashQ") -> Iterator[None]:
        """Use this client for what is asked for in the running loop meanwhile; its owner closes it."""
        loop = _running_loop()
        before = self._by_loop.get(loop)
        self._by_loop[loop] = client
        try:
            yield
        finally:
            del self._by_loop[loop]
            if before is not None:
                self._by_loop[loop] = before

    def reporter(self) -> Reporter:
        """What carries progress and logs of handlers in the running loop."""
        from flashq.tasks.reporter import ClientReporter

        return ClientReporter(self.async_client().call)

    def carry_out(self, plan: Plan[T], what: str) -> T:
        """The result of calls, for a thread that waits."""
        return carry_out(plan, self.sync_client(what))

    async def carry_out_async(self, plan: Plan[T]) -> T:
        """The same in an event loop."""
        return await carry_out_async(plan, self.async_client())

    def close(self) -> None:
        """Hang up what `push` and the like have opened. They open it again."""
        with self._lock:
            client, self._sync = self._sync, None
        if client is not None:
            client.close()

    async def close_async(self) -> None:
        """Hang up the client of the running loop."""
        client = self._by_loop.pop(_running_loop(), None)
        if client is not None:
            await client.close()


class TaskMaker:
    """`app.task(…)`, waiting for its function."""

    def __init__(self, app: App, settings: TaskSettings) -> None:
        self._app = app
        self._settings = settings

    @overload
    def __call__(
        self, function: Callable[Concatenate[CurrentJob, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[CurrentJob, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """The task."""
        kind: type[Task[..., Any]] = AsyncTask if inspect.iscoroutinefunction(function) else Task
        task = kind(self._app, function, self._settings)
        task.parameters.check_now()
        self._app.add(task)
        return task


def _place(task: Task[..., Any]) -> str:
    return f"{task.function.__module__}.{task.function.__qualname__}"
