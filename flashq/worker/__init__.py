"""The Worker, which runs the jobs of an app's tasks."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashq.worker.worker import Worker

__all__ = ["Worker"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'flashq.worker' has no attribute '{name}'")
    from flashq.worker.worker import Worker

    return Worker


def __dir__() -> list[str]:
    return __all__
