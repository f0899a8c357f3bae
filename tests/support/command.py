"""The `flashq` command, run to its end the way a user runs it."""

import subprocess
import sys
from pathlib import Path

from support.server import START_SECONDS, server_environment

Done = subprocess.CompletedProcess[str]


def flashq_command(*arguments: str, directory: Path, env: dict[str, str] | None = None) -> Done:
    """`flashq` with these arguments, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "flashq", *arguments],
        cwd=directory,
        env=server_environment(env),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def refused(*flags: str, directory: Path, env: dict[str, str] | None = None) -> str:
    """What a server that must not start says: one line, no traceback."""
    done = flashq_command("serve", "--log-format", "json", *flags, directory=directory, env=env)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line and not line.startswith(("{", "Usage:", "Try "))]
    assert len(said) == 1, done.stderr
    return said[0]
