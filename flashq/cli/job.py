"""`flashq job`: all that the server knows of one job."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.finding import custom_option, find
from flashq.cli.harmless import harmless
from flashq.cli.output import counted, first_line, json_text, moment, now_ms, short, span, when
from flashq.client.shapes import Attempt
from flashq.commands import ATTEMPT_TEXT, STATES
from flashq.job_shape import JOB_FIELDS, OPTIONAL_JOB_FIELDS

if TYPE_CHECKING:
    from flashq.client import Job
    from flashq.client.results import LogLine, Reason

NOT_RUNNING = tuple(state for state in STATES if state not in ("active", "completed", "failed"))
# Not in the list of facts: they have a place of their own, or are told by another.
ELSEWHERE = {"id", "state", "data", "history", "progress_message", "progress_msg", "progress", "last_heartbeat"}
TIMES = {one.name for one in (*JOB_FIELDS, *OPTIONAL_JOB_FIELDS) if one.doc.startswith("ms since")}
LONGEST_CHARACTER = 4       # bytes, of UTF-8
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
    rows += [("why not", explained(reason, job)) for reason in reasons]
    here.out.facts(rows if result is None else [*rows, ("result", json_text(result))])
    if job is not None and job.history:
        here.out.line("failed attempts", style="bold")
        for one in job.history:
            _show_attempt(here, one)
    _show_log(here, logs)


def _head(job: "Job") -> str:
    """Of a dead job why it died. What ran, or runs again, says no error here: those are of attempts that are over."""
    if job.state == "failed":
        return f"job {job.id} is failed{f': {first_line(job.progress_msg)}' if job.progress_msg else ''}"
    progress = _progress(job) if job.state == "active" else ""
    return f"job {job.id} is {job.state}{f', {progress}' if progress else ''}"


def _progress(job: "Job") -> str:
    """As its worker told it: the server keeps the last failure in the same place as the text of the progress."""
    text = job.progress_msg or ""
    if text and any(_begins_with(text, one.error) for one in job.history):
        text = ""
    told = f": {first_line(text)}" if text else ""
    return f"{job.progress} %{told}" if job.progress or told else ""


def _begins_with(text: str, error: str | None) -> bool:
    """Whether the history has this text, which it cuts."""
    if error is None or len(error.encode()) <= ATTEMPT_TEXT - LONGEST_CHARACTER:
        return text == error
    return text.startswith(error)


def _facts(job: "Job") -> list[tuple[str, str]]:
    found = [(name, shown) for name, value in vars(job).items() if (shown := fact(name, value))]
    progress = _progress(job) if job.state not in ("active", "failed") else ""
    found += [("progress", progress)] if progress else []
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


def _show_attempt(here: Here, one: Attempt) -> None:
    """An error is often a traceback: its lines stay lines."""
    took = span(one.ended_at - one.started_at)
    here.out.lines(f"  {moment(one.ended_at)} {one.reason} after {took}", one.error or "")


def _show_log(here: Here, logs: "list[LogLine]") -> None:
    if logs:
        here.out.line("log", style="bold")
    for line in logs:
        here.out.lines(f"  {moment(line.timestamp)} {line.level}", line.message)


def explained(reason: "Reason", job: "Job | None") -> str:
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
        "nobody_pulling": lambda: _nobody(reason.get("count", 0), job),
        "no_memory": lambda: "the server is out of memory",
    }
    text = told.get(reason["reason"])
    return text() if text is not None else short(reason, 1000)


def _nobody(others: int, job: "Job | None") -> str:
    """Pulls that wait, but for jobs of other names or versions, are a worker that lacks a task, or is too old."""
    if not others or job is None or job.name is None:
        return "no worker is waiting for jobs of its queue"
    version = f" in version {job.version}" if job.version else ""
    return (f"{counted(others, 'pull waits', 'pulls wait')} for jobs of its queue, but none for those named "
            f"'{job.name}'{version}")
