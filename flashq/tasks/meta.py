"""What a job carries beside its arguments: one key of its data, which no parameter can have for a name.

`trace`: W3C trace context, `{"traceparent": …, "tracestate": …}`. `take`: which parameter gets the results of the jobs
that it waited for, and whether it gets the only one (`one`) or all of them as a list (`all`). `after`: that it comes
after those all the same, where no parameter takes their results.
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
    after: bool


_NONE: Meta = {}


def meta_of(data: Any) -> Meta:
    """Of a job's data, for reading only; empty when there is none."""
    if not data or not isinstance(data, dict) or META not in data:
        return _NONE
    found = data[META]
    made: Meta = found if isinstance(found, dict) else {}      # type: ignore[assignment]  # read with care, key by key
    return made
