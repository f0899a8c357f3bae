"""`flashq worker` as a process: its log, drain on SIGTERM, several processes, reload, and ends of every kind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from flashq.cli.exits import Exit
from flashq.client import FlashQ
from support.clients import url_of
from support.commandline import flashq
from support.server import ServerProcess, server_environment
from support.tasks import WorkerProcess, soon

PROGRAM = """
    import asyncio, os, time
    from pathlib import Path
    from flashq import App, CurrentJob

    app = App(queue="{queue}")

    @app.task
    async def add(a: int, b: int) -> int:
        return a + b

    @app.task
    async def wait(seconds: float) -> str:
        Path(f"began-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        await asyncio.sleep(seconds)
        return "waited"

    @app.task
    def block(seconds: float) -> str:
        Path(f"began-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        time.sleep(seconds)
        return "blocked"

    @app.task
    async def stubborn(seconds: float) -> None:
        Path(f"began-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        while True:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                pass

    @app.task(retries=0)
    def broken() -> None:
        raise ValueError("no")

    @app.task
    def pid() -> int:
        return os.getpid()
"""

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(server: ServerProcess, tmp_path: Path, queue_name: str) -> Iterator[StartWorker]:
    started: list[WorkerProcess] = []

    def start(*flags: str, program: str = PROGRAM) -> WorkerProcess:
        started.append(WorkerProcess(tmp_path, program.format(queue=queue_name), server, *flags))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[FlashQ]:
    with FlashQ(url_of(server)) as client:
        yield client


def began(directory: Path) -> list[int]:
    """Pids of the handlers that have begun."""
    return [int(path.name.split("-")[1]) for path in directory.glob("began-*")]


def push(client: FlashQ, queue: str, name: str, **data: Any) -> int:
    return client.push(queue, data, name=name, max_attempts=1)


def test_a_worker_runs_jobs_and_says_so(start_worker: StartWorker, client: FlashQ, queue_name: str) -> None:
    worker = start_worker("--concurrency", "4")
    good, bad = push(client, queue_name, "add", a=1, b=2), push(client, queue_name, "broken")
    assert client.wait_job(good) == 3
    line = worker.wait_for("job_done")
    assert (line["task"], line["id"], line["attempt"], line["queue"]) == ("add", good, 1, queue_name)
    assert 0 <= line["ms"] < 5000
    line = worker.wait_for("job_dead")
    assert (line["task"], line["id"], line["error"]) == ("broken", bad, "ValueError: no")
    worker.stop()
    (began,), (end,) = worker.named("worker_started"), worker.named("worker_stopped")
    assert began["queues"] == [queue_name] and began["concurrency"] == 4 and end["jobs"] == 2


def test_sigterm_lets_running_jobs_end_and_releases_what_waits(
    start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    worker = start_worker("--concurrency", "2", "--prefetch", "20")
    first = [push(client, queue_name, name, seconds=0.6) for name in ("wait", "block")]
    soon(lambda: len(began(tmp_path)) == 2)
    later = [push(client, queue_name, "wait", seconds=0.6) for _ in range(10)]
    soon(lambda: client.get_job_counts(queue_name).active == 12)       # prefetched
    worker.stop()
    assert [client.get_result(id) for id in first] == ["waited", "blocked"]
    for id in later:
        job = client.get_job(id)
        assert job is not None and (job.state, job.attempts, job.stall_count) == ("waiting", 0, 0)
    assert len(began(tmp_path)) == 2


@pytest.mark.parametrize("name", ["wait", "block", "stubborn"])
def test_what_does_not_end_in_time_goes_back_uncounted(
    start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path, name: str
) -> None:
    worker = start_worker("--drain-timeout", "100ms")
    id = push(client, queue_name, name, seconds=60)
    soon(lambda: began(tmp_path))
    begun = time.monotonic()
    worker.stop()
    assert time.monotonic() - begun < 20
    job = client.get_job(id)
    assert job is not None and (job.state, job.attempts, job.stall_count) == ("waiting", 0, 0)


def test_a_second_signal_hurries(
    start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    worker = start_worker("--drain-timeout", "60s")
    id = push(client, queue_name, "wait", seconds=60)
    soon(lambda: began(tmp_path))
    worker.process.send_signal(signal.SIGTERM)
    soon(lambda: worker.process.poll() is None)
    worker.process.send_signal(signal.SIGINT)
    worker.ended()
    job = client.get_job(id)
    assert job is not None and (job.state, job.attempts) == ("waiting", 0)


def test_sigkill_of_a_worker_loses_nothing(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    server = start_server("--disconnect-grace", "200ms")
    program = PROGRAM.format(queue=queue_name)
    workers = [WorkerProcess(tmp_path, program, server)]
    try:
        with FlashQ(url_of(server)) as client:
            id = push(client, queue_name, "wait", seconds=0.5)
            soon(lambda: began(tmp_path))
            workers[0].kill()
            workers.append(WorkerProcess(tmp_path, program, server))
            assert client.wait_job(id, timeout=30_000) == "waited"
            job = client.get_job(id)
            assert job is not None and job.attempts == 0
        workers[1].stop()
    finally:
        for worker in workers:
            worker.kill()


def test_several_processes(start_worker: StartWorker, client: FlashQ, queue_name: str) -> None:
    worker = start_worker("--processes", "2", "--concurrency", "1")
    soon(lambda: len(worker.named("worker_started")) == 2)
    pids = {client.wait_job(push(client, queue_name, "pid")) for _ in range(20)}
    assert pids <= {line["pid"] for line in worker.named("process_started")}
    victim = pids.pop()
    os.kill(victim, signal.SIGKILL)
    assert worker.wait_for("process_ended")["status"] == -signal.SIGKILL
    worker.wait_for("worker_started", 3)
    assert client.wait_job(push(client, queue_name, "add", a=1, b=1)) == 2
    worker.stop()
    assert len(worker.named("worker_stopped")) == 2


def test_processes_do_not_outlive_their_supervisor(
    start_worker: StartWorker, client: FlashQ, queue_name: str
) -> None:
    worker = start_worker("--processes", "2")
    worker.wait_for("worker_started", 2)
    worker.kill()
    soon(lambda: len(worker.named("worker_stopped")) == 2)


def test_a_process_is_replaced_after_so_many_jobs(start_worker: StartWorker, client: FlashQ, queue_name: str) -> None:
    worker = start_worker("--max-jobs-per-child", "3", "--prefetch", "0", "--concurrency", "1")
    pids = [client.wait_job(push(client, queue_name, "pid")) for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    worker.stop()


def test_reload(start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path) -> None:
    worker = start_worker("--reload")
    assert client.wait_job(push(client, queue_name, "add", a=1, b=2)) == 3
    program = tmp_path / "program.py"
    program.write_text("this is no Python")
    worker.wait_for("process_ended")
    start_worker_text = PROGRAM.format(queue=queue_name).replace("a + b", "a * b")
    program.write_text("\n".join(line[4:] for line in start_worker_text.splitlines()))
    worker.wait_for("worker_started", 2)
    assert client.wait_job(push(client, queue_name, "add", a=5, b=6)) == 30
    worker.stop()
    assert {Path(line["changed"]).name for line in worker.named("reload")} == {"program.py"}


def test_cancel_reaches_another_process(
    start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path
) -> None:
    worker = start_worker()
    id = push(client, queue_name, "wait", seconds=60)
    soon(lambda: began(tmp_path))
    client.cancel(id)
    line = worker.wait_for("job_lost")
    assert (line["id"], line["reason"]) == (id, "cancelled")
    worker.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere:app"], "there is no module 'nowhere'"),
        (["program:nothing"], "module 'program' has no 'nothing'"),
        (["program:wrong"], "has a int, and no App, called 'wrong'"),
        (["program:empty"], "app 'program:empty' has no tasks"),
        (["program:app", "--queues", "a=0"], "a weight is a number from 1 to 1000"),
        (["program:app", "--queues", "good,my queue"], "queue 'my queue': Queue name must contain only"),
        (["program.py"], "names a file, not a module; did you mean program"),
        (["sub/program.py:app"], "did you mean sub.program:app"),
        (["program:app", "--drain-timeout", "soon"], "Invalid value for '--drain-timeout'"),
        (["program:app", "--url", "http://x"], "must begin with flashq://"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_sentence(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "program.py").write_text(
        "from flashq import App\napp, empty, wrong = App(), App(), 5\n@app.task\ndef f() -> None: ...\n")
    done = flashq(tmp_path, "worker", *words, status=2)
    assert said in done.stderr, done.stderr


def test_a_module_that_cannot_be_imported_shows_where(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import nowhere_to_be_found\n")
    done = subprocess.run([sys.executable, "-m", "flashq", "worker", "program:app"], cwd=tmp_path, text=True,
                          env=server_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert "No module named 'nowhere_to_be_found'" in done.stderr
    assert "importlib" not in done.stderr and 'File "<frozen' not in done.stderr
    assert "flashq/" not in done.stderr.partition("Traceback")[2]


def test_a_queue_name_that_cannot_be_is_told_by_the_module_that_has_it(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "from flashq import App\napp = App()\n@app.task(queue='my queue')\ndef f() -> None: ...\n")
    done = subprocess.run([sys.executable, "-m", "flashq", "worker", "program:app"], cwd=tmp_path, text=True,
                          env=server_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and "ValueError: queue 'my queue'" in done.stderr


def test_a_queue_that_no_task_uses_is_warned_of(start_worker: StartWorker, queue_name: str) -> None:
    worker = start_worker("--queues", f"{queue_name},{queue_name}-typo")
    line = worker.wait_for(f"no task of the app has queue '{queue_name}-typo': "
                           "only jobs named as one of its tasks run from there")
    assert line["level"] == "warning"
    worker.stop()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_server_that_refuses_the_token_ends_the_worker(
    start_server: StartServer, tmp_path: Path, queue_name: str, processes: int
) -> None:
    server = start_server("--auth-tokens", "s3cret")    # the worker names none
    worker = WorkerProcess(tmp_path, PROGRAM.format(queue=queue_name), server, "--processes", str(processes))
    try:
        worker.ended(status=Exit.ACCESS)
        lines = worker.named("worker_failed")
        assert 1 <= len(lines) <= processes and {one["error"] for one in lines} == {"Authentication required"}
        assert "Error: Authentication required [AUTH_REQUIRED]" in worker.text.splitlines()
    finally:
        worker.kill()


def test_a_worker_without_a_server_says_so_waits_for_it_and_heeds_signals(
    start_server: StartServer, tmp_path: Path, queue_name: str
) -> None:
    server = start_server("--data-dir", str(tmp_path / "data"))
    url, port = url_of(server), str(server.address[1])
    server.stop()
    program = PROGRAM.format(queue=queue_name)
    workers = [WorkerProcess(tmp_path, program, server) for _ in range(2)]
    try:
        for worker in workers:
            soon(lambda worker=worker: f"no server at {url}, trying again" in worker.text)
            assert not worker.named("worker_started")
        begun = time.monotonic()
        workers[0].stop()
        assert time.monotonic() - begun < 10, "it must not sit out the time of an attempt"
        start_server("--data-dir", str(tmp_path / "data"), "--port", port)
        workers[1].wait_for("worker_started")
        with FlashQ(url) as client:
            assert client.wait_job(push(client, queue_name, "add", a=1, b=2), timeout=20_000) == 3
        workers[1].stop()
        assert workers[1].text.count("trying again") == 1 and workers[1].text.count(f"connected to {url}") == 1
    finally:
        for worker in workers:
            worker.kill()


def test_a_lost_connection_is_told_once_and_so_is_the_next(
    start_server: StartServer, tmp_path: Path, queue_name: str
) -> None:
    flags = ("--data-dir", str(tmp_path / "data"))
    server = start_server(*flags)
    url, port = url_of(server), str(server.address[1])
    worker = WorkerProcess(tmp_path, PROGRAM.format(queue=queue_name), server, "--drain-timeout", "100ms")
    try:
        with FlashQ(url, deadline=60) as client:
            for turn in (1, 2):
                push(client, queue_name, "wait", seconds=60)
                soon(lambda turn=turn: len(began(tmp_path)) >= turn)
                server.kill()
                soon(lambda turn=turn: worker.text.count(f"lost the connection to {url}, trying again") == turn)
                server = start_server(*flags, "--port", port)
                soon(lambda turn=turn: worker.text.count(f"connected again to {url}") == turn)
        worker.stop()
        warnings = [line["event"] for line in worker.events if line.get("logger") and "connect" not in line["event"]]
        assert not [one for one in warnings if "heartbeat" in one.lower() or "no answer" in one]
        assert worker.text.count("trying again") == worker.text.count("connected again") == 2
    finally:
        worker.kill()


@pytest.mark.parametrize("name", ["wait", "block"])
def test_a_busy_worker_tells_what_it_waits_for_and_what_it_gave_back(
    start_worker: StartWorker, client: FlashQ, queue_name: str, tmp_path: Path, name: str
) -> None:
    worker = start_worker("--drain-timeout", "60s")
    id = push(client, queue_name, name, seconds=60)
    soon(lambda: began(tmp_path))
    worker.process.send_signal(signal.SIGINT)
    worker.wait_for("stopping: 1 job runs, up to 60 s; a second signal stops at once")
    worker.process.send_signal(signal.SIGINT)
    worker.ended(0)
    worker.wait_for("1 job still runs: it is interrupted, and goes back to its queue")
    (line,) = worker.named("job_released")
    assert (line["id"], line["reason"]) == (id, "shutdown")
