"""What a walk through a client's methods is made of: a step each, sent as that client sends it over a plain socket."""

import itertools
import json
import socket
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

Fields = dict[str, Any]
TIMEOUT = 20.0      # seconds
# An option that the caller did not give: left out of JSON, nil where the client speaks MessagePack.
UNSET: Any = type("Unset", (), {"__repr__": lambda _: "UNSET"})()


class NotReady(Exception):
    """What a method needs could not be made."""


class Line:
    """One connection: a line of JSON each way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=TIMEOUT)
        self._file = self._socket.makefile("rb")

    def send(self, request: Fields) -> None:
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def receive(self) -> Fields:
        line = self._file.readline()
        if not line:
            raise ConnectionError("the server hung up")
        return dict(json.loads(line))

    def ask(self, cmd: str, **fields: Any) -> Fields:
        """The reply to a request of no client in particular, which must succeed."""
        self.send({"cmd": cmd, **fields})
        reply = self.receive()
        if reply["ok"] is not True:
            raise NotReady(f"{cmd}: {reply['error']}")
        return reply

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Walk:
    """One client's walk: its connection, and another on which jobs are brought into the state that a method needs."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.line = Line(address)
        self.other = Line(address)
        self.memo: Fields = {}      # what a step's request notes for its reading
        self._queues: list[str] = []

    def queue(self) -> str:
        """A new queue, remembered as `memo["queue"]`."""
        self._queues.append(self.text())
        self.memo["queue"] = self._queues[-1]
        return self._queues[-1]

    def text(self) -> str:
        return f"walk-{uuid.uuid4().hex[:12]}"

    def note(self, name: str, value: Any) -> Any:
        self.memo[name] = value
        return value

    def waiting(self, **options: Any) -> int:
        """A new job in a queue of its own, noted as `id`."""
        return int(self.note("id", self.other.ask("PUSH", queue=self.queue(), **{"data": {"n": 1}, **options})["id"]))

    def custom(self) -> str:
        """The custom id of a new job."""
        custom_id = self.text()
        self.waiting(job_id=custom_id)
        return custom_id

    def cron(self) -> str:
        """The name of a new cron entry."""
        name = str(self.note("name", self.text()))
        self.other.ask("CRON", name=name, queue=self.queue(), schedule="0 0 * * * *", data=1)
        return name

    def flow(self) -> int:
        """The parent of a new flow of one child."""
        flow = self.other.ask("FLOW", queue=self.queue(), data=1, children=[{"queue": self.memo["queue"], "data": 2}])
        self.note("children", flow["children_ids"])
        return int(flow["parent_id"])

    def delayed(self) -> int:
        return self.waiting(delay=3_600_000)

    def active(self, **options: Any) -> int:
        job_id = self.waiting(**options)
        if self.other.ask("PULL", queue=self.memo["queue"], timeout=0)["job"]["id"] != job_id:
            raise NotReady(f"job {job_id} is not delivered")
        return job_id

    def done(self, result: Any = None) -> int:
        job_id = self.active()
        self.other.ask("ACK", id=job_id, result=result)
        return job_id

    def dead(self) -> int:
        job_id = self.active(max_attempts=1)
        self.other.ask("FAIL", id=job_id, error="broke")
        return job_id

    def queue_of(self, make: Callable[[], int]) -> str:
        """The queue of a job that `make` makes."""
        make()
        return str(self.memo["queue"])

    def also(self, make: Callable[[], object]) -> Fields:
        """No fields; makes something first that the method is to find."""
        make()
        return {}

    def close(self) -> None:
        """Remove what the walk made, and hang up."""
        for queue in self._queues:
            self.other.ask("OBLITERATE", queue=queue)
        self.line.close()
        self.other.close()


class Step(NamedTuple):
    """One method: what it sends, and whether it can read what comes back."""

    method: str
    request: Callable[[Walk], Fields]
    read: Callable[[Fields, Walk], object]      # false, or an exception: the client could not go on
    needs: tuple[str, ...] = ()                 # features of rows.py
    error: str = ""                             # the method fails in the client, which looks for this


class Sdk(NamedTuple):
    """One published client: how it asks, how it knows an error, and its methods."""

    name: str
    steps: tuple[Step, ...]
    req_id: Callable[[int], str] | None = None
    any_error_key: bool = False     # a top-level `error` with text is an error whatever `ok` says
    unset_is_null: bool = False     # as in its binary mode


def given(fields: Any, unset_is_null: bool) -> Any:
    """The fields as they are sent: UNSET ones left out or null, in lists of items too."""
    if isinstance(fields, dict):
        kept = {key: value for key, value in fields.items() if unset_is_null or value is not UNSET}
        return {key: given(value, unset_is_null) for key, value in kept.items()}
    if isinstance(fields, list):
        return [given(value, unset_is_null) for value in fields]
    return None if fields is UNSET else fields


def take(walk: Walk, sdk: Sdk, step: Step, number: int) -> str:
    """Do one step: empty when the client can go on, else what went wrong."""
    try:
        request = given(step.request(walk), sdk.unset_is_null)
    except NotReady as reason:
        return f"nothing to ask about: {reason}"
    if sdk.req_id is not None:
        request["reqId"] = sdk.req_id(number)
    walk.line.send(request)
    reply = walk.line.receive()
    if reply.get("reqId") != request.get("reqId"):
        return f"reqId {request.get('reqId')!r} came back as {reply.get('reqId')!r}"
    failed = bool(reply.get("error")) if sdk.any_error_key else reply["ok"] is False
    if step.error:
        return "" if failed and step.error.lower() in reply["error"].lower() else f"wanted an error: {reply}"
    if failed:
        return str(reply["error"])
    try:
        return "" if step.read(reply, walk) else f"read something else: {reply}"
    except (KeyError, TypeError, IndexError) as reason:
        return f"cannot read {reply}: {reason!r}"


def walk_all(address: tuple[str, int], sdk: Sdk) -> list[tuple[Step, str]]:
    """Each step of a client with what went wrong, if anything did."""
    walk = Walk(address)
    numbers = itertools.count(1)
    try:
        return [(step, take(walk, sdk, step, next(numbers))) for step in sdk.steps]
    finally:
        walk.close()
