"""Calls: Flows: jobs that wait for the jobs pushed with them.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Sequence
from typing import Literal

from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.results import Children, Flow
from flashq.client.shapes import FlowChild, RetryPolicy


def push_flow(
    queue: str, children: Sequence[FlowChild], data: object = None, *, priority: int | None = None,
    delay: int | None = None, ttl: int | None = None, timeout: int | None = None, max_attempts: int | None = None,
    backoff: int | None = None, lifo: bool | None = None, tags: Sequence[str] | None = None, job_id: str | None = None,
    stall_timeout: int | None = None, remove_on_complete: bool | None = None, remove_on_fail: bool | None = None,
    unique_key: str | None = None, depends_on: Sequence[int] | None = None, keep_completed_age: int | None = None,
    keep_completed_count: int | None = None, retry: RetryPolicy | None = None, group_id: str | None = None,
    on_duplicate: Literal["error", "existing"] | None = None,
    on_parent_failure: Literal["wait", "fail", "run"] | None = None, name: str | None = None,
    version: int | None = None, fail_parent: bool | None = None,
    durability: Literal["memory", "interval", "commit"] | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[Flow]:
    """Push a parent and its children as one: the parent waits until all of them are completed.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    children: Up to 1000 of them: `queue` and push options each, but those of debounce.

    data: The parent's payload, any value.

    on_duplicate: When another job holds `unique_key`: refuse the flow (`error`), or take that job in place of this
        one (`existing`).

    fail_parent: When a child is dead or removed, the parent is dead as well, as `dependency_failed`. Retrying the
        child does not bring it back; retrying the parent does, and it waits for no child then. Without, it waits
        until the child is retried and done.

    durability: Wait for more than the server promises by its `--durability`, as for `commit` where that is
        `interval`; what asks for less, or as much, changes nothing.

    All others: as in PushOptions.
    """
    fields: dict[str, object] = {
        "queue": queue, "children": children, "data": data, "priority": priority, "delay": delay, "ttl": ttl,
        "timeout": timeout, "max_attempts": max_attempts, "backoff": backoff, "lifo": lifo, "tags": tags,
        "job_id": job_id, "stall_timeout": stall_timeout, "remove_on_complete": remove_on_complete,
        "remove_on_fail": remove_on_fail, "unique_key": unique_key, "depends_on": depends_on,
        "keep_completed_age": keep_completed_age, "keep_completed_count": keep_completed_count, "retry": retry,
        "group_id": group_id, "on_duplicate": on_duplicate, "on_parent_failure": on_parent_failure, "name": name,
        "version": version, "fail_parent": fail_parent, "durability": durability,
    }
    return make("FLOW", fields, readers.flow, receipt, deadline)


def get_children(parent_id: int, *, deadline: float | None = None) -> Call[Children]:
    """Show the children of a flow's parent.

    parent_id: The parent.
    """
    fields: dict[str, object] = {"parent_id": parent_id}
    return make("GETCHILDREN", fields, readers.children, None, deadline)

