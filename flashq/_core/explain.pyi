from typing import Any

from flashq._core.engine import Engine

class Explainer:
    def __init__(self, engine: Engine) -> None: ...
    def explain(self, id: int) -> tuple[str, list[dict[str, Any]]] | None: ...
