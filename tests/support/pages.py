"""Pages of the documentation as programs: their blocks, and what those print when they run against a server."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

from support.blocks import blocks as fenced
from support.server import PROJECT_ROOT

MODULE = re.compile(r"^# (\w+)\.py\n")      # the first line of a block that is a part of a module


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [block.text for block in fenced(page, language)]


def titled(page: Path, language: str = "python") -> list[tuple[str, str]]:
    """The same, each with the title of its section."""
    return [(block.section, block.text) for block in fenced(page, language)]


def module(page: Path, name: str) -> str:
    """The blocks of a page that make up a module."""
    parts = [(MODULE.match(block), block) for block in blocks(page, "python")]
    return "\n".join(block for found, block in parts if found and found[1] == name)


def printed(page: Path, url: str) -> dict[str, list[str]]:
    """What the programs of a page print, as lines by section, when they run in their order against a server."""
    names: dict[str, Any] = {"__name__": "page"}
    said: dict[str, list[str]] = {}
    for section, program in titled(page):
        if not MODULE.match(program):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(program.replace("flashq://127.0.0.1:6789", url), section, "exec"), names)
            if out.getvalue():
                said[section] = said.get(section, []) + out.getvalue().splitlines()
    return said


def check(said: dict[str, list[str]], expected: dict[str, list[str]]) -> None:
    """Each section must print lines that begin so, and no other section any."""
    assert set(said) == set(expected)
    for section, lines in expected.items():
        assert len(said[section]) == len(lines), (section, said[section])
        assert all(got.startswith(line) for got, line in zip(said[section], lines, strict=True)), (
            section, said[section])


DOCS = PROJECT_ROOT / "docs"
