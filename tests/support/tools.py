"""Programs of the machine that a test needs: skipped loudly where one lacks, a failure under CI=true."""

import os
import shutil

import pytest


def need_tool(name: str) -> str:
    """The path of a program. Without it the test is skipped, or fails under CI=true."""
    path = shutil.which(name)
    if path is None:
        lacking(f"the program `{name}` is not installed")
    assert path is not None
    return path


def lacking(what: str) -> None:
    """End this test because the machine lacks something."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI=true nothing may lack: {what}")
    pytest.skip(what)
