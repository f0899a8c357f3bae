"""What may be said of a task, of one push of it, or of all tasks of an app; and how that is told to the server."""
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import ceil
from typing import Any, Literal, TypedDict

from flashq.client.record import Record
from flashq.client.shapes import PushOptions, RetryPolicy

Seconds = float | timedelta
Key = bool | str | Callable[..., str]


def milliseconds(value: Seconds, name: str) -> int:
    """Of seconds, or a timedelta; never 0 for what is more. ValueError names what was wrong."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds or a timedelta, not {type(value).__name__}")
    if not 0 <= value < 1e15:
        raise ValueError(f"{name} must not be negative, nor larger than 1e15 seconds")
    return ceil(round(value * 1000, 3))


class Backoff(Record):
    """How long retries wait, in seconds. Up to `jitter` of each wait, at random, is taken off it.

    `exponential`: delay, 2 * delay, 4 * delay …; `linear`: delay, 2 * delay, 3 * delay …; `fixed`: delay each time.
    """

    delay: Seconds
    max: Seconds | None = timedelta(hours=1)
    jitter: float = 0.5
    type: Literal["exponential", "linear", "fixed"] = "exponential"

    def policy(self) -> RetryPolicy:
        """As the server takes it."""
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter of a backoff must be from 0 to 1")
        policy: RetryPolicy = {"type": self.type, "delay": milliseconds(self.delay, "delay of a backoff")}
        if self.max is not None:
            policy["max"] = milliseconds(self.max, "max of a backoff")
        if self.jitter:
            policy["jitter"] = self.jitter
        return policy


RETRIES = 4                 # after the first attempt: five in all
BACKOFF = 5                 # the delay of a Backoff


class PushSettings(TypedDict, total=False):
    """What may be said of one push. Times are seconds, or timedelta."""

    # Greater runs sooner.
    priority: int
    # How often it is tried again after a failure; None = for ever. Unset: 4.
    retries: int | None
    # How long those wait: seconds before the first, which then double, or a Backoff. Unset: Backoff(5).
    backoff: Seconds | Backoff
    # What an attempt may take, from its delivery on.
    timeout: Seconds | None
    # Until the job may run.
    delay: Seconds
    # After which it is dropped if no worker has taken it.
    ttl: Seconds | None
    # One job at a time with the same arguments (True), or the same key, which a function may make of the arguments.
    unique: Key
    # What a push does while another job has its key: give a handle of that one, give it these arguments, or refuse.
    on_duplicate: Literal["existing", "replace", "error"]
    # Jobs of a group run one after the other; a function makes it of the arguments.
    group: str | Callable[..., str] | None
    # How long a silent worker may keep it; heartbeats are sent by themselves.
    stall_timeout: Seconds | None
    # How long the result is kept; unset, as the server's limits say.
    keep_result: Seconds
    # Keep neither job nor result when it is done.
    remove_on_complete: bool
    # Newest first.
    lifo: bool
    # Labels.
    tags: Sequence[str]


class TaskSettings(PushSettings, total=False):
    """What may be said of a task."""

    # The queue of its jobs.
    queue: str
    # What workers know it by; unset, the name of the function.
    name: str
    # Of its arguments: jobs go only to workers that have this version, or a higher one.
    version: int
    # Exceptions that another attempt would only repeat: the job is a dead letter at once.
    no_retry: Sequence[type[BaseException]]


_TIMES = {"timeout": "timeout", "ttl": "ttl", "delay": "delay", "stall_timeout": "stall_timeout",
          "keep_result": "keep_completed_age"}
_SAME = ("priority", "remove_on_complete", "lifo", "version")
_KNOWN = set(TaskSettings.__annotations__) | set(PushSettings.__annotations__)


def check_names(settings: object) -> None:
    """That there is nothing else in it. TypeError names what is."""
    assert isinstance(settings, dict)
    for name in settings:
        if name not in _KNOWN:
            raise TypeError(f"unknown option '{name}' of a task; there are {', '.join(sorted(_KNOWN))}")


def fields_of(settings: TaskSettings) -> PushOptions:
    """The options of a push that do not depend on its arguments."""
    check_names(settings)
    given: dict[str, Any] = dict(settings)
    fields: dict[str, Any] = {name: given[name] for name in _SAME if given.get(name) is not None}
    for name, told in _TIMES.items():
        if given.get(name) is not None:
            fields[told] = milliseconds(given[name], name)
    if given.get("tags"):
        fields["tags"] = list(given["tags"])
    fields["max_attempts"] = _attempts(given.get("retries", RETRIES))
    backoff = given.get("backoff", BACKOFF)
    fields["retry"] = (backoff if isinstance(backoff, Backoff) else Backoff(backoff)).policy()
    if isinstance(given.get("group"), str):
        fields["group_id"] = given["group"]
    made: PushOptions = fields      # type: ignore[assignment]  # built name by name from the tables above
    return made


def _attempts(retries: object) -> int:
    if retries is None:
        return 0
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ValueError("retries must be a number from 0 on, or None for ever")
    return retries + 1
