"""Executes in the test what a worker would execute now."""
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flashq.client.aio import AsyncFlashQ
from flashq.client.refusals import JobNotActive, JobNotFound, StaleToken
from flashq.client.shapes import Job
from flashq.tasks.app import App
from flashq.tasks.errors import Discard, Retry
from flashq.tasks.outcome import Kind, Outcome
from flashq.tasks.plan import refuse_in_loop
from flashq.tasks.reporter import ClientReporter
from flashq.tasks.run import run_job
from flashq.testing.serving import check_tested

LIMIT = 1000
Failures = Literal["raise", "report"]
_ASKED_FOR = (Retry, Discard)       # a handler's way to say what it wants is no failure


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that was executed, as it was delivered, and how that ended."""

    job: Job
    outcome: Outcome

    @property
    def task(self) -> str | None:
        """The name of its task."""
        return self.job.name

    @property
    def kind(self) -> Kind:
        """`done`, `failed` (and perhaps to be retried), `dead`, `released`, or `lost`."""
        return self.outcome.kind

    @property
    def result(self) -> Any:
        """What the handler returned, as it goes over the wire."""
        return self.outcome.result

    @property
    def exception(self) -> BaseException | None:
        """What it raised."""
        return self.outcome.exception

    def __repr__(self) -> str:
        return f"<{self.task} {self.job.id}: {self.kind}>"


def run_pending(
    app: App, *, queues: Sequence[str] | None = None, failures: Failures = "raise", limit: int = LIMIT
) -> list[Ran]:
    """Execute all jobs of the app's tasks that are due, also those that these push, one after the other; which.

    `app` must point to a test server of this process: RuntimeError else. `queues`: only these. What a handler raises
    is raised here, after the server was told of it; with `failures="report"` it is in the list instead. RuntimeError
    after `limit` jobs: a job that pushes itself never ends. RuntimeError in an event loop, which it would block.
    """
    refuse_in_loop("run_pending")
    return asyncio.run(run_pending_async(app, queues=queues, failures=failures, limit=limit))


async def run_pending_async(
    app: App, *, queues: Sequence[str] | None = None, failures: Failures = "raise", limit: int = LIMIT
) -> list[Ran]:
    """The same in an event loop."""
    if failures not in ("raise", "report"):
        raise ValueError(f"failures must be 'raise' or 'report', not {failures!r}")
    check_tested(app)
    wanted = list(queues) if queues is not None else list(dict.fromkeys(task.queue for task in app.tasks.values()))
    ran: list[Ran] = []
    client = app.new_async_client()
    try:
        with app.adopted(client):
            while wanted and (job := await client.pull(None, queues=wanted, timeout=0)) is not None:
                if len(ran) == limit:
                    await client.fail(job, release=True)
                    raise RuntimeError(f"{limit} jobs ran, and {job.name} is due again: does it push itself?")
                ran.append(await _run(app, client, job))
                if failures == "raise":
                    _raise(ran[-1])
    finally:
        await client.close()
    return ran


async def _run(app: App, client: AsyncFlashQ, job: Job) -> Ran:
    reporter = ClientReporter(client.call)
    outcome = await run_job(app, job, reporter=reporter)
    await reporter.flush()
    call = outcome.call(job)
    try:
        if call is not None:
            await client.call(call)
    except (JobNotActive, JobNotFound, StaleToken) as error:     # it was cancelled, or ran out of time, meanwhile
        outcome = Outcome("lost", exception=error)
    return Ran(job, outcome)


def _raise(ran: Ran) -> None:
    error = ran.exception
    if ran.kind not in ("failed", "dead") or isinstance(error, _ASKED_FOR):
        return
    if error is None:
        raise RuntimeError(f"job {ran.job.id} of {ran.task} failed: {ran.outcome.error}")
    error.add_note(f"raised by job {ran.job.id} of {ran.task}, attempt {ran.job.attempts + 1}, in run_pending")
    raise error
