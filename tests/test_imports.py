"""What an import loads: what a name needs to begin with, and nothing of what a program may never use."""
import subprocess
import sys

import pytest

from support.clients import url_of
from support.server import ServerProcess, server_environment

SERVER_SIDE = {"flashq.commands", "flashq.config", "flashq.fields", "flashq.server", "click", "rich", "structlog"}
LOOPS = {"asyncio", "uvloop", "ssl", "socket", "subprocess", "concurrent.futures", "logging"}
FORMATS = {"msgpack", "orjson", "flashq.client.wire_msgpack", "flashq.client.wire_json"}
GENERATORS = {"dataclasses", "inspect"}


def loaded_by(line: str, **environment: str) -> set[str]:
    """The modules that a line loads in a fresh interpreter, beside those that it begins with here."""
    script = f"import sys; before = set(sys.modules); {line}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], env=server_environment(environment), capture_output=True,
                          text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(("line", "without"), [
    ("import flashq", SERVER_SIDE | LOOPS | FORMATS | GENERATORS | {"flashq.client", "flashq.tasks", "flashq.worker"}),
    ("from flashq import FlashQ", SERVER_SIDE | LOOPS | FORMATS | GENERATORS | {"flashq.client.link", "uuid"}),
    ("from flashq import App", SERVER_SIDE | LOOPS | FORMATS | {"flashq.client.aio", "hashlib"}),
    ("from flashq import AsyncFlashQ", SERVER_SIDE | FORMATS | {"uvloop", "flashq.client.sync"}),
    ("from flashq import Worker", SERVER_SIDE | {"uvloop", "orjson"}),
])
def test_importing_does_without(line: str, without: set[str]) -> None:
    assert loaded_by(line) & without == set()


@pytest.mark.parametrize(("format", "other"), [("msgpack", "orjson"), ("json", "msgpack")])
def test_a_client_loads_the_library_of_its_format_only(format: str, other: str) -> None:
    loaded = loaded_by(f"from flashq import FlashQ; FlashQ(format='{format}')")
    assert f"flashq.client.wire_{format}" in loaded
    assert other not in loaded and not loaded & LOOPS


def test_the_command_that_pushes_one_job_draws_nothing(server: ServerProcess, queue_name: str) -> None:
    line = f"from flashq.cli import main; main(['push', '{queue_name}', '1'], standalone_mode=False)"
    loaded = loaded_by(line, FLASHQ_URL=url_of(server))
    assert "flashq.client.portal" in loaded
    assert not loaded & {"rich", "orjson", "structlog", "flashq.server"}
