"""The `flashq` command in this process, against a server: fast enough to try each form of each command."""

import json
import re
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from flashq.cli import main
from support.clients import url_of
from support.server import ServerProcess

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Ran:
    """What a command printed, and its status."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Of stdout."""
        return self.out.splitlines()

    @property
    def objects(self) -> list[Any]:
        """The lines of stdout as JSON: nothing else may stand there."""
        return [json.loads(line) for line in self.lines]

    @property
    def object(self) -> Any:
        """The only one."""
        (one,) = self.objects
        return one

    @property
    def error(self) -> str:
        """The one line on stderr that says what went wrong."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        return line.removeprefix("Error: ")


class Cli:
    """Runs commands with the URL of a server in the environment."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *words: Any, status: int | None = 0, input: str | bytes | None = None,
                 env: dict[str, str | None] | None = None) -> Ran:
        """What it printed. It must end with this status (None: any), and with no exception that a user would see."""
        done = CliRunner().invoke(main, [str(word) for word in words], input=input, prog_name="flashq",
                                  env={"FLASHQ_URL": self.url, "COLUMNS": None, **(env or {})})
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        assert status in (None, done.exit_code), f"{words} ended with {done.exit_code}:\n{done.stdout}{done.stderr}"
        return Ran(done.exit_code, done.stdout, done.stderr)


def cli_of(server: ServerProcess) -> Cli:
    """Commands that ask this server."""
    return Cli(url_of(server))
