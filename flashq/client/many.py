"""Calls that are carried out together: one wait, one timer and one task for all of them."""
import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from flashq.client.call import Call
from flashq.client.core import Request
from flashq.client.errors import FlashQError
from flashq.client.link import Link
from flashq.client.setup import Setup

T = TypeVar("T")


class Part:
    """The future of one call of many: the last one to be answered ends the wait."""

    __slots__ = ("_answered", "_open", "answer")

    def __init__(self, answered: "asyncio.Future[None]", open: list[int]) -> None:
        self.answer: Any = None
        self._answered = answered
        self._open = open       # how many are not answered: shared

    def done(self) -> bool:
        return self.answer is not None

    def set_result(self, result: Any, /) -> None:
        self.answer = result
        self._open[0] -= 1
        if not self._open[0] and not self._answered.done():
            self._answered.set_result(None)

    set_exception = set_result


async def carry_out(link: Link, setup: Setup, calls: Sequence[Call[T]]) -> list[T | FlashQError]:
    """What each call returns, or the error that it would raise. The longest of their deadlines is that of all."""
    if not calls:
        return []
    seconds = max(setup.timed(call) for call in calls)
    packed = [setup.packer.pack(call.fields) for call in calls]
    answered: asyncio.Future[None] = link.loop.create_future()
    open = [len(calls)]
    parts = [Part(answered, open) for _ in calls]
    requests = [Request(call, raw, part) for call, raw, part in zip(calls, packed, parts, strict=True)]
    timer = link.ask_all(requests, seconds)
    try:
        await answered
    except asyncio.CancelledError:
        for request in requests:
            link.core.abandon(request)
        raise
    finally:
        timer.cancel()
    return [part.answer if isinstance(part.answer, FlashQError) else call.result(part.answer)
            for call, part in zip(calls, parts, strict=True)]
