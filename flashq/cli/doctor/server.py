"""Checks of the running server and of its jobs."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from flashq import __version__
from flashq.cli.connection import Here, endpoint_of
from flashq.cli.doctor.check import Check, fail, ok, warn
from flashq.cli.exits import Exit, Failure
from flashq.cli.output import now_ms, span

if TYPE_CHECKING:
    from flashq.client import Endpoint, FlashQ
    from flashq.client.results import Metrics, QueueInfo

PINGS = 20
SLOW_PING_MS = 50.0
CERTIFICATE_DAYS = 21
LOOKED_AT = 100         # jobs of a queue, and queues
NAMED = 5               # queues in a line


def checks(here: Here, long_ms: int) -> Iterator[Check]:
    """All of them, as far as it answers."""
    there = endpoint_of(here.url)
    try:
        client = here.client
    except Failure as failure:
        yield fail("server", failure.message, _remedy(failure))
        return
    version = client.connect().version
    yield (ok("server", f"{there} answers, version {version}") if version == __version__ else
           warn("server", f"{there} is version {version}, this command {__version__}", "bring both to one version"))
    yield ping(_round_trip(client))
    if there.tls:
        yield from certificate(there, here.seconds)
    queues = client.list_queues()
    yield storage(client.metrics())
    yield from jobs(queues)
    yield from _ages(client, queues, long_ms)


def _remedy(failure: Failure) -> str:
    if failure.status is Exit.ACCESS:
        return "put one of the server's AUTH_TOKENS into the URL: flashq://TOKEN@HOST:PORT"
    return ("see whether it runs, and that TLS, host and port of --url or FLASHQ_URL are its own; --offline leaves it "
            "out")


def _round_trip(client: "FlashQ") -> float:
    """The median in ms."""
    spent = []
    for _ in range(PINGS):
        began = time.perf_counter()
        client.ping()
        spent.append(time.perf_counter() - began)
    return sorted(spent)[PINGS // 2] * 1000


def ping(ms: float) -> Check:
    """How far away it is, or how busy."""
    if ms > SLOW_PING_MS:
        return warn("round trip", f"{ms:.1f} ms", "it is far away, or overloaded: see `flashq top` and its processor")
    return ok("round trip", f"{ms:.2f} ms")


def certificate(there: "Endpoint", seconds: float) -> Iterator[Check]:
    """How long it is good for; that it is trusted is known by now."""
    context = there.ssl_context()
    assert context is not None
    with (socket.create_connection((there.host, there.port), timeout=seconds) as sock,
          context.wrap_socket(sock, server_hostname=there.host) as secure):
        shown = secure.getpeercert() or {}
    until = shown.get("notAfter")
    if isinstance(until, str):
        yield expiry((ssl.cert_time_to_seconds(until) - time.time()) / 86400)


def expiry(days: float) -> Check:
    """Clients verify it."""
    if days < CERTIFICATE_DAYS:
        return warn("certificate", f"it ends in {days:.0f} days", "renew it, and start the server again: clients will "
                    "not connect without")
    return ok("certificate", f"good for {days:.0f} days")


def storage(metrics: "Metrics") -> Check:
    """Whether it takes and keeps what it is given."""
    store = metrics.store
    if store.health == "full":
        return fail("storage", "the disk is full: whatever adds data is refused", "make room; it goes on by itself")
    if store.health == "failed":
        return fail("storage", "the disk has failed: nothing is acknowledged", "see to the disk, then start it again")
    if store.durability == "memory":
        return warn("storage", "memory: all jobs are lost when the server stops",
                    "--durability commit, unless nobody misses them")
    return ok("storage", f"{store.durability}, {store.health}")


def jobs(queues: "Iterable[QueueInfo]") -> Iterator[Check]:
    """What stands still by somebody's will, or by its own."""
    queues = list(queues)
    dead = [(one.name, one.dlq) for one in queues if one.dlq]
    if dead:
        yield warn("dead letters", f"{sum(count for _, count in dead):,}: {_named(dead)}",
                   f"flashq dlq list {dead[0][0]}; then dlq retry or dlq purge")
    else:
        yield ok("dead letters", "none")
    held: tuple[tuple[str, Callable[[QueueInfo], bool], str], ...] = (
        ("paused queues", lambda one: one.paused, "flashq resume {}"),
        ("queues limited to 0", lambda one: 0 in (one.rate_limit, one.concurrency_limit), "flashq limit {}"),
    )
    for name, holds, remedy in held:
        found = [(one.name, one.pending) for one in queues if holds(one) and one.pending]
        if found:
            yield warn(name, f"jobs wait in {_named(found)}", remedy.format(found[0][0]))


def _ages(client: "FlashQ", queues: "list[QueueInfo]", long_ms: int) -> Iterator[Check]:
    """Jobs that a worker has had for long, and such as have waited for long while nobody works on the queue."""
    now = now_ms()
    long: list[tuple[str, int]] = []
    alone: list[tuple[str, int]] = []
    for one in queues[:LOOKED_AT]:
        if one.processing:
            oldest = client.get_jobs(one.name, "active", limit=LOOKED_AT, offset=max(one.processing - LOOKED_AT, 0))
            count = sum(now - job.started_at > long_ms for job in oldest.jobs)
            long += [(one.name, count)] if count else []
        elif one.pending > one.delayed and not one.paused:
            page = client.get_jobs(one.name, "waiting", limit=1, offset=one.pending - one.delayed - 1)
            if page.jobs and now - page.jobs[0].created_at > long_ms:
                alone.append((one.name, one.pending - one.delayed))
    yield from ages(long, alone, long_ms)


def ages(long: list[tuple[str, int]], alone: list[tuple[str, int]], long_ms: int) -> Iterator[Check]:
    """Each with how many, by queue."""
    if long:
        yield warn("active jobs", f"for more than {span(long_ms)}: {_named(long)}",
                   f"flashq jobs {long[0][0]} --state active; a push option `timeout` ends such attempts by itself")
    else:
        yield ok("active jobs", f"none for more than {span(long_ms)}")
    if alone:
        yield warn("waiting jobs", f"for more than {span(long_ms)}, and no worker has any: {_named(alone)}",
                   f"start workers for {alone[0][0]}")


def _named(counts: list[tuple[str, int]]) -> str:
    """The greatest of them."""
    first = sorted(counts, key=lambda one: -one[1])[:NAMED]
    more = f" and {len(counts) - NAMED} more queues" if len(counts) > NAMED else ""
    return ", ".join(f"{name} ({count:,})" for name, count in first) + more
