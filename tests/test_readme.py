"""What the pages for new users say is so: their commands run as they stand, what they name exists.

The Python program of README.md runs in test_server_start.py.
"""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from support.clients import url_of
from support.pages import blocks
from support.server import PROJECT_ROOT, ServerProcess, server_environment
from support.tools import need_tool

README = PROJECT_ROOT / "README.md"
JOURNAL = PROJECT_ROOT / "docs" / "journal.md"


def shell(lines: str, port: int) -> list[Any]:
    """What the lines print, decoded, when they are run against the server on this port."""
    assert "6789" in lines
    script = lines.replace("6789", str(port))
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def worker_of_the_tasks(server: ServerProcess) -> Iterator[None]:
    """The page has had its reader start a worker just before: a pull that waits where its program pushes."""
    (program,) = (block for block in blocks(README, "python") if "@app.task" in block)
    (queue,) = re.findall(r'queue="(\w+)"', program)
    with server.client() as worker:
        worker.send("PULL", queue=queue, timeout=60_000, reqId="parked")
        worker.ok("PING")
        yield


@pytest.mark.usefixtures("worker_of_the_tasks")
def test_the_first_job_by_nc(server: ServerProcess) -> None:
    need_tool("nc")
    (lines,) = (block for block in blocks(README, "sh") if "nc -q1" in block)
    pushed, pulled = shell(lines, server.ready["port"])
    assert pushed["ok"] is True and isinstance(pushed["id"], int)
    assert (pulled["job"]["id"], pulled["job"]["data"]) == (pushed["id"], {"to": "a@b.c"})
    pull_again = lines.splitlines()[1]
    (nothing,) = shell(pull_again, server.ready["port"])
    assert (nothing["ok"], nothing["job"]) == (True, None)


@pytest.mark.usefixtures("worker_of_the_tasks")
def test_the_first_job_by_the_command_line(server: ServerProcess, tmp_path: Path) -> None:
    (lines,) = (block for block in blocks(README, "sh") if "flashq push" in block)
    program = tmp_path / ".venv" / "bin" / "flashq"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m flashq "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(["sh", "-ec", lines], cwd=tmp_path, env=server_environment({"FLASHQ_URL": url_of(server)}),
                          capture_output=True, text=True, timeout=60, check=True)
    pushed, pulled, _head, *queues = done.stdout.splitlines()
    assert pulled == f'{pushed} {{"to":"a@b.c"}}'
    assert any(line.split()[0] == "letters" for line in queues)


def test_ids_grow_as_the_pages_say(server: ServerProcess, queue_name: str) -> None:
    for page in (README, PROJECT_ROOT / "docs" / "cli.md"):
        (step,) = re.findall(r"Ids grow in steps of (\d+) or more", page.read_text(encoding="utf-8"))
        with server.client() as client:
            first, second = (client.ok("PUSH", queue=queue_name)["id"] for _ in range(2))
        assert second > first and (second - first) % int(step) == 0


@pytest.mark.parametrize("page", [README, PROJECT_ROOT / "docs" / "quick-start.md"])
def test_only_what_can_be_had_is_installed(page: Path) -> None:
    """Nothing is published: the one way into another environment is the clone."""
    installed = re.findall(r"^pip install (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert installed == ["/path/to/flashq"]
    assert (PROJECT_ROOT / "pyproject.toml").is_file()


def test_the_commands_on_a_data_directory(start_server: StartServer, tmp_path: Path) -> None:
    """All blocks of the page in their order; the server runs until one needs it stopped."""
    server = start_server("--durability", "commit")
    with server.client() as client:
        client.ok("PUSH", queue="emails", data={"to": "a@b.c"})
        client.ok("PULL", queue="emails")
        client.ok("PUSH", queue="emails", data={"to": "d@e.f"})
    program = tmp_path / "bin" / "flashq"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m flashq "$@"\n')
    program.chmod(0o755)
    environment = server_environment()
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    scripts = blocks(JOURNAL, "sh")
    assert len(scripts) == 5
    for script in scripts:
        if "compact" in script:
            server.stop()
        subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=environment, check=True, timeout=120,
                       capture_output=True)
    assert len((tmp_path / "jobs.jsonl").read_text().splitlines()) == 2
    (questions,) = blocks(JOURNAL, "sql")
    with sqlite3.connect(tmp_path / "jobs.db") as database:
        counted, *_others = [database.execute(question).fetchall() for question in questions.split(";")[:-1]]
    assert {(queue, state, number) for queue, state, number, _oldest in counted} == {
        ("emails", "active", 1), ("emails", "waiting", 1)}
    with start_server("--durability", "commit", "--data-dir", "backup-of-today").client() as client:
        assert client.ok("COUNT", queue="emails")["count"] == 1


def test_the_graces_named_are_the_defaults() -> None:
    from flashq.config import load

    settings = load({}, {})
    text = " ".join(README.read_text(encoding="utf-8").split())
    (lease, grace) = re.findall(r"after (\d+) seconds \(`--lease`\), or after (\d+) \(`--disconnect-grace`\)", text)[0]
    assert (int(lease) * 1000, int(grace) * 1000) == (settings.lease, settings.disconnect_grace)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "examples/README.md"])
def test_make_targets_and_programs_exist(page: str) -> None:
    text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named and named <= targets
    for path in re.findall(r"\.venv/bin/python ([\w/]+\.py)", text):
        assert (PROJECT_ROOT / path).is_file(), path


@pytest.mark.parametrize("page", ["README.md", "examples/README.md"])
def test_flags_exist(page: str) -> None:
    from flashq.config import SETTINGS

    text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
    example = (PROJECT_ROOT / "examples" / "count_stdlib_tokens.py").read_text(encoding="utf-8")
    known = {setting.flag for setting in SETTINGS} | set(re.findall(r"\"(--[a-z-]+)\"", example)) | {"--help"}
    reference = (PROJECT_ROOT / "docs" / "cli-reference.md").read_text(encoding="utf-8")
    known |= set(re.findall(r"^\| `[^`]*?(--[a-z-]+)", reference, re.MULTILINE))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named and named <= known
