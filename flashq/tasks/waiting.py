"""Waits for a job's result, and tells a result that is no longer kept from None."""
from typing import Any, Final

from flashq.client.call import Call, Reply
from flashq.client.calls import reading

NOT_KEPT: Final = object()      # in place of the result


def wait_job(id: int, timeout: int) -> Call[Any]:
    """As `reading.wait_job`, but for NOT_KEPT. `timeout` in ms."""
    return reading.wait_job(id, timeout=timeout)._replace(read=_result)


def _result(reply: Reply) -> Any:
    return NOT_KEPT if reply.get("kept") is False else reply.get("result")
