"""What broken and hostile clients send, by a seed: damaged requests, noise, and values of every wrong type."""

import json
import random
import struct
from typing import Any

import msgpack

from support.wire import Codec

FAR = 2**52  # ids from here on belong to no job: damage may not touch the jobs of others
REQUESTS: list[dict[str, Any]] = [
    {"cmd": "PING", "reqId": "r1"},
    {"cmd": "PUSH", "queue": "garbage", "data": {"é": [1, -2.5e3, None, True, 'x\\"\n']}, "priority": 5, "reqId": "r"},
    {"cmd": "PUSH", "queue": "garbage", "data": None, "delay": 5, "ttl": 10, "tags": ["a", "b"], "job_id": "custom"},
    {"cmd": "PUSHB", "queue": "garbage", "jobs": [{"data": 1}, {"data": "x" * 40, "lifo": True}, {}]},
    {"cmd": "ACK", "id": FAR, "result": [[[]]], "token": 2**40},
    {"cmd": "ACKB", "ids": [FAR, FAR + 1], "tokens": [1, 2]},
    {"cmd": "FAIL", "id": FAR, "error": "mailbox full"},
    {"cmd": "PROGRESS", "id": FAR, "progress": 99.5, "message": "m"},
    {"cmd": "HEARTBEAT", "job_id": FAR},
    {"cmd": "GETJOB", "id": FAR, "reqId": "é"},
    {"cmd": "COUNT", "queue": "garbage"},
    {"cmd": "LISTQUEUES"},
    {"cmd": "HELLO", "push": True},
    {"cmd": "AUTH", "token": "t"},
]


def noise(rng: random.Random, size: int) -> bytes:
    """Random bytes; of small values only, half of the time, which reach further into a scanner."""
    if rng.random() < 0.5:
        return rng.randbytes(size)
    return bytes(rng.choices(b'{}[]",:\\ 0129-+.eEtrufalsn\x00\x01\x81\x93\xa3\xc0\xcb\xd9\xdf\xff', k=size))


def damaged(rng: random.Random, payload: bytes) -> bytes:
    """The payload with a few bytes flipped, cut out, repeated or put in."""
    data = bytearray(payload)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        end = min(len(data), at + rng.randint(0, 6))
        kind = rng.random()
        if kind < 0.4 and at < len(data):
            data[at] ^= 1 << rng.randint(0, 7)
        elif kind < 0.6:
            del data[at:end]
        elif kind < 0.8:
            data[at:at] = data[at:end]
        else:
            data[at:at] = noise(rng, rng.randint(1, 4))
    return bytes(data)


def payload_of(codec: Codec, request: dict[str, Any]) -> bytes:
    """A request without its frame."""
    return json.dumps(request, ensure_ascii=False).encode() if codec.name == "json" else msgpack.packb(request)


def damaged_payload(rng: random.Random, codec: Codec) -> bytes:
    """A request that was good once. In text mode it stays one line, and not a blank one."""
    payload = damaged(rng, payload_of(codec, rng.choice(REQUESTS)))
    if codec.name == "json":
        payload = payload.replace(b"\n", b" ")
        return payload if payload.strip(b"\r") else b"x"
    return payload


def stream(rng: random.Random, codec: Codec) -> bytes:
    """Bytes for a connection of their own: frames that may be good, damaged, of a wrong length, or noise."""
    parts = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.3:
            parts.append(codec.encode(rng.choice(REQUESTS)))
        elif kind < 0.7:
            parts.append(codec.frame(damaged_payload(rng, codec)))
        elif kind < 0.8 and codec.name == "msgpack":
            parts.append(struct.pack(">I", rng.choice([0, 1, 5, 300, 2**24, 2**24 + 1, 2**31, 2**32 - 1])))
        else:
            parts.append(noise(rng, rng.randint(1, 200)))
    whole = b"".join(parts)
    return whole[: rng.randint(1, len(whole))] if rng.random() < 0.3 else whole
