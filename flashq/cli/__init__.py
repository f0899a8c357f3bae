"""The `flashq` command. A subcommand's module loads when it is run, so that `--help` and `--version` answer at once."""

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import click

from flashq import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Table = Mapping[str, tuple[str, str]]

# section: name: where the click command stands, and its line in `flashq --help`
SECTIONS: Mapping[str, Table] = {
    "Server": {
        "serve": ("flashq.cli.serve:command", "Run the server."),
        "doctor": ("flashq.cli.doctor.command:command", "Find what would hurt in production, and what to do."),
        "bench": ("flashq.cli.bench:command", "Measure a server with the compiled load generator."),
    },
    "Workers": {
        "worker": ("flashq.cli.worker:command", "Run the tasks of an app."),
    },
    "Jobs": {
        "push": ("flashq.cli.push:command", "Add a job, or one for each line of a file or of stdin."),
        "pull": ("flashq.cli.pull:command", "Take the next jobs and print them."),
        "job": ("flashq.cli.job:command", "Show one job: state, history, why it does not run, result, log."),
        "jobs": ("flashq.cli.jobs:command", "List jobs."),
        "cancel": ("flashq.cli.jobs:cancel", "Remove jobs that have not ended."),
        "retry": ("flashq.cli.jobs:retry", "Let dead letters run again."),
        "promote": ("flashq.cli.jobs:promote", "Make delayed jobs ready now."),
        "dlq": ("flashq.cli.dlq:command", "Dead letters of a queue: list, retry, purge."),
        "events": ("flashq.cli.events:command", "Print what becomes of jobs, as it happens."),
    },
    "Queues": {
        "top": ("flashq.cli.top.command:command", "A live view of the queues, with keys to steer them."),
        "queues": ("flashq.cli.queues:queues", "List queues with their counts and limits."),
        "stats": ("flashq.cli.queues:stats", "Totals of the server."),
        "pause": ("flashq.cli.control:pause", "Hand out no more jobs of a queue."),
        "resume": ("flashq.cli.control:resume", "Hand out the jobs of a paused queue again."),
        "limit": ("flashq.cli.control:limit", "Set and show a queue's limits."),
        "drain": ("flashq.cli.control:drain", "Remove a queue's waiting and delayed jobs."),
        "clean": ("flashq.cli.control:clean", "Remove old jobs of a queue that are in one state."),
        "obliterate": ("flashq.cli.control:obliterate", "Remove a queue with all that belongs to it."),
        "export": ("flashq.cli.transfer:export", "Write jobs of a running server as lines of JSON."),
        "import": ("flashq.cli.transfer:import_", "Push the jobs of such a file."),
    },
    "Beside the jobs": {
        "cron": ("flashq.cli.cron:command", "Schedules: list, add, rm; `next` shows when one runs."),
        "kv": ("flashq.cli.kv:command", "Keys and values: get, set, del, keys."),
    },
    "Data directory": {
        "journal": ("flashq.cli.journal:command", "Look into a data directory, check it, export from it, compact it."),
        "backup": ("flashq.cli.journal.backup:command", "Copy the data directory of a running server."),
    },
    "Shell": {
        "completion": ("flashq.cli.completion:command", "Print the completion script of bash, zsh or fish."),
    },
}


class LazyGroup(click.Group):
    """A group whose commands stand in tables such as SECTIONS and are imported on use."""

    def __init__(self, *args: Any, sections: Mapping[str, Table], **options: Any) -> None:
        super().__init__(*args, **options)
        self._sections = sections
        self._table = {name: entry for table in sections.values() for name, entry in table.items()}

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
        for section, table in self._sections.items():
            with formatter.section(section):
                formatter.write_dl([(name, line) for name, (_, line) in table.items()], col_max=26)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Likewise."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name, help=line) for name, (_, line) in self._table.items()
                if name.startswith(incomplete)]


class Main(LazyGroup):
    """The `flashq` command: how all others end, also on a command line that is wrong."""

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None,
                     **extra: Any) -> click.Context:
        """As always; what was asked for is remembered, for a command that is never made."""
        as_json = "--json" in takewhile(lambda word: word != "--", args)
        with _told(as_json):
            made = super().make_context(info_name, args, parent, **extra)
        made.meta[_AS_JSON] = as_json
        return made

    def invoke(self, ctx: click.Context) -> Any:
        """As always; exceptions that are no bugs become failures."""
        from flashq.cli.exits import ending

        with _told(ctx.meta[_AS_JSON]), ending():
            return super().invoke(ctx)


@contextmanager
def _told(as_json: bool) -> Iterator[None]:
    """A failure is told in the form that the command line asks for."""
    try:
        yield
    except click.ClickException as error:
        if not as_json:
            raise
        from flashq.cli.exits import json_failure

        raise json_failure(error) from None


_AS_JSON = f"{__name__}.as_json"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.command(cls=Main, sections=SECTIONS, context_settings=CONTEXT,
               epilog="Exit status: 0 done, 1 refused or not found, 2 wrong command line, 3 no connection, 4 no answer "
                      "in time, 5 no job, 6 access refused.")
@click.version_option(__version__, prog_name="flashq", message="%(prog)s %(version)s")
def main() -> None:
    """flashQ, a job queue server: priorities, delays, retries and reservations in one process.

    Start one with `flashq serve`; `flashq COMMAND --help` tells the rest. The other commands ask the server at
    $FLASHQ_URL, or 127.0.0.1:6789.
    """
    _fill_standard_files()


def _fill_standard_files() -> None:
    """Where a shell closed stdin, stdout or stderr (`<&-`) their numbers would go to sockets, which libuv abhors."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)      # takes the smallest that is free
