"""Tasks: functions that workers run. App, its tasks, flows of them, and what handlers may say."""
from typing import TYPE_CHECKING

from flashq import lazily

if TYPE_CHECKING:
    from flashq.tasks.app import App
    from flashq.tasks.context import CurrentJob, current_job
    from flashq.tasks.errors import (
        Discard,
        JobStopped,
        NamelessJob,
        PredecessorLost,
        PredecessorPending,
        ResultNotKept,
        ResultNotReady,
        Retry,
        TaskFailed,
        UnknownTask,
        UnreadableResult,
        WrongArgument,
        WrongData,
        WrongResult,
    )
    from flashq.tasks.flows import Chain, Group, GroupHandle, Step, chain, flow, group
    from flashq.tasks.handle import Handle
    from flashq.tasks.hooks import Middleware
    from flashq.tasks.options import Backoff
    from flashq.tasks.outcome import Outcome
    from flashq.tasks.run import run_job
    from flashq.tasks.schedules import Scheduled
    from flashq.tasks.task import AsyncTask, ManyPushed, Task

__all__ = ["App", "AsyncTask", "Backoff", "Chain", "CurrentJob", "Discard", "Group", "GroupHandle", "Handle",
           "JobStopped", "ManyPushed", "Middleware", "NamelessJob", "Outcome", "PredecessorLost",
           "PredecessorPending", "ResultNotKept", "ResultNotReady", "Retry", "Scheduled", "Step", "Task", "TaskFailed",
           "UnknownTask", "UnreadableResult", "WrongArgument", "WrongData", "WrongResult", "chain", "current_job",
           "flow", "group", "run_job"]

_MODULES: dict[str, tuple[str, ...]] = {
    "app": ("App",),
    "context": ("CurrentJob", "current_job"),
    "errors": (
        "Discard", "JobStopped", "NamelessJob", "PredecessorLost", "PredecessorPending", "ResultNotKept",
        "ResultNotReady", "Retry", "TaskFailed", "UnknownTask", "UnreadableResult", "WrongArgument", "WrongData",
        "WrongResult",
    ),
    "flows": ("Chain", "Group", "GroupHandle", "Step", "chain", "flow", "group"),
    "handle": ("Handle",),
    "hooks": ("Middleware",),
    "options": ("Backoff",),
    "outcome": ("Outcome",),
    "run": ("run_job",),
    "schedules": ("Scheduled",),
    "task": ("AsyncTask", "ManyPushed", "Task"),
}

__getattr__ = lazily("flashq.tasks", _MODULES)


def __dir__() -> list[str]:
    return __all__
