"""Dead letters."""
from flashq._core.browse import Browser
from flashq._core.control import Control
from flashq.commands import MAX_BATCH
from flashq.server.handlers.call import Body, Call, require
from flashq.server.handlers.items import listed


class DeadHandlers:
    """Of one queue at a time."""

    def __init__(self, browser: Browser, control: Control) -> None:
        self._browser = browser
        self._control = control

    def show(self, call: Call) -> Body:
        """Oldest first."""
        queue = self._queue(call)
        jobs = self._browser.dead(queue, min(call.values["count"], MAX_BATCH), call.msgpack)
        return {"jobs": listed(jobs, call.msgpack)}

    def retry(self, call: Call) -> Body:
        """All of them, or one."""
        count = self._control.retry_dead(self._queue(call), call.values["id"])
        return {"ids": [count], "count": count}

    def purge(self, call: Call) -> Body:
        """All of them."""
        return {"count": self._control.purge_dead(self._queue(call))}

    def _queue(self, call: Call) -> str:
        queue: str = call.values["queue"]
        require(self._control.check_name(queue))
        return queue
