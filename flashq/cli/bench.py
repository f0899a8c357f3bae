"""`flashq bench`: one workload against a running server, with a live progress bar and a table of the result."""

import json
import threading
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flashq._bench.frames import DEFAULT_SIZE, Frames, payload
from flashq._bench.loadgen import BenchError
from flashq._bench.workload import PERCENTILES, Bench, Result, Target
from flashq.cli.connection import URL_HELP, endpoint_of
from flashq.cli.exits import ACCESS_CODES, Exit, Failure
from flashq.cli.json_option import json_option

MAX_COUNT = 50_000_000
FILL_BATCH = 1000
ITEMS = {"echo": "messages"}


class Live:
    """A progress bar over a run in another thread; Ctrl-C stops the run and keeps what it measured."""

    def __init__(self, console: Console, shown: bool) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f} {task.fields[unit]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not shown,
            transient=True,
        )

    def run(self, bench: Bench, name: str, expected: int | None, work: Callable[[], Result]) -> Result:
        """The result of `work`; raises what it raised."""
        done: list[Result] = []
        failed: list[BaseException] = []

        def call() -> None:
            try:
                done.append(work())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=call, name=f"bench {name}")
        with self.progress:
            bar = self.progress.add_task(name, total=expected, unit="jobs")
            thread.start()
            while thread.is_alive():
                try:
                    thread.join(0.1)
                    self.progress.update(bar, completed=bench.generator.items)
                except KeyboardInterrupt:
                    bench.generator.stop()
            self.progress.remove_task(bar)
        if failed:
            raise failed[0]
        return done[0]


@click.command(name="bench", context_settings={"max_content_width": 110})
@click.argument("mode", type=click.Choice(["push", "process", "latency", "echo"]), default="push")
@click.option("--url", "-u", metavar="URL", help=URL_HELP)
@click.option("--host", help="Where the server listens, instead of what the URL says.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port, likewise.")
@click.option("--unix", metavar="PATH", help="Its Unix socket, likewise.")
@click.option("--token", envvar="FLASHQ_TOKEN", help="Say AUTH with this token, likewise. [$FLASHQ_TOKEN]")
@click.option("--pid", type=int, help="The server's process, for its CPU. [found when it runs on this machine]")
@click.option("--connections", "-c", type=click.IntRange(1, 10_000), default=10, show_default=True,
              help="Connections to the server.")
@click.option("--depth", "-d", type=click.IntRange(1, 10_000), default=1, show_default=True,
              help="Requests in flight on each connection.")
