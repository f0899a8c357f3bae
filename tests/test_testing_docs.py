"""docs/testing.md is so: its programs print what they should, and its tests pass under pytest."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

from flashq.testing import plugin
from support.blocks import blocks
from support.server import server_environment

PROGRAMS = [block.text for block in blocks("docs/testing.md")]


def test_what_the_programs_print() -> None:
    names: dict[str, Any] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for program in PROGRAMS:
            exec(compile(program, "docs/testing.md", "exec"), names)
    assert out.getvalue().splitlines() == [
        "delayed", "call home", "[]", "remind done reminded Ada",
        str(["failed"] * 4) + " failed", "reminded Grace"]


def test_its_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text("\n".join(PROGRAMS))
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path,
                          env=server_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_it_lists_every_fixture() -> None:
    page = " ".join(Path(__file__).parent.parent.joinpath("docs", "testing.md").read_text().split())
    fixtures = {name for name in dir(plugin) if name.startswith(("flashq_", "async_flashq_"))}
    assert len(fixtures) == 4
    assert all(f"| `{name}` |" in page for name in fixtures)
