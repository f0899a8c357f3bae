"""Output that a page shows: its commands run again, and what they print is held against the page, or renews it.

A block of the language `console` is a transcript: `$ command`, then what it printed. Of numbers, dates and lengths of
time only the shape counts, so that a page does not change with every run.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from flashq.cli import main
from support.server import server_environment

RENEW = os.environ.get("FLASHQ_RENEW_PAGES") == "1"
_SPAN = r"<?\bN (?:ms|days)\b|<?\bN[dhms]\b(?: N[hms]\b)?"


def shape(text: str) -> str:
    """A text without what differs from run to run."""
    text = re.sub(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "DAY", text)
    text = re.sub(r"\d[\d,.]*(?=[^\d,.]|$)", "N", text)
    text = re.sub(_SPAN, "SPAN", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


class Shell:
    """Runs the command lines of a page in one directory, with `flashq` on the path."""

    def __init__(self, directory: Path, url: str) -> None:
        program = directory / "bin" / "flashq"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m flashq "$@"\n')
        program.chmod(0o755)
        self.directory = directory
        self.environment = server_environment({"FLASHQ_URL": url})
        del self.environment["FLASHQ_SEGMENT_SIZE"]     # the tests' own
        self.environment["PATH"] = f"{program.parent}{os.pathsep}{self.environment['PATH']}"

    def run(self, line: str, check: bool = False) -> str:
        """What it prints, on stdout and stderr in their order. A plain `flashq` runs in this process: it is faster."""
        words = shlex.split(line)
        if words[0] == "flashq" and not check and not {"|", "<", ">"} & set(line):
            here = CliRunner().invoke(main, words[1:], prog_name="flashq", env={**self.environment, "COLUMNS": None})
            return _trimmed(here.output)
        done = subprocess.run(["sh", "-ec", line], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=check)
        assert "Traceback" not in done.stdout, done.stdout
        return _trimmed(done.stdout)

    def transcript(self, block: str) -> str:
        """The same commands with what they print now."""
        lines = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
        return "".join(f"$ {line}\n{self.run(line)}" for line in lines)


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def renew(page: Path, old: str, new: str) -> None:
    """Put new text in place of the old."""
    text = page.read_text(encoding="utf-8")
    assert text.count(old) == 1
    page.write_text(text.replace(old, new), encoding="utf-8")
