"""The project's own rules: what the core may import, one version, types beside each extension, no stray build."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import flashq
from support.server import PACKAGE_ROOT, PROJECT_ROOT
from support.tools import need_tool

ROOT = PROJECT_ROOT
CORE = ROOT / "flashq" / "_core"
SOURCES = sorted(p for p in CORE.iterdir() if p.suffix in (".py", ".pyi", ".pyx", ".pxd"))
EXTENSIONS = sorted([*CORE.glob("*.pyx"), *(ROOT / "flashq" / "storage").rglob("*.pyx")])

# The edge of the core may look at the clock and at the transport it is handed; nothing else there may.
EDGE = {"connection", "outlet", "hub", "clock", "codec_probe"}  # the last one measures for perf/micro
WORLD = {"time", "datetime", "socket", "select", "ssl", "os", "io", "asyncio", "uvloop", "random", "secrets"}
WORLD |= {"threading", "subprocess", "pathlib", "logging", "structlog", "posix", "libc.time", "libc.stdio"}
ALLOWED_OF_WORLD = {"posix.mman"}  # memory, not input

IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+(?:c?import)|(?:c?import)\s+(.+))", re.MULTILINE)
EXTERN = re.compile(r"""cdef\s+extern\s+from\s+"<?([^">]+)>?\"""")
CLOCK_HEADERS = {"time.h", "sys/time.h", "sys/socket.h", "unistd.h", "fcntl.h", "stdio.h", "sys/random.h"}


def imports(text: str) -> set[str]:
    """The modules a Python or Cython source names in its imports."""
    found: set[str] = set()
    for origin, names in IMPORT.findall(text):
        if origin:
            found.add(origin)
        else:
            found.update(part.split()[0] for part in names.split("#")[0].split(",") if part.strip())
    return found


def above(modules: set[str]) -> set[str]:
    """Those that stand over the core."""
    return {m for m in modules if m.split(".")[0] == "flashq" and not (m + ".").startswith("flashq._core.")}


def outside(text: str) -> set[str]:
    """What a source reaches of clocks, sockets, files and chance."""
    named = imports(text) - ALLOWED_OF_WORLD
    found = {m for m in named if m in WORLD or m.split(".")[0] in WORLD}
    return found | {header for header in EXTERN.findall(text) if header in CLOCK_HEADERS}


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import time", "time"),
        ("from os import path", "os"),
        ("    import io, socket  # both", "socket"),
        ("from posix.time cimport clock_gettime", "posix.time"),
        ("from libc.time cimport time", "libc.time"),
        ("cimport posix.unistd", "posix.unistd"),
        ("import asyncio as aio", "asyncio"),
        ('cdef extern from "<time.h>" nogil:', "time.h"),
        ('cdef extern from "sys/socket.h":', "sys/socket.h"),
    ],
)
def test_the_check_of_imports_sees(line: str, module: str) -> None:
    innocent = '"""Text about import time."""\nfrom libc.stdint cimport uint8_t\ncdef extern from "<math.h>":\n'
    assert outside(innocent) == set()
    assert module in outside(f"{innocent}{line}\n")


def test_the_check_of_layers_sees() -> None:
    text = "from flashq._core.heap cimport Heap\nfrom flashq.config import Settings\n"
    text += "import flashq.server.app\nimport flashq"
    assert above(imports(text)) == {"flashq.config", "flashq.server.app", "flashq"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_the_core_imports_nothing_above_it(path: Path) -> None:
    assert above(imports(path.read_text())) == set()


@pytest.mark.parametrize("path", [p for p in SOURCES if p.stem not in EDGE], ids=lambda p: p.name)
def test_the_core_reads_no_clock_socket_or_file(path: Path) -> None:
    assert outside(path.read_text()) == set()


def test_the_engine_is_among_what_is_checked() -> None:
    names = {p.name for p in SOURCES}
    assert {"engine.pyx", "engine.pxd", "json_codec.pyx", "msgpack_codec.pyx"} <= names


def test_storage_knows_no_command_and_no_server() -> None:
    for path in (p for p in (ROOT / "flashq" / "storage").rglob("*.py*") if p.suffix in (".py", ".pyx", ".pxd")):
        foreign = {m for m in above(imports(path.read_text())) if not m.startswith("flashq.storage")}
        assert foreign == set(), path.name


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda p: p.name)
def test_each_extension_says_what_python_may_call(path: Path) -> None:
    assert path.with_suffix(".pyi").is_file()


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda p: p.name)
def test_no_forbidden_cython(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"^\s*DEF\s", text, re.MULTILINE)
    assert not re.search(r"^\s*include\s+[\"']", text, re.MULTILINE)
    assert "except *" not in text


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "flashq.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", flashq.__version__)
    assert re.search(rf"^## {re.escape(flashq.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_build_under_test_is_the_one_meant() -> None:
    """A sanitizer run that imported the normal extensions would pass without having looked."""
    if os.environ.get("FLASHQ_ASAN") == "1":
        assert "asan" in PACKAGE_ROOT.parts
    else:
        assert PACKAGE_ROOT == ROOT


def test_documents_name_only_files_that_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_make_help_lists_each_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    described = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert phony == described
    assert {"help", "run", "build", "test", "test-asan", "bench", "lint", "format", "clean"} <= phony


def test_a_build_is_quiet_but_for_a_line_a_step(tmp_path: Path) -> None:
    need_tool("make")
    (tmp_path / "flashq").mkdir()
    (tmp_path / "flashq" / "one.pyx").write_text("value = 1\n")
    (tmp_path / "flashq" / "two.pyx").write_text("value = 2\n")
    cythonize = [sys.executable, str(ROOT / "setup.py"), "--quiet", "--version"]  # without the C compiler
    environment = {name: text for name, text in os.environ.items() if name != "FLASHQ_MODULES"}
    done = subprocess.run(cythonize, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert len(list((tmp_path / "build").rglob("*.c"))) == 2
    assert (done.stdout.split(), done.stderr) == (["0.0.0"], "")
    for name in ("Makefile", "setup.py", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    plan = subprocess.run(["make", "-n", "build"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert plan.index("installing build tools and libraries") < plan.index("bin/pip install")
    assert plan.index("compiling 2 extensions, about a minute") < plan.index("setup.py --quiet build_ext")


def test_make_runs_programs_that_exist() -> None:
    text = (ROOT / "Makefile").read_text()
    programs = re.findall(r"\$\(BIN\)/python ([\w/]+\.py)", text)
    assert {"setup.py", "perf/run.py"} <= set(programs)
    assert all((ROOT / program).is_file() for program in programs)
