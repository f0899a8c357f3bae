"""Jobs that a client has pulled and not ended yet: it must keep those alive that it holds by an earlier session."""
from collections.abc import Iterable, Sequence
from typing import Any

from flashq.client.refusals import JobNotFound, StaleToken

MAX_HELD = 100_000      # who pulls more, and lets another client acknowledge them, holds the newest of them


class Held:
    """Ids with the tokens of their deliveries."""

    def __init__(self) -> None:
        self._own: dict[int, int] = {}          # of this session: the connection keeps them
        self._adopted: dict[int, int] = {}      # of earlier ones: heartbeats do

    def delivered(self, jobs: Iterable[dict[str, Any]]) -> None:
        """A pull brought these."""
        for job in jobs:
            self._own[job["id"]] = job["token"]
            self._adopted.pop(job["id"], None)
        while len(self._own) > MAX_HELD:
            del self._own[next(iter(self._own))]

    def ended(self, fields: dict[str, Any]) -> None:
        """These were acknowledged, or failed, or taken away."""
        for id in _ids(fields):
            self._own.pop(id, None)
            self._adopted.pop(id, None)

    def refused(self, fields: dict[str, Any], code: str) -> None:
        """An end was refused: the job is no longer this client's if it is not active, or another's by now."""
        if code in (JobNotFound.code, StaleToken.code):
            self.ended(fields)

    def adopt(self) -> None:
        """There will be another session."""
        self._adopted |= self._own
        self._own.clear()

    def adopted(self) -> list[tuple[int, int]]:
        """Those of earlier sessions."""
        return list(self._adopted.items())

    def answered(self, id: int, token: int, reply: dict[str, Any] | None) -> None:
        """A heartbeat was answered, or refused, and then the job is lost."""
        if reply is None and self._adopted.get(id) == token:
            del self._adopted[id]


def _ids(fields: dict[str, Any]) -> Sequence[int]:
    return fields["ids"] if "ids" in fields else (fields["id"],)
