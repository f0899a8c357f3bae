"""For the tests of programs that use flashQ: a real server in the test, whose time the test sets forward.

Each name loads its module when it is asked for.
"""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashq.testing.pending import Ran, run_pending, run_pending_async
    from flashq.testing.server import AsyncTestServer, TestServer
    from flashq.testing.serving import allow_real_server

__all__ = ["AsyncTestServer", "Ran", "TestServer", "allow_real_server", "run_pending", "run_pending_async"]

_MODULES = {"AsyncTestServer": "server", "Ran": "pending", "TestServer": "server", "allow_real_server": "serving",
            "run_pending": "pending", "run_pending_async": "pending"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'flashq.testing' has no attribute '{name}'")
    found: object = getattr(importlib.import_module(f"flashq.testing.{_MODULES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
