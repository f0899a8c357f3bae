"""The Worker, which runs the jobs of an app's tasks."""
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashq.worker.isolate import Isolation
    from flashq.worker.worker import Worker

__all__ = ["Isolation", "Worker"]

_MODULES = {"isolate": ("Isolation",), "worker": ("Worker",)}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            found: object = getattr(importlib.import_module(f"flashq.worker.{module}"), name)
            return found
    raise AttributeError(f"module 'flashq.worker' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
