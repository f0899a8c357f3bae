"""The links of Markdown pages, as they are followed where the pages are read in the repository."""

import re
from pathlib import Path

from support.server import PROJECT_ROOT

_FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


def links(page: Path) -> list[str]:
    """Where a page points to, but for code."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return list(_LINK.findall(re.sub(r"`[^`\n]*`", "", text)))


def anchors(page: Path) -> set[str]:
    """Those of its headings, as hosts of repositories make them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        while slug in found:
            slug += "-1"
        found.add(slug)
    return found


def broken(page: Path) -> list[str]:
    """Links of a page that lead nowhere in this project; those to the world are not followed."""
    found = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        inside = there.is_relative_to(PROJECT_ROOT)
        if not inside or not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            found.append(target)
    return found
