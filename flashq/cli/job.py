"""`flashq job`: all that the server knows of one job."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.finding import custom_option, find
from flashq.cli.harmless import harmless
from flashq.cli.output import counted, json_text, moment, now_ms, short, span, when
from flashq.client.shapes import Attempt
from flashq.commands import STATES
from flashq.job_shape import JOB_FIELDS, OPTIONAL_JOB_FIELDS

if TYPE_CHECKING:
    from flashq.client import Job
    from flashq.client.results import LogLine, Reason

NOT_RUNNING = tuple(state for state in STATES if state not in ("active", "completed", "failed"))
# Not in the list of facts: they have a place of their own, or are told by another.
ELSEWHERE = {"id", "state", "data", "history", "progress_message", "progress_msg", "progress", "last_heartbeat"}
TIMES = {one.name for one in (*JOB_FIELDS, *OPTIONAL_JOB_FIELDS) if one.doc.startswith("ms since")}
SPANS = {one.name for one in JOB_FIELDS if one.doc.startswith(("ms;", "ms that"))}


@client_command("job")
@click.argument("id", metavar="ID")
@custom_option
def command(here: Here, id: str, custom: bool) -> None:
    """Show the job ID: state, options, progress, why it does not run, failed attempts, result and log.

    ID is a number that `push` printed, or the custom id of the push.
    """
    client = here.client
    found, state = find(client, id, custom)
    job = client.get_job(found)
    reasons = client.explain(found).reasons if state in NOT_RUNNING else []
    result, logs = client.get_result(found), client.get_logs(found)
    if here.as_json:
        here.out.json({"id": found, "state": state, "job": job, "reasons": reasons, "result": result, "logs": logs})
        return
    here.out.line(f"job {found} is {state}; its data is no longer kept" if job is None else _head(job), style="bold")
    rows = _facts(job) if job is not None else []
    rows += [("why not", explained(reason)) for reason in reasons]
    here.out.facts(rows if result is None else [*rows, ("result", json_text(result))])
    if job is not None and job.history:
        here.out.line("failed attempts", style="bold")
        here.out.table(("ended", "#took", "reason", "error"), (_attempt(one) for one in job.history))
    _show_log(here, logs)


def _head(job: "Job") -> str:
    progress = f", {job.progress} %" if job.state == "active" and (job.progress or job.progress_msg) else ""
    return f"job {job.id} is {job.state}{progress}{f': {job.progress_msg}' if job.progress_msg else ''}"


def _facts(job: "Job") -> list[tuple[str, str]]:
    found = [(name, shown) for name, value in vars(job).items() if (shown := fact(name, value))]
    return [*found, ("data", json_text(job.data))]


def fact(name: str, value: Any) -> str:
    """A value of a job as people read it; empty for one that says nothing."""
    if name in ELSEWHERE or value in (None, 0, "", [], False):
        return ""
    if name in TIMES:
        return when(value)
    if name in SPANS:
        return span(value)
    return harmless(value) if isinstance(value, str) else short(value, 1000)


def _attempt(one: Attempt) -> tuple[str, ...]:
    return moment(one.ended_at), span(one.ended_at - one.started_at), one.reason, one.error or ""


def _show_log(here: Here, logs: "list[LogLine]") -> None:
    if logs:
        here.out.line("log", style="bold")
    for line in logs:
        here.out.line(f"  {moment(line.timestamp)} {line.level}: {line.message}")


def explained(reason: "Reason") -> str:
    """Why a job does not run, in a sentence."""
    told: dict[str, Callable[[], str]] = {
        "waiting_for": lambda: f"it waits for {counted(reason['count'], 'other job')}: "
                               f"{', '.join(map(str, reason['ids']))}",
        "delayed": lambda: f"it is delayed until {moment(reason['until'])}, in {span(reason['until'] - now_ms())}",
        "paused": lambda: "its queue is paused",
        "concurrency_limit": lambda: f"{reason['active']} jobs of its queue are active, of {reason['limit']} allowed",
        "rate_limit": lambda: f"its queue may deliver {reason['limit']} jobs a second",
        "group_limit": lambda: f"{reason['active']} jobs of group {reason['group_id']} are active, of "
                               f"{reason['limit']} allowed",
        "group_rate": lambda: f"group {reason['group_id']} may have {reason['limit']} jobs a second",
        "jobs_ahead": lambda: "jobs ahead of it: "
                              f"{'at least ' if reason.get('at_least') else ''}{reason['count']:,}",
        "nobody_pulling": lambda: "no worker is waiting for jobs of its queue",
        "no_memory": lambda: "the server is out of memory",
    }
    text = told.get(reason["reason"])
    return text() if text is not None else short(reason, 1000)
