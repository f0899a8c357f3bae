"""Servers to measure, each a process of its own that ends with the `with` block."""
import collections
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from flashq._bench.workload import Target

SERVE = ["-m", "flashq", "serve", "--port", "0", "--host", "127.0.0.1", "--log-format", "json",
         "--durability", "memory"]
FLASHQ = [sys.executable, "-P", *SERVE]     # the package that measures, not one that lies in the working directory
OTHERS = ("FLASHQ_", "AUTH_TOKENS", "UNIX_SOCKET", "TCP_PORT", "PORT")


@contextmanager
def started(command: list[str]) -> Iterator[Target]:
    """The address of a fresh server, once it says that it is ready."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Target(port=_ready_port(server), pid=server.pid)
    finally:
        if server.poll() is not None:
            print(f"the server ended by itself, with status {server.returncode}", file=sys.stderr)
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready_port(server: "subprocess.Popen[str]") -> int:
    """Read the log up to its `ready` line; a thread takes the rest, so that the pipe never fills."""
    said: collections.deque[str] = collections.deque(maxlen=50)
    assert server.stdout is not None
    for line in server.stdout:
        said.append(line)
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("event") == "ready":
            threading.Thread(target=_discard, args=(server.stdout,), daemon=True).start()
            return int(entry["port"])
    server.stdout.close()
    raise RuntimeError("the server did not start:\n" + "".join(said))


def _discard(log: IO[str]) -> None:
    """Read to the end, then close."""
    with log:
        collections.deque(log, 0)
