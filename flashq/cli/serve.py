"""`flashq serve`: one flag for each setting of flashq/config.py, grouped by section."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from flashq import config
from flashq.cli.setting_option import SettingOption


class SectionedCommand(click.Command):
    """A command whose `--help` lists its options under the section of their setting."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each section in the order of the table, then the options that belong to no setting."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                section = param.section if isinstance(param, SettingOption) else "Other"
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records, col_max=26)


def _with_settings(settings: Iterable[config.Setting]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__click_params__ = [SettingOption(s) for s in reversed(list(settings))]  # type: ignore[attr-defined]
        return function

    return decorate


@click.command(cls=SectionedCommand, name="serve", context_settings={"max_content_width": 110})
@_with_settings(config.SETTINGS)
def command(**flags: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    Each setting is a flag and an environment variable, of which the flag wins. Times are written as 500ms, 30s or 5m,
    sizes as 65536, 512KB or 16MB.
    """
    from flashq.server.app import run  # the extensions load here, so that --help needs no build

    try:
        settings = config.load(flags, os.environ)
    except config.SettingError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(run(settings))
