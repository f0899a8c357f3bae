"""How an attempt ended, and what the server is told of it."""
import traceback
from dataclasses import dataclass
from typing import Any, Literal

from flashq.client.call import Call
from flashq.client.calls import jobs as calls
from flashq.client.shapes import Job

ERROR_CHARACTERS = 8192     # of an error's text, its traceback included

Kind = Literal["done", "failed", "dead", "released", "lost"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`done` with a result; `failed`, to be retried if it may; `dead` at once; `released`, uncounted; or `lost`.

    `result` is plain, as it goes over the wire. `retry_after` is ms, None for what the job's backoff says. Of a `lost`
    one the server is told nothing: the job was cancelled, or is another worker's.
    """

    kind: Kind
    result: Any = None
    error: str | None = None
    retry_after: int | None = None
    exception: BaseException | None = None

    def call(self, job: Job, deadline: float | None = None) -> Call[None] | None:
        """What tells the server, within `deadline` seconds; None when there is nothing to tell."""
        if self.kind == "done":
            return calls.ack(job, self.result, deadline=deadline)
        if self.kind == "lost":
            return None
        return calls.fail(
            job, self.error, retry=False if self.kind == "dead" else None, retry_after=self.retry_after,
            release=True if self.kind == "released" else None, deadline=deadline)


DONE = Outcome("done")


def error_text(exception: BaseException) -> str:
    """The exception in a line, then the frames of the user's code that led there, innermost last; bounded."""
    said = "".join(traceback.format_exception_only(exception)).strip()
    frames = [one for one in traceback.extract_tb(exception.__traceback__) if not _own(one.filename)]
    where = "".join(traceback.format_list(frames)).rstrip()
    text = f"{said}\n{where}" if where else said
    return text if len(text) <= ERROR_CHARACTERS else f"{text[:ERROR_CHARACTERS]}…"


def _own(filename: str) -> bool:
    return filename.startswith(_HERE)


_HERE = __file__.rpartition("tasks")[0]
