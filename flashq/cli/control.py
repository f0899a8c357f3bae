"""Steering whole queues: `pause`, `resume`, `limit`, and what destroys, `drain`, `clean` and `obliterate`."""

from typing import TYPE_CHECKING, Any

import click

from flashq.cli.connection import Here, ask, client_command, yes_option
from flashq.cli.output import counted, plain, span
from flashq.cli.queues import limits
from flashq.cli.values import DURATION, QUEUE_NAME, JobState

if TYPE_CHECKING:
    from flashq.client.results import QueueInfo

COUNT = click.IntRange(0, 2**32 - 1)
CLEANED = ("waiting", "delayed", "completed", "failed")
ONE = click.IntRange(1, 2**32 - 1)


@client_command("pause")
@click.argument("queue", type=QUEUE_NAME)
def pause(here: Here, queue: str) -> None:
    """Hand out no more jobs of QUEUE. Pushes go on, and jobs that workers have already are finished."""
    here.client.pause(queue)
    here.out.said(f"queue {queue} is paused", queue=queue, paused=True)


@client_command("resume")
@click.argument("queue", type=QUEUE_NAME)
def resume(here: Here, queue: str) -> None:
    """Hand out the jobs of a paused QUEUE again."""
    here.client.resume(queue)
    here.out.said(f"queue {queue} is not paused", queue=queue, paused=False)


@client_command("limit")
@click.argument("queue", type=QUEUE_NAME)
@click.option("--rate", type=COUNT, metavar="N", help="Deliver at most N jobs a second; 0 = none at all.")
@click.option("--no-rate", is_flag=True, help="Take the limit on the rate away.")
@click.option("--concurrency", type=COUNT, metavar="N", help="At most N jobs active at once; 0 = none.")
@click.option("--no-concurrency", is_flag=True, help="Take the limit on active jobs away.")
@click.option("--group-concurrency", type=ONE, metavar="N", help="Jobs of one group active at once. [1]")
@click.option("--group-rate", type=COUNT, metavar="N", help="Jobs of one group a second; 0 = no limit.")
@click.option("--fair/--no-fair", default=None, help="Groups of equal priority take turns.")
def limit(here: Here, queue: str, rate: int | None, no_rate: bool, concurrency: int | None, no_concurrency: bool,
          **groups: Any) -> None:
    """Set the limits of QUEUE, and show those that hold then; without options only show them."""
    if (rate is not None and no_rate) or (concurrency is not None and no_concurrency):
        raise click.UsageError("a limit cannot be set and taken away at once")
    client = here.client
    if rate is not None:
        client.limit_rate(queue, rate)
    if no_rate:
        client.clear_rate_limit(queue)
    if concurrency is not None:
        client.limit_concurrency(queue, concurrency)
    if no_concurrency:
        client.clear_concurrency_limit(queue)
    if any(value is not None for value in groups.values()):
        client.set_groups(queue, **_groups(_info(here, queue), groups))
    _show(here, queue)


def _groups(info: "QueueInfo | None", given: dict[str, Any]) -> dict[str, Any]:
    """All three rules: the command sets what is left out back to its default."""
    rules = info.groups if info is not None else None
    now: dict[str, Any] = {}
    if rules is not None:
        now = {"group_concurrency": rules.concurrency, "group_rate": rules.rate, "fair": rules.fair}
    now.update({name: value for name, value in given.items() if value is not None})
    return {**now, "group_rate": now.get("group_rate") or None}


def _info(here: Here, queue: str) -> "QueueInfo | None":
    return next((one for one in here.client.list_queues() if one.name == queue), None)


def _show(here: Here, queue: str) -> None:
    info = _info(here, queue)
    rules = info.groups if info is not None else None
    here.out.said(
        f"queue {queue}: {(limits(info) if info is not None else '') or 'no limits'}", queue=queue,
        paused=info is not None and info.paused, rate_limit=None if info is None else info.rate_limit,
        concurrency_limit=None if info is None else info.concurrency_limit, groups=plain(rules))


@client_command("drain")
@click.argument("queue", type=QUEUE_NAME)
@yes_option
def drain(here: Here, queue: str, yes: bool) -> None:
    """Remove all waiting and delayed jobs of QUEUE, for good. Asks first."""
    count = here.client.count(queue)
    ask(f"This removes {counted(count, 'waiting or delayed job')} of queue {queue} for good.", yes)
    removed = here.client.drain(queue)
    here.out.said(f"removed {counted(removed, 'job')} of queue {queue}", queue=queue, removed=removed)


@client_command("clean")
@click.argument("queue", type=QUEUE_NAME)
@click.option("--state", "-s", type=JobState(CLEANED), required=True,
              help="Only jobs in this state; dead letters are `failed`.")
@click.option("--older", type=DURATION, required=True,
              help="Only jobs that were pushed longer ago; of completed ones, that were done longer ago.")
@click.option("--limit", "-n", type=click.IntRange(1), help="Remove at most so many, the oldest first.")
@yes_option
def clean(here: Here, queue: str, state: str, older: int, limit: int | None, yes: bool) -> None:
    """Remove the jobs of QUEUE that are in one state and old, for good. Asks first."""
    there = here.client.get_jobs(queue, state, limit=1).total
    most = there if limit is None else min(there, limit)
    ask(f"This removes those of {counted(there, f'{state} job')} of queue {queue} for good that are older than "
        f"{span(older)}, at most {most:,}.", yes)
    removed = here.client.clean(queue, older, state, limit=limit)
    here.out.said(f"removed {counted(removed, 'job')} of queue {queue}", queue=queue, removed=removed)


@client_command("obliterate")
@click.argument("queue", type=QUEUE_NAME)
@yes_option
def obliterate(here: Here, queue: str, yes: bool) -> None:
    """Remove all jobs of QUEUE but completed ones, its pause, limits, push keys and cron entries. Asks first."""
    counts = here.client.get_job_counts(queue)
    jobs = counts.waiting + counts.delayed + counts.active + counts.failed + counts.waiting_children
    crons = sum(one.queue == queue for one in here.client.list_crons())
    ask(f"This removes {counted(jobs, 'job')} of queue {queue} for good ({counts.active:,} active, {counts.failed:,} "
        f"dead), its limits, and {counted(crons, 'cron entry', 'cron entries')}.", yes)
    removed = here.client.obliterate(queue)
    here.out.said(f"removed {counted(removed, 'job')} of queue {queue}", queue=queue, removed=removed)
