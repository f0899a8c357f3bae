"""The code blocks of README, docs and examples: the one place that takes pages apart."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from support.server import PROJECT_ROOT

_PARTS = re.compile(r"^## ([^\n]+)\n|^( *)```(\w*)([^\n]*)\n(.*?)^\2```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `page` is relative to the project, `line` that of its fence."""

    page: str
    line: int
    language: str
    title: str      # of a fence with title="tasks.py": the file that it is
    text: str
    section: str = ""

    @property
    def first(self) -> str:
        """Its first line, by which lists name it."""
        return self.text.partition("\n")[0]


def pages() -> list[str]:
    """README, the pages of docs and those beside the examples."""
    found = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").rglob("*.md")),
             *sorted((PROJECT_ROOT / "examples").glob("*.md"))]
    return [str(path.relative_to(PROJECT_ROOT)) for path in found]


def blocks(page: str | Path, language: str | None = None) -> list[Block]:
    """Those of a page, in order; all, or those of a language."""
    path = PROJECT_ROOT / page
    text = path.read_text(encoding="utf-8")
    found, section = [], ""
    for match in _PARTS.finditer(text):
        if match[1]:
            section = match[1]
        elif language in (None, match[3]):
            title = re.search(r'title="([^"]*)"', match[4])
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(str(path.relative_to(PROJECT_ROOT)), line, match[3], title[1] if title else "",
                               textwrap.dedent(match[5]) if match[2] else match[5], section))
    return found
