"""What Python may call of probeobjects.pyx: tests only."""
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

def count_allocations(work: Callable[[_T], object], argument: _T) -> int: ...
