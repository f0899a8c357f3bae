"""What a call may raise beside the refusals that the server's error codes name (flashq/client/refusals.py)."""
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from flashq.errors import ERRORS, ErrorCode


class FlashQError(Exception):
    """Of all that this client raises for what became of a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy, as between the processes of a pool: `__init__` of most takes more than the text."""
        return _again, (type(self), self.args), vars(self)


def _again(kind: type[FlashQError], args: tuple[Any, ...]) -> FlashQError:
    one = kind.__new__(kind)
    one.args = args
    return one


class ConnectionLost(FlashQError, ConnectionError):
    """The connection broke after the request was sent, and it is none that may be sent twice: it may have been done."""


class UntrustedServer(FlashQError, ConnectionError):
    """The server's certificate is none that this client trusts for this host name; nothing was sent."""


class DeadlineExceeded(FlashQError, TimeoutError):
    """No answer came within the call's deadline. `sent` says whether the server may have done it all the same."""

    def __init__(self, command: str, seconds: float, sent: bool, cause: str = "") -> None:
        doubt = "it may have been done" if sent else "it was never sent"
        super().__init__(f"{command}: no answer within {seconds:g} s; {doubt}{f' ({cause})' if cause else ''}")
        self.command = command
        self.sent = sent


class ClientClosed(FlashQError):
    """The client was closed, or its event loop is another one by now."""


class CommandError(FlashQError):
    """The server refused the command and changed nothing. Each code has a class of its own.

    `field` is the field that was wrong, if the text names one. `sent_again`: the request had gone out before on a
    connection that broke, and what is refused here may be a repetition of what the first one did.
    """

    code: ClassVar[str] = ""

    def __init__(self, text: str, command: str = "", *, sent_again: bool = False) -> None:
        super().__init__(text)
        self.command = command
        self.sent_again = sent_again

    @property
    def text(self) -> str:
        """What the server said."""
        return str(self.args[0])

    @property
    def field(self) -> str | None:
        """The field that was wrong, as `jobs[3].priority`."""
        return details(self.code, self.text).get("field")


class UnknownError(CommandError):
    """A refusal whose code this version does not know; it stands in the text."""


@cache
def _patterns(error: ErrorCode) -> tuple[re.Pattern[str], ...]:
    """What the texts of an error look like, each place of its template as a group."""
    templates = filter(None, (error.text, error.msgpack_text))
    return tuple(re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.*?)", re.escape(one)), re.DOTALL) for one in templates)


def recognise(code: str, text: str) -> tuple[ErrorCode | None, Mapping[str, str]]:
    """The entry of the table behind a refusal, and what stands in the places of its text."""
    for error in ERRORS:
        if code in ("", error.code):
            for pattern in _patterns(error):
                if found := pattern.fullmatch(text):
                    return error, found.groupdict()
    return None, {}


def details(code: str, text: str) -> Mapping[str, str]:
    """What stands in the places of a refusal's text: `field`, `number`, `text`, `rule`."""
    return recognise(code, text)[1]
