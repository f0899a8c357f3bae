"""FlashQ: the client for threads."""
import os
import queue as queues
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from flashq.client.bulk import CHUNKS_IN_FLIGHT, PAGE, BulkPush, Durability, NewOnes, pages
from flashq.client.call import Call
from flashq.client.calls import access
from flashq.client.endpoint import Endpoint
from flashq.client.errors import ClientClosed, DeadlineExceeded, FlashQError
from flashq.client.results import BatchResult, ServerInfo
from flashq.client.setup import Setup
from flashq.client.shapes import EventType, Job, PushOptions
from flashq.client.streams import STREAM_LIMIT, Event, Message, Stream, Told, Wanted
from flashq.client.sync_commands import SyncCommands

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future

    from flashq.client.core import Request
    from flashq.client.portal import Portal

T = TypeVar("T")


class FlashQ(SyncCommands):
    """A client of one server, for any number of threads. It connects when it is first used, and again when that breaks.

    `url` as in flashq/client/endpoint.py, else FLASHQ_URL; `token`, `format` and `tls` go before what it says.
    `deadline`: seconds that a call may take, 30 unless the URL says it; `connect_timeout`: those that a call without a
    deadline of its own waits for the client's first connection, 5. `session` names what holds its jobs: unguessable,
    another for each client.
    `on_told` hears all that the server tells unasked, `on_connection(up, cause)` that there is a connection, or none
    and why, once each; both in a thread of the client's own: they must not call it there.
    """

    def __init__(
        self, url: str | Endpoint | None = None, *, token: str | None = None, format: str | None = None,
        tls: "ssl.SSLContext | None" = None, session: str | None = None, deadline: float | None = None,
        on_told: Callable[[Told], object] | None = None, connect_timeout: float | None = None,
        on_connection: Callable[[bool, str], object] | None = None,
    ) -> None:
        self._setup = Setup(url, token, format, tls, session, deadline, on_told, connect_timeout, on_connection)
        self._portal: Portal | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, deadline: float | None = None) -> ServerInfo:
        """What the server allows, once it has answered. Other calls connect by themselves."""
        self.call(access.ping(deadline=deadline))
        server = self._open().core.server
        assert server is not None
        return server

    @property
    def connected(self) -> bool:
        """Whether there is a connection now, and the server has answered on it."""
        portal = self._portal
        return portal is not None and portal.core.ready

    def close(self) -> None:
        """Hang up. Calls that wait in other threads end with ClientClosed; a second time does nothing."""
        with self._lock:
            self._closed = True
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.stop()

    def call(self, call: Call[T]) -> T:
        """Carry out a call; what the methods are made of."""
        seconds = self._setup.timed(call)
        packed = self._setup.packer.pack(call.fields)
        portal = self._open()
        return call.result(_wait(portal, *portal.ask(call, packed, seconds)))

    def call_many(self, calls: Sequence[Call[T]]) -> list[T | FlashQError]:
        """Carry out calls together, in their order, each of which is answered by itself: its result, or its error."""
        portal, packer = self._open(), self._setup.packer
        packed = [(call, packer.pack(call.fields)) for call in calls]
        asked = [(call, *portal.ask(call, raw, self._setup.timed(call))) for call, raw in packed]
        answers: list[T | FlashQError] = []
        for call, request, future in asked:
            try:
                answers.append(call.result(_wait(portal, request, future)))
            except FlashQError as error:
                answers.append(error)
        return answers

    def _open(self) -> "Portal":
        """Begun by the first call of a process: one that was forked off has none of its parent's threads."""
        portal = self._portal
        if portal is not None and portal.pid == os.getpid():
            return portal
        with self._lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            if self._portal is None or self._portal.pid != os.getpid():
                from flashq.client.portal import Portal, stop_with  # the event loop: as much as all the rest to import

                self._portal = Portal(self._setup)
                stop_with(self, self._portal)
            return self._portal

    # -- many calls ---------------------------------------------------------------------------------------------------

    def push_many(
        self, queue: str, jobs: Iterable[PushOptions], *, durability: Durability | None = None,
        deadline: float | None = None,
    ) -> BatchResult:
        """Push any number of jobs, in their order; `deadline` is that of each batch. Jobs may be refused one by one.

        PushInterrupted when a batch failed as a whole.
        """
        portal = self._open()
        server = portal.core.server or self.connect(deadline)
        bulk = BulkPush(self._setup.packer, queue, jobs, durability, deadline, server.max_frame)
        waiting: deque[tuple[Any, Request, Future[dict[str, Any]]]] = deque()

        def settle() -> None:
            chunk, request, future = waiting.popleft()
            try:
                bulk.done(chunk, chunk.call.result(_wait(portal, request, future)))
            except FlashQError as error:
                bulk.failed(chunk, error)

        for chunk in bulk:
            waiting.append((chunk, *portal.ask(chunk.call, chunk.packed, self._setup.timed(chunk.call))))
            if len(waiting) >= CHUNKS_IN_FLIGHT:
                settle()
        while waiting:
            settle()
        return bulk.result()

    def jobs(self, queue: str | None = None, state: str | None = None, *, page_size: int = PAGE) -> Iterator[Job]:
        """All jobs, newest first, asked for page by page."""
        plan, new = pages(queue, state, page_size), NewOnes()
        call = next(plan)
        while True:
            page = self.call(call)
            yield from new.of(page)
            try:
                call = plan.send(page)
            except StopIteration:
                return

    # -- what the server tells ----------------------------------------------------------------------------------------

    def events(self, queue: str, types: Iterable[EventType] = ()) -> "SyncStream[Event]":
        """What becomes of a queue's jobs; all types, or these. For `with` and `for`."""
        return SyncStream(self, Stream(queues.Queue(STREAM_LIMIT), queue=queue, types=types))

    def messages(self, *channels: str, patterns: Iterable[str] = ()) -> "SyncStream[Message]":
        """Messages of these channels, and of those that match a pattern."""
        return SyncStream(self, Stream(queues.Queue(STREAM_LIMIT), channels=channels, patterns=patterns))


