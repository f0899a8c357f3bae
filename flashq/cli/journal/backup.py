"""`flashq backup`: a copy of a data directory that a server can be started on."""

from functools import partial
from pathlib import Path

import click
from rich.console import Console

from flashq.cli.journal.common import Bar, data_dir_option, print_json, running, size_text
from flashq.cli.json_option import json_option
from flashq.storage.journal.backup import backup


@click.command(name="backup")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@json_option()
@partial(data_dir_option, of_server=True)
def command(directory: Path, target: Path, as_json: bool) -> None:
    """Copy a data directory into DIR, which must be new or empty.

    Without --data-dir it is ./flashq-data; where there is none, that of the server at $FLASHQ_URL (or 127.0.0.1:6789),
    if it runs on this machine and Linux shows it to this user.

    The server may be running: the copy holds everything that was acknowledged before this began, and is checked at the
    end. To restore it, start a server with --data-dir DIR, or on a copy of it. Status 1 when nothing was copied.
    """
    pid = running(directory)
    with Bar() as bar:
        copied = backup(directory, target, bar.show)
    if as_json:
        print_json({"source": str(directory), "target": str(target), "running": pid, "checkpoint": copied.checkpoint,
                    "segments": copied.segments, "bytes": copied.size, "position": copied.position})
        return
    what = f"{copied.checkpoint} and {copied.segments} segments" if copied.checkpoint else f"{copied.segments} segments"
    console = Console()
    console.print(f"copied {what}, {size_text(copied.size)}, up to record {copied.position}", soft_wrap=True,
                  highlight=False)
    console.print(f"[green]OK[/green]: the copy was read and is whole; start on it with: flashq serve "
                  f"--data-dir {target}", soft_wrap=True, highlight=False)
