"""For the tests of programs that use flashQ: a real server in the test, whose time the test sets forward.

Each name loads its module when it is asked for.
"""
from typing import TYPE_CHECKING

from flashq import lazily

if TYPE_CHECKING:
    from flashq.testing.pending import Ran, run_pending, run_pending_async
    from flashq.testing.server import AsyncTestServer, TestServer
    from flashq.testing.serving import allow_real_server

__all__ = ["AsyncTestServer", "Ran", "TestServer", "allow_real_server", "run_pending", "run_pending_async"]

_MODULES: dict[str, tuple[str, ...]] = {
    "pending": ("Ran", "run_pending", "run_pending_async"),
    "server": ("AsyncTestServer", "TestServer"),
    "serving": ("allow_real_server",),
}

__getattr__ = lazily("flashq.testing", _MODULES)


def __dir__() -> list[str]:
    return __all__
