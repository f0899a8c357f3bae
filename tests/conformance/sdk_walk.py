"""Walks through all methods of four published clients against a running server, in raw JSON over a socket.

`python tests/conformance/sdk_walk.py host:port` prints each method; its status is 1 when a client could not go on.
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from conformance import sdk_python_go, sdk_typescript
from conformance.rows import NOT_SERVED
from conformance.sdk_steps import walk_all

SDKS = (*sdk_typescript.SDKS, *sdk_python_go.SDKS)


def verdict(needs: tuple[str, ...], trouble: str) -> str:
    """`ok`, `not served yet`, or `FAILED` with the reason: also for what works although NOT_SERVED names it."""
    missing = ", ".join(sorted(NOT_SERVED.intersection(needs)))
    if missing:
        return "not served yet" if trouble else f"FAILED: works, so take out of NOT_SERVED: {missing}"
    return f"FAILED: {trouble}" if trouble else "ok"


def main(arguments: list[str]) -> int:
    """0 when every method of every client could go on."""
    if len(arguments) != 1 or ":" not in arguments[0]:
        print("usage: sdk_walk.py host:port", file=sys.stderr)
        return 2
    host, _, port = arguments[0].rpartition(":")
    failed = 0
    for sdk in SDKS:
        print(f"\n{sdk.name}")
        for step, trouble in walk_all((host.strip("[]"), int(port)), sdk):
            said = verdict(step.needs, trouble)
            failed += said.startswith("FAILED")
            print(f"  {step.method:<44}{said}")
    print(f"\n{failed} failed" if failed else "\nall went well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