@click.option("--batch", "-b", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Jobs in one request: PUSHB, or PULLB and ACKB.")
@click.option("--size", type=click.IntRange(8, 1024 * 1024), default=DEFAULT_SIZE, show_default=True,
              help="Bytes of each job's data, as compact JSON.")
@click.option("--msgpack", is_flag=True, help="Speak MessagePack instead of JSON.")
@click.option("--count", "-n", type=click.IntRange(1, MAX_COUNT), default=1_000_000, show_default=True,
              help="Jobs at most.")
@click.option("--seconds", "-s", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True,
              help="Time at most.")
@click.option("--rate", type=click.FloatRange(1, 100_000), default=1000.0, show_default=True,
              help="Jobs a second in mode latency.")
@click.option("--queue", default="flashq-bench", show_default=True, help="A queue that nobody else uses.")
@click.option("--keep", is_flag=True, help="Leave what was pushed in the queue.")
@json_option()
def command(mode: str, as_json: bool, url: str | None, **options: Any) -> None:
    """Measure a running server; every reply is checked.

    \b
    push     PUSH, or PUSHB with --batch; the jobs are processed afterwards, not counted
    process  PULL and ACK, or PULLB and ACKB with --batch, of jobs pushed before, not counted
    latency  from push to delivery: one job at a time to a worker that waits in PULL
    echo     the same frames to a server that sends back what it gets (perf/echo.py)
    """
    options |= place(url, options)
    console = Console(stderr=as_json)
    try:
        result, limit = measure(mode, options, Live(console, shown=console.is_terminal))
    except (BenchError, OSError) as error:
        server = options["unix"] or f"{options['host']}:{options['port']}"
        raise Failure(_status(error), f"{server}: {error}") from None
    if as_json:
        click.echo(json.dumps({"mode": mode, **public(options), "result": result.as_dict()}, indent=2))
    else:
        console.print(heading(mode, options), soft_wrap=True)
        console.print(table(mode, result))
        if limit:
            console.print("[yellow]The generator was the limit: the server can do more.[/yellow]")


def _status(error: Exception) -> Exit:
    if isinstance(error, OSError):
        return Exit.NO_CONNECTION
    return Exit.ACCESS if any(code in str(error) for code in ACCESS_CODES) else Exit.REFUSED    # it shows the reply


def place(url: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Where the server is, and the token: what was given one by one, else what the URL says."""
    there = endpoint_of(url)
    if there.tls:
        raise click.UsageError("the load generator speaks no TLS: name a listener without")
    named = options["host"] is not None or options["port"] is not None
    said = {"host": there.host, "port": there.port, "unix": "" if named else there.path, "token": there.token or ""}
    return {name: value if options[name] is None else options[name] for name, value in said.items()}


def public(options: dict[str, Any]) -> dict[str, Any]:
    """The options as they may be shown: without the token."""
    return {name: value for name, value in options.items() if name != "token"}


def measure(mode: str, options: dict[str, Any], live: Live) -> tuple[Result, bool]:
    """Run one mode: its result, and whether the generator was the limit."""
    target = Target(options["host"], options["port"], options["unix"], options["token"], options["pid"])
    frames = Frames(options["queue"], payload(options["size"]), options["msgpack"])
    count, batch, seconds = options["count"], options["batch"], options["seconds"]
    bench = Bench(target, frames, 2 if mode == "latency" else options["connections"], options["depth"])
    if mode == "latency":
        work = lambda: bench.latency(count, options["rate"], seconds)  # noqa: E731
        result = live.run(bench, "latency", min(count, int(seconds * options["rate"])), work)
    elif mode == "echo":
        result = live.run(bench, "echo", count, lambda: bench.echo(count, batch, seconds))
    elif mode == "process":
        filled = live.run(bench, "filling", count, lambda: bench.push(count, min(FILL_BATCH, count), 3600))
        result = live.run(bench, "process", filled.items, lambda: bench.process(batch, seconds))
        if not options["keep"] and result.items < filled.items:
            live.run(bench, "emptying", filled.items - result.items, lambda: bench.process(FILL_BATCH, 3600))
    else:
        result = live.run(bench, "push", count, lambda: bench.push(count, batch, seconds))
        if not options["keep"]:
            live.run(bench, "emptying", result.items, lambda: bench.checked_drain(result, FILL_BATCH, 3600))
    return result, result.generator_limited


def heading(mode: str, options: dict[str, Any]) -> str:
    """What was run, in one line."""
    protocol = "MessagePack" if options["msgpack"] else "JSON"
    shape = f"{options['connections']} connections, depth {options['depth']}, batch {options['batch']}"
    if mode == "latency":
        shape = f"one producer at {options['rate']:,.0f}/s, one waiting worker"
    return f"{mode}: {protocol}, {options['size']}-byte jobs, {shape}"


def table(mode: str, result: Result) -> Table:
    """What was measured, as people read it."""
    unit = ITEMS.get(mode, "jobs")
    shown = Table()
    shown.add_column("measured")
    shown.add_column("value", justify="right")
    shown.add_row(f"{unit}/s", f"{result.per_second:,.0f}")
    shown.add_row(unit, f"{result.items:,} in {result.seconds:.2f} s")
    what = "push to delivery" if mode == "latency" else "request"
    for name in (*PERCENTILES, "max"):
        shown.add_row(f"{what} {name}", f"{result.latency_us[name]:,.0f} µs")
    server = "unknown" if result.server_ns is None else f"{result.server_ns:,.0f} ns"
    shown.add_row(f"server CPU per {unit[:-1]}", server)
    if not result.paced:
        shown.add_row(f"generator CPU per {unit[:-1]}", f"{result.generator_ns:,.0f} ns")
    return shown
