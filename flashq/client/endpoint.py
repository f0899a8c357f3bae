"""Where a server is and how to speak with it: `flashq://token@host:port?tls=1&deadline=10`, `flashq+unix:///path`."""
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from flashq.client.record import Record

if TYPE_CHECKING:
    import ssl

VARIABLE = "FLASHQ_URL"
DEFAULT_URL = "flashq://127.0.0.1:6789"
DEFAULT_PORT = 6789
FORMATS = ("msgpack", "json")
_SWITCH = {"1": True, "true": True, "0": False, "false": False}
_TIMES = ("connect_timeout", "deadline")
_TCP_KEYS = ("tls", "ca", "format", *_TIMES)
_UNIX_KEYS = ("format", *_TIMES)
_ADDRESS = re.compile(r"(localhost|\d+(\.\d+){3}|\[[0-9a-fA-F:.]+\])(:\d{1,5})?|[\w.-]+:\d{1,5}", re.ASCII)


class Endpoint(Record):
    """One server: `path` of a Unix socket, or else `host` and `port`. The token does not show in its repr."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str = ""
    tls: bool = False
    ca: str = ""            # PEM file of the authorities to trust, in place of the machine's
    format: str = "msgpack"
    token: str | None = None
    connect_timeout: float | None = None    # seconds that calls wait for the first connection; None: the client's rule
    deadline: float | None = None           # seconds that a call may take; likewise

    def ssl_context(self) -> "ssl.SSLContext | None":
        """Verifies certificate and host name; None without TLS."""
        if not self.tls:
            return None
        import ssl

        return ssl.create_default_context(cafile=self.ca or None)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name != "token")
        return f"{type(self).__qualname__}({shown})"

    def __str__(self) -> str:
        """Its URL without the token."""
        if self.path:
            return f"flashq+unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"flashq://{host}:{self.port}{'?tls=1' if self.tls else ''}"


def parse(url: str | None = None, environment: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint that a URL names; without one, that of FLASHQ_URL, or 127.0.0.1:6789. ValueError says what is wrong.

    The error never shows the URL, which may hold a token.
    """
    environment = os.environ if environment is None else environment
    text = url or environment.get(VARIABLE) or DEFAULT_URL
    parts = urlsplit(text)
    token = unquote(parts.username) if parts.username else None
    if parts.password is not None:
        raise ValueError("flashq URL: the token stands alone before '@', without ':'")
    if parts.fragment:
        raise ValueError("flashq URL: '#' must be written as %23")
    if parts.scheme == "flashq+unix":
        return _unix(parts, token)
    if parts.scheme != "flashq":
        if _ADDRESS.fullmatch(text):    # of other texts nothing is repeated
            raise ValueError(f"flashq URL: must begin with flashq:// (did you mean flashq://{text}?)")
        other = f", not {parts.scheme}://" if parts.scheme else ""
        raise ValueError(f"flashq URL: must begin with flashq:// or flashq+unix://{other}")
    if parts.path not in ("", "/"):
        raise ValueError("flashq URL: nothing may stand between the port and '?'")
    values = _query(parts.query, _TCP_KEYS)
    ca = values.get("ca", "")
    tls = _switch("tls", values.get("tls", "1" if ca else "0"))
    if ca and not tls:
        raise ValueError("flashq URL: 'ca' needs tls=1")
    return Endpoint(parts.hostname or "127.0.0.1", _port(parts), "", tls, ca, _format(values), token, *_times(values))


def _unix(parts: SplitResult, token: str | None) -> Endpoint:
    if parts.hostname or not parts.path.startswith("/"):
        raise ValueError("flashq URL: a Unix socket needs an absolute path, as in flashq+unix:///run/flashq.sock")
    values = _query(parts.query, _UNIX_KEYS)
    return Endpoint("127.0.0.1", DEFAULT_PORT, unquote(parts.path), False, "", _format(values), token, *_times(values))


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("flashq URL: the port must be a number from 1 to 65535")
    return port or DEFAULT_PORT


def _query(query: str, known: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(f"flashq URL: unknown option '{name}'; there are {', '.join(known)}")
        if name in values:
            raise ValueError(f"flashq URL: option '{name}' stands there twice")
        values[name] = value
    return values


def _switch(name: str, value: str) -> bool:
    if value.lower() not in _SWITCH:
        raise ValueError(f"flashq URL: option '{name}' must be 1 or 0")
    return _SWITCH[value.lower()]


def _format(values: Mapping[str, str]) -> str:
    chosen = values.get("format", FORMATS[0])
    if chosen not in FORMATS:
        raise ValueError(f"flashq URL: option 'format' must be one of {', '.join(FORMATS)}")
    return chosen


def _times(values: Mapping[str, str]) -> list[float | None]:
    """Those of _TIMES, in their order."""
    return [_seconds(name, values[name]) if name in values else None for name in _TIMES]


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ValueError(f"flashq URL: option '{name}' must be a positive number of seconds")
    return seconds
