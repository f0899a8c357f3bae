from typing import Any

from flashq._core.engine import Engine

PERCENTILES: tuple[int, ...]

class Gauges:
    def __init__(self, engine: Engine) -> None: ...
    def times(self) -> dict[str, Any]: ...
    def queues(self) -> dict[str, dict[str, Any]]: ...
