"""Checks of the settings: of the running server, or those that one started from this environment would have."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from flashq.cli.doctor.check import Check, fail, ok, warn
from flashq.config import SETTINGS, Settings, is_loopback
from flashq.server.errors import StartError
from flashq.server.tls import server_context

SHORTEST_TOKEN = 16     # characters


def checks(settings: Settings, source: str) -> Iterator[Check]:
    """All of them; `source` tells whose they are, and what was given."""
    yield ok("settings", source)
    yield durability(settings.durability)
    yield from access(settings)
    if settings.tls_cert:
        yield from tls(settings.tls_cert, settings.tls_key)


def given(flags: Mapping[str, object], environment: Mapping[str, str]) -> str:
    """What flags and environment set; tokens are not shown."""
    found = []
    for one in SETTINGS:
        name = next((name for name in one.env if environment.get(name)), None)
        value = flags.get(one.name)
        shown = "…" if one.name == "auth_tokens" else (environment.get(name or "") if value is None else value)
        if value is not None:
            found.append(one.flag if value is True else f"{one.flag} {shown}")
        elif name is not None:
            found.append(f"{name}={shown}")
    return ", ".join(found) or "all at their defaults"


def durability(chosen: str) -> Check:
    """What a crash may take."""
    if chosen == "memory":
        return warn("durability", "memory: all jobs are lost when the server stops",
                    "--durability commit, unless nobody misses them")
    if chosen == "interval":
        return ok("durability", "interval: a crash of the machine may take the last --sync-interval")
    return ok("durability", "commit: what was answered is on disk")


def access(settings: Settings) -> Iterator[Check]:
    """Who may reach it."""
    public = not settings.no_tcp and not is_loopback(settings.host)
    if not settings.auth_tokens:
        if public:
            yield fail("access", f"anybody who reaches {settings.host} may do anything (--insecure)", "set AUTH_TOKENS")
        else:
            yield ok("access", "this machine only, without tokens")
        return
    if any(len(token) < SHORTEST_TOKEN for token in settings.auth_tokens):
        yield warn("access", f"a token has less than {SHORTEST_TOKEN} characters",
                   "openssl rand -hex 24 makes a good one")
    if public and not settings.tls_cert:
        yield warn("access", f"tokens and jobs go over the network in clear (--host {settings.host})",
                   "--tls-cert and --tls-key, or --host 127.0.0.1 behind something that encrypts")
    else:
        yield ok("access", f"{len(settings.auth_tokens)} tokens{', TLS' if settings.tls_cert else ''}")


def tls(cert: str, key: str) -> Iterator[Check]:
    """Whether the files can be used, and who may read the key."""
    try:
        server_context(cert, key)
    except StartError as error:
        yield fail("TLS", str(error), "the server does not start with these: name the chain and its key, in PEM")
        return
    mode = os.stat(key).st_mode & 0o077
    if mode & 0o007:
        yield warn("TLS", f"everybody may read the key {Path(key).name}", f"chmod 600 {key}")
    else:
        yield ok("TLS", "certificate and key belong together")
