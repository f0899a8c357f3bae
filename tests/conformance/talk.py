"""A client with the few moves that most conformance tests make, and names that no other test uses."""

import uuid
from typing import Any

from support.wire import Client, Closed, Message


class Talk(Client):
    """Speaks to the server under test; nothing here but the wire."""

    def push(self, queue: str, **options: Any) -> int:
        """The id of a new job."""
        return int(self.ok("PUSH", queue=queue, **options)["id"])

    def push_all(self, queue: str, jobs: list[Any]) -> list[int]:
        """The ids of a batch of which each job is taken."""
        reply = self.ok("PUSHB", queue=queue, jobs=jobs)
        assert "errors" not in reply and len(reply["ids"]) == len(jobs), reply
        return [int(one) for one in reply["ids"]]

    def pull(self, queue: str, **fields: Any) -> Message:
        """The job that a pull delivers; it must find one at once."""
        job = self.ok("PULL", queue=queue, **{"timeout": 0, **fields})["job"]
        assert isinstance(job, dict), f"{queue} has no ready job"
        return job

    def pulls_nothing(self, queue: str) -> bool:
        """Whether no job of the queue may run now."""
        return self.ok("PULL", queue=queue, timeout=0)["job"] is None

    def pulled_data(self, queue: str, count: int) -> list[Any]:
        """The payloads of the next `count` jobs, pulled one by one."""
        return [self.pull(queue)["data"] for _ in range(count)]

    def active(self, queue: str, **options: Any) -> int:
        """The id of a new job that this connection holds; the queue had no other ready one."""
        job_id = self.push(queue, **options)
        assert self.pull(queue)["id"] == job_id
        return job_id

    def dead(self, queue: str, **options: Any) -> int:
        """The id of a new dead letter."""
        job_id = self.active(queue, **{"max_attempts": 1, **options})
        self.ok("FAIL", id=job_id, error="broke")
        return job_id

    def completed(self, queue: str, result: Any = None, **options: Any) -> int:
        """The id of a new job that is done."""
        job_id = self.active(queue, **options)
        self.ok("ACK", id=job_id, result=result)
        return job_id

    def delayed(self, queue: str, **options: Any) -> int:
        """The id of a new job that is due in an hour."""
        return self.push(queue, **{"delay": 3_600_000, **options})

    def state(self, job_id: int) -> str:
        return str(self.ok("GETSTATE", id=job_id)["state"])

    def job(self, job_id: int) -> Message:
        """The whole Job; it must be kept."""
        job = self.ok("GETJOB", id=job_id)["job"]
        assert isinstance(job, dict), f"job {job_id} is not kept"
        return job

    def holds_key(self, queue: str, key: str) -> bool:
        """Whether a push of this unique key is refused."""
        reply = self.call("PUSH", queue=queue, unique_key=key)
        return reply["ok"] is False and reply["error"] == f"Duplicate job with key: {key}"

    def counts(self, queue: str) -> tuple[int, ...]:
        """Jobs of the queue: waiting, active, delayed, completed, failed."""
        reply = self.ok("GETJOBCOUNTS", queue=queue)
        return tuple(int(reply[name]) for name in ("waiting", "active", "delayed", "completed", "failed"))

    def info(self, queue: str) -> Message | None:
        """What LISTQUEUES says of the queue; None when it is not listed."""
        return next((one for one in self.ok("LISTQUEUES")["queues"] if one["name"] == queue), None)

    def spend(self, ms: int) -> None:
        """Let time pass by the server's own clock: a pull of a queue that nobody pushes to."""
        assert self.ok("PULL", queue=f"idle-{uuid.uuid4().hex}", timeout=ms)["job"] is None

    def events(self, count: int, seconds: float = 2.0) -> list[Message]:
        """The next `count` frames that answer no request; fewer when they do not come in time."""
        found: list[Message] = []
        self.socket.settimeout(seconds)
        try:
            while len(found) < count:
                frame = self.receive()
                assert "event" in frame and "ok" not in frame and "reqId" not in frame, frame
                found.append(frame)
        except (TimeoutError, Closed):
            pass
        return found


class Names:
    """Gives out names and remembers them, so that `clean_up` can leave the server as it was."""

    def __init__(self, test: str) -> None:
        self._test = "".join(c if c.isascii() and c.isalnum() else "-" for c in test)[:120]
        self._queues: list[str] = []
        self._keys: list[str] = []

    def text(self) -> str:
        """Any name that is used once."""
        return f"{self._test}-{uuid.uuid4().hex[:12]}"

    def queue(self) -> str:
        self._queues.append(self.text())
        return self._queues[-1]

    def key(self) -> str:
        self._keys.append(self.text())
        return self._keys[-1]

    def clean_up(self, talk: Talk) -> None:
        """Remove all jobs, settings and cron entries of the queues, and the keys."""
        for queue in self._queues:
            talk.ok("OBLITERATE", queue=queue)
            talk.ok("CLEAN", queue=queue, grace=0, state="completed")
        for key in self._keys:
            talk.ok("KVDEL", key=key)
