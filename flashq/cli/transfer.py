"""`flashq export` and `flashq import`: jobs of a running server as lines of JSON, and back."""

import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.files import check_new, replacing
from flashq.cli.lines import BadLine, Pusher, decoded
from flashq.cli.output import counted, json_text, now_ms
from flashq.cli.paging import oldest_first
from flashq.cli.push import checked, finish
from flashq.cli.values import QUEUE_NAME, JobState
from flashq.commands import PUSH_OPTIONS, STATES

if TYPE_CHECKING:
    from flashq.client import FlashQ, Job, PushOptions

TO_BE_DONE = ("waiting", "delayed", "active")
WAITS = "waiting-children"
# Of a push, what a Job does not show, or shows under another name or with another meaning.
_NOT_SHOWN = {"delay", "debounce_id", "debounce_ttl", "depends_on", "on_duplicate", "on_parent_failure", "job_id"}
_SHOWN = tuple(field for field in PUSH_OPTIONS if field.name not in _NOT_SHOWN)
_SET_BY_SERVER = {"ttl", "timeout", "max_attempts", "backoff"}     # an explicit 0 is not the same as leaving it out


@client_command("export")
@click.argument("queues", type=QUEUE_NAME, nargs=-1, required=True, metavar="QUEUE...")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write into this file instead of stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--state", "-s", "states", type=JobState(STATES), multiple=True,
              help="Only jobs in this state. May be given several times. [all]")
def export(here: Here, queues: tuple[str, ...], output: Path | None, force: bool, states: tuple[str, ...]) -> None:
    """Write the jobs of QUEUE... as lines of JSON, oldest first, through the running server.

    A line is {"queue", "id", "state", "created_at", "run_at", "push"}; `push` holds the options of a push that makes
    such a job again, which `flashq import` does.

    \b
    Not carried: ids, attempts so far and their history, progress, logs and results; what a job waits for
    (depends_on, flows); debounce windows and push keys; pauses, limits and cron entries of the queue.
    It is no snapshot: of jobs that are pushed, done or removed meanwhile some are in it. Each is in it once.
    `flashq journal export` and `flashq backup` copy everything, from the data directory.
    """
    if output is None:
        count = _write(here.client, queues, states, sys.stdout.buffer)
    else:
        check_new(output, force)
        client = here.client    # before there is a file
        with replacing(output) as unfinished, unfinished.open("wb") as file:
            count = _write(client, queues, states, file)
    here.out.note(f"exported {counted(count, 'job')}")


def _write(client: "FlashQ", queues: Iterable[str], states: Collection[str], out: BinaryIO) -> int:
    """How many jobs it wrote."""
    count = 0
    for queue in queues:
        for job in oldest_first(client, queue):
            if not states or job.state in states:
                out.write(json_text(line_of(job)).encode() + b"\n")
                count += 1
    out.flush()
    return count


def line_of(job: "Job") -> dict[str, Any]:
    """A job as a line."""
    push: dict[str, Any] = {}
    for field in _SHOWN:
        value = getattr(job, field.name, None)
        if value not in (None, field.default, [], ()) or field.name in ("data", *_SET_BY_SERVER):
            push[field.name] = value
    if job.custom_id is not None:
        push["job_id"] = job.custom_id
    return {"queue": job.queue, "id": job.id, "state": job.state, "created_at": job.created_at, "run_at": job.run_at,
            "push": push}


@client_command("import")
@click.argument("file", type=click.File("rb"), default="-", metavar="[FILE]")
@click.option("--queue", "-q", type=QUEUE_NAME, help="Push all to this queue instead of their own.")
@click.option("--state", "-s", "states", type=JobState(STATES), multiple=True, default=TO_BE_DONE,
              show_default=True, help="Only jobs that were in this state. May be given several times.")
@click.option("--new-ids", is_flag=True, help="Leave custom ids out: jobs that have one are pushed though it is taken.")
def import_(here: Here, file: BinaryIO, queue: str | None, states: tuple[str, ...], new_ids: bool) -> None:
    """Push the jobs of a file that `flashq export` wrote, or of stdin.

    They are new jobs: ids and ages are new, attempts and ttl begin anew, a delayed job runs at the time it was delayed
    to. Those that were completed or dead, or waited for others, are passed over and counted, unless --state names
    them; they would all run. A job that was active is pushed too, and may be running elsewhere.

    A job whose custom id is taken, in whichever queue, is not pushed but counted as there already: a copy of a queue
    on its own server needs --new-ids. Jobs without a custom id are pushed again when a file is imported again. Lines
    that are refused are named by their number, and the status is 1.

    What a job waited for is not in the file: a later step of a chain or flow, and its callback, that --state names
    would run at once, without the jobs before it and their results.
    """
    def read_line(line: bytes) -> "tuple[str, PushOptions] | str":
        found = read(decoded(line), queue, states)
        if new_ids and not isinstance(found, str):
            found[1].pop("job_id", None)
        return found

    finish(here, Pusher(here.client, here.out, read_line, find_taken=not new_ids).run(file))


def read(value: Any, queue: str | None, states: tuple[str, ...]) -> "tuple[str, PushOptions] | str":
    """Queue and job of a line, or its state when that is not wanted. BadLine."""
    if not isinstance(value, dict) or not isinstance(value.get("push"), dict):
        raise BadLine("it is no line of `flashq export`: it has no object `push`")
    there, state = queue or value.get("queue"), value.get("state")
    if not isinstance(there, str):
        raise BadLine("`queue` is no text")
    if state not in STATES:
        raise BadLine(f"`state` is none of {', '.join(STATES)}")
    if state not in states:
        return str(state)
    job = checked(value["push"])
    run_at = value.get("run_at", 0)
    if not isinstance(run_at, int):
        raise BadLine("`run_at` is no whole number")
    if state == "delayed" and run_at > now_ms():
        job["delay"] = run_at - now_ms()
    return there, cast("PushOptions", job)
