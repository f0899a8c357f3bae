"""The load generator: it measures what it says, and no wrong reply passes."""
import contextlib
import json
import socket
import struct
import sys
import threading
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from click import UsageError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from flashq._bench import process, servers
from flashq._bench.frames import Frames, payload
from flashq._bench.histogram import Histogram
from flashq._bench.loadgen import BenchError, Generator
from flashq._bench.replies import read_reply
from flashq._bench.traffic import Work
from flashq._bench.workload import Bench, Result, Target
from flashq.cli.bench import command, place
from support.server import ServerProcess

ECHO = [sys.executable, str(Path(__file__).parent.parent / "perf" / "echo.py")]
FORMATS = pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
FINE, MALFORMED, REFUSED, WRONG_JOB, TOO_MANY = 0, -1, -2, -6, -7


def encoded(reply: Any, binary: bool, framed: bool = False) -> bytes:
    body: bytes = msgpack.packb(reply) if binary else json.dumps(reply, separators=(",", ":")).encode()
    if not framed:
        return body
    return struct.pack(">I", len(body)) + body if binary else body + b"\n"


def job(number: int, frames: Frames, **changed: Any) -> dict[str, Any]:
    more = {"tags": ["a}"], "progress_msg": None, "n": 1.5, "run_at": 1763700000000, "children_ids": [], "lifo": False}
    return {"id": number, "queue": frames.queue, "data": frames.data, "priority": 0, **more, **changed}


