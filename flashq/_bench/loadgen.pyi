from array import array
from collections.abc import Iterable
from socket import socket
from typing import Final, final

from flashq._bench.histogram import Histogram
from flashq._bench.traffic import Work

FAULTS: Final[dict[int, str]]

class BenchError(Exception): ...

@final
class Outcome:
    requests: int
    items: int
    wall_ns: int
    cpu_ns: int
    bytes_in: int
    bytes_out: int
    id_sum: int
    last_id: int
    latency: Histogram
    probe: Histogram
    ids: array[int]

@final
class Generator:
    def __new__(cls, sockets: Iterable[socket], binary: bool = False) -> Generator: ...
    @property
    def items(self) -> int: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...
    def run(
        self,
        work: Work,
        frame: bytes = b"",
        *,
        count: int = 0,
        seconds: float = 60.0,
        depth: int = 1,
        batch: int = 1,
        job_tail: bytes = b"",
        id_head: bytes = b"",
        id_tail: bytes = b"",
        given: array[int] | None = None,
        keep: int = 0,
        keep_every: int = 1,
        probe: bytes = b"",
        rate: float = 0.0,
        patience: float = 10.0,
        marks: array[int] | None = None,
        marks_each: int = 1,
        first_number: int = 0,
    ) -> Outcome: ...
