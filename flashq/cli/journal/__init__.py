"""`flashq journal`: what operators do with a data directory. All but `compact` only read it."""

import click

from flashq.cli import CONTEXT, LazyGroup

COMMANDS = {
    "inspect": ("flashq.cli.journal.inspect:command", "What the files of a data directory hold."),
    "verify": ("flashq.cli.journal.verify:command", "Read and check every byte; list what is damaged."),
    "dump": ("flashq.cli.journal.dump:command", "The records, as lines of JSON."),
    "export": ("flashq.cli.journal.export:command", "The jobs as they are now, as lines of JSON or in SQLite."),
    "compact": ("flashq.cli.journal.compact:command", "Write the state anew and drop what is older (stopped server)."),
}


@click.command(name="journal", cls=LazyGroup, sections={"Commands": COMMANDS}, context_settings=CONTEXT)
def command() -> None:
    """Look into the data directory of a server, which may be running: all but `compact` only read.

    They end with status 0 when all is well, 1 when something is damaged or failed, 2 when the command line is wrong.
    """
