"""What the build needs and this machine lacks, in words; exit status 1 if anything does. Run by the Makefile."""

import importlib.util
import os
import shutil
import sys
import sysconfig

OLDEST = (3, 11)


def missing() -> list[tuple[str, str]]:
    """Pairs of what is missing and how a Debian machine gets it."""
    found = []
    if sys.version_info < OLDEST:
        want = ".".join(map(str, OLDEST))
        found.append((f"Python {want} or later; this is {sys.version.split()[0]}", "make PYTHON=python3.11 ..."))
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found.append(("the venv module of Python", "apt-get install python3-venv"))
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        found.append(("Python.h, the headers that the extensions compile against", "apt-get install python3-dev"))
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        found.append((f"a C compiler ({compiler})", "apt-get install build-essential"))
    return found


if __name__ == "__main__":
    lacking = missing()
    for what, remedy in lacking:
        print(f"flashQ cannot be built here: {what} is missing. On Debian: {remedy}", file=sys.stderr)
    sys.exit(1 if lacking else 0)
