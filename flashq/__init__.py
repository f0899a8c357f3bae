"""flashQ, a job queue server, its client, tasks and workers. Importing it costs nothing: parts load when asked for."""
import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from flashq.client import AsyncFlashQ, FlashQ, FlashQError, Job
    from flashq.tasks import App, Backoff, CurrentJob, Discard, Handle, Middleware, Retry, Task, current_job
    from flashq.worker import Worker

__all__ = ["App", "AsyncFlashQ", "Backoff", "CurrentJob", "Discard", "FlashQ", "FlashQError", "Handle", "Job",
           "Middleware", "Retry", "Task", "Worker", "__version__", "current_job"]

_MODULES = {
    "flashq.client": ("AsyncFlashQ", "FlashQ", "FlashQError", "Job"),
    "flashq.tasks": ("App", "Backoff", "CurrentJob", "Discard", "Handle", "Middleware", "Retry", "Task",
                     "current_job"),
    "flashq.worker": ("Worker",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            found: object = getattr(importlib.import_module(module), name)
            return found
    raise AttributeError(f"module 'flashq' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
