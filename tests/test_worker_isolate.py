"""`--isolate`: what a handler does to its process harms its own job alone."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flashq.client import FlashQ, Job, refusals
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import WorkerProcess, soon

PROGRAM = """
    import asyncio, ctypes, os, signal, sys, time
    from pathlib import Path
    from flashq import App, CurrentJob
    from flashq.tasks import chain

    app = App(queue="{queue}", retries=0)
    kept = []

    @app.task
    def add(a: int, b: int) -> dict[str, int]:
        kept.append(a)
        return dict(sum=a + b, pid=os.getpid(), kept=len(kept))

    @app.task
    async def harm(how: str) -> None:
        if how == "segfault":
            ctypes.string_at(0)
        elif how == "exit":
            os._exit(3)
        elif how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "sys.exit":
            sys.exit(4)

    @app.task(timeout=1)
    def hang() -> None:
        Path(f"began-{{os.getpid()}}").touch()
        while True:
            pass

    @app.task(timeout=0.3)
    async def hang_async() -> None:
        await asyncio.sleep(100)

    @app.task
    def steps(job: CurrentJob) -> int:
        job.log("begun")
        job.progress(40, "halfway")
        return job.attempt

    @app.task
    def wait() -> None:
        Path(f"began-{{os.getpid()}}").touch()
        time.sleep(100)

    @app.task
    async def pushes(n: int) -> int:
        return await (await double.push_async(n))

    @app.task
    def double(n: int) -> int:
        return 2 * n
"""


@pytest.fixture
def worker(server: ServerProcess, tmp_path: Path, queue_name: str, request: Any) -> Iterator[WorkerProcess]:
    flags = getattr(request, "param", ())
    program = PROGRAM.format(queue=queue_name)
    worker = WorkerProcess(tmp_path, program, server, "--isolate", "--concurrency", "2", *flags)
    yield worker
    worker.kill()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[FlashQ]:
    with FlashQ(url_of(server)) as client:
        yield client


def push(client: FlashQ, queue: str, name: str, **data: Any) -> int:
    return client.push(queue, data, name=name, max_attempts=1, timeout=1000 if name.startswith("hang") else None)


def dead(client: FlashQ, id: int) -> Job:
    with pytest.raises(refusals.JobFailed):
        client.wait_job(id, timeout=30_000)
    job = client.get_job(id)
    assert job is not None
    return job


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def test_each_way_to_end_a_process_fails_the_job_with_its_reason(
    worker: WorkerProcess, client: FlashQ, queue_name: str
) -> None:
    for how, said in (("segfault", "was killed by SIGSEGV"), ("exit", "ended with status 3"),
                      ("kill", "was killed by SIGKILL"), ("sys.exit", "SystemExit: 4")):
        job = dead(client, push(client, queue_name, "harm", how=how))
        assert said in (job.progress_msg or "") and job.reason == "failed", (how, job.progress_msg)
        assert client.wait_job(push(client, queue_name, "add", a=1, b=2))["sum"] == 3
    worker.stop()


def test_a_handler_that_overruns_its_time_is_ended(
    worker: WorkerProcess, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    assert client.wait_job(push(client, queue_name, "add", a=1, b=2))["sum"] == 3     # there is a process
    ids = [push(client, queue_name, name) for name in ("hang", "hang_async")]
    for id in ids:
        assert dead(client, id).reason in ("failed", "timeout")
    (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("began-*"))
    soon(lambda: not alive(pid))
    assert client.wait_job(push(client, queue_name, "add", a=1, b=2))["sum"] == 3
    worker.stop()


def test_a_process_is_used_again_and_tells_what_handlers_report(
    worker: WorkerProcess, client: FlashQ, queue_name: str
) -> None:
    made = [client.wait_job(push(client, queue_name, "add", a=n, b=0)) for n in range(5)]
    assert [one["kept"] for one in made] == [1, 2, 3, 4, 5] and len({one["pid"] for one in made}) == 1
    assert made[0]["pid"] != worker.process.pid
    id = push(client, queue_name, "steps")
    assert client.wait_job(id) == 1
    shown = client.get_job(id)
    assert shown is not None and shown.progress_msg == "halfway"
    assert [line.message for line in client.get_logs(id)] == ["begun"]
    assert client.wait_job(push(client, queue_name, "pushes", n=4)) == 8
    worker.stop()


@pytest.mark.parametrize("worker", [("--max-jobs-per-child", "2")], indirect=True)
def test_a_process_is_replaced_after_so_many_jobs(worker: WorkerProcess, client: FlashQ, queue_name: str) -> None:
    made = [client.wait_job(push(client, queue_name, "add", a=n, b=0)) for n in range(5)]
    assert [one["kept"] for one in made] == [1, 2, 1, 2, 1] and len({one["pid"] for one in made}) == 3
    worker.stop()
    soon(lambda: not any(alive(one["pid"]) for one in made))


def test_a_cancelled_job_ends_with_its_process(
    worker: WorkerProcess, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    id = push(client, queue_name, "wait")
    soon(lambda: list(tmp_path.glob("began-*")))
    (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("began-*"))
    client.cancel(id)
    soon(lambda: not alive(pid))
    assert worker.wait_for("job_lost")["id"] == id
    worker.stop()


def test_no_process_is_left_by_a_worker_that_is_killed(
    worker: WorkerProcess, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    push(client, queue_name, "wait")
    soon(lambda: list(tmp_path.glob("began-*")))
    (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("began-*"))
    worker.kill()
    soon(lambda: not alive(pid))


@pytest.mark.parametrize("worker", [("--drain-timeout", "100ms")], indirect=True)
def test_drain_releases_what_does_not_end(
    worker: WorkerProcess, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    id = push(client, queue_name, "wait")
    soon(lambda: list(tmp_path.glob("began-*")))
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 15
    job = client.get_job(id)
    assert job is not None and (job.state, job.attempts, job.stall_count) == ("waiting", 0, 0)
