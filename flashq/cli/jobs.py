"""`flashq jobs`: lists of jobs; `cancel`, `retry` and `promote`: single ones."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.exits import Exit, Failure, failure_of
from flashq.cli.finding import custom_option, find
from flashq.cli.output import counted, now_ms, short, span
from flashq.cli.paging import whole_page
from flashq.cli.tables import tabled
from flashq.cli.values import QUEUE_NAME, JobState
from flashq.cli.watching import watch_options, watched
from flashq.commands import MAX_BATCH, STATES

if TYPE_CHECKING:
    from flashq.client import FlashQ, Job
    from flashq.client.results import JobPage

COLUMNS = ("#id", "queue", "state", "#priority", "#attempts", "#age", "name", "data")


@client_command("jobs")
@click.argument("queue", type=QUEUE_NAME, required=False)
@click.option("--state", "-s", type=JobState(STATES), help="Only jobs in this state; dead letters are `failed`.")
@click.option("--limit", "-n", type=click.IntRange(1, MAX_BATCH), default=20, show_default=True, help="Jobs on a page.")
@click.option("--page", "-p", type=click.IntRange(1), default=1, show_default=True, help="Which page.")
@click.option("--all", "whole", is_flag=True, help="All of them, page after page.")
@watch_options
def command(here: Here, queue: str | None, state: str | None, limit: int, page: int, whole: bool, watch: bool,
            every: int) -> None:
    """List the jobs of QUEUE, or of all queues, newest first."""
    if whole and watch:
        raise click.UsageError("--all and --watch exclude each other")
    if whole:
        _print_all(here, here.client.jobs(queue, state, page_size=MAX_BATCH))
        return

    def look() -> "JobPage":
        return whole_page(here.client, queue, state, limit, (page - 1) * limit)

    total = watched(here, watch, every, look, lambda found: tabled(COLUMNS, map(row, found.jobs)),
                    lambda found: _print_json(here, found.jobs)).total
    if not here.as_json:
        here.out.note(f"page {page} of {max(-(-total // limit), 1)}, {counted(total, 'job')}")


def _print_all(here: Here, jobs: "Iterator[Job]") -> None:
    if here.as_json:
        _print_json(here, jobs)
        return
    headed = True
    while (page := list(islice(jobs, MAX_BATCH))) or headed:
        here.out.table(COLUMNS, map(row, page), headed=headed)
        headed = False


def _print_json(here: Here, jobs: "Iterable[Job]") -> None:
    for job in jobs:
        here.out.json(job)


def row(job: "Job") -> tuple[str, ...]:
    """A job of the list."""
    return (str(job.id), job.queue, job.state, str(job.priority), str(job.attempts), span(now_ms() - job.created_at),
            job.name or "", short(job.data))


# -- single jobs ------------------------------------------------------------------------------------------------------


def _for_each(name: str, done: str, doc: str, act: "Callable[[FlashQ, int, str], None]") -> click.Command:
    """A command that does something to each job that is named; status 1 when one was refused."""

    @client_command(name)
    @click.argument("ids", nargs=-1, required=True, metavar="ID...")
    @custom_option
    def one(here: Here, ids: tuple[str, ...], custom: bool) -> None:
        failures = [failure for id in ids if (failure := _try(here, id, custom, done, act)) is not None]
        for failure in failures[:-1]:
            failure.as_json = here.as_json
            failure.show()
        if failures:
            raise failures[-1]

    one.help = doc
    return one


def _try(here: Here, id: str, custom: bool, done: str, act: "Callable[[FlashQ, int, str], None]") -> Failure | None:
    from flashq.client import CommandError

    try:
        found, state = find(here.client, id, custom)
        act(here.client, found, state)
    except Failure as failure:
        if failure.status is not Exit.REFUSED:
            raise
        return failure
    except CommandError as error:
        return failure_of(error)
    here.out.said(f"job {found} is {done}", id=found, done=done)
    return None


def _retry(client: "FlashQ", id: int, state: str) -> None:
    job = client.get_job(id)
    if job is None or not client.retry_dead_letters(job.queue, id):
        raise Failure(Exit.REFUSED, f"job {id} is {state}, and no dead letter")


cancel = _for_each(
    "cancel", "cancelled",
    "Remove the jobs ID. A worker that holds one is told; one that has ended cannot be cancelled.",
    lambda client, id, _state: client.cancel(id))
promote = _for_each(
    "promote", "ready", "Make the delayed jobs ID ready now.", lambda client, id, _state: client.promote(id))
retry = _for_each(
    "retry", "waiting again",
    "Let the dead letters ID run again, with no attempt counted. `flashq dlq retry` takes all of a queue.", _retry)
