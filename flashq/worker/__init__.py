"""The Worker, which runs the jobs of an app's tasks."""
from typing import TYPE_CHECKING

from flashq import lazily

if TYPE_CHECKING:
    from flashq.worker.isolate import Isolation
    from flashq.worker.worker import Worker

__all__ = ["Isolation", "Worker"]

_MODULES = {"isolate": ("Isolation",), "worker": ("Worker",)}

__getattr__ = lazily("flashq.worker", _MODULES)


def __dir__() -> list[str]:
    return __all__
