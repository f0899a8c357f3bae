"""The settings of a server that runs on this machine, from its own command line and environment, where Linux shows
them to this user."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flashq._bench.process import listener_pid
from flashq.cli.doctor.settings import given
from flashq.cli.serve import command as serve
from flashq.cli.serve import settings_of
from flashq.config import Settings
from flashq.setting_types import SettingError

if TYPE_CHECKING:
    from flashq.client import Endpoint


@dataclass(frozen=True)
class Running:
    """A server that was found: its settings, what of them was given, its user, and how many files it may open."""

    pid: int
    uid: int
    settings: Settings
    given: str
    open_files: int | None


def running(there: "Endpoint", proc: Path = Path("/proc")) -> Running | None:
    """The server that listens there; None when it is elsewhere, or not for this user to look at."""
    pid = None if there.path else listener_pid(there.host, there.port)
    if pid is None:
        return None
    try:
        return _read(pid, proc / str(pid))
    except (OSError, ValueError, SettingError, click.UsageError):     # no `flashq serve`, or one of another version
        return None


def _read(pid: int, process: Path) -> Running:
    words = [os.fsdecode(word) for word in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
    pairs = [os.fsdecode(pair).partition("=") for pair in (process / "environ").read_bytes().split(b"\0") if pair]
    environment = {name: value for name, _, value in pairs}
    flags = serve.make_context("serve", words[words.index("serve") + 1:]).params
    settings = settings_of(flags, environment)
    inside = Path(os.readlink(process / "cwd"), settings.data_dir)
    settings = dataclasses.replace(settings, data_dir=str(inside))
    return Running(pid, process.stat().st_uid, settings, given(flags, environment),
                   _open_files((process / "limits").read_text()))


def _open_files(limits: str) -> int | None:
    """The limit that holds; None for no limit."""
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft = line.split()[3]
    return None if soft == "unlimited" else int(soft)
