from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Protocol as Shape
from typing import TypeVar

from flashq._core.connection import Connection
from flashq._core.engine import Engine

_T = TypeVar("_T")

class _Log(Shape):
    def __call__(self, event: str, /, **fields: object) -> object: ...

class _Store(Shape):
    def append(self, records: bytes, position: int) -> None: ...
    def hurry(self) -> None: ...

class _Rooms(Shape):
    def disconnected(self, connection: Connection) -> None: ...
    def at_eof(self, connection: Connection) -> None: ...
    def draining(self) -> None: ...
    def endings(self) -> None: ...
    def tell_events(self) -> None: ...

class Endpoint: ...

class Hub:
    engine: Engine
    refused: int
    events_lost: int
    def __init__(
        self,
        engine: Engine,
        dispatch: Callable[[Connection, bool, bytes], bytes | None],
        refuse: Callable[[bool, int, bytes | None, str | None, int, bytes | None], bytes],
        loop: AbstractEventLoop,
        *,
        max_frame: int,
        max_connections: int,
        write_high_water: int,
        write_limit: int,
        write_timeout_ms: int,
        auth_required: bool,
        store: _Store | None = None,
        log: _Log,
        clock: Callable[[], tuple[int, int]] | None = None,
        rooms: _Rooms,
    ) -> None: ...
    @property
    def connections(self) -> int: ...
    def turn(self, work: Callable[[], _T]) -> _T: ...
    def committed(self, position: int, synced: int | None = None) -> None: ...
    def begin_drain(self) -> None: ...
    def close_idle(self) -> int: ...
    def close_all(self) -> None: ...
