"""Notices that source files have changed: by watchfiles where that is installed, else by looking once a second."""
import asyncio
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

LOOK_SECONDS = 1.0
_NOT = {"__pycache__", "node_modules", "venv", "site-packages"}      # and what begins with a dot


async def changed(directories: list[Path]) -> str:
    """Returns when a Python file in or below one of the directories has changed: its path."""
    if importlib.util.find_spec("watchfiles") is None:
        return await looked_up(directories)
    watchfiles = importlib.import_module("watchfiles")

    def wanted(_change: object, path: str) -> bool:
        return path.endswith(".py") and _NOT.isdisjoint(Path(path).parts)

    async for changes in watchfiles.awatch(*directories, watch_filter=wanted, step=100):
        paths: list[str] = [path for _, path in changes]
        return min(paths)
    raise asyncio.CancelledError


async def looked_up(directories: list[Path]) -> str:
    """The same without a library."""
    before = _times(directories)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = await asyncio.to_thread(_times, directories)
        if now != before:
            return min(path for path in {**now, **before} if now.get(path) != before.get(path))


def _times(directories: list[Path]) -> dict[str, int]:
    """When each file was last changed."""
    found = {}
    for path in _files(directories):
        try:
            found[path] = os.stat(path).st_mtime_ns
        except FileNotFoundError:
            continue        # gone between the two looks
    return found


def _files(directories: list[Path]) -> Iterator[str]:
    for directory in directories:
        for place, names, files in os.walk(directory):
            names[:] = [name for name in names if not name.startswith(".") and name not in _NOT]
            yield from (os.path.join(place, name) for name in files if name.endswith(".py"))
