"""Where the peers live: a virtual environment for each, made from PyPI once; what versions that gave.

    python perf/peers/environment.py [--folder build/peers] [NAME ...]

makes them and prints the interpreter of each as JSON.
"""
import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
FOLDER = PROJECT / "build" / "peers"
# Each in an environment of its own: they want clients of Redis that differ. hiredis and uvloop make them fast.
PACKAGES = {
    "celery": ("celery[redis]", "hiredis"),
    "rq": ("rq", "hiredis"),
    "arq": ("arq", "hiredis", "uvloop"),
    "dramatiq": ("dramatiq[redis]", "hiredis"),
}
SHOWN = ("celery", "kombu", "rq", "arq", "dramatiq", "redis", "hiredis", "uvloop")
_VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"


def python_of(name: str, folder: Path = FOLDER) -> Path:
    """The interpreter of a peer, which need not exist."""
    return folder / name / "bin" / "python"


def is_there(name: str, folder: Path = FOLDER) -> bool:
    """Whether its environment was made to the end."""
    return (folder / name / "made").exists()


def make(name: str, folder: Path = FOLDER) -> Path:
    """The interpreter of a peer; its environment is made unless it is there. CalledProcessError when pip fails."""
    python = python_of(name, folder)
    if not is_there(name, folder):
        print(f"installing {name} into {folder / name}", file=sys.stderr)
        venv.create(folder / name, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        subprocess.run([*command, *PACKAGES[name]], check=True, stdout=sys.stderr)
        (folder / name / "made").touch()
    return python


def versions(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """Of the packages that matter to its speed."""
    told = subprocess.run([python_of(name, folder), "-c", _VERSIONS], check=True, capture_output=True, text=True).stdout
    installed = json.loads(told)
    return {package: installed[package] for package in SHOWN if package in installed}


def main() -> None:
    """Make those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="celery, rq, arq, dramatiq; all if left out")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    unknown = set(given.names) - set(PACKAGES)
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}")
    print(json.dumps({name: str(make(name, given.folder)) for name in given.names or PACKAGES}))


if __name__ == "__main__":
    main()
