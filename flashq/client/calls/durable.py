"""Calls: How sure a change is: what a push may ask for, what a reply may say, and waiting for the disk.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, make


def sync(position: int | None = None, *, timeout: int | None = None, deadline: float | None = None) -> Call[int]:
    """Wait until changes are on disk.

    position: Those up to this one, from a `receipt`; left out, all that were made so far.

    timeout: ms to wait; 0 = do not wait.
    """
    fields: dict[str, object] = {"position": position, "timeout": timeout}
    return make("SYNC", fields, readers.position, None, deadline)

