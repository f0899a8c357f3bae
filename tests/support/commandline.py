"""The `flashq` command as a user runs it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.server import server_environment


def flashq(directory: Path, *words: Any, status: int | None = 0,
           env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """What it printed, run in that directory. It must end with this status; None: with any."""
    command = [sys.executable, "-m", "flashq", *map(str, words)]
    done = subprocess.run(command, cwd=directory, env=server_environment(env), capture_output=True, text=True,
                          timeout=120, check=False)
    assert status is None or done.returncode == status, f"{words} ended with {done.returncode}:\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done
