"""The `flashq` command. A subcommand's module loads when it is run, so that `--help` and `--version` answer at once."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from flashq import __version__

# name: where the click command stands, and its line in `flashq --help`
COMMANDS = {
    "serve": ("flashq.cli.serve:command", "Run the server."),
    "worker": ("flashq.cli.worker:command", "Run the tasks of an app."),
    "bench": ("flashq.cli.bench:command", "Measure a server with the compiled load generator."),
    "journal": ("flashq.cli.journal:command", "Look into a data directory, check it, export from it, compact it."),
    "backup": ("flashq.cli.journal.backup:command", "Copy the data directory of a running server."),
}


class LazyGroup(click.Group):
    """A group whose commands stand in a table such as COMMANDS and are imported on use."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in self._table:
            return None
        module, _, name = self._table[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.command(cls=LazyGroup, table=COMMANDS, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="flashq", message="%(prog)s %(version)s")
def main() -> None:
    """flashQ, a job queue server: priorities, delays, retries and reservations in one process.

    Start one with `flashq serve`; `flashq COMMAND --help` tells the rest.
    """
