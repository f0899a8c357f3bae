"""Jobs that a client has pulled and not ended yet, by the session that holds them.

The answer of a pull may be lost with its connection. The job in it is the session's, and stays so for as long as that
comes back, although nobody works on it. So such a session is used for no more pulls, and is kept up only until the jobs
that did arrive have ended; then what never arrived goes back to its queue.
"""
from collections.abc import Iterable
from typing import Any

from flashq.client.refusals import JobNotFound, StaleToken

MAX_HELD = 100_000      # who pulls more, and lets another client acknowledge them, holds the newest of them
MAX_SESSIONS = 8        # of earlier ones; each is a connection. The oldest go, and their jobs come again


class Held:
    """Ids of jobs. `changed` says that `sessions` is another than before, until somebody takes the word away."""

    def __init__(self) -> None:
        self.changed = False
        self._own: dict[int, None] = {}             # of the session of now
        self._earlier: dict[str, set[int]] = {}

    @property
    def sessions(self) -> list[str]:
        """Earlier ones that must be kept up."""
        return list(self._earlier)

    def delivered(self, jobs: Iterable[dict[str, Any]]) -> None:
        """A pull brought these."""
        for job in jobs:
            self._own[job["id"]] = None
            if self._earlier:
                self._forget_earlier(job["id"])
        while len(self._own) > MAX_HELD:
            del self._own[next(iter(self._own))]

    def ended(self, fields: dict[str, Any]) -> None:
        """These were acknowledged, or failed, or taken away."""
        for id in fields["ids"] if "ids" in fields else (fields["id"],):
            self._own.pop(id, None)
            if self._earlier:
                self._forget_earlier(id)

    def refused(self, fields: dict[str, Any], code: str) -> None:
        """An end was refused: the job is no longer this client's if it is not active, or another's by now."""
        if code in (JobNotFound.code, StaleToken.code):
            self.ended(fields)

    def leave(self, session: str) -> None:
        """The next pulls are of another session."""
        if self._own:
            self._earlier[session] = set(self._own)
            self._own.clear()
            self.changed = True
        while len(self._earlier) > MAX_SESSIONS:
            del self._earlier[next(iter(self._earlier))]

    def _forget_earlier(self, id: int) -> None:
        for session, ids in list(self._earlier.items()):
            ids.discard(id)
            if not ids:
                del self._earlier[session]
                self.changed = True
