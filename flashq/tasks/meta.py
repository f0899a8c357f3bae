"""What a job carries beside its arguments: one key of its data, which no parameter can have for a name.

`trace`: W3C trace context, `{"traceparent": …, "tracestate": …}`. `take`: which parameter gets the results of the jobs
that it waited for, and whether it gets the only one (`one`) or all of them as a list (`all`).
"""
from typing import Any, Literal, TypedDict

META = "$flashq"


class Take(TypedDict):
    """Where the results of predecessors go. `parameter` is None when the task asks for none."""

    parameter: str
    what: Literal["one", "all"]


class Meta(TypedDict, total=False):
    """Of one job."""

    trace: dict[str, str]
    take: Take


def meta_of(data: Any) -> Meta:
    """Of a job's data; empty when there is none."""
    found = data.get(META) if isinstance(data, dict) else None
    made: Meta = found if isinstance(found, dict) else {}      # type: ignore[assignment]  # read with care, key by key
    return made
