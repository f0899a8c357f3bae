"""Calls: Jobs that the clock pushes.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Sequence
from typing import Literal

from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.results import CronEntry
from flashq.client.shapes import CronOptions, RetryPolicy


def add_cron(
    name: str, queue: str, schedule: str | None = None, *, repeat_every: int | None = None, limit: int | None = None,
    tz: str | None = None, catchup: Literal["none", "last", "all"] | None = None,
    overlap: Literal["allow", "skip"] | None = None, options: CronOptions | None = None, data: object = None,
    priority: int | None = None, delay: int | None = None, ttl: int | None = None, timeout: int | None = None,
    max_attempts: int | None = None, backoff: int | None = None, lifo: bool | None = None,
    tags: Sequence[str] | None = None, job_id: str | None = None, stall_timeout: int | None = None,
    remove_on_complete: bool | None = None, remove_on_fail: bool | None = None, unique_key: str | None = None,
    debounce_id: str | None = None, debounce_ttl: int | None = None, depends_on: Sequence[int] | None = None,
    keep_completed_age: int | None = None, keep_completed_count: int | None = None, retry: RetryPolicy | None = None,
    group_id: str | None = None, on_duplicate: Literal["error", "existing", "replace"] | None = None,
    on_parent_failure: Literal["wait", "fail", "run"] | None = None, version: int | None = None,
    receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[None]:
    """Push a job whenever a schedule says so; an entry of the same name is replaced.

    name: Name of the entry.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    schedule: `second minute hour day month weekday`, or without the second; up to 256 characters. `*/N` alone is
        every N seconds.

    repeat_every: ms between two jobs, the first after as long; wins over `schedule`.

    limit: Jobs after which the entry goes; 0 = no limit.

    tz: Time zone that `schedule` is read in, as in `Europe/Berlin`.

    catchup: Of slots missed by more than a minute push `none`, the `last`, or `all`.

    overlap: While the job before is not done, push another all the same (`allow`) or `skip` the slot.

    options: Push options once more, in an object; those beside it win.

    All others: as in PushOptions.
    """
    fields: dict[str, object] = {
        "name": name, "queue": queue, "schedule": schedule, "repeat_every": repeat_every, "limit": limit, "tz": tz,
        "catchup": catchup, "overlap": overlap, "options": options, "data": data, "priority": priority, "delay": delay,
        "ttl": ttl, "timeout": timeout, "max_attempts": max_attempts, "backoff": backoff, "lifo": lifo, "tags": tags,
        "job_id": job_id, "stall_timeout": stall_timeout, "remove_on_complete": remove_on_complete,
        "remove_on_fail": remove_on_fail, "unique_key": unique_key, "debounce_id": debounce_id,
        "debounce_ttl": debounce_ttl, "depends_on": depends_on, "keep_completed_age": keep_completed_age,
        "keep_completed_count": keep_completed_count, "retry": retry, "group_id": group_id,
        "on_duplicate": on_duplicate, "on_parent_failure": on_parent_failure, "version": version,
    }
    return make("CRON", fields, readers.nothing, receipt, deadline)


def delete_cron(name: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[None]:
    """Remove an entry; jobs that it has pushed stay.

    name: Name of the entry.
    """
    fields: dict[str, object] = {"name": name}
    return make("CRONDELETE", fields, readers.nothing, receipt, deadline)


def list_crons(*, deadline: float | None = None) -> Call[list[CronEntry]]:
    """List the entries."""
    fields: dict[str, object] = {}
    return make("CRONLIST", fields, readers.crons, None, deadline)

