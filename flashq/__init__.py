"""flashQ, a job queue server, its client, tasks and workers. Importing it costs nothing: parts load when asked for."""
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from flashq.client import AsyncFlashQ, FlashQ, FlashQError, Job
    from flashq.tasks import App, Backoff, CurrentJob, Discard, Handle, Middleware, Retry, Task, current_job
    from flashq.worker import Worker

__all__ = ["App", "AsyncFlashQ", "Backoff", "CurrentJob", "Discard", "FlashQ", "FlashQError", "Handle", "Job",
           "Middleware", "Retry", "Task", "Worker", "__version__", "current_job"]

_MODULES = {
    "client": ("AsyncFlashQ", "FlashQ", "FlashQError", "Job"),
    "tasks": ("App", "Backoff", "CurrentJob", "Discard", "Handle", "Middleware", "Retry", "Task", "current_job"),
    "worker": ("Worker",),
}


def lazily(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """The `__getattr__` of a package (PEP 562) whose names load their module when they are asked for.

    `modules`: of that package, with the names that each has; one without any is offered itself.
    """
    def load(name: str) -> object:
        for module, names in modules.items():
            if name in (names or (module,)):
                loaded = importlib.import_module(f"{package}.{module}")
                found: object = getattr(loaded, name) if names else loaded
                return found
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return load


__getattr__ = lazily("flashq", _MODULES)


def __dir__() -> list[str]:
    return __all__
