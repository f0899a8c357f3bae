"""The `flashq` command. A subcommand's module loads when it is run, so that `--help` and `--version` answer at once."""

import importlib

import click

from flashq import __version__

# name: where the click command stands, and its line in `flashq --help`
COMMANDS = {
    "serve": ("flashq.cli.serve:command", "Run the server."),
    "bench": ("flashq.cli.bench:command", "Measure a server with the compiled load generator."),
}


class LazyGroup(click.Group):
    """A group whose commands are named in COMMANDS and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="flashq", message="%(prog)s %(version)s")
def main() -> None:
    """flashQ, a job queue server: priorities, delays, retries and reservations in one process.

    Start one with `flashq serve`; `flashq COMMAND --help` tells the rest.
    """
