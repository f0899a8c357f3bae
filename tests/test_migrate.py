"""The migration pages: both programs of each run, against a real Redis and a real flashQ server, and print the same.

Slow, because the peers must be installed: `make test-full`, or `-m slow`. What needs no peer runs always.
"""

import ast
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.blocks import Block, blocks
from support.clients import url_of
from support.pagerun import URL, matches
from support.peers import peer, redis
from support.server import PROJECT_ROOT, ServerProcess, server_environment

PEERS = ("celery", "rq", "arq", "dramatiq")
REDIS_URL = "redis://127.0.0.1:6379/0"
SECONDS = 90.0


def page(name: str) -> str:
    return f"docs/migrate/{name}.md"


def commands(name: str) -> tuple[list[str], list[str]]:
    """The lines that start the peer's workers, and ours."""
    theirs, ours = (block.text.splitlines() for block in blocks(page(name)) if block.language == "sh")
    return theirs, ours


def write(name: str, side: str, directory: Path, replaced: Mapping[str, str]) -> Path:
    """The files of one side."""
    for block in blocks(page(name)):
        if block.title.startswith(f"{side}/"):
            target = directory / block.title
            target.parent.mkdir(exist_ok=True)
            target.write_text(_with(block.text, replaced))
    return directory / side


def _with(text: str, replaced: Mapping[str, str]) -> str:
    for before, after in replaced.items():
        text = text.replace(before, after)
    return text


@contextmanager
def started(lines: list[str], python: Path, directory: Path, replaced: Mapping[str, str]) -> Iterator[None]:
    """Each line is a process that goes on until the end of the block."""
    environment = server_environment({"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": str(directory)})
    with ExitStack() as stack:
        for number, line in enumerate(lines):
            words = shlex.split(_with(line, replaced))
            log = (directory / f"worker-{number}.log").open("w")
            process = subprocess.Popen([str(python.parent / words[0]), *words[1:]], cwd=directory, env=environment,
                                       stdout=log, stderr=log, start_new_session=True)
            stack.callback(_end, process)
        yield


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)      # its pool, if it left one behind
    except ProcessLookupError:
        return


def printed(name: str, side: str, python: Path, directory: Path, replaced: Mapping[str, str]) -> str:
    """What the main program of one side prints while its workers run."""
    theirs, ours = commands(name)
    place = write(name, side, directory, replaced)
    with started(theirs if side == "before" else ours, python, place, replaced):
        done = subprocess.run([python, "main.py"], cwd=place, env=server_environment(), capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        logs = "\n".join(log.read_text(errors="replace")[-2000:] for log in place.glob("worker-*.log"))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{logs}"
    return done.stdout


def told(name: str) -> str:
    """What the page says that both print."""
    (block,) = (block for block in blocks(page(name)) if block.language == "text")
    return block.text


@pytest.mark.parametrize("name", [
    "celery", "arq", pytest.param("rq", marks=pytest.mark.slow), pytest.param("dramatiq", marks=pytest.mark.slow)])
def test_our_program_prints_what_the_page_says(name: str, server: ServerProcess, tmp_path: Path) -> None:
    with server.client() as client:
        for one in client.ok("CRONLIST")["crons"]:
            client.ok("CRONDELETE", name=one["name"])
    out = printed(name, "after", Path(sys.executable), tmp_path, {URL: url_of(server)})
    assert matches(told(name), out), out


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_the_program_of_the_peer_prints_the_same(name: str, tmp_path: Path) -> None:
    python = peer(name)
    with redis(tmp_path) as url:
        out = printed(name, "before", python, tmp_path, {REDIS_URL: url})
    assert matches(told(name), out), out


@pytest.mark.parametrize("name", PEERS)
def test_the_words_of_the_tables_exist(name: str) -> None:
    """Names of flashq in the right column: options of tasks, methods of tasks and handles, flags of the worker."""
    text = (PROJECT_ROOT / page(name)).read_text()
    _known = _names()
    for row in text.split("## Words")[1].split("\n## ")[0].splitlines()[4:]:
        if not row.startswith("|"):
            continue
        ours = row.rsplit("|", 2)[1]
        for word in _words(ours):
            assert word in _known, f"{word} of {row}"


def _words(cell: str) -> set[str]:
    """What code of a cell calls, raises or sets."""
    found = set()
    for code in cell.split("`")[1::2]:
        if code.startswith(("flashq ", "--", "@")):
            continue
        try:
            tree = ast.parse(code.replace("…", "_").rstrip("=") if "=" not in code else f"_({code.rstrip('=')}=_)"
                             if code.endswith("=") else code.replace("…", "_"))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found |= {keyword.arg for keyword in node.keywords if keyword.arg}
                found.add(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "_"))
    return found - {"_"}


def _names() -> set[str]:
    import flashq
    from flashq import tasks
    from flashq.tasks.options import TaskSettings

    parameters = {"in_", "max", "jitter", "type", "y", "tz", "cron", "every", "limit", "timeout", "datetime", "seconds"}
    methods = set(dir(tasks.Task)) | set(dir(tasks.Handle)) | set(dir(tasks.CurrentJob)) | set(dir(tasks.Chain))
    return {*TaskSettings.__annotations__, *flashq.__all__, *tasks.__all__, *methods, *dir(tasks.Group), *parameters}


def test_each_side_has_all_it_needs() -> None:
    for name in PEERS:
        titles = {block.title for block in blocks(page(name)) if block.title}
        assert titles >= {"before/tasks.py", "before/main.py", "after/tasks.py", "after/main.py"}
        found: list[Block] = [block for block in blocks(page(name)) if block.language == "python"]
        assert all(block.title for block in found), f"{name}: a block that belongs to no program"
