"""What all commands that ask a server share: `--url`, `--deadline`, `--json`, the connection, and how they end."""

import functools
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from flashq.cli.exits import Exit, Failure, failure_of
from flashq.cli.json_option import json_flag
from flashq.cli.output import Output
from flashq.cli.values import DURATION

if TYPE_CHECKING:
    from flashq.client import Endpoint, FlashQ
    from flashq.client.streams import Told

DEADLINE = "10s"
URL_HELP = ("The server, as flashq://TOKEN@HOST:PORT?tls=1 or flashq+unix:///PATH. [flashq://127.0.0.1:6789; "
            "$FLASHQ_URL]")
DEADLINE_HELP = "The longest that an answer may take, on top of a wait that is asked for."

Function = Callable[..., None]


class Here:
    """What a command gets: how to print, and `client`, which connects when it is first asked for."""

    def __init__(self, url: str | None, deadline_ms: int, as_json: bool, stack: ExitStack) -> None:
        self.url = url
        self.seconds = deadline_ms / 1000
        self.as_json = as_json
        self.out = Output(as_json)
        self._stack = stack

    @functools.cached_property
    def client(self) -> "FlashQ":
        """Connected. Failure when there is no server."""
        return self._kept(client_of(self.url, self.seconds))

    def listener(self, on_told: "Callable[[Told], object]") -> "FlashQ":
        """Another one, that hears what the server tells unasked."""
        return self._kept(client_of(self.url, self.seconds, on_told))

    def _kept(self, client: "FlashQ") -> "FlashQ":
        self._stack.callback(client.close)
        return client


def endpoint_of(url: str | None) -> "Endpoint":
    """Where the server is. UsageError when the URL is wrong."""
    from flashq.client.endpoint import parse

    try:
        return parse(url)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def client_of(url: str | None, seconds: float, on_told: "Callable[[Told], object] | None" = None,
              ask_again: bool = True) -> "FlashQ":
    """A connected client. Failure at once when nobody listens there; it would go on trying by itself.

    `ask_again`: of one that gives no proper answer find out what it is, which takes up to 2 s more.
    """
    from flashq.client import FlashQ

    there = endpoint_of(url)
    try:
        client = FlashQ(there, deadline=seconds, on_told=on_told)
    except OSError as error:    # the file of authorities
        raise click.UsageError(f"flashq URL: {there}: {error}") from None
    try:
        reach(there, seconds)
        _greet(client, there, seconds if ask_again else 0)
    except BaseException:
        client.close()
        raise
    return client


def _greet(client: "FlashQ", there: "Endpoint", more_seconds: float) -> None:
    from flashq.cli.likely import likely
    from flashq.client import DeadlineExceeded, FlashQError, UntrustedServer

    try:
        client.connect()
    except UntrustedServer as error:
        raise Failure(Exit.NO_CONNECTION, f"the certificate of {error}") from None
    except DeadlineExceeded as error:
        what = likely(there, more_seconds) if more_seconds else ""
        raise Failure(Exit.NO_CONNECTION, f"{there} did not answer as a flashQ server: {what or error}") from None
    except FlashQError as error:
        raise failure_of(error) or error from None


def reach(there: "Endpoint", seconds: float) -> None:
    """Whether anybody listens there. Failure says why not."""
    try:
        if there.path:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(seconds)
                sock.connect(there.path)
        else:
            socket.create_connection((there.host, there.port), timeout=seconds).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Failure(Exit.NO_CONNECTION, f"no server at {there}: {reason}. Start one with `flashq serve`, or name "
                      "another with --url or FLASHQ_URL") from None


def shared_options() -> list[click.Option]:
    """Of each such command, at the end of its own."""
    return [
        click.Option(["--url", "-u"], metavar="URL", help=URL_HELP),
        click.Option(["--deadline"], type=DURATION, default=DEADLINE, show_default=True, help=DEADLINE_HELP),
        json_flag(),
    ]


def client_command(name: str, **attributes: Any) -> Callable[[Function], click.Command]:
    """A command of this name: the function gets a Here and its own parameters."""

    def decorate(function: Function) -> click.Command:
        def run(url: str | None, deadline: int, as_json: bool, **parameters: Any) -> None:
            if deadline <= 0:
                raise click.UsageError("--deadline: must be more than 0")
            with ExitStack() as stack:
                function(Here(url, deadline, as_json, stack), **parameters)

        own: list[click.Parameter] = list(reversed(getattr(function, "__click_params__", [])))
        settings = {"max_content_width": 110, "help_option_names": ["-h", "--help"]}
        return click.Command(name, callback=run, params=[*own, *shared_options()], help=function.__doc__,
                             context_settings=settings, **attributes)

    return decorate


def ask(text: str, yes: bool) -> None:
    """Have something destroyed only when the user said so: by --yes, or at a terminal."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(f"{text} There is no terminal to ask at: say --yes if that is meant.")
    if not click.confirm(text + " Go on?", err=True):
        raise Failure(Exit.REFUSED, "nothing was done")


def yes_option(function: Function) -> Function:
    """`--yes` of the commands that destroy."""
    decorated: Function = click.option("--yes", "-y", is_flag=True, help="Do not ask.")(function)
    return decorated
