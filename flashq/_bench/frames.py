"""The requests of a run as bytes, encoded once: JSON lines or MessagePack frames."""
import json
import struct
from array import array
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]

DEFAULT_SIZE = 100
MARK = "#" * 10         # ten digits in a push, another number in each job
EXAMPLE = {"user_id": 1234, "email": "user1234@example.com", "template": "welcome", "lang": "en", "retry": False,
           "n": 7}


def payload(size: int = DEFAULT_SIZE) -> dict[str, Any]:
    """A job's data whose compact JSON has exactly `size` bytes (8 at least): an e-mail to send, filled up."""
    if size < 8:
        raise ValueError("a payload has 8 bytes at least")
    room = size - len(_compact(EXAMPLE))
    if room == 0:
        return dict(EXAMPLE)
    if room < len(',"fill":""'):
        return {"n": "x" * (size - 8)}
    return {**EXAMPLE, "fill": "x" * (room - len(',"fill":""'))}


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Frames:
    """Requests for one queue and one payload, in one format."""

    queue: str
    data: dict[str, Any]
    binary: bool = False

    def encode(self, command: str, **fields: Any) -> bytes:
        """One whole request, framing included."""
        request = {"cmd": command, **fields}
        if not self.binary:
            return _compact(request) + b"\n"
        body: bytes = msgpack.packb(request)
        return struct.pack(">I", len(body)) + body

    def push(self, **options: Any) -> bytes:
        return self.encode("PUSH", queue=self.queue, data=self.data, **options)

    def push_batch(self, count: int) -> bytes:
        return self.encode("PUSHB", queue=self.queue, jobs=[{"data": self.data}] * count)

    def push_tied(self, count: int) -> bytes:
        """A batch of jobs with a unique key, tags and an id of their own; `marks` says where they differ."""
        tied = {"data": self.data, "unique_key": f"user-{MARK}", "tags": ["welcome", "en"], "job_id": f"mail-{MARK}"}
        return self.encode("PUSHB", queue=self.queue, jobs=[tied] * count)

    def pull(self, timeout_ms: int = 0) -> bytes:
        return self.encode("PULL", queue=self.queue, timeout=timeout_ms)

    def pull_batch(self, count: int) -> bytes:
        return self.encode("PULLB", queue=self.queue, count=count, timeout=0)

    def with_id(self, command: str) -> dict[str, bytes]:
        """Head and tail of a request that carries one id."""
        if self.binary:
            return {"id_head": b"\x82" + _packed("cmd", command, "id"), "id_tail": b""}
        return {"id_head": f'{{"cmd":"{command}","id":'.encode(), "id_tail": b"}\n"}

    def with_ids(self, command: str) -> dict[str, bytes]:
        """Head and tail of a request that carries many."""
        if self.binary:
            return {"id_head": b"\x82" + _packed("cmd", command, "ids"), "id_tail": b""}
        return {"id_head": f'{{"cmd":"{command}","ids":['.encode(), "id_tail": b"]}\n"}

    @property
    def job_tail(self) -> bytes:
        """What follows the id in every Job object of this queue: its name, the payload as pushed, the priority."""
        if self.binary:
            return _packed("queue", self.queue, "data", self.data, "priority", 0)
        return _compact({"queue": self.queue, "data": self.data, "priority": 0}).replace(b"{", b",", 1)[:-1] + b","

    @property
    def data_size(self) -> int:
        """Bytes of one payload as the server keeps them."""
        return len(_packed(self.data) if self.binary else _compact(self.data))


def marks(frame: bytes) -> "array[int]":
    """Where MARK stands in the frame."""
    mark, found, at = MARK.encode(), array("I"), -len(MARK)
    while (at := frame.find(mark, at + len(mark))) >= 0:
        found.append(at)
    return found


def _packed(*values: Any) -> bytes:
    return b"".join(msgpack.packb(value) for value in values)
