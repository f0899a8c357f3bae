"""`flashq serve`: one flag for each setting of flashq/config.py, grouped by section."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from flashq import config
from flashq.cli.exits import Exit, Failure
from flashq.cli.json_option import json_option
from flashq.cli.setting_option import SettingOption

_LOG_FORMAT = next(one for one in config.SETTINGS if one.name == "log_format")


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
        made = [SettingOption(one) for one in reversed(list(settings))]
        function.__click_params__ = [*getattr(function, "__click_params__", []), *made]  # type: ignore[attr-defined]
        return function

    return decorate


@click.command(cls=SectionedCommand, name="serve", context_settings={"max_content_width": 110})
@_with_settings(config.SETTINGS)
@json_option("Say where it listens as a JSON object on stdout, and log as JSON, unless --log-format says otherwise; "
             "a start that fails is an object on stderr.")
def command(**options: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    Each setting is a flag and an environment variable, of which the flag wins. Times are written as 500ms, 30s or 5m,
    sizes as 65536, 512KB or 16MB.
    """
    from flashq.server.app import run  # the extensions load here, so that --help needs no build
    from flashq.server.errors import StartError
    from flashq.storage.base import StorageError

    try:
        settings = settings_of(options, os.environ)
    except config.SettingError as error:
        raise click.UsageError(str(error)) from None
    try:
        sys.exit(run(settings, options["as_json"]))
    except (StartError, StorageError) as error:
        if options["as_json"]:
            raise Failure(Exit.REFUSED, str(error)) from None
        print(f"flashq: {error}", file=sys.stderr)      # as it stands in a log, beside those of other services
        sys.exit(Exit.REFUSED)


def settings_of(options: Mapping[str, object], environ: Mapping[str, str]) -> config.Settings:
    """Those of a server that is started with these options. SettingError."""
    flags = {name: value for name, value in options.items() if name != "as_json"}
    if options["as_json"] and _LOG_FORMAT.given(flags[_LOG_FORMAT.name], environ) is None:
        flags[_LOG_FORMAT.name] = "json"
    return config.load(flags, environ)
