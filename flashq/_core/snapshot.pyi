from collections.abc import Callable, Iterable

from flashq._core.engine import Engine

Entries = Iterable[tuple[int, Iterable[bytes], Callable[[bytes], bytes | None]]]

class Snapshot:
    began: int
    ended: int
    done: int
    def __init__(self, engine: Engine, entries: Entries = ()) -> None: ...
    @property
    def total(self) -> int: ...
    def slice(self, max_bytes: int) -> bytes: ...
