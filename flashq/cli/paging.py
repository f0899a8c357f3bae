"""Pages of jobs that are as long as was asked for: the server cuts its answer short where the jobs are large."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashq.client import FlashQ, Job
    from flashq.client.results import JobPage


def whole_page(client: "FlashQ", queue: str | None, state: str | None, limit: int, offset: int) -> "JobPage":
    """Up to `limit` jobs, newest first, behind the first `offset`; fewer only at the end."""
    from flashq.client.results import JobPage

    found: list[Job] = []
    while True:
        page = client.get_jobs(queue, state, limit=limit - len(found), offset=offset + len(found))
        found += page.jobs
        if not page.jobs or len(found) >= limit or offset + len(found) >= page.total:
            return JobPage(found, page.total)
