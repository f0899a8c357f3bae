"""`flashq pull`: take the next jobs of a queue and show them; acknowledge, fail or give them back."""

from typing import TYPE_CHECKING, Any

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.exits import Exit, Failure
from flashq.cli.output import json_text
from flashq.cli.values import DURATION, JSON, QUEUE_NAME
from flashq.commands import MAX_BATCH

if TYPE_CHECKING:
    from flashq.client import Job



@client_command("pull")
@click.argument("queue", type=QUEUE_NAME)
@click.option("--count", "-n", type=click.IntRange(1, MAX_BATCH), default=1, show_default=True, help="Jobs at most.")
@click.option("--wait", type=DURATION, default="0", show_default=True, help="Time to wait for the first job.")
@click.option("--name", "names", multiple=True, metavar="NAME",
              help="Only jobs of this name, or of none. May be given several times.")
@click.option("--ack", is_flag=True, help="Acknowledge them: they are done.")
@click.option("--result", type=JSON, help="With --ack, the result to keep.")
@click.option("--fail", "error", metavar="TEXT", help="Fail the attempt, with this error.")
def command(here: Here, queue: str, count: int, wait: int, names: tuple[str, ...], ack: bool, result: Any,
            error: str | None) -> None:
    """Take the next jobs of QUEUE and print them.

    Without --ack or --fail they are given back at once, to their old place, and no attempt is counted: the command
    ends, and nobody would work on them. Status 5 when there is no job.
    """
    if ack and error is not None:
        raise click.UsageError("--ack and --fail exclude each other")
    if result is not None and not ack:
        raise click.UsageError("--result needs --ack")
    jobs = here.client.pull_batch(queue, count, timeout=wait, names=list(names) or None)
    if not jobs:
        raise Failure(Exit.NOTHING, f"no job is ready in queue {queue}")
    _show(here, jobs)   # before they are acknowledged: what was printed nowhere must not be done with
    failures = [failure for job in jobs if (failure := _end(here, job, ack, result, error)) is not None]
    if failures:
        raise failures[0]
    if not ack and error is None:
        here.out.note(f"{len(jobs)} given back: --ack acknowledges, --fail fails an attempt")


def _end(here: Here, job: "Job", ack: bool, result: Any, error: str | None) -> Exception | None:
    """What went wrong; the other jobs are to be ended all the same."""
    from flashq.client import FlashQError

    try:
        if ack:
            here.client.ack(job, result)
        elif error is not None:
            here.client.fail(job, error)
        else:
            here.client.fail(job, release=True)
    except FlashQError as failed:
        return failed
    return None


def _show(here: Here, jobs: "list[Job]") -> None:
    """All of them. When that cannot be, they are given back."""
    try:
        for job in jobs:
            if here.as_json:
                here.out.json(job)
            else:
                here.out.line(f"{job.id}{f' {job.name}' if job.name else ''} {json_text(job.data)}")
    except BaseException:
        for job in jobs:
            here.client.fail(job, release=True)
        raise
