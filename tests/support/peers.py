"""The queues that flashQ is compared with: their environments, and a Redis for them."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.server import PROJECT_ROOT
from support.tools import lacking, need_tool

_SCRIPT = PROJECT_ROOT / "perf" / "peers" / "environment.py"
INSTALL_SECONDS = 600


def peer(name: str) -> Path:
    """The interpreter of celery, rq, arq or dramatiq: installed once, under build/."""
    done = subprocess.run([sys.executable, str(_SCRIPT), name], capture_output=True, text=True,
                          timeout=INSTALL_SECONDS, check=False)
    if done.returncode != 0:
        lacking(f"{name} could not be installed: {done.stderr[-500:]}")
    return Path(json.loads(done.stdout)[name])


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis of its own, which keeps nothing and ends with the block."""
    need_tool("redis-server")
    spec = importlib.util.spec_from_file_location("peers_processes", _SCRIPT.parent / "processes.py")
    assert spec is not None and spec.loader is not None
    processes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(processes)
    with processes.redis(folder) as url:
        yield url
