"""How one setting is described and its text read. The settings themselves are flashq/config.py."""
import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_SOCKET = "/tmp/flashq.sock"
_SIZES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_TIMES = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


class SettingError(ValueError):
    """A setting that cannot be used; the text begins with its flag or variable."""


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of setting: its name in the reference, and how a text becomes a value (ValueError says what is wrong)."""

    name: str
    parse: Callable[[str], object]
    ranged: bool = False
    from_env: Callable[[str], object] | None = None  # where the environment is read otherwise
    refusal: str = ""  # said in place of the parser's own words, of texts that must reach no log


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9_]+", text) or not text.strip("_"):
        raise ValueError(f"{text!r} is no whole number")
    return int(text.replace("_", ""))


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]+) *([kmg]?)(?:i?b)?", text.lower())
    if match is None:
        raise ValueError(f"{text!r} is no size such as 65536, 512KB or 16MB")
    return int(match[1]) * _SIZES[match[2]]


def _time(text: str) -> int:
    match = re.fullmatch(r"([0-9]+) *(ms|s|m|h)", text.lower())
    if text == "0":
        return 0
    if match is None:
        raise ValueError(f"{text!r} is no time such as 500ms, 30s or 5m")
    return int(match[1]) * _TIMES[match[2]]


def _switch(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError(f"{text!r} is neither 1 nor 0")
    return text.lower() in _YES


def _tokens(text: str) -> tuple[str, ...]:
    """At least one: a list of nothing is a start script gone wrong, and would leave the server open."""
    tokens = tuple(filter(None, map(str.strip, text.split(","))))
    if not tokens:
        raise ValueError("empty")
    return tokens


def _path(text: str) -> str:
    if not text:
        raise ValueError("is empty; leave it out, or name a path")
    return text


def _socket(text: str) -> str:
    """Published start scripts set UNIX_SOCKET=1; only what looks like a path is one."""
    return text if "/" in text else DEFAULT_SOCKET


TEXT = Type("text", str)
COUNT = Type("number", _count, ranged=True)
SIZE = Type("size", _size, ranged=True)
TIME = Type("time", _time, ranged=True)
SWITCH = Type("switch", _switch)
CHOICE = Type("choice", str.lower)
TOKENS = Type("list", _tokens, refusal="holds no token; leave it out for a server without access control")
PATH = Type("path", _path)
SOCKET = Type("path", _path, from_env=_socket)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the command line, the environment and the reference show it."""

    section: str
    type: Type
    help: str
    env: tuple[str, ...] = ()
    low: int = 0
    high: int = 2**62
    choices: tuple[str, ...] = ()
    lenient: bool = False  # a variable that cannot be read stands for the default: the wire document wants it of ports
    default_text: str = ""
    name: str = ""
    default: object = None

    @property
    def flag(self) -> str:
        """The command line's name for it."""
        return "--" + self.name.replace("_", "-")

    def given(self, flag: object, environ: Mapping[str, str]) -> object:
        """The value that was set, checked; None when it was not."""
        if flag is not None:
            return self._checked(self.flag, flag, self.type.parse)
        for name in self.env:
            text = environ.get(name, "")
            if text or (name in environ and self.type is SOCKET):
                return self._from_env(name, text)
        return None

    def _from_env(self, name: str, text: str) -> object:
        try:
            return self._checked(name, text, self.type.from_env or self.type.parse)
        except SettingError:
            if self.lenient:
                return self.default
            raise

    def _checked(self, source: str, value: object, parse: Callable[[str], object]) -> object:
        """`value` is a text, or of the setting's own type already."""
        try:
            if isinstance(value, str):
                value = parse(value.strip())
            if self.type.ranged and not (type(value) is int and self.low <= value <= self.high):
                raise ValueError(f"{value} is not between {self.low} and {self.high}")
            if self.type is SWITCH and not isinstance(value, bool):
                raise ValueError(f"{value!r} is neither true nor false")
            if self.choices and value not in self.choices:
                raise ValueError(f"{value!r} is none of {', '.join(self.choices)}")
        except ValueError as error:
            raise SettingError(f"{source}: {self.type.refusal or error}") from None
        return value


def setting(section: str, type: Type, default: Any, help: str, *, default_factory: Callable[[], Any] | None = None,
            secret: bool = False, **details: Any) -> Any:
    """A dataclass field that carries its Setting; `details` are those of Setting. What is secret is in no repr."""
    described = Setting(section, type, help, default=default, **details)
    metadata = {"setting": described}
    if default_factory is not None:
        return dataclasses.field(default_factory=default_factory, repr=not secret, metadata=metadata)
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


def described(field: "dataclasses.Field[Any]") -> Setting:
    """The Setting of a field made by `setting`, with its name and, for our own, its variable."""
    one: Setting = field.metadata["setting"]
    return dataclasses.replace(one, name=field.name, env=one.env or (f"FLASHQ_{field.name.upper()}",))
