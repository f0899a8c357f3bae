"""`flashq dlq`: dead letters, the jobs that failed for good."""

from typing import TYPE_CHECKING

import click

from flashq.cli import CONTEXT
from flashq.cli.connection import Here, ask, client_command, yes_option
from flashq.cli.exits import Exit, Failure
from flashq.cli.output import counted, first_line, now_ms, number, short, span
from flashq.cli.values import QUEUE_NAME
from flashq.commands import MAX_BATCH

if TYPE_CHECKING:
    from flashq.client import Job

COLUMNS = ("#id", "#died", "reason", "#attempts", "name", "error", "data")


@click.group(name="dlq", context_settings=CONTEXT)
def command() -> None:
    """Dead letters: jobs that failed for good. See them, let them run again, or remove them."""


@client_command("list")
@click.argument("queue", type=QUEUE_NAME, required=False)
@click.option("--count", "-n", type=click.IntRange(1, MAX_BATCH), default=20, show_default=True, help="Jobs at most.")
def list_(here: Here, queue: str | None, count: int) -> None:
    """Show the dead letters of QUEUE, first the one that died first; without QUEUE, how many each queue has."""
    if queue is None:
        _list_queues(here)
        return
    jobs = here.client.dead_letters(queue, count)
    if here.as_json:
        for job in jobs:
            here.out.json(job)
        return
    here.out.table(COLUMNS, map(_row, jobs))
    here.out.note(f"{len(jobs):,} of {counted(here.client.get_job_counts(queue).failed, 'dead letter')}")


def _list_queues(here: Here) -> None:
    dead = [(one.name, one.dlq) for one in here.client.list_queues() if one.dlq]
    if here.as_json:
        for name, count in dead:
            here.out.json({"queue": name, "dead": count})
        return
    here.out.table(("queue", "#dead"), [(name, number(count)) for name, count in dead])
    here.out.note(f"{counted(sum(count for _, count in dead), 'dead letter')} in {counted(len(dead), 'queue')}")


def _row(job: "Job") -> tuple[str, ...]:
    died = span(now_ms() - job.failed_at) + " ago" if job.failed_at else ""
    return (str(job.id), died, job.reason or "", str(job.attempts), job.name or "",
            first_line(job.progress_msg or "", 40), short(job.data, 40))


@client_command("retry")
@click.argument("queue", type=QUEUE_NAME)
@click.argument("ids", type=click.IntRange(0, 2**63 - 1), nargs=-1, metavar="[ID]...")
def retry(here: Here, queue: str, ids: tuple[int, ...]) -> None:
    """Let the dead letters of QUEUE run again, all or those named by ID, with no attempt counted."""
    if not ids:
        count = here.client.retry_dead_letters(queue)
        here.out.said(f"let {counted(count, 'job')} of queue {queue} run again", queue=queue, retried=count)
        return
    missing = [id for id in ids if not here.client.retry_dead_letters(queue, id)]
    count = len(ids) - len(missing)
    here.out.said(f"let {counted(count, 'job')} of queue {queue} run again", queue=queue, retried=count)
    if missing:
        raise Failure(Exit.REFUSED, f"no dead letters of queue {queue}: {', '.join(map(str, missing))}")


@client_command("purge")
@click.argument("queue", type=QUEUE_NAME)
@yes_option
def purge(here: Here, queue: str, yes: bool) -> None:
    """Remove the dead letters of QUEUE for good. Asks first."""
    count = here.client.get_job_counts(queue).failed
    ask(f"This removes {counted(count, 'dead letter')} of queue {queue} for good.", yes)
    removed = here.client.purge_dead_letters(queue)
    here.out.said(f"removed {counted(removed, 'dead letter')} of queue {queue}", queue=queue, removed=removed)


for one in (list_, retry, purge):
    command.add_command(one)
