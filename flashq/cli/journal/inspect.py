"""`flashq journal inspect`: what the files of a data directory hold."""

from pathlib import Path

import click

from flashq.cli.journal.common import Bar, data_directory, print_json, size_text
from flashq.cli.journal.report import (
    as_dict,
    console_for_tables,
    examine,
    print_damages,
    print_end,
    print_files,
    print_records,
)
from flashq.cli.json_option import json_option


@click.command(name="inspect")
@json_option()
@data_directory
def command(directory: Path, as_json: bool) -> None:
    """Show the files of a data directory, the records in them, and how the log ends.

    Nothing is changed, and a server may be using it. Status 1 when something is damaged.
    """
    with Bar() as bar:
        report, _nothing = examine(directory, bar)
    if as_json:
        print_json(as_dict(report))
    else:
        console = console_for_tables()
        print_files(console, report)
        print_records(console, report)
        console.print(f"{size_text(report.used)} of disk used, {size_text(report.needed)} of it needed by a start",
                      highlight=False)
        print_damages(console, report)
        print_end(console, report)
    raise SystemExit(1 if report.damages or report.refusal else 0)
