"""Files that commands write: whole or not at all, and never in place of another unasked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from flashq.storage.base import StorageError

FILE_MODE = 0o600


def check_new(path: Path, force: bool) -> None:
    """UsageError when the file is there, and may not be replaced."""
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already: take another name, or say --force")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside it that takes its name when all went well; only this user may read it. StorageError."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
