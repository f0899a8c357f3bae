"""flashQ, a job queue server and its client. Importing this costs nothing: the client loads when it is asked for."""
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["AsyncFlashQ", "FlashQ", "FlashQError", "Job", "__version__"]

if TYPE_CHECKING:
    from flashq.client import AsyncFlashQ, FlashQ, FlashQError, Job


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'flashq' has no attribute '{name}'")
    from flashq import client

    return getattr(client, name)


def __dir__() -> list[str]:
    return __all__
