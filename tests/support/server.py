"""A flashQ server as a process of its own, started the way a user starts it."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flashq
from support.wire import JSON, Client, Codec

PACKAGE_ROOT = Path(flashq.__file__).resolve().parent.parent  # of the build under test; `make test-asan` has its own
PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent  # where README, docs and sources stand
START_SECONDS = 60.0  # a sanitizer build on a busy machine
STOP_SECONDS = 60.0

Event = dict[str, Any]


def server_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a server: no setting leaks in from the tester's own, and the package under test is found."""
    keep = ("PATH", "HOME", "TMPDIR", "LANG", "CI")
    kept = {name: value for name, value in os.environ.items() if name in keep or _for_the_interpreter(name)}
    path = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # Of hundreds of servers each reserves space for its journal.
    return {**kept, "PYTHONPATH": path, "FLASHQ_SEGMENT_SIZE": "1MB", **(extra or {})}


def _for_the_interpreter(name: str) -> bool:
    return name.startswith(("PYTHON", "LD_", "ASAN_", "UBSAN_", "DYLD_", "COVERAGE_"))


class ServerProcess:
    """Started by the constructor and ready when it returns; `stop` checks that it went well.

    With `wait=False` it may be that it comes to nothing: `is_ready` tells.
    """

    def __init__(
        self, directory: Path, *flags: str, env: Mapping[str, str] | None = None, wait: bool = True
    ) -> None:
        command = [sys.executable, "-m", "flashq", "serve", "--log-format", "json", *_with_port(flags)]
        self.log: list[str] = []
        self._events: queue.Queue[Event | None] = queue.Queue()
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=server_environment(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="server-log", daemon=True)
        self._reader.start()
        if wait:
            try:
                self.ready = self.wait_for("ready", START_SECONDS)
            except BaseException:
                self.kill()
                raise

    def is_ready(self) -> bool:
        """Whether it serves; else it has ended. For one that was not waited for."""
        try:
            self.ready = self.wait_for("ready", START_SECONDS)
        except AssertionError:
            self.wait()
            return False
        return True

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))
            event = _parse(line)
            if event is not None:
                self._events.put(event)
        self._events.put(None)

    def wait_for(self, name: str, seconds: float = 20.0) -> Event:
        """The next event of this name in the log; earlier ones of other names are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no event {name!r} within {seconds} s; the log:\n{self.text}") from None
            if event is None:
                raise AssertionError(f"the server ended without an event {name!r}; the log:\n{self.text}")
            if event.get("event") == name:
                return event

    @property
    def events(self) -> list[Event]:
        """Those of the log so far."""
        return [event for line in list(self.log) if (event := _parse(line)) is not None]

    @property
    def text(self) -> str:
        """Everything the server wrote so far."""
        return "\n".join(self.log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Of the TCP listener."""
        return str(self.ready["host"]), int(self.ready["port"])

    def client(self, codec: Codec = JSON, **options: Any) -> Client:
        """A client of the TCP listener."""
        return Client(self.address, codec, **options)

    def signal(self, number: int) -> None:
        """Send a signal to the server."""
        self.process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status, once the process has ended and its whole log is read."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def stop(self) -> None:
        """End it by SIGTERM; it must exit with status 0 and have reported nothing unexpected."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not end after SIGTERM; the log:\n{self.text}") from None
        assert status == 0, f"exit status {status}; the log:\n{self.text}"
        self.check_log()

    def check_log(self) -> None:
        """No exception went unhandled, and no sanitizer spoke."""
        for line in self.log:
            bad = ("Traceback", '"event":"unhandled"', "AddressSanitizer", "runtime error:")
            assert not any(word in line for word in bad), f"the server reported:\n{self.text}"

    def kill(self) -> None:
        """End it the hard way, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def _with_port(flags: Sequence[str]) -> list[str]:
    return list(flags) if "--port" in flags else ["--port", "0", *flags]


def _parse(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
