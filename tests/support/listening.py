"""To what does a connection listen? Asked by sending it a message and an event of each kind."""

from typing import Any

from support.wire import Client


class Probes:
    """A second client, which makes the messages and events from which one sees to what the first one listens."""

    def __init__(self, talker: Client) -> None:
        self.talker = talker
        self.jobs = {queue: self._active(queue) for queue in ("heard", "silent", "last")}

    def _active(self, queue: str) -> int:
        self.talker.ok("PUSH", queue=queue)
        return int(self.talker.ok("PULL", queue=queue, timeout=0)["job"]["id"])

    def heard_by(self, client: Client) -> tuple[Any, ...]:
        """The counts of listeners, and all that reaches the client of one message or event of each kind."""
        counts = [self.talker.ok("PUB", channel=name, message=1)["receivers"] for name in ("heard", "not-there")]
        counts.append(self.talker.ok("PUBSUBNUMSUB", channels=["heard", "not-there"])["counts"])
        for job in self.jobs.values():
            self.talker.ok("PROGRESS", id=job, progress=1)
            self.talker.ok("PARTIAL", id=job, data=1)
        frames = [client.receive()]
        while frames[-1].get("queue") != "last":
            frames.append(client.receive())
        return counts, [{key: value for key, value in frame.items() if key != "timestamp"} for frame in frames]


class Listener(Client):
    """A client that listens to some of what the probes send; what a refusal changed of that, `heard` shows."""

    probes: Probes

    def heard(self) -> tuple[Any, ...]:
        return self.probes.heard_by(self)