# --- histogram and frames


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=300), st.floats(0.1, 100))
def test_percentile_is_the_true_one_or_up_to_3_percent_more(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    rank = -(-percent * len(values) // 100)
    true = sorted(values)[max(0, int(rank) - 1)]
    assert true <= histogram.percentile(percent) <= true * 1.032 + 1
    assert histogram.max_ns == max(values) == histogram.percentile(100)
    assert histogram.count == len(values)
    assert histogram.mean_ns == pytest.approx(sum(values) / len(values))


def test_an_empty_histogram_says_zero_and_a_huge_value_counts() -> None:
    one = Histogram()
    assert (one.percentile(99), one.mean_ns, one.max_ns) == (0, 0.0, 0)
    one.add(10)
    one.add(2**60)
    assert (one.count, one.percentile(50), one.percentile(100)) == (2, 10, 2**60)
    with pytest.raises(ValueError, match="percent"):
        one.percentile(0)


@pytest.mark.parametrize("size", [8, 60, 99, 100, 101, 109, 110, 5000])
def test_payload_has_the_size_asked_for(size: int) -> None:
    assert len(encoded(payload(size), False)) == size


@FORMATS
def test_frames_say_the_same_in_both_formats(binary: bool) -> None:
    frames = Frames("q", payload(), binary)

    def decoded(frame: bytes) -> Any:
        return msgpack.unpackb(frame[4:]) if binary else json.loads(frame)

    assert decoded(frames.push(delay=5)) == {"cmd": "PUSH", "queue": "q", "data": payload(), "delay": 5}
    assert decoded(frames.push_batch(2)) == {"cmd": "PUSHB", "queue": "q", "jobs": [{"data": payload()}] * 2}
    assert decoded(frames.pull_batch(7)) == {"cmd": "PULLB", "queue": "q", "count": 7, "timeout": 0}
    assert frames.data_size == len(encoded(payload(), binary))


# --- one reply


@FORMATS
@given(ids=st.lists(st.integers(0, 2**53), max_size=40), count=st.integers(0, 2**53))
def test_ids_are_read_and_no_cut_reply_passes(binary: bool, ids: list[int], count: int) -> None:
    frame = encoded({"ok": True, "more": {"x": ["}", {}], "y": '"'}, "ids": ids, "count": count}, binary)
    fault, _, _, counted, found = read_reply(frame, binary)
    assert (fault, counted, found) == (FINE, count, ids)
    for cut in range(len(frame)):
        assert read_reply(frame[:cut], binary)[0] != FINE


@FORMATS
@given(ids=st.lists(st.integers(0, 2**53), max_size=20), size=st.integers(8, 300))
def test_jobs_give_their_ids(binary: bool, ids: list[int], size: int) -> None:
    frames = Frames("some.queue", payload(size), binary)
    reply = encoded({"ok": True, "success": True, "jobs": [job(id, frames) for id in ids]}, binary)
    fault, _, _, _, found = read_reply(reply, binary, frames.job_tail)
    assert (fault, found) == (FINE, ids)


@FORMATS
@pytest.mark.parametrize("change", [{"data": {"other": 1}}, {"queue": "other"}, {"priority": 1}, {"id": "7"}])
def test_a_job_that_was_not_pushed_so_is_a_fault(binary: bool, change: dict[str, Any]) -> None:
    frames = Frames("q", payload(), binary)
    reply = encoded({"ok": True, "jobs": [job(1, frames), job(2, frames, **change)]}, binary)
    assert read_reply(reply, binary, frames.job_tail)[0] == WRONG_JOB


@FORMATS
def test_refusals_and_overlong_lists_are_faults(binary: bool) -> None:
    assert read_reply(encoded({"ok": False, "error": "no"}, binary), binary)[0] == REFUSED
    assert read_reply(encoded({"id": 4}, binary), binary)[0] == REFUSED
    assert read_reply(encoded({"ok": True, "ids": [1, 2, 3]}, binary), binary, room=2)[0] == TOO_MANY
    assert read_reply(encoded([1], binary), binary)[0] == MALFORMED


# --- runs against a server that says what it is told


class Scripted:
    """A server that answers the n-th request of its one connection with the n-th text; None closes the connection."""

    def __init__(self, replies: list[bytes | None], binary: bool, piece: int = 1 << 20) -> None:
        self.replies, self.binary, self.piece = replies, binary, piece
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname())

    def serve(self) -> None:
        with self.listener, self.listener.accept()[0] as client, client.makefile("rb") as requests:
            for reply in self.replies:
                self.skip_request(requests)
                if reply is None:
                    return
                for at in range(0, len(reply), self.piece):
                    client.sendall(reply[at:at + self.piece])
            with contextlib.suppress(ConnectionError):
                requests.read()

    def skip_request(self, requests: Any) -> None:
        if self.binary:
            requests.read(struct.unpack(">I", requests.read(4))[0])
        else:
            requests.readline()


Run = Callable[[Generator, Frames], Any]
PUSH_TWO: Run = lambda g, f: g.run(Work.PUSH, f.push(), count=2, patience=0.3)  # noqa: E731
PUSHB_THREE: Run = lambda g, f: g.run(Work.PUSHB, f.push_batch(3), count=1, batch=3, patience=0.3)  # noqa: E731
PULLB: Run = lambda g, f: g.run(Work.PULLB_ACKB, f.pull_batch(3), batch=3, job_tail=f.job_tail,  # noqa: E731
                                **f.with_ids("ACKB"), patience=0.3)
GETJOB: Run = lambda g, f: g.run(Work.GET_BY_ID, given=array("Q", [5]), job_tail=f.job_tail,  # noqa: E731
                                 **f.with_id("GETJOB"), patience=0.3)
FRAMES = Frames("q", payload())


@FORMATS
@pytest.mark.parametrize(("run", "replies", "text"), [
    (PUSH_TWO, [{"ok": False, "error": "queue is full"}], "refused.*queue is full"),
    (PUSH_TWO, [{"ok": True}], "lacks"),
    (PUSH_TWO, [{"ok": True, "id": 5}, {"ok": True, "id": 5}], "increase"),
    (PUSH_TWO, [{"ok": True, "id": 5}, None], "closed"),
    (PUSH_TWO, [{"ok": True, "id": 5}], "in time"),
    (PUSH_TWO, [[1, 2]], "not a reply"),
    (PUSHB_THREE, [{"ok": True, "ids": [1, 2]}], "number of ids"),
    (PUSHB_THREE, [{"ok": True, "ids": [1, 2, 3, 4]}], "more ids"),
    (PUSHB_THREE, [{"ok": True, "ids": [1, 3, 2]}], "increase"),
    (PULLB, [{"ok": True, "jobs": [job(1, FRAMES, data=None)]}], "not as it was pushed"),
    (PULLB, [{"ok": True, "jobs": [job(1, FRAMES)]}, {"ok": True, "ids": [0], "count": 0}], "number of ids"),
    (PULLB, [{"ok": True, "ids": []}], "lacks"),
    (GETJOB, [{"ok": True, "job": None}], "lacks"),
    (GETJOB, [{"ok": True, "job": job(6, FRAMES)}], "another job"),
])
def test_a_wrong_reply_ends_the_run(binary: bool, run: Run, replies: list[Any], text: str) -> None:
    answers = [None if reply is None else encoded(reply, binary, framed=True) for reply in replies]
    server = Scripted(answers, binary)
    with server.connect() as sock:
        generator = Generator([sock], binary)
        with pytest.raises(BenchError, match=text):
            run(generator, Frames("q", payload(), binary))
        with pytest.raises(BenchError, match=text):
            generator.run(Work.FIXED, b"x", count=1)
        generator.close()
    server.thread.join(5)
    assert not server.thread.is_alive()


def test_a_second_reply_to_one_request_ends_the_run() -> None:
    server = Scripted([b'{"ok":true,"id":1}\n{"ok":true,"id":2}\n'], False)
    with server.connect() as sock, pytest.raises(BenchError, match="no request"):
        Generator([sock]).run(Work.PUSH, FRAMES.push(), count=1)


@FORMATS
def test_replies_may_come_in_pieces(binary: bool) -> None:
    frames = Frames("q", payload(), binary)
    said = [{"ok": True, "jobs": [job(1, frames), job(40_000_000_000, frames)]}, {"ok": True, "ids": [2], "count": 2},
            {"ok": True, "jobs": [], "job": None}]
    server = Scripted([encoded(reply, binary, framed=True) for reply in said], binary, piece=1)
    with server.connect() as sock:
        outcome = PULLB(Generator([sock], binary), frames)
    assert (outcome.items, outcome.requests, outcome.id_sum) == (2, 3, 40_000_000_001)


def test_options_out_of_range_are_refused() -> None:
    one, other = socket.socketpair()
    with other:
        generator = Generator([one])
        for wrong in ({"depth": 0}, {"batch": 0}, {"seconds": 0}, {"probe": b"x"}):
            with pytest.raises(ValueError, match="out of range"):
                generator.run(Work.FIXED, b"x", **wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="two connections"):
            generator.run(Work.DELIVER, b"x", probe=b"x", rate=1)
    with pytest.raises(ValueError, match="connections"):
        Generator([])


# --- runs against the echo server


@pytest.fixture(scope="module")
def echo() -> Iterator[Target]:
    with servers.started(ECHO) as target:
        yield target


@FORMATS
def test_echo_counts_every_message_of_a_deep_pipeline(echo: Target, binary: bool) -> None:
    bench = Bench(echo, Frames("q", payload(20_000), binary), 3, 100)
    result = bench.echo(1000)
    assert (result.items, result.requests) == (1000, 1000)
    assert result.bytes_in == result.bytes_out == 1000 * len(bench.frames.push())
    assert bench.outcome is not None and bench.outcome.latency.count == 1000
    assert result.generator_cpu_seconds > 0


def test_a_changed_echo_ends_the_run() -> None:
    server = Scripted([FRAMES.push().replace(b"welcome", b"goodbye")], False)
    with server.connect() as sock, pytest.raises(BenchError, match="echo differs"):
        Generator([sock]).run(Work.ECHO, FRAMES.push(), count=1)


def test_a_paced_connection_keeps_its_rate(echo: Target) -> None:
    bench = Bench(echo, FRAMES, 1)
    result = bench.echo(50, probe=FRAMES.push(), rate=500)
    assert result.items == 50 and result.seconds >= 49 / 500
    assert bench.outcome is not None and bench.outcome.probe.count == 50


def test_time_ends_a_run_and_stop_does_too(echo: Target) -> None:
    bench = Bench(echo, FRAMES, 2)
    assert 0.2 <= bench.echo(0, seconds=0.2).seconds < 5
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(bench.echo(0, seconds=60)))
    thread.start()
    while bench.generator.items == 0:
        thread.join(0.01)
    bench.generator.stop()
    thread.join(10)
    assert results and results[0].seconds < 30
    bench.generator.stop()
    assert bench.echo(0, seconds=60).seconds < 30
    assert bench.echo(100).items == 100


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_the_server_is_found_and_its_cost_read(echo: Target) -> None:
    assert process.listener_pid("127.0.0.1", echo.port) == echo.pid
    assert echo.pid is not None and process.resident_bytes(echo.pid) > 1 << 20
    result = Bench(Target(port=echo.port), FRAMES, 2).echo(2000)
    assert result.server_cpu_seconds is not None and result.server_ns is not None
    assert 0 < result.server_cpu_seconds < result.seconds * 4
    assert process.cost(2**22 + 1) is None


