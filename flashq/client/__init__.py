"""The Python client: FlashQ for threads, AsyncFlashQ for asyncio; what they return and raise.

Each name loads its module when it is asked for.
"""
from typing import TYPE_CHECKING

from flashq import lazily

if TYPE_CHECKING:
    from flashq.client import refusals
    from flashq.client.aio import AsyncFlashQ, AsyncStream
    from flashq.client.bulk import PushInterrupted
    from flashq.client.endpoint import Endpoint
    from flashq.client.errors import (
        ClientClosed,
        CommandError,
        ConnectionLost,
        DeadlineExceeded,
        FlashQError,
        UnknownError,
        UntrustedServer,
    )
    from flashq.client.results import BatchResult, Receipt, RefusedItem
    from flashq.client.shapes import Attempt, FlowChild, Job, PushOptions, RetryPolicy
    from flashq.client.streams import Cancelled, Event, Message
    from flashq.client.sync import FlashQ, SyncStream

__all__ = ["AsyncFlashQ", "AsyncStream", "Attempt", "BatchResult", "Cancelled", "ClientClosed", "CommandError",
           "ConnectionLost", "DeadlineExceeded", "Endpoint", "Event", "FlashQ", "FlashQError", "FlowChild", "Job",
           "Message", "PushInterrupted", "PushOptions", "Receipt", "RefusedItem", "RetryPolicy", "SyncStream",
           "UnknownError", "UntrustedServer", "refusals"]

_MODULES: dict[str, tuple[str, ...]] = {
    "aio": ("AsyncFlashQ", "AsyncStream"),
    "bulk": ("PushInterrupted",),
    "endpoint": ("Endpoint",),
    "errors": (
        "ClientClosed", "CommandError", "ConnectionLost", "DeadlineExceeded", "FlashQError", "UnknownError",
        "UntrustedServer",
    ),
    "refusals": (),
    "results": ("BatchResult", "Receipt", "RefusedItem"),
    "shapes": ("Attempt", "FlowChild", "Job", "PushOptions", "RetryPolicy"),
    "streams": ("Cancelled", "Event", "Message"),
    "sync": ("FlashQ", "SyncStream"),
}

__getattr__ = lazily("flashq.client", _MODULES)


def __dir__() -> list[str]:
    return __all__
