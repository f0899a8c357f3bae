"""`flashq worker`: runs the tasks of an app."""
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flashq.cli.exits import Exit
from flashq.cli.json_option import json_option
from flashq.setting_types import TIME

if TYPE_CHECKING:
    from flashq.worker.worker import Worker

LEVELS = ("debug", "info", "warning", "error")      # those of flashq/server/logs.py


def _queues(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[str] | dict[str, int] | None:
    """`a,b` or `a=3,b=1`."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not any("=" in part for part in parts):
        return parts
    weights = {}
    for part in parts:
        name, _, weight = part.partition("=")
        if not weight.isdecimal() or not 1 <= int(weight) <= 1000:
            raise click.BadParameter(f"'{part}': a weight is a number from 1 to 1000, and each queue has one")
        weights[name] = int(weight)
    return weights


def _seconds(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    try:
        return float(str(TIME.parse(value))) / 1000
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(name="worker", context_settings={"max_content_width": 110})
@click.argument("target", metavar="MODULE:APP")
@click.option("--url", metavar="URL", help="The server, in place of the app's own.  [$FLASHQ_URL]")
@click.option("--queues", metavar="A,B", callback=_queues,
              help="Queues to pull from, the first first; with weights, as in a=3,b=1, by chance.  "
                   "[those of the app's tasks]")
@click.option("--concurrency", metavar="COUNT", type=click.IntRange(1), default=10, show_default=True,
              help="Jobs at once, in each process.")
@click.option("--prefetch", metavar="COUNT", type=click.IntRange(0),
              help="Jobs that wait here beside those that run.  [as many as are done in 50 ms]")
@click.option("--drain-timeout", metavar="TIME", callback=_seconds, default="30s", show_default=True,
              help="What running jobs get to end in after SIGTERM.")
@click.option("--processes", metavar="COUNT", type=click.IntRange(1), default=1, show_default=True,
              help="Worker processes; one that ends is replaced.")
@click.option("--isolate", is_flag=True,
              help="Run each job in a process of its own; one that a job crashed, or overran its time in, is replaced.")
@click.option("--max-jobs-per-child", metavar="COUNT", type=click.IntRange(1),
              help="Replace a process after so many jobs: the worker's, or with --isolate those of handlers.")
@click.option("--reload", is_flag=True, help="Start anew when a Python file changes. For development.")
@click.option("--reload-dir", "reload_dirs", metavar="PATH", multiple=True,
              type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Where to look for changes; may be given several times.  [the current directory]")
@click.option("--log-format", type=click.Choice(("text", "json")),
              help="Logs on stderr, for people or for machines.  [text; json with --json]")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True,
              help="Of `info` each job has a line, of `warning` each that failed.")
@json_option("Log as JSON, unless --log-format says otherwise; errors as well, on stderr.")
@click.option("--supervised", is_flag=True, hidden=True, help="Drain when stdin ends: the supervisor is gone then.")
def command(target: str, **options: Any) -> None:
    """Run the tasks of an app until SIGTERM or Ctrl-C.

    MODULE:APP names it, as in myapp.tasks:app; the current directory is looked into as well. At SIGTERM no more jobs
    are pulled, those that run may end, and what is left goes back to its queue. A second signal does not wait. The
    status is 0 then, after Ctrl-C too. Without a server it waits until there is one.
    """
    logger = _logger(options["log_format"] or ("json" if options["as_json"] else "text"), options["log_level"])
    replaced = options["max_jobs_per_child"] is not None and not options["isolate"]
    if not options["supervised"] and (options["processes"] > 1 or options["reload"] or replaced):
        sys.exit(_supervise(options, logger))
    sys.exit(_run(target, options, logger))


def _logger(form: str, level: str) -> Any:
    """For people, or the structured one."""
    if form == "text":
        from flashq.worker.console import ConsoleLogger

        return ConsoleLogger(level)
    from flashq.server import logs

    return logs.configure(form, level)


def _supervise(options: dict[str, Any], logger: Any) -> int:
    """Run it in other processes. The exit status."""
    from flashq.worker.supervisor import Plan, Supervisor

    watched = (options["reload_dirs"] or (Path.cwd(),)) if options["reload"] else ()
    plan = Plan([*sys.argv[1:], "--supervised"], options["processes"], watched, final=(Exit.USAGE, Exit.ACCESS))
    return Supervisor(plan, logger).run_forever()


def _run(target: str, options: dict[str, Any], logger: Any) -> int:
    """Run one worker in this process. Its exit status."""
    from flashq.client.errors import FlashQError
    from flashq.worker.joblog import JobLog, forwarding
    from flashq.worker.orphan import when_orphaned

    log = JobLog(logger)
    worker: Worker = _worker(target, options, on_outcome=log, on_ready=lambda: logger.info(
        "worker_started", app=target, server=str(worker.app.endpoint), queues=worker.queues,
        tasks=sorted(worker.app.tasks), concurrency=worker.concurrency))
    if options["supervised"]:
        when_orphaned(lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        with forwarding(logging.getLogger("flashq"), logger):
            worker.run_forever()
    except FlashQError as error:
        logger.error("worker_failed", error=str(error))
        raise
    log.flush()
    logger.info("worker_stopped", jobs=worker.finished)
    return 0


def _worker(target: str, options: dict[str, Any], **hooks: Any) -> "Worker":
    """As the options say. A usage error when they make none."""
    from flashq.worker.isolate import Isolation
    from flashq.worker.target import BadTarget, ImportFailed, load_app
    from flashq.worker.worker import Worker

    try:
        app = load_app(target)
    except BadTarget as error:
        raise click.UsageError(str(error)) from None
    except ImportFailed as error:
        raise click.ClickException(f"{target} cannot be imported\n{error}") from None
    limit = options["max_jobs_per_child"]
    isolation = Isolation(target, str(Path.cwd()), options["url"] or "", limit) if options["isolate"] else None
    try:
        if options["url"]:
            app.connect_to(options["url"])
        app.endpoint.ssl_context()      # says now what is wrong with it
        return Worker(app, queues=options["queues"], concurrency=options["concurrency"], prefetch=options["prefetch"],
                      drain_timeout=options["drain_timeout"], isolation=isolation,
                      max_jobs=None if isolation else limit, **hooks)
    except (ValueError, TypeError, OSError) as error:
        raise click.UsageError(str(error)) from None