# --- runs against the real server


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Not on a disk, whose speed is not what is tested here."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), "--durability", "memory")
    try:
        yield Target(port=server.address[1], pid=server.pid)
        server.stop()
    finally:
        server.kill()


@FORMATS
@pytest.mark.parametrize(("connections", "depth"), [(10, 1), (3, 20)])
@pytest.mark.parametrize("batch", [1, 50])
def test_what_is_pushed_is_processed_once(target: Target, binary: bool, connections: int, depth: int,
                                          batch: int) -> None:
    bench = Bench(target, Frames(f"bench-{binary}-{connections}-{batch}", payload(), binary), connections, depth)
    pushed = bench.push(2000, batch)
    assert (pushed.items, pushed.requests) == (2000, 2000 // batch)
    processed = bench.checked_drain(pushed, batch)
    assert processed.items == 2000 and processed.requests >= 2 * 2000 // batch
    assert bench.process(batch).items == 0


@FORMATS
def test_commands_by_id_and_the_probe(target: Target, binary: bool) -> None:
    bench = Bench(target, Frames(f"by-id-{binary}", payload(), binary), 2, 1)
    bench.push(500, probe=bench.frames.encode("PING"), rate=5000, keep=500)
    assert bench.outcome is not None and bench.outcome.probe.count > 0
    ids = bench.outcome.ids
    assert len(ids) == 500 and sum(ids) == bench.outcome.id_sum
    assert bench.by_id("GETJOB", ids).items == 500
    assert bench.by_id("CANCEL", ids[:100]).items == 100
    assert bench.pull(1000).items == 400
    assert bench.by_id("ACK", bench.outcome.ids).items == 400
    with pytest.raises(BenchError, match="refused"):
        bench.by_id("ACK", ids[:1])


@FORMATS
def test_latency_is_measured_from_push_to_delivery(target: Target, binary: bool) -> None:
    bench = Bench(target, Frames(f"latency-{binary}", payload(), binary), 2)
    result = bench.latency(100, 1000)
    assert result.items == 100 and result.seconds >= 99 / 1000
    assert bench.outcome is not None and bench.outcome.latency.count == bench.outcome.probe.count == 100
    assert 0 < result.latency_us["p50"] <= result.latency_us["max"]
    assert bench.latency(0, 500, seconds=0.3).items >= 50


def test_a_queue_that_is_not_empty_is_noticed(target: Target) -> None:
    bench = Bench(target, Frames("not-empty", payload()), 2)
    bench.push(1)
    with pytest.raises(BenchError, match="was not empty"):
        bench.latency(10, 1000)


def test_jobs_of_others_are_noticed(target: Target) -> None:
    bench = Bench(target, Frames("shared", payload()), 2)
    bench.push(10)
    with pytest.raises(BenchError, match="used by others"):
        bench.checked_drain(bench.push(10), 10)


# --- the command


@pytest.mark.parametrize(("arguments", "items"), [
    (["push", "-n", "500"], 500),
    (["push", "-n", "500", "-b", "100", "--msgpack"], 500),
    (["process", "-n", "500", "-b", "30"], 500),
    (["latency", "-n", "50", "--rate", "2000"], 50),
])
def test_command_prints_json(target: Target, arguments: list[str], items: int) -> None:
    done = CliRunner().invoke(command, [*arguments, "--port", str(target.port), "--json", "--token", "secret"])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["result"]["items"] == items and shown["result"]["per_second"] > 0
    assert "secret" not in done.output


def test_command_prints_a_table(echo: Target) -> None:
    done = CliRunner().invoke(command, ["echo", "-n", "100", "--port", str(echo.port)])
    assert done.exit_code == 0, done.output
    for text in ("messages/s", "100 in", "p99.9", "server CPU per message", "generator CPU per message"):
        assert text in done.output


def test_command_names_the_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = CliRunner().invoke(command, ["push", "--port", str(port)])
    assert done.exit_code == 3 and f"127.0.0.1:{port}" in done.output


def test_the_place_comes_from_the_url_unless_it_is_named() -> None:
    nothing = dict.fromkeys(("host", "port", "unix", "token"))
    assert place("flashq://s3cret@there:7000", nothing) == {
        "host": "there", "port": 7000, "unix": "", "token": "s3cret"}
    named = place("flashq://s3cret@there:7000", {**nothing, "port": 7001, "token": "other"})
    assert named == {"host": "there", "port": 7001, "unix": "", "token": "other"}
    assert place("flashq+unix:///f.sock", nothing)["unix"] == "/f.sock"
    assert place("flashq+unix:///f.sock", {**nothing, "port": 1})["unix"] == ""
    with pytest.raises(UsageError, match="TLS"):
        place("flashq://there?tls=1", nothing)


def test_the_generators_limit_is_told() -> None:
    def result(generator: float, server: float | None, paced: bool = False) -> Result:
        return Result(10, 10, 1.0, generator, server, 0.0, 0, 0, {}, paced)

    assert result(0.95, 0.5).generator_limited and result(0.95, None).generator_limited
    assert not result(0.95, 0.95).generator_limited and not result(0.5, 0.2).generator_limited
    assert not result(0.95, 0.5, paced=True).generator_limited
