"""The examples run as a user runs them, and notice when a result is wrong."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from support.server import PROJECT_ROOT, ServerProcess, server_environment
from support.wire import JSON

SCRIPT = PROJECT_ROOT / "examples" / "count_stdlib_tokens.py"
SECONDS = 300  # a sanitizer build on a busy machine


def run_example(*flags: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The example, run in a directory that is not the project's."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *flags],
        cwd=directory,
        env=server_environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("count_stdlib_tokens", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_counts_each_file_once_though_workers_die(tmp_path: Path) -> None:
    done = run_example("--limit", "150", "--workers", "3", "--kill", "2", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert shown["files"].startswith("150, ")
    by_workers, by_itself = (int(part.split()[0]) for part in shown["tokens"].split(", "))
    assert by_workers == by_itself > 150
    assert done.stderr.count("killed worker") == 2
    assert "right: each file was counted once" in done.stdout


def test_it_uses_a_server_that_runs(server: ServerProcess, tmp_path: Path) -> None:
    address = f"127.0.0.1:{server.ready['port']}"
    done = run_example("--address", address, "--limit", "20", "--kill", "0", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    with server.client(JSON) as client:
        (counts,) = (
            counts for name, counts in client.ok("STATS")["queues"].items() if name.startswith("stdlib-tokens-")
        )
    assert counts == {"waiting": 0, "active": 0, "completed": 20, "failed": 0, "delayed": 0, "paused": False}


def test_it_shows_its_token(tmp_path: Path, start_server: Callable[..., ServerProcess]) -> None:
    server = start_server("--host", "127.0.0.1", "--auth-tokens", "s3cret")
    flags = ["--address", f"127.0.0.1:{server.ready['port']}", "--limit", "4", "--workers", "1", "--kill", "0"]
    done = run_example(*flags, "--token", "s3cret", directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    refused = run_example(*flags, "--token", "wrong", directory=tmp_path)
    assert (refused.returncode, refused.stderr) == (1, "stopped: AUTH was refused: Invalid token\n")


def test_no_server_is_told_in_a_line(tmp_path: Path) -> None:
    done = run_example("--address", "127.0.0.1:1", "--limit", "20", "--kill", "0", directory=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("stopped: ") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--address", "6789"], "'6789' is not HOST:PORT"),
        (["--workers", "0"], "'0' is not a whole number of 1 or more"),
        (["--limit", "5001"], "'5001' is not a whole number of 1 to 5000"),
        (["--limit", "10", "--kill", "3"], "10 files are too few for killing 3 workers"),
    ],
)
def test_flags_that_are_wrong(flags: list[str], said: str, tmp_path: Path) -> None:
    done = run_example(*flags, directory=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_files_that_cannot_be_tokenised_are_counted_as_such(example: ModuleType, tmp_path: Path) -> None:
    sources = {
        "good": b"x = 1\n",  # ENCODING NAME OP NUMBER NEWLINE ENDMARKER
        "open": b"x = (1,\n",
        "indent": b"if x:\n        y\n    z\n",
        "coding": b"# coding: no-such-coding\n",
        "bytes": b"# coding: utf-8\nx = '\xff'\n",
    }
    counted = {}
    for name, source in sources.items():
        path = tmp_path / f"{name}.py"
        path.write_bytes(source)
        counted[name] = example.count_tokens(str(path))
    assert counted.pop("good") == {"tokens": 6, "broken": False}
    assert set(counted) == {"open", "indent", "coding", "bytes"}
    assert all(result == {"tokens": 0, "broken": True} for result in counted.values())


def test_the_files_are_those_of_the_library(example: ModuleType) -> None:
    files = example.library_files()
    assert len(files) == len(set(files)) > 300
    assert any(path.endswith("json/decoder.py") for path in files)
    assert not any("site-packages" in path or "dist-packages" in path for path in files)
    some = example.library_files(limit=100)
    assert len(set(some)) == 100 and set(some) <= set(files)


def test_a_wrong_result_is_named(example: ModuleType) -> None:
    good, lost = {"tokens": 3, "broken": False}, None
    assert example.differences(["a", "b"], [good, good], [good, good]) == []
    (line,) = example.differences(["a", "b"], [good, lost], [good, good])
    assert line.startswith("b: None instead of ")
