"""What does reading a request and writing a Job cost in each codec, against the general parsers?

The figures of PUSHB and ACKB are for a batch of 1000; `python perf/micro/bench_codecs.py -o after.json`.
"""
import json
from collections.abc import Callable
from typing import Any

import msgpack
import orjson
import pyperf

from flashq import commands
from flashq._core import codec_probe, fieldtable

BATCH = 1000
PAYLOAD = {
    "user_id": 123456, "email": "user123456@example.com", "template": "welcome", "lang": "en", "retry": False, "n": 7,
}
REQUESTS: dict[str, dict[str, Any]] = {
    "PUSH": {"cmd": "PUSH", "queue": "emails", "data": PAYLOAD, "priority": 5, "reqId": "r1"},
    "PUSHB": {"cmd": "PUSHB", "queue": "emails", "jobs": [{"data": PAYLOAD}] * BATCH, "reqId": "r1"},
    "ACKB": {"cmd": "ACKB", "ids": [(1 << 20 | i) << 5 for i in range(BATCH)], "reqId": "r1"},
}
CODECS = {
    "json": (False, lambda value: json.dumps(value, separators=(",", ":")).encode(), orjson.loads),
    "msgpack": (True, msgpack.packb, msgpack.unpackb),
}


def timed(run: Callable[[int], object]) -> Callable[[int], float]:
    """Seconds that `run(loops)` takes."""
    def measure(loops: int) -> float:
        start = pyperf.perf_counter()
        run(loops)
        return pyperf.perf_counter() - start
    return measure


def repeated(parse: Callable[[bytes], object], frame: bytes) -> Callable[[int], None]:
    def run(loops: int) -> None:
        for _ in range(loops):
            parse(frame)
    return run


def job_of(encode: Callable[[Any], bytes]) -> codec_probe.JobProbe:
    now = 1767225600000
    delivery = {"token": 1 << 32 | 5, "started_at": now + 250, "last_heartbeat": now + 250}
    return codec_probe.JobProbe(id=33554432, queue=b"emails", data=encode(PAYLOAD), created_at=now, run_at=now,
                                state=2, delivery=delivery)


def main() -> None:
    fieldtable.load(commands.COMMANDS, commands.PUSH_OPTIONS)
    runner = pyperf.Runner()
    for codec, (packed, encode, parse) in CODECS.items():
        for name, request in REQUESTS.items():
            frame = encode(request)

            def scan(loops: int, packed: bool = packed, frame: bytes = frame) -> None:
                codec_probe.bench_scan(packed, frame, loops)

            runner.bench_time_func(f"{codec} scan {name}", timed(scan))
            runner.bench_time_func(f"{codec} {parse.__name__} {name}", timed(repeated(parse, frame)))
        job = job_of(encode)

        def write(loops: int, packed: bool = packed, job: codec_probe.JobProbe = job) -> None:
            codec_probe.bench_job(packed, job, loops)

        runner.bench_time_func(f"{codec} write Job", timed(write))


if __name__ == "__main__":
    main()
