"""Finds the app that a command line names: `myapp.tasks:app`."""
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

from flashq.tasks.app import App


class BadTarget(Exception):
    """What was named is no app; the text says why."""


class ImportFailed(Exception):
    """The module raised while it was imported; the text is the traceback from its own frames on."""


def load_app(target: str, directory: Path | None = None) -> App:
    """The app, imported from `directory` (the current one) as well. `:app` may be left out. BadTarget, ImportFailed."""
    module_name, _, attribute = target.partition(":")
    module = _module(target, module_name, str(directory or Path.cwd()))
    found: object = module
    for part in (attribute or "app").split("."):
        found = getattr(found, part, None)
    if not isinstance(found, App):
        what = "has no" if found is None else f"has a {type(found).__name__}, and no App, called"
        raise BadTarget(f"module '{module_name}' {what} '{attribute or 'app'}'")
    if not found.tasks:
        raise BadTarget(f"app '{target}' has no tasks: is the module that defines them imported?")
    return found


def _module(target: str, name: str, place: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        meant = ".".join(part for part in Path(name.removesuffix(".py")).parts if part.isidentifier())
        raise BadTarget(f"'{target}' names a file, not a module; did you mean {target.replace(name, meant, 1)}")
    if not name.strip("."):
        raise BadTarget(f"'{target}' names no module; say it as in myapp.tasks:app")
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        return importlib.import_module(name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            raise BadTarget(f"there is no module '{missing}' (looked in {place} and where Python looks)") from None
        raise ImportFailed(_told(error)) from error


def _told(error: Exception) -> str:
    """The traceback without what imports: the reader knows that, and looks for the line of their own."""
    at: TracebackType | None = error.__traceback__
    while at is not None and _imports(at.tb_frame.f_code.co_filename):
        at = at.tb_next
    shown = traceback.TracebackException(type(error), error, at)
    shown.stack = traceback.StackSummary.from_list([one for one in shown.stack if not _imports(one.filename)])
    return "".join(shown.format()).rstrip()


def _imports(filename: str) -> bool:
    return filename == __file__ or "importlib" in filename
