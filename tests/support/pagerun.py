"""Runs the blocks of a page in their order, as a reader would.

Of a fence with title="tasks.py" the block is written to that file. Other `python` blocks of a page run one after the
other with the same names, `sh` blocks in a directory of the page's own; a `text` block is what the one before it has
printed, `...` standing for anything. Each line of `json` is a request that a server answers with ok. `flashq serve`
and `flashq worker` go on until the end of the page.
"""

import contextlib
import io
import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.blocks import Block
from support.clients import url_of
from support.server import ServerProcess, server_environment
from support.tools import need_tool

URL, PORT = "flashq://127.0.0.1:6789", "6789"
SECONDS = 60.0


def matches(told: str, printed: str) -> bool:
    """Whether a `text` block says what was printed; blanks at the ends of lines do not count."""
    pattern = re.escape(_plain(told)).replace(r"\.\.\.", ".*?")
    return re.fullmatch(pattern, _plain(printed), re.DOTALL) is not None


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class PageRun:
    """Runs the blocks of one page in a directory. Close it: it ends what still runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""
        self._server: ServerProcess | None = None
        self._workers: list[tuple[subprocess.Popen[str], Path]] = []

    @property
    def server(self) -> ServerProcess:
        """That of the page; one with the defaults when it started none."""
        if self._server is None:
            self._server = ServerProcess(self.directory)
        return self._server

    def run(self, block: Block) -> None:
        """One block. AssertionError, with its place, when it does not do what it should."""
        where = f"{block.page}:{block.line}"
        if block.title:
            target = self.directory / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text.replace(URL, url_of(self.server)))
            return
        runner = getattr(self, f"_{block.language}", None)
        assert runner is not None, f"{where}: nothing runs a block of {block.language or 'no language'}"
        try:
            runner(block)
        except Exception as error:
            raise AssertionError(f"{where}: {error}") from error

    def _python(self, block: Block) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self._importable():
            program = block.text.replace(URL, url_of(self.server))
            exec(compile(program, f"{block.page}:{block.line}", "exec"), self.names)
        self.printed = out.getvalue()

    def _sh(self, block: Block) -> None:
        words = shlex.split(block.text, comments=True)
        if words[:2] == ["flashq", "serve"]:
            assert self._server is None, "the page has a server already"
            self._server = ServerProcess(self.directory, *words[2:])
        elif words[:2] == ["flashq", "worker"]:
            self._work(words[2:])
        else:
            if re.search(r"\bnc\b", block.text):
                need_tool("nc")
            done = subprocess.run(["sh", "-ec", block.text.replace(PORT, str(self.server.ready["port"]))],
                                  cwd=self.directory, env=self.environment(), capture_output=True, text=True,
                                  timeout=SECONDS, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            self.printed = done.stdout

    def _text(self, block: Block) -> None:
        assert matches(block.text, self.printed), f"it printed\n{self.printed}\nand not\n{block.text}"

    def _json(self, block: Block) -> None:
        with self.server.client() as client:
            for line in block.text.splitlines():
                request = json.loads(line)
                if request["cmd"].startswith("PULL"):
                    request["timeout"] = 0      # it shows how to ask; nothing needs to be there
                client.ok(request.pop("cmd"), **request)

    def _work(self, flags: list[str]) -> None:
        log = self.directory / f"worker-{len(self._workers)}.log"
        with log.open("w") as out:
            process = subprocess.Popen([sys.executable, "-m", "flashq", "worker", *flags, "--log-format", "json"],
                                       cwd=self.directory, env=self.environment(), stdout=out, stderr=out, text=True)
        self._workers.append((process, log))
        deadline = time.monotonic() + SECONDS
        while "worker_started" not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)

    def environment(self) -> dict[str, str]:
        """`flashq` and `python` are those of this run, and find the page's server."""
        tools = self.directory / "bin"
        if not tools.exists():
            tools.mkdir()
            for name, command in {"flashq": f"{sys.executable} -m flashq", "python": sys.executable}.items():
                (tools / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
                (tools / name).chmod(0o755)
        environment = server_environment({"FLASHQ_URL": url_of(self.server)})
        return {**environment, "PATH": f"{tools}:{environment['PATH']}"}

    @contextlib.contextmanager
    def _importable(self) -> Iterator[None]:
        """The page's own files may be imported, and are forgotten afterwards."""
        sys.path.insert(0, str(self.directory))
        try:
            yield
        finally:
            sys.path.remove(str(self.directory))
            for name, module in list(sys.modules.items()):
                if str(getattr(module, "__file__", "") or "").startswith(str(self.directory)):
                    del sys.modules[name]

    def close(self) -> None:
        """Workers drain, the server must end well."""
        try:
            for process, log in self._workers:
                process.send_signal(signal.SIGTERM)
                assert process.wait(SECONDS) == 0, log.read_text()
            if self._server is not None:
                self._server.stop()
        finally:
            for process, _log in self._workers:
                process.kill()
                process.wait()
            if self._server is not None:
                self._server.kill()
