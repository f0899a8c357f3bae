"""What tasks raise, and what handlers raise to say how a job goes on."""
from datetime import timedelta

from flashq.client.errors import FlashQError
from flashq.client.refusals import JobFailed, JobNotFound


class WrongArgument(TypeError):
    """An argument that the task does not take, or not in this form. `parameter` names it, if one is to blame."""

    def __init__(self, task: str, text: str, parameter: str | None = None) -> None:
        super().__init__(f"{task}: {text}")
        self.parameter = parameter


class WrongData(WrongArgument):
    """The data of a delivered job are no arguments of its task."""


class WrongResult(TypeError):
    """What a handler returned is not what its return annotation says, or cannot be kept."""


class UnreadableResult(TypeError):
    """A kept result is not what the task's return annotation says: another version of the task wrote it."""


class UnknownTask(LookupError):
    """A job whose name is none of the app's tasks. It is none of this worker's business: it goes back to its queue."""


class NamelessJob(LookupError):
    """A job without a name, in a queue of which the app has not exactly one task."""


class PredecessorPending(Exception):
    """A job of a flow was delivered before one that it waits for is done: its dead letter was retried along with that.

    It goes back to its queue uncounted, to come again after `delay_ms`.
    """

    def __init__(self, id: int, state: str, delay_ms: int) -> None:
        super().__init__(f"job {id}, which it waits for, is {state}")
        self.delay_ms = delay_ms


class PredecessorLost(LookupError):
    """A job of a flow takes the result of one that has none, and will have none: it is dead, or not kept any more."""

    def __init__(self, id: int, state: str) -> None:
        super().__init__(f"job {id}, whose result it takes, is {state}")


class TaskFailed(JobFailed):
    """The job failed for good: what a handle raises in place of the result.

    `error` is the text of the last failure with the frames of the handler's code, `error_type` the name of the
    exception that it begins with; both are None once the job is not kept any more, or where the text names none.
    """

    def __init__(self, job_id: int, task: str, error: str | None, reason: str | None) -> None:
        said = error.partition("\n")[0] if error else reason or "its error is not kept any more"
        super().__init__(f"job {job_id} of {task} failed: {said}", "WAITJOB")
        self.job_id = job_id
        self.task = task
        self.error = error
        self.reason = reason

    @property
    def error_type(self) -> str | None:
        """As `ValueError` or `shop.errors.OutOfStock`."""
        name = (self.error or "").partition("\n")[0].partition(":")[0]
        return name if name and all(part.isidentifier() for part in name.split(".")) else None


class ResultNotReady(FlashQError, TimeoutError):
    """The job had not ended when the time to wait for it was over. It goes on."""


class ResultNotKept(JobNotFound):
    """The job is completed, and what it returned is not kept any more: it may have been None, or anything else."""

    def __init__(self, job_id: int, task: str) -> None:
        super().__init__(f"job {job_id} of {task} is completed, but its result is not kept any more: `keep_result` of "
                         "the task, or --keep-results and --keep-result-bytes of the server, keep results longer",
                         "WAITJOB")
        self.job_id = job_id
        self.task = task


class JobStopped(Exception):
    """Raised by `check_cancelled` in a handler whose work is for nothing: `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the job was stopped: {reason}")
        self.reason = reason


class Retry(Exception):
    """Raise it to have the job tried again: after `in_` seconds, or as its backoff says.

    It counts as a failed attempt, and the last attempt stays the last; with `count=False` it does not.
    """

    def __init__(self, reason: str = "", *, in_: float | timedelta | None = None, count: bool = True) -> None:
        super().__init__(reason or "the handler asked for another attempt")
        self.in_ = in_
        self.count = count


class Discard(Exception):
    """Raise it to give a job up: it is a dead letter at once, with this reason."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "the handler gave the job up")
