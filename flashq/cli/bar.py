"""How far a push of many lines is."""
import os
from typing import Any, BinaryIO

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from flashq.cli.lines import Tally
from flashq.cli.tables import console


class Bar:
    """How far it is, on stderr if that is a terminal: by bytes of a file, else without an end."""

    def __init__(self, stream: BinaryIO) -> None:
        shown = console(stderr=True)
        self._progress = Progress(
            TextColumn("pushing"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[jobs]:,} jobs"),
            TimeElapsedColumn(), console=shown, disable=not shown.is_terminal, transient=True,
        )
        self._task = self._progress.add_task("pushing", total=_size(stream), jobs=0)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_details: Any) -> None:
        self._progress.stop()

    def read(self, size: int) -> None:
        """So many bytes more."""
        self._progress.advance(self._task, size)

    def show(self, tally: Tally) -> None:
        """So many jobs by now."""
        self._progress.update(self._task, jobs=tally.pushed)


def _size(stream: BinaryIO) -> int | None:
    try:
        return os.fstat(stream.fileno()).st_size or None
    except (OSError, ValueError, AttributeError):
        return None
