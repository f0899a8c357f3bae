"""`flashq doctor`: what would hurt in production, found before it does."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import click
from rich.text import Text

from flashq.cli.connection import Here, client_command, endpoint_of
from flashq.cli.doctor import directory, machine, server, settings
from flashq.cli.doctor.check import Check, Level, fail
from flashq.cli.doctor.running import running
from flashq.cli.exits import Exit, Failure
from flashq.cli.harmless import harmless
from flashq.cli.values import DURATION
from flashq.config import Settings, load
from flashq.setting_types import SettingError

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
NAME_WIDTH = 22


@client_command("doctor")
@click.option("--data-dir", metavar="PATH", help="The data directory to look at, in place of what the settings say.")
@click.option("--long", type=DURATION, default="1h", show_default=True,
              help="Jobs that are active, or wait alone, for longer are named.")
@click.option("--offline", is_flag=True, help="Leave the server out: for a machine before the first start.")
@click.option("--strict", is_flag=True, help="Status 1 for a warning, too.")
def command(here: Here, data_dir: str | None, long: int, offline: bool, strict: bool) -> None:
    """Look for what would hurt in production: on this machine, in the settings, in the data directory, at the server.

    Each line is ok, warn or fail, with what to do. Status 1 when something failed. Settings are those of the server, if
    it runs on this machine and Linux shows them to this user; else those that one started from this environment would
    have. Nothing is changed; for the time of a sync, 400 KB are written into a file without a name in the data
    directory.
    """
    found: Counter[Level] = Counter()
    for section, checks in _sections(here, data_dir, long, offline):
        if not here.as_json:
            here.out.console.print(Text(section, style="bold"))
        for check in checks:
            found[check.level] += 1
            _print(here, section, check)
    counts = {str(level): found[level] for level in Level}
    here.out.said(", ".join(f"{count} {level}" for level, count in counts.items()), **counts)
    if found[Level.FAIL] or (strict and found[Level.WARN]):
        raise Failure(Exit.REFUSED, f"{found[Level.FAIL]} failed, {found[Level.WARN]} warnings")


def _sections(here: Here, data_dir: str | None, long: int, offline: bool) -> Iterator[tuple[str, Iterable[Check]]]:
    seen = None if offline else running(endpoint_of(here.url))
    if seen is not None:
        chosen, uid, files = seen.settings, seen.uid, seen.open_files
        yield "settings", settings.checks(chosen, f"of process {seen.pid}, the server: {seen.given}")
    else:
        uid, files = os.geteuid(), machine.open_files()
        try:
            chosen = load({}, os.environ)
        except SettingError as error:
            yield "settings", [fail("settings", str(error), "no server starts with this: see docs/settings.md")]
            chosen = Settings()
        else:
            yield "settings", settings.checks(chosen, f"of this environment: {settings.given({}, os.environ)}")
    yield "machine", machine.checks(chosen, uid, files)
    yield "data directory", directory.checks(chosen if data_dir is None else replace(chosen, data_dir=data_dir))
    if not offline:
        yield "server", server.checks(here, long)


def _print(here: Here, section: str, check: Check) -> None:
    if here.as_json:
        here.out.json({"section": section, "level": str(check.level), "name": check.name, "text": check.text,
                       "remedy": check.remedy or None})
        return
    line = Text.assemble(
        "  ", (f"{check.level:<5}", STYLES[check.level]), f"{check.name:<{NAME_WIDTH}}", harmless(check.text))
    here.out.console.print(line, soft_wrap=True)
    if check.remedy:
        here.out.console.print(Text(f"{'':7}→ {harmless(check.remedy)}"), soft_wrap=True)
