"""What a handler gets: the job's data, and where it says so the results of the jobs that it waited for."""
import asyncio
from typing import TYPE_CHECKING, Any

from flashq.client.calls import reading
from flashq.client.shapes import Job
from flashq.tasks.meta import META, meta_of

if TYPE_CHECKING:
    from flashq.tasks.app import App

AT_ONCE = 100       # results that are asked for together


async def data_of(app: "App", job: Job) -> Any:
    """The arguments by name, those of predecessors among them; nothing else of what the data carry."""
    if not isinstance(job.data, dict) or META not in job.data:
        return job.data
    data = {name: value for name, value in job.data.items() if name != META}
    take = meta_of(job.data).get("take")
    if take is not None:
        results = await _results(app, job.children_ids or job.depends_on)
        data[take["parameter"]] = results[0] if take["what"] == "one" and results else results
    return data


async def _results(app: "App", ids: list[int]) -> list[Any]:
    found: list[Any] = []
    client = app.async_client()
    for at in range(0, len(ids), AT_ONCE):
        asked = (client.call(reading.get_result(id)) for id in ids[at:at + AT_ONCE])
        found += await asyncio.gather(*asked)
    return found