def _wait(portal: "Portal", request: "Request", future: "Future[dict[str, Any]]") -> dict[str, Any]:
    try:
        return future.result()
    except KeyboardInterrupt:
        portal.abandon(request)
        raise


class SyncStream(Generic[T]):
    """Events or messages as they come. Listens from `open`, `with` or the first item on, until `close`."""

    def __init__(self, client: FlashQ, stream: Stream) -> None:
        self._client = client
        self._stream = stream
        self._opened = False

    @property
    def lost(self) -> int:
        """How many were dropped, because they were not taken in time."""
        return self._stream.lost

    def open(self) -> Self:
        """Listen; what happens from now on is heard."""
        if not self._opened:
            self._opened = True
            self._change(opened=True)
        return self

    def close(self) -> None:
        """Listen no more."""
        if self._opened:
            self._opened = False
            self._change(opened=False)

    def next(self, timeout: float | None = None) -> T:
        """The next one. DeadlineExceeded after `timeout` seconds without any, ClientClosed at the end."""
        self.open()
        one = self._take(timeout)
        if one is None:
            raise ClientClosed("the client was closed")
        return one

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        self.open()
        one = self._take(None)
        if one is None:
            raise StopIteration
        return one

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        if not self._client._closed:
            self.close()

    def _take(self, timeout: float | None) -> T | None:
        """None at the end, and at every later time."""
        inbox = self._stream.inbox
        assert isinstance(inbox, queues.Queue)
        try:
            one: T | None = inbox.get(timeout=timeout)
        except queues.Empty:
            raise DeadlineExceeded("next", timeout or 0.0, sent=False) from None
        if one is None:
            inbox.put_nowait(None)
        return one

    def _change(self, opened: bool) -> None:
        """In the thread that owns the list of streams; then the server is told."""
        portal = self._client._open()
        listening = portal.core.listening

        async def change() -> list[Wanted]:
            return (listening.add if opened else listening.remove)(self._stream)

        for command, fields in portal.run(change()):
            self._client.call(Call(command, fields, dict, lasting=False))
