"""Looking at jobs."""
from typing import Protocol

from flashq._core.browse import Browser
from flashq._core.explain import Explainer
from flashq.commands import MAX_BATCH, STATES
from flashq.errors import BATCH_TOO_LARGE, JOB_NOT_FOUND, Refused
from flashq.server.handlers.call import Body, Call, raw
from flashq.server.handlers.items import items

_COUNTS = {"waiting": "waiting", "active": "active", "delayed": "delayed", "completed": "completed",
           "failed": "failed", "waiting-children": "blocked"}
# What GETJOBS takes as a state, in lower case and without `-` and `_`.
_FILTERS = {state.replace("-", ""): state for state in STATES} | {"waitingparent": "waiting-children"}
_NEVER = "stalled"  # a state on the wire that no job is ever in


class Engine(Protocol):
    """What is asked of the engine here."""

    def get_job(self, id: int, msgpack: bool) -> tuple[bytes | None, str]: ...
    def get_state(self, id: int) -> str: ...
    def get_result(self, id: int, msgpack: bool) -> bytes | None: ...
    def get_progress(self, id: int) -> tuple[int, str | None] | None: ...


class ReadingHandlers:
    """Changes nothing."""

    def __init__(self, engine: Engine, browser: Browser, explainer: Explainer) -> None:
        self._engine = engine
        self._browser = browser
        self._explainer = explainer

    def get_job(self, call: Call) -> Body:
        """The Job as the core writes it, and its state."""
        job, state = self._engine.get_job(call.values["id"], call.msgpack)
        return {"job": raw(job), "state": state}

    def explain(self, call: Call) -> Body:
        """Every reason there is, not only the first."""
        found = self._explainer.explain(call.values["id"])
        if found is None:
            raise Refused(JOB_NOT_FOUND, number=call.values["id"])
        state, reasons = found
        return {"id": call.values["id"], "state": state, "reasons": reasons}

    def get_state(self, call: Call) -> Body:
        """The state alone."""
        return {"id": call.values["id"], "state": self._engine.get_state(call.values["id"])}

    def get_result(self, call: Call) -> Body:
        """What ACK gave."""
        return {"id": call.values["id"], "result": raw(self._engine.get_result(call.values["id"], call.msgpack))}

    def get_progress(self, call: Call) -> Body:
        """An object, and its message once more where other clients look for it."""
        found = self._engine.get_progress(call.values["id"])
        if found is None:
            raise Refused(JOB_NOT_FOUND, number=call.values["id"])
        progress, message = found
        return {"progress": {"id": call.values["id"], "progress": progress, "message": message}, "message": message}

    def get_job_by_custom_id(self, call: Call) -> Body:
        """As get_job."""
        job, state = self._browser.by_custom_id(call.values["job_id"], call.msgpack)
        return {"job": raw(job), "state": state}

    def get_jobs_batch(self, call: Call) -> Body:
        """Those that there are."""
        ids = call.values["ids"]
        if len(ids) > MAX_BATCH:
            raise Refused(BATCH_TOO_LARGE, number=len(ids))
        return {"jobs": items(self._browser.batch(ids, call.msgpack), call.msgpack)}

    def get_jobs(self, call: Call) -> Body:
        """A page, newest first."""
        values = call.values
        state = (values["state"] or "").lower().replace("-", "").replace("_", "")
        if state == _NEVER:
            return {"jobs": [], "total": 0}
        limit = min(values["limit"], MAX_BATCH)
        jobs, total = self._browser.page(
            values["queue"], _FILTERS.get(state), limit, values["offset"], call.msgpack
        )
        return {"jobs": items(jobs, call.msgpack), "total": total}

    def get_job_counts(self, call: Call) -> Body:
        """By state, and once more where other clients look for them."""
        found = self._browser.counts(call.values["queue"])
        counts = {shown: found[name] for shown, name in _COUNTS.items()}
        return {**counts, "counts": counts}

    def get_logs(self, call: Call) -> Body:
        """Oldest first."""
        return {"id": call.values["id"], "logs": self._browser.logs(call.values["id"])}
