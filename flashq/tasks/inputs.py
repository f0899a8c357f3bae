"""What a handler gets: the job's data, and where it says so the results of the jobs that it waited for.

The server lets a retried dead letter run without waiting for anything, so that what it waited for may not be done.
"""
import asyncio
from typing import TYPE_CHECKING, Any

from flashq.client.aio import AsyncFlashQ
from flashq.client.calls import reading
from flashq.client.refusals import JobFailed, JobNotFound, Timeout
from flashq.client.shapes import Job
from flashq.tasks.errors import PredecessorLost, PredecessorPending
from flashq.tasks.meta import META, meta_of
from flashq.tasks.waiting import NOT_KEPT, wait_job

if TYPE_CHECKING:
    from flashq.tasks.app import App

AT_ONCE = 100               # results that are asked for together


async def data_of(app: "App", job: Job) -> Any:
    """The arguments by name, those of predecessors among them; nothing else of what the data carry.

    PredecessorPending when one of those is not done, PredecessorLost when its result is wanted and will never be.
    """
    if not isinstance(job.data, dict) or META not in job.data:
        return job.data
    data = {name: value for name, value in job.data.items() if name != META}
    meta = meta_of(job.data)
    take = meta.get("take")
    if take is not None or meta.get("after"):
        results = await _results(app, job, wanted=take is not None)
        if take is not None:
            data[take["parameter"]] = results[0] if take["what"] == "one" and results else results
    return data


async def _results(app: "App", job: Job, wanted: bool) -> list[Any]:
    found: list[Any] = []
    client, ids = app.async_client(), job.children_ids or job.depends_on
    for at in range(0, len(ids), AT_ONCE):
        asked = (_result(app, client, job, id, wanted) for id in ids[at:at + AT_ONCE])
        found += await asyncio.gather(*asked)
    app.delays.forget(job.id)
    return found


async def _result(app: "App", client: AsyncFlashQ, job: Job, id: int, wanted: bool) -> Any:
    """Of one predecessor; result and state in one request, as they may change between two."""
    try:
        result = await client.call(wait_job(id, 0))
        if result is NOT_KEPT and wanted:
            raise PredecessorLost(id, "completed, but its result is not kept any more")
        return result
    except Timeout:
        state = await client.call(reading.get_state(id))
        raise PredecessorPending(id, state, app.delays.take(job.id)) from None
    except (JobFailed, JobNotFound) as error:
        if not wanted:
            return NOT_KEPT
        found = f"{'a dead letter' if isinstance(error, JobFailed) else 'not kept any more'}, not completed"
        raise PredecessorLost(id, found) from None
