"""What a server says to the person who starts it: where it is, how durable, how to push a first job."""

import shlex
from dataclasses import dataclass

LOGIN = '{"cmd":"AUTH","token":"YOUR_TOKEN"}\\n'  # the tokens themselves are shown nowhere
FIRST_JOB = '{"cmd":"PUSH","queue":"emails","data":{"to":"a@b.c"}}\\n'


@dataclass
class Place:
    """Where a server really listens: None where it does not."""

    host: str | None = None
    port: int | None = None
    unix: str | None = None
    tls: bool = False  # of the TCP listener


def banner(place: Place, tokens: bool, promise: str) -> str:
    """The lines, without a last newline. With `tokens` a client has to send one first."""
    tcp = f"{_bracketed(place.host)}:{place.port}{' (TLS)' if place.tls else ''}" if place.host is not None else None
    lines = ["flashQ listens on " + " and ".join(filter(None, [tcp, place.unix]))]
    lines.append(f"  durability  {promise}")
    if tokens:
        login = LOGIN.removesuffix("\\n")
        lines.append(f"  access      each connection begins with {login}; YOUR_TOKEN is one of AUTH_TOKENS")
    lines.append("  first job   " + _first_job(place, (LOGIN if tokens else "") + FIRST_JOB))
    lines.append("  stop        Ctrl-C, or SIGTERM")
    return "\n".join(lines)


def _bracketed(host: str | None) -> str:
    return f"[{host}]" if host is not None and ":" in host else str(host)


def _first_job(place: Place, text: str) -> str:
    if place.host is None:
        return f"printf '{text}' | nc -q1 -U {shlex.quote(place.unix or '')}"
    reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(place.host, place.host)
    if place.tls:
        # The pause keeps the connection open until the reply is there: s_client hangs up at the end of its input.
        return f"(printf '{text}'; sleep 1) | openssl s_client -quiet -connect {_bracketed(reach)}:{place.port}"
    return f"printf '{text}' | nc -q1 {reach} {place.port}"
