"""Who is compared, and with which settings; what a reader must know of each stands beside it."""
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import environment
import processes

from flashq import __version__
from flashq._bench import servers

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
REDIS_KEEPS = "memory only: no AOF, no RDB; lost when Redis stops"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to run jobs. `worker` is the command line behind the interpreter."""

    name: str
    module: str                         # in perf/peers/programs
    worker: tuple[str, ...]
    python: Callable[[Path], str]       # its interpreter, in the folder of the environments
    server: Callable[[Path], AbstractContextManager[dict[str, str]]]    # what finds it: environment variables
    concurrency: str
    settings: str
    durability: str
    versions: Callable[[Path], dict[str, str]]
    worker_env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_peer(self) -> bool:
        """Not flashQ."""
        return self.name in environment.PACKAGES


@contextmanager
def _redis(folder: Path) -> Iterator[dict[str, str]]:
    with processes.redis(folder) as url:
        yield {"REDIS_URL": url}


def _flashq(durability: str) -> Callable[[Path], AbstractContextManager[dict[str, str]]]:
    @contextmanager
    def started(folder: Path) -> Iterator[dict[str, str]]:
        data = ["--data-dir", str(folder / "flashq-data")] if durability != "memory" else []
        with servers.started([*servers.FLASHQ, "--durability", durability, *data]) as target:
            yield {"FLASHQ_URL": f"flashq://127.0.0.1:{target.port}"}

    return started


def _peer(name: str, worker: tuple[str, ...], concurrency: str, settings: str, **env: str) -> Contestant:
    return Contestant(
        name, f"{name}_jobs", worker, lambda folder: str(environment.python_of(name, folder)), _redis, concurrency,
        settings, REDIS_KEEPS, lambda folder: environment.versions(name, folder), env)


def _ours(durability: str, promise: str) -> Contestant:
    return Contestant(
        f"flashq {durability}", "flashq_jobs",
        ("-m", "flashq", "worker", "flashq_jobs:app", "--concurrency", "100", "--log-level", "warning"),
        lambda _folder: sys.executable, _flashq(durability), "1 process, 100 tasks of asyncio",
        "push_many; a line in the log for failures only; completed jobs kept as the server does by default", promise,
        lambda _folder: {"flashq-server": __version__})


CONTESTANTS = (
    _peer("celery",
          ("-m", "celery", "-A", "celery_jobs", "worker", "--pool", "prefork", "--concurrency", str(CORES),
           "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"),
          f"1 worker, {CORES} processes of its pool",
          "prefork, prefetch multiplier 128, results ignored, no events, gossip, mingle or heartbeat; early ack"),
    _peer("rq",
          ("-m", "rq.cli", "worker", "--worker-class", "rq.SimpleWorker", "--quiet", "--disable-job-desc-logging"),
          "1 process, 1 job at a time", "SimpleWorker (no fork for each job), results not kept, enqueue_many"),
    _peer("arq", ("-m", "arq", "arq_jobs.WorkerSettings"), "1 process, 100 tasks of asyncio",
          "max_jobs 100, poll_delay 10 ms, results not kept, uvloop installed"),
    _peer("dramatiq", ("-m", "dramatiq", "dramatiq_jobs", "--processes", "1", "--threads", "4"),
          "1 process, 4 threads", "Redis broker, default middleware, no results, dramatiq_queue_prefetch 1000",
          dramatiq_queue_prefetch="1000"),
    _ours("memory", "memory only: lost when the server stops"),
    _ours("commit", "each push and each end of a job is on disk before it is answered"),
)
