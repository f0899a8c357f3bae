"""Jobs that wait for others and take their results: `chain`, `group`, `flow`."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from flashq.tasks.task import Task

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """A job to be: a task, and arguments as they go over the wire."""

    task: "Task[..., R]"
    data: dict[str, Any]
