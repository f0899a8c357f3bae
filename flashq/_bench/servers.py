"""Servers to measure, each a process of its own that ends with the `with` block."""
import collections
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from flashq._bench.workload import Target

SERVE = ["-m", "flashq", "serve", "--port", "0", "--host", "127.0.0.1", "--log-format", "json",
         "--durability", "memory"]
FLASHQ = [sys.executable, "-P", *SERVE]     # the package that measures, not one that lies in the working directory
OTHERS = ("FLASHQ_", "AUTH_TOKENS", "UNIX_SOCKET", "TCP_PORT", "PORT")


@contextmanager
def started(command: list[str], heard: list[dict[str, Any]] | None = None,
            end: signal.Signals = signal.SIGTERM) -> Iterator[Target]:
    """The address of a fresh server, once it says that it is ready; the events that it logs go to `heard`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Target(port=_ready_port(server, heard), pid=server.pid)
    finally:
        if server.poll() is not None:
            print(f"the server ended by itself, with status {server.returncode}", file=sys.stderr)
        server.send_signal(end)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready_port(server: "subprocess.Popen[str]", heard: list[dict[str, Any]] | None) -> int:
    """Read the log up to its `ready` line; a thread takes the rest, so that the pipe never fills."""
    said: collections.deque[str] = collections.deque(maxlen=50)
    assert server.stdout is not None
    for line in server.stdout:
        said.append(line)
        entry = _event(line)
        if heard is not None and entry:
            heard.append(entry)
        if entry.get("event") == "ready":
            threading.Thread(target=_hear, args=(server.stdout, heard), daemon=True).start()
            return int(entry["port"])
    server.stdout.close()
    raise RuntimeError("the server did not start:\n" + "".join(said))


def _event(line: str) -> dict[str, Any]:
    """What a line of the log says; nothing when it is no event."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _hear(log: IO[str], heard: list[dict[str, Any]] | None) -> None:
    """Read to the end, then close."""
    with log:
        for line in log:
            if heard is not None and (entry := _event(line)):
                heard.append(entry)
