"""Work of several calls, written once for callers that wait in a thread and for those that wait in a loop."""
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from flashq.client.call import Call
from flashq.client.errors import FlashQError
from flashq.client.sync import FlashQ

if TYPE_CHECKING:
    from flashq.client.aio import AsyncFlashQ

T = TypeVar("T")
Plan = Generator[Call[Any], Any, T]     # yields calls, is sent their results or thrown their errors


def carry_out(plan: Plan[T], client: FlashQ) -> T:
    """What the plan returns."""
    try:
        call = next(plan)
        while True:
            try:
                reply = client.call(call)
            except FlashQError as error:
                call = plan.throw(error)
            else:
                call = plan.send(reply)
    except StopIteration as end:
        made: T = end.value
        return made


async def carry_out_async(plan: Plan[T], client: "AsyncFlashQ") -> T:
    """The same in a loop."""
    try:
        call = next(plan)
        while True:
            try:
                reply = await client.call(call)
            except FlashQError as error:
                call = plan.throw(error)
            else:
                call = plan.send(reply)
    except StopIteration as end:
        made: T = end.value
        return made


def refuse_in_loop(what: str) -> None:
    """RuntimeError when called in a thread whose event loop runs: a call that waits there would stop all its tasks."""
    import asyncio  # here, as in app.py

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{what}() would block the event loop: use `await {what}_async()`")
