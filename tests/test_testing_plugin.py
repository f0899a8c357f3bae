"""The pytest plug-in: its fixtures in a user's own run, and nothing at all for those who do not use it."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from support.server import ServerProcess, server_environment

USER_TESTS = '''
import asyncio
from flashq import AsyncFlashQ, FlashQ
from flashq.testing import AsyncTestServer, TestServer

def test_threads(flashq_server, flashq_client):
    assert type(flashq_server) is TestServer and type(flashq_client) is FlashQ
    id = flashq_client.push("q", delay=1000)
    flashq_server.advance(seconds=1)
    assert flashq_client.get_state(id) == "waiting"

def test_each_test_has_its_own(flashq_client):
    assert flashq_client.count("q") == 0
'''
USER_ASYNC_TESTS = '''
async def test_asyncio(async_flashq_server, async_flashq_client):
    id = await async_flashq_client.push("q", delay=1000)
    await async_flashq_server.advance(seconds=1)
    assert await async_flashq_client.get_state(id) == "waiting"
    assert type(async_flashq_server).__name__ == "AsyncTestServer"
'''

USER_TESTS_WITHOUT_CONNECT = '''
import pytest
from flashq import App, FlashQ, Worker
from flashq.testing import allow_real_server, run_pending

app = App("flashq://127.0.0.1:{port}")

@app.task
def note(text: str) -> str:
    return text

def test_before_any_test_server():
    assert note.push("real").state() == "waiting"

def test_forgotten(flashq_server, flashq_client):
    for use in (lambda: note.push("a"), lambda: note.push_many([("b",)]), lambda: note.handle(1).state()):
        with pytest.raises(RuntimeError, match=r"call server\\.connect\\(app\\) first"):
            use()
    assert flashq_client.list_queues() == []

async def test_forgotten_in_a_loop(async_flashq_server):
    for use in (lambda: note.push_async("c"), lambda: Worker(app).run()):
        with pytest.raises(RuntimeError, match=r"call server\\.connect\\(app\\) first"):
            await use()

def test_afterwards():
    with pytest.raises(RuntimeError, match=r"call server\\.connect\\(app\\) first"):
        note.push("d")

def test_allowed(flashq_server):
    allow_real_server(app)
    assert note.push("real").state() == "waiting"
    with pytest.raises(RuntimeError, match="no test server of this process"):
        run_pending(app)

def test_connected(flashq_server):
    flashq_server.connect(app)
    handle = note.push("e")
    assert [ran.result for ran in run_pending(app)] == ["e"] and handle.result(0) == "e"
'''


def pytest_in(directory: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest as a user's project has it."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags]
    environment = server_environment({"FLASHQ_MAX_QUEUES": "nonsense"})
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120,
                          check=False)


def test_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER_TESTS)
    done = pytest_in(tmp_path)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(("mode", "mark"), [
    ("auto", ""),
    ("strict", "import pytest\npytestmark = pytest.mark.asyncio\n"),
], ids=["auto", "strict"])
def test_the_fixtures_of_asyncio(tmp_path: Path, mode: str, mark: str) -> None:
    (tmp_path / "test_user.py").write_text(mark + USER_ASYNC_TESTS)
    done = pytest_in(tmp_path, "-o", f"asyncio_mode={mode}")
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_an_app_that_is_not_connected_reaches_no_real_server(tmp_path: Path, server: ServerProcess) -> None:
    (tmp_path / "test_user.py").write_text(USER_TESTS_WITHOUT_CONNECT.format(port=server.ready["port"]))
    done = pytest_in(tmp_path, "-o", "asyncio_mode=auto")
    assert done.returncode == 0 and "6 passed" in done.stdout, done.stdout
    with server.client() as client:
        assert client.ok("COUNT", queue="default")["count"] == 2


def test_nothing_of_flashq_loads_unless_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    assert {n for n in sys.modules if n.startswith('flashq')} <= {'flashq', 'flashq.testing',"
        " 'flashq.testing.plugin'}\n")
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_fixture_says_what_it_is(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, "--fixtures")
    ours = [line for line in done.stdout.splitlines() if "flashq" in line and " -- " in line]
    assert len(ours) == 4, done.stdout
    assert "no docstring" not in done.stdout.split("fixtures defined from flashq")[1].split("fixtures defined")[0]


def test_it_is_installed() -> None:
    (found,) = entry_points(group="pytest11", name="flashq")
    assert found.value == "flashq.testing.plugin"
