"""A setting of flashq/config.py as a flag of the command line."""

from typing import Any

import click

from flashq import config
from flashq.setting_types import SWITCH

UNITS = {
    "size": ((1024**3, "GB"), (1024**2, "MB"), (1024, "KB"), (1, "")),
    "time": ((60_000, "m"), (1000, "s"), (1, "ms")),
}


class SettingOption(click.Option):
    """The flag of one setting. The text is handed on as given: config.load checks it, as it does the environment's."""

    def __init__(self, setting: config.Setting) -> None:
        self.section = setting.section
        if setting.type is SWITCH:
            form: dict[str, Any] = {"type": bool, "is_flag": True, "flag_value": True}
        else:
            # No flag_value here, not even None: with one, click lets the flag stand without its value.
            form = {"type": str, "metavar": "|".join(setting.choices) or setting.type.name.upper()}
        super().__init__([setting.flag, setting.name], default=None, help=f"{setting.help} {_notes(setting)}", **form)


def _notes(setting: config.Setting) -> str:
    default = setting.default_text or _plain(setting.type.name, setting.default)
    return f"[{default}; {', '.join('$' + name for name in setting.env)}]"


def _plain(kind: str, value: object) -> str:
    """A default as a user would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        for size, unit in UNITS.get(kind, ()):
            if value and value % size == 0:
                return f"{value // size}{unit}"
    return str(value)
