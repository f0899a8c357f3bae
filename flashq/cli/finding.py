"""Which job is meant: by its id, or by its custom id."""

from typing import TYPE_CHECKING, Any

import click

from flashq.cli.exits import Exit, Failure
from flashq.errors import JOB_NOT_FOUND

if TYPE_CHECKING:
    from flashq.client import FlashQ

UNKNOWN = "unknown"


def custom_option(function: Any) -> Any:
    """`--custom` of the commands that name jobs."""
    return click.option("--custom", is_flag=True, help="ID is a custom id (`--job-id` of the push), even if it is a "
                        "number.")(function)


def find(client: "FlashQ", text: str, custom: bool) -> tuple[int, str]:
    """Id and state of a job: the one of this id, else the one of this custom id. Failure when there is none."""
    if text.isascii() and text.isdecimal() and not custom:
        id = int(text)
        state = client.get_state(id) if id < 2**63 else UNKNOWN
        if state != UNKNOWN:
            return id, state
    job = client.get_job_by_custom_id(text)
    if job is None:
        raise Failure(Exit.REFUSED, f"there is no job {text}, or its data is no longer kept", JOB_NOT_FOUND.code)
    return job.id, job.state
