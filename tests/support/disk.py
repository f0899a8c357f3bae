"""The calls by which Python code changes files, watched or made to fail one at a time."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

CHANGES = ("open", "pwrite", "ftruncate", "posix_fallocate", "fsync", "rename", "unlink", "mkdir")


def watch(patch: pytest.MonkeyPatch, before: Callable[[str], None]) -> None:
    """Call `before(name)` before each of them, in whatever thread; what it raises, the call raises."""
    for name in CHANGES:
        if hasattr(os, name):
            patch.setattr(os, name, _watched(name, getattr(os, name), before))


def _watched(name: str, real: Callable[..., Any], before: Callable[[str], None]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        before(name)
        return real(*args, **options)

    return call


class FailingCall:
    """Lets the nth call fail, counted from 1; 0: none. `happened` says which one it was."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, code: int) -> None:
        self.happened: str | None = None
        self.calls = 0
        self._number = number
        self._code = code
        self._lock = threading.Lock()
        watch(patch, self._before)

    def _before(self, name: str) -> None:
        with self._lock:
            self.calls += 1
            if self.calls != self._number:
                return
            self.happened = name
        raise OSError(self._code, os.strerror(self._code))
