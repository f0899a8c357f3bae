"""What the commands on a data directory share: which one, how far they are, and how they fail."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from flashq import config
from flashq.cli.setting_option import SettingOption
from flashq.setting_types import SettingError
from flashq.storage.base import StorageError
from flashq.storage.journal.format import checkpoints_in, segments_in
from flashq.storage.journal.live import owner

_DATA_DIR = next(one for one in config.SETTINGS if one.name == "data_dir")
UNITS = ("bytes", "KB", "MB", "GB", "TB")

Command = Callable[..., None]


def data_directory(function: Command) -> Command:
    """A command with `--data-dir`, or the directory as an argument: it gets its Path as `directory`."""
    run = data_dir_option(function)
    run.__click_params__.append(click.Argument(["dir"], required=False, metavar="[DIR]"))  # type: ignore[attr-defined]
    return run


def data_dir_option(function: Command, of_server: bool = False) -> Command:
    """The same by `--data-dir` alone; `of_server`: where none is named nor there, that of the server that runs here."""

    def run(data_dir: str | None, dir: str | None = None, **options: Any) -> None:
        if data_dir is not None and dir is not None:
            raise click.UsageError("the directory is given twice")
        function(directory=_directory(data_dir if dir is None else dir, of_server), **options)

    run.__doc__ = function.__doc__
    run.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(function, "__click_params__", []), SettingOption(_DATA_DIR)]
    return run


def _directory(given: str | None, of_server: bool) -> Path:
    try:
        named = _DATA_DIR.given(given, os.environ)
    except SettingError as error:
        raise click.UsageError(str(error)) from None
    directory = Path(str(named or _DATA_DIR.default))
    if directory.is_dir():
        return directory
    found = _of_server() if of_server and named is None else None
    if found is None:
        raise StorageError(f"there is no directory {directory}: name the server's by {_DATA_DIR.flag}")
    return found


def _of_server() -> Path | None:
    """The data directory of the server that FLASHQ_URL names, if it runs on this machine and may be looked at."""
    from flashq.cli.connection import endpoint_of
    from flashq.cli.doctor.running import running as server_at

    server = server_at(endpoint_of(None))
    if server is None or not Path(server.settings.data_dir).is_dir():
        return None
    click.echo(f"{server.settings.data_dir} is the directory of the server, process {server.pid}", err=True)
    return Path(server.settings.data_dir)


def running(directory: Path) -> str | None:
    """The process of the server that uses a directory with a journal; StorageError when there is no journal in it."""
    pid = owner(directory)
    if pid is None and not checkpoints_in(directory) and not segments_in(directory):
        raise StorageError(f"there is no journal in {directory}")
    return pid


def note_of(pid: str, gone: int = 0) -> str:
    """What is to be said of a server that goes on while its files are read, some of which went before they were."""
    went = f", and {gone} files were replaced by a newer checkpoint before they were read" if gone else ""
    return f"in use by process {pid}: the end of the log may move while it is read{went}"


def size_text(size: int) -> str:
    """Bytes as people read them."""
    if size < 1024:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{size / 1024**power:.1f} {UNITS[power]}"


def print_json(value: object) -> None:
    """For programs, on stdout."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def note_json(value: object) -> None:
    """Likewise on one line of stderr, beside a result that is lines of JSON."""
    click.echo(orjson.dumps(value), err=True)


class Bar:
    """Bars of progress on stderr, if that is a terminal; one for each thing that is being done."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[more]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_details: Any) -> None:
        self._progress.stop()

    def show(self, doing: str, done: int, total: int, more: str = "") -> None:
        """How far that is."""
        if doing not in self._tasks:
            self._tasks[doing] = self._progress.add_task(doing, more="")
        self._progress.update(self._tasks[doing], completed=done, total=max(total, 1), more=more)
