"""AsyncFlashQ: the client for asyncio."""
import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from flashq.client import many
from flashq.client.async_commands import AsyncCommands
from flashq.client.bulk import CHUNKS_IN_FLIGHT, PAGE, BulkPush, Chunk, Durability, NewOnes, pages
from flashq.client.call import Call
from flashq.client.calls import access
from flashq.client.core import Core, Request
from flashq.client.endpoint import Endpoint
from flashq.client.errors import ClientClosed, DeadlineExceeded, FlashQError
from flashq.client.link import Link
from flashq.client.results import BatchResult, ServerInfo
from flashq.client.setup import Setup
from flashq.client.shapes import EventType, Job, PushOptions
from flashq.client.streams import STREAM_LIMIT, Event, Message, Stream, Told
from flashq.client.wire import Packed

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")


class AsyncFlashQ(AsyncCommands):
    """A client of one server, for one event loop. It connects when it is first used, and again when that breaks.

    `url` as in flashq/client/endpoint.py, else FLASHQ_URL; `token`, `format` and `tls` go before what it says.
    `deadline`: seconds that a call may take, 30 unless the URL says it; `connect_timeout`: those that a call without a
    deadline of its own waits for the client's first connection, 5. `session` names what holds its jobs: unguessable,
    another for each client.
    `on_told` hears all that the server tells unasked, in the loop; `on_connection(up, cause)` that there is a
    connection, or none and why, once each.
    """

    def __init__(
        self, url: str | Endpoint | None = None, *, token: str | None = None, format: str | None = None,
        tls: "ssl.SSLContext | None" = None, session: str | None = None, deadline: float | None = None,
        on_told: Callable[[Told], object] | None = None, connect_timeout: float | None = None,
        on_connection: Callable[[bool, str], object] | None = None,
    ) -> None:
        self._setup = Setup(url, token, format, tls, session, deadline, on_told, connect_timeout, on_connection)
        self._core: Core | None = None
        self._link: Link | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self, deadline: float | None = None) -> ServerInfo:
        """What the server allows, once it has answered. Other calls connect by themselves."""
        await self.call(access.ping(deadline=deadline))
        server = self._open()[0].server
        assert server is not None
        return server

    @property
    def connected(self) -> bool:
        """Whether there is a connection now, and the server has answered on it."""
        return self._core is not None and self._core.ready

    async def close(self) -> None:
        """Hang up. Calls that wait end with ClientClosed; a second time does nothing."""
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def call(self, call: Call[T]) -> T:
        """Carry out a call; what the methods are made of."""
        seconds = self._setup.timed(call)
        packed = self._setup.packer.pack(call.fields)
        return call.result(await self._answer(call, packed, seconds))

    async def call_many(self, calls: Sequence[Call[T]]) -> list[T | FlashQError]:
        """Carry out calls together, in their order, each of which is answered by itself: its result, or its error.

        It costs less than awaiting each of them.
        """
        return await many.carry_out(self._open()[1], self._setup, calls)

    def _open(self) -> tuple[Core, Link]:
        """Begun by the first call, in its loop."""
        if self._closed:
            raise ClientClosed("the client is closed")
        if self._core is None or self._link is None:
            self._core = self._setup.core()
            self._link = Link(self._core, self._setup.endpoint, self._setup.tls, self._setup.connect_timeout,
                              self._setup.on_connection)
        elif self._link.loop is not asyncio.get_running_loop():
            raise ClientClosed("the client belongs to another event loop; make one for each")
        return self._core, self._link

    async def _answer(self, call: Call[Any], packed: Packed, seconds: float) -> dict[str, Any]:
        _, link = self._open()
        request = Request(call, packed, link.loop.create_future())
        return await self._wait(link, request, link.ask(request, seconds))

    async def _wait(self, link: Link, request: Request, timer: asyncio.TimerHandle) -> dict[str, Any]:
        future = request.future
        assert isinstance(future, asyncio.Future)
        try:
            reply: dict[str, Any] = await future
            return reply
        except asyncio.CancelledError:
            link.core.abandon(request)
            raise
        finally:
            timer.cancel()

    # -- many calls ---------------------------------------------------------------------------------------------------

    async def push_many(
        self, queue: str, jobs: Iterable[PushOptions], *, durability: Durability | None = None,
        deadline: float | None = None,
    ) -> BatchResult:
        """Push any number of jobs, in their order; `deadline` is that of each batch. Jobs may be refused one by one.

        PushInterrupted when a batch failed as a whole.
        """
        server = self._open()[0].server or await self.connect(deadline)
        bulk = BulkPush(self._setup.packer, queue, jobs, durability, deadline, server.max_frame)
        waiting: deque[tuple[Chunk, asyncio.Task[dict[str, Any]]]] = deque()
        try:
            for chunk in bulk:
                seconds = self._setup.timed(chunk.call)
                waiting.append((chunk, asyncio.ensure_future(self._answer(chunk.call, chunk.packed, seconds))))
                await asyncio.sleep(0)
                if len(waiting) >= CHUNKS_IN_FLIGHT:
                    await _settle(bulk, *waiting.popleft())
            while waiting:
                await _settle(bulk, *waiting.popleft())
        finally:
            for _, task in waiting:
                task.cancel()
        return bulk.result()

    async def jobs(
        self, queue: str | None = None, state: str | None = None, *, page_size: int = PAGE
    ) -> AsyncIterator[Job]:
        """All jobs, newest first, asked for page by page."""
        plan, new = pages(queue, state, page_size), NewOnes()
        call = next(plan)
        while True:
            page = await self.call(call)
            for job in new.of(page):
                yield job
            try:
                call = plan.send(page)
            except StopIteration:
                return

    # -- what the server tells ----------------------------------------------------------------------------------------

    def events(self, queue: str, types: Iterable[EventType] = ()) -> "AsyncStream[Event]":
        """What becomes of a queue's jobs; all types, or these. For `async with` and `async for`."""
        return AsyncStream(self, Stream(asyncio.Queue(STREAM_LIMIT), queue=queue, types=types))

    def messages(self, *channels: str, patterns: Iterable[str] = ()) -> "AsyncStream[Message]":
        """Messages of these channels, and of those that match a pattern."""
        return AsyncStream(self, Stream(asyncio.Queue(STREAM_LIMIT), channels=channels, patterns=patterns))


