from asyncio import Protocol

from flashq._core.hub import Hub
from flashq._core.outlet import Outlet

class Connection(Outlet, Protocol):
    authenticated: bool
    def __init__(self, hub: Hub) -> None: ...
    def hello(self, session: str | None, push: bool) -> None: ...
    def close_if_idle(self) -> None: ...
