"""What the `flashq` command ends with: every exit status once, and which failure has which."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, Any, NoReturn

import click

from flashq.cli.harmless import harmless
from flashq.errors import AUTH_REQUIRED, INVALID_TOKEN


class Exit(IntEnum):
    """A status, and when a command ends with it."""

    doc: str

    def __new__(cls, value: int, doc: str) -> "Exit":
        one = int.__new__(cls, value)
        one._value_ = value
        one.doc = doc
        return one

    DONE = 0, "Done."
    REFUSED = 1, "Refused by the server, not found, or answered with no; or some of many were refused."
    USAGE = 2, "The command line is wrong, or it asks for something that needs `--yes`. Nothing was done."
    NO_CONNECTION = 3, "No server answers there, its certificate is not trusted, or the connection was lost."
    NO_ANSWER = 4, "No answer came within `--deadline`; the message says whether it may have been done all the same."
    NOTHING = 5, "Nothing there: `pull` got no job."
    ACCESS = 6, "The server wants a token, or another one."
    INTERRUPTED = 130, "Ctrl-C."
    PIPE = 141, "Whoever read the output went away, as `head` does."


ACCESS_CODES = (AUTH_REQUIRED.code, INVALID_TOKEN.code)


class Failure(click.ClickException):
    """What ends a command with a status of its own. `code` and `field` are those of a refusal by the server."""

    def __init__(self, status: Exit, text: str, code: str = "", field: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.field = field
        self.as_json = False

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it only
        """The status as a number."""
        return int(self.status)

    def show(self, file: IO[Any] | None = None) -> None:
        """One line on stderr: for people, or with `--json` an object."""
        if self.as_json:
            shown = {"error": self.message, "code": self.code or None, "field": self.field, "status": self.exit_code}
            click.echo(json.dumps(shown), err=True)
            return
        notes = "; field ".join(filter(None, (self.code, self.field)))
        line = harmless(" ".join(self.message.split()))
        click.echo(f"Error: {line} [{notes}]" if notes else f"Error: {line}", err=True)


def json_failure(error: click.ClickException) -> Failure:
    """The same, to be told as JSON."""
    if isinstance(error, Failure):
        failure = error
    elif isinstance(error, click.UsageError):
        failure = Failure(Exit.USAGE, " ".join(error.format_message().split()))    # click lists choices on lines
    else:
        failure = Failure(Exit.REFUSED, error.format_message())
    failure.as_json = True
    return failure


def failure_of(error: Exception) -> Failure | None:
    """How a command ends that met this exception; None for one that is a bug."""
    from flashq.client import CommandError, DeadlineExceeded, FlashQError
    from flashq.storage.base import StorageError

    if isinstance(error, CommandError):
        return Failure(Exit.ACCESS if error.code in ACCESS_CODES else Exit.REFUSED, error.text, error.code, error.field)
    if isinstance(error, DeadlineExceeded):
        return Failure(Exit.NO_ANSWER, str(error))
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return Failure(Exit.USAGE, "an argument is no UTF-8")
    if isinstance(error, StorageError):
        return Failure(Exit.REFUSED, str(error))
    if isinstance(error, FlashQError):
        return Failure(Exit.NO_CONNECTION, str(error))
    return None


@contextmanager
def ending() -> Iterator[None]:
    """What a command raises becomes one line on stderr and its status."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except BrokenPipeError:
        leave_pipe()
    except (KeyboardInterrupt, click.Abort):
        raise SystemExit(int(Exit.INTERRUPTED)) from None
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from None


def leave_pipe() -> NoReturn:
    """Whoever read stdout is gone: end without a word, also of what is still in the buffer."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
    raise SystemExit(int(Exit.PIPE))