async def _settle(bulk: BulkPush, chunk: Chunk, task: "asyncio.Task[dict[str, Any]]") -> None:
    try:
        bulk.done(chunk, chunk.call.result(await task))
    except FlashQError as error:
        bulk.failed(chunk, error)


class AsyncStream(Generic[T]):
    """Events or messages as they come. Listens from `open`, `async with` or the first item on, until `close`."""

    def __init__(self, client: AsyncFlashQ, stream: Stream) -> None:
        self._client = client
        self._stream = stream
        self._opened = False

    @property
    def lost(self) -> int:
        """How many were dropped, because they were not taken in time."""
        return self._stream.lost

    async def open(self) -> Self:
        """Listen; what happens from now on is heard."""
        if not self._opened:
            self._opened = True
            core, _ = self._client._open()
            for command, fields in core.listening.add(self._stream):
                await self._client.call(Call(command, fields, dict, lasting=False))
        return self

    async def close(self) -> None:
        """Listen no more."""
        if self._opened:
            self._opened = False
            core, _ = self._client._open()
            for command, fields in core.listening.remove(self._stream):
                await self._client.call(Call(command, fields, dict, lasting=False))

    async def next(self, timeout: float | None = None) -> T:
        """The next one. DeadlineExceeded after `timeout` seconds without any, ClientClosed at the end."""
        await self.open()
        try:
            async with asyncio.timeout(timeout):
                one = await self._take()
        except TimeoutError:
            raise DeadlineExceeded("next", timeout or 0.0, sent=False) from None
        if one is None:
            raise ClientClosed("the client was closed")
        return one

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        await self.open()
        one = await self._take()
        if one is None:
            raise StopAsyncIteration
        return one

    async def _take(self) -> T | None:
        """None at the end, and at every later time."""
        inbox = self._stream.inbox
        assert isinstance(inbox, asyncio.Queue)
        one: T | None = await inbox.get()
        if one is None:
            inbox.put_nowait(None)
        return one

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        if not self._client._closed:
            await self.close()
