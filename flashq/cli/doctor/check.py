"""What a check comes to: a level, what was found, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"   # it works, and will hurt one day
    FAIL = "fail"   # it does not work, or loses jobs


@dataclass(frozen=True)
class Check:
    """One line of the report; `remedy` is what to do about it."""

    level: Level
    name: str
    text: str
    remedy: str = ""


def ok(name: str, text: str) -> Check:
    """All is well."""
    return Check(Level.OK, name, text)


def warn(name: str, text: str, remedy: str) -> Check:
    """It will hurt."""
    return Check(Level.WARN, name, text, remedy)


def fail(name: str, text: str, remedy: str) -> Check:
    """It hurts now."""
    return Check(Level.FAIL, name, text, remedy)
