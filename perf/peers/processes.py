"""Processes of the comparison, each ended by its id: a Redis of its own, a flashQ server, workers."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 15.0
REDIS = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--protected-mode", "yes", "--daemonize", "no")


def redis_program() -> str:
    """Where redis-server is. SystemExit says how to get it."""
    found = shutil.which("redis-server")
    if found is None:
        sys.exit("redis-server is missing; on Debian: apt-get install redis-server")
    return found


def redis_version() -> str:
    """As `redis-server --version` has it."""
    told = subprocess.run([redis_program(), "--version"], check=True, capture_output=True, text=True).stdout
    return next((word[2:] for word in told.split() if word.startswith("v=")), told.strip())


@contextmanager
def running(
    command: Sequence[str], env: Mapping[str, str], log: Path, group: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has ended at the end of the block; `group`: and all that it started."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, env=dict(env), stdout=out, stderr=subprocess.STDOUT, start_new_session=group)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if group:
            # What is left of the session that it began, such as workers whose parent was too slow to end them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, seconds: float) -> None:
    """RuntimeError, with the end of its log, when the process ends or the time is over before that."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            told = log.read_text(errors="replace")[-3000:]
            what = "ended" if process.poll() is not None else f"was not done within {seconds:.0f} s"
            raise RuntimeError(f"{process.args!r} {what}; its log:\n{told}")
        time.sleep(0.005)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2) as connected:
        connected.sendall(b"PING\r\n")
        return connected.recv(16).startswith(b"+PONG")
    return False


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a fresh Redis that keeps nothing on disk."""
    port, log = free_port(), folder / "redis.log"
    command = [redis_program(), "--port", str(port), "--dir", str(folder), *REDIS]
    with running(command, os.environ, log) as process:
        wait_until(lambda: _answers(port), process, log, START_SECONDS)
        yield f"redis://127.0.0.1:{port}/0"
