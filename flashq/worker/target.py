"""Finds the app that a command line names: `myapp.tasks:app`."""
import importlib
import sys
from pathlib import Path

from flashq.tasks.app import App


class BadTarget(Exception):
    """What was named is no app; the text says why."""


def load_app(target: str, directory: Path | None = None) -> App:
    """The app, imported from `directory` (the current one) as well. `:app` may be left out. BadTarget."""
    module_name, _, attribute = target.partition(":")
    place = str(directory or Path.cwd())
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise       # something that the module itself imports
        raise BadTarget(f"there is no module '{error.name}' (looked in {place} and where Python looks)") from None
    except (ImportError, ValueError) as error:
        if isinstance(error, ImportError) or module_name.strip("."):
            raise
        raise BadTarget(f"'{target}' names no module; say it as in myapp.tasks:app") from None
    found: object = module
    for part in (attribute or "app").split("."):
        found = getattr(found, part, None)
    if not isinstance(found, App):
        what = "has no" if found is None else f"has a {type(found).__name__}, and no App, called"
        raise BadTarget(f"module '{module_name}' {what} '{attribute or 'app'}'")
    if not found.tasks:
        raise BadTarget(f"app '{target}' has no tasks: is the module that defines them imported?")
    return found
