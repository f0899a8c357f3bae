"""Patterns over names: `*` is any run of characters, `?` exactly one; nothing else is special."""
import re
from collections.abc import Callable


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a name matches the whole pattern.

    Each run between two stars is taken where it first fits and never tried elsewhere (atomic groups), which is enough
    for globs and keeps the cost at name length times pattern length: nested repeats cannot explode.
    """
    first, *others = pattern.split("*")
    parts = [_literal(first)]
    if others:
        *middle, last = others
        parts += [f"(?>.*?{_literal(run)})" for run in middle if run]
        parts.append(".*" + _literal(last))
    found = re.compile("".join(parts), re.DOTALL).fullmatch
    return lambda name: found(name) is not None


def _literal(run: str) -> str:
    return "".join("." if char == "?" else re.escape(char) for char in run)
