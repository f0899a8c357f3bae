"""Workers as processes of their own that die: their jobs come back, once, and nothing that was acknowledged is lost."""

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from support.process import until
from support.server import ServerProcess
from support.wire import CODECS, Client, Codec

LEASE = 1.5     # seconds; a machine with other work may leave a test aside for a good part of one
GRACE = 2.0
FLAGS = ("--lease", "1500ms", "--disconnect-grace", "2s", "--lost-workers", "1000")
TICK = 0.005  # the server counts whole milliseconds
TESTS = Path(__file__).resolve().parent

# Reads orders from stdin, a line of JSON each, and prints each reply: so a test knows what the worker has seen.
PUPPET = """
import json, sys
from support.wire import CODECS, Client
client = Client((sys.argv[1], int(sys.argv[2])), CODECS[sys.argv[3]], timeout=60)
for line in sys.stdin:
    order = json.loads(line)
    client.send(**order["request"])
    if order["answer"]:
        print(json.dumps(client.receive()), flush=True)
"""

# Works until the server hangs up: pulls, acknowledges, and prints what is certainly done.
WORKER = """
import json, sys
from support.wire import CODECS, Client, Closed
client = Client((sys.argv[1], int(sys.argv[2])), CODECS[sys.argv[3]], timeout=60)
try:
    while True:
        jobs = client.ok("PULLB", queue="work", count=3, timeout=60_000)["jobs"]
        for job in jobs:
            done = client.call("ACK", id=job["id"], token=job["token"], result=job["data"] * 2)
            print(json.dumps([job["id"], job["data"], done["ok"]]), flush=True)
except (Closed, ConnectionError):
    sys.exit(0)
"""


class Puppet:
    """A worker process that does what it is told."""

    def __init__(self, server: ServerProcess, codec: Codec, program: str) -> None:
        host, port = server.address
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, host, str(port), codec.name],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        """Whole lines only: the last one of a worker that was killed may be cut."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.lines.put(line)

    def order(self, answer: bool, cmd: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"request": {"cmd": cmd, **fields}, "answer": answer}) + "\n")
        self.process.stdin.flush()

    def call(self, cmd: str, **fields: Any) -> dict[str, Any]:
        self.order(True, cmd, **fields)
        return self.line()

    def line(self) -> Any:
        return json.loads(self.lines.get(timeout=60))

    def rest(self) -> list[Any]:
        """What it said besides; only once it has ended."""
        self.reader.join(60)
        return [json.loads(self.lines.get_nowait()) for _ in range(self.lines.qsize())]

    def kill(self) -> float:
        """SIGKILL; when this returns its sockets are closed. The monotonic time before."""
        before = time.monotonic()
        self.process.kill()
        self.process.wait(60)
        return before

    def close(self) -> None:
        self.kill()
        self.reader.join(60)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


Hire = Callable[..., Puppet]


@pytest.fixture
def hire() -> Iterator[Hire]:
    """Starts worker processes, and ends them."""
    hired: list[Puppet] = []

    def start(server: ServerProcess, codec: Codec, program: str = PUPPET) -> Puppet:
        hired.append(Puppet(server, codec, program))
        return hired[-1]

    yield start
    for puppet in hired:
        puppet.close()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with short leases."""
    running = ServerProcess(tmp_path_factory.mktemp("short"), *FLAGS)
    try:
        yield running
        running.stop()
    finally:
        running.kill()


def test_the_jobs_of_a_killed_worker_come_back(short: ServerProcess, codec: Codec, hire: Hire, queue_name: str) -> None:
    with short.client(codec) as client:
        ids = client.ok("PUSHB", queue=queue_name, jobs=[{"data": n, "max_attempts": 1} for n in range(5)])["ids"]
        worker = hire(short, codec)
        taken = worker.call("PULLB", queue=queue_name, count=3)["jobs"]
        assert [job["id"] for job in taken] == ids[:3]
        worker.call("ACK", id=ids[0])
        killed = worker.kill()
        assert [job["id"] for job in client.ok("PULLB", queue=queue_name, count=9, timeout=0)["jobs"]] == ids[3:]
        back = client.ok("PULL", queue=queue_name, timeout=20_000)["job"]
        assert time.monotonic() - killed >= LEASE - TICK
        assert (back["id"], back["stall_count"], back["attempts"]) == (ids[1], 1, 0)
        assert back["token"] > taken[1]["token"]
        stale = client.call("ACK", id=ids[1], token=taken[1]["token"])
        assert stale["code"] == "STALE_TOKEN" and str(ids[1]) in stale["error"]
        assert client.ok("GETSTATE", id=ids[1])["state"] == "active"
        client.ok("ACK", id=ids[1], token=back["token"])
        assert client.ok("PULL", queue=queue_name, timeout=20_000)["job"]["id"] == ids[2]
        assert client.ok("GETSTATE", id=ids[0])["state"] == "completed"


def test_a_living_connection_keeps_its_jobs(short: ServerProcess, codec: Codec, hire: Hire, queue_name: str) -> None:
    """However long the job takes: another worker waits for twice the lease and gets nothing."""
    with short.client(codec) as client:
        id = client.ok("PUSH", queue=queue_name, data=1)["id"]
        worker = hire(short, codec)
        job = worker.call("PULL", queue=queue_name)["job"]
        assert client.ok("PULL", queue=queue_name, timeout=int(LEASE * 2000))["job"] is None
        assert worker.call("ACK", id=id, token=job["token"])["ok"] is True


@pytest.mark.parametrize("command", ["HEARTBEAT", "PROGRESS"])
def test_a_sign_of_life_over_another_connection(
    short: ServerProcess, hire: Hire, queue_name: str, command: str
) -> None:
    """Clients with pools: the connection that pulled is gone, another one renews the lease and acknowledges."""
    with short.client() as client:
        id = client.ok("PUSH", queue=queue_name, data=1)["id"]
        worker = hire(short, CODECS["json"])
        job = worker.call("PULL", queue=queue_name)["job"]
        killed = worker.kill()
        fields = {"progress": 5} if command == "PROGRESS" else {}
        while time.monotonic() - killed < 2 * LEASE:
            client.ok(command, id=id, token=job["token"], **fields)
        last = time.monotonic()
        client.ok(command, id=id, token=job["token"], **fields)
        assert client.ok("PULL", queue=queue_name, timeout=20_000)["job"]["id"] == id
        assert time.monotonic() - last >= LEASE - TICK
        assert client.error(command, id=id, token=job["token"], **fields).startswith(f"Job {id} ")


def test_an_acknowledgement_within_the_lease(short: ServerProcess, codec: Codec, hire: Hire, queue_name: str) -> None:
    with short.client(codec) as client:
        id = client.ok("PUSH", queue=queue_name, data=1)["id"]
        worker = hire(short, codec)
        job = worker.call("PULL", queue=queue_name)["job"]
        worker.kill()
        client.ok("ACK", id=id, token=job["token"], result="done")
        assert client.ok("PULL", queue=queue_name, timeout=int(LEASE * 2000))["job"] is None
        assert client.ok("GETRESULT", id=id)["result"] == "done"


def test_too_many_lost_workers_bury_a_job(start_server: StartServer, hire: Hire, codec: Codec) -> None:
    server = start_server("--lease", "30ms", "--lost-workers", "2")
    with server.client(codec) as client:
        id = client.ok("PUSH", queue="q", data=1)["id"]
        for _ in range(2):
            worker = hire(server, codec)
            assert worker.call("PULL", queue="q", timeout=20_000)["job"]["id"] == id
            worker.kill()
        until(lambda: client.ok("GETSTATE", id=id)["state"] == "failed", client)
        job = client.ok("GETJOB", id=id)["job"]
        assert (job["stall_count"], job["attempts"], job["progress_msg"]) == (2, 0, "Worker lost")
        assert client.ok("STATS")["dlq"] == 1


def test_the_blocked_pull_of_a_killed_worker_takes_nothing(
    short: ServerProcess, codec: Codec, hire: Hire, queue_name: str
) -> None:
    with short.client(codec) as client:
        for _ in range(5):
            worker = hire(short, codec)
            worker.order(False, "PULL", queue=queue_name)
            worker.order(False, "PULLB", queue=queue_name, count=5, reqId="b")
            assert worker.call("PING", reqId="parked")["reqId"] == "parked"
            worker.kill()
        client.ok("PING")
        id = client.ok("PUSH", queue=queue_name, data=1)["id"]
        assert client.ok("GETSTATE", id=id)["state"] == "waiting"
        assert client.ok("PULL", queue=queue_name, timeout=0)["job"]["stall_count"] == 0


def test_a_session_that_comes_back_keeps_its_jobs(
    short: ServerProcess, codec: Codec, hire: Hire, queue_name: str
) -> None:
    with short.client(codec) as other:
        id = other.ok("PUSH", queue=queue_name, data=1)["id"]
        first = hire(short, codec)
        first.call("HELLO", session=queue_name)
        job = first.call("PULL", queue=queue_name)["job"]
        first.kill()
        with short.client(codec) as again:
            assert again.ok("HELLO", session=queue_name)["session"] == queue_name
            assert other.ok("PULL", queue=queue_name, timeout=1500)["job"] is None  # twice the grace
            again.ok("ACK", id=id, token=job["token"])
        assert other.ok("GETJOB", id=id)["job"]["stall_count"] == 0


def test_a_session_that_stays_away_loses_its_jobs(
    short: ServerProcess, codec: Codec, hire: Hire, queue_name: str
) -> None:
    with short.client(codec) as client, short.client(codec) as stranger:
        id = client.ok("PUSH", queue=queue_name, data=1)["id"]
        worker = hire(short, codec)
        worker.call("HELLO", session=queue_name)
        worker.call("PULL", queue=queue_name)
        killed = worker.kill()
        stranger.ok("HELLO", session=f"{queue_name}-other")
        assert client.ok("PULL", queue=queue_name, timeout=20_000)["job"]["id"] == id
        assert time.monotonic() - killed >= GRACE - TICK


def finished(client: Client, count: int) -> bool:
    return bool(client.ok("STATS")["completed"] == count)


def test_many_workers_of_which_some_die(start_server: StartServer, hire: Hire) -> None:
    """What a worker saw acknowledged is done once; what none did is done by another."""
    server = start_server("--lease", "100ms", "--lost-workers", "1000", "--keep-results", "50000")
    count = 0
    with server.client() as client:

        def push_more() -> None:
            nonlocal count
            client.ok("PUSHB", queue="work", jobs=[{"data": n} for n in range(count, count + 500)])
            count += 500

        def heard(worker: Puppet, wanted: int) -> list[Any]:
            """So many lines, however little the others left it."""
            lines: list[Any] = []
            while len(lines) < wanted:
                try:
                    lines.append(json.loads(worker.lines.get(timeout=0.2)))
                except queue.Empty:
                    push_more()
                    assert count < 50_000
            return lines

        push_more()
        workers = [hire(server, CODECS[name], WORKER) for name in ("json", "msgpack", "json", "msgpack")]
        said: list[Any] = [line for worker in workers for line in heard(worker, 1)]
        for victim in workers[:3]:
            said += heard(victim, 100)
            victim.kill()
            said += victim.rest()
            workers.append(hire(server, CODECS["json"], WORKER))
            said += heard(workers[-1], 1)
        until(lambda: finished(client, count), client, 60)
        stats = client.ok("STATS")
        assert (stats["queued"], stats["processing"], stats["delayed"], stats["dlq"]) == (0, 0, 0, 0)
        sums = [client.ok("GETRESULT", id=id)["result"] for id, _, ok in said if ok]
        assert sums == [data * 2 for _, data, ok in said if ok]
        server.signal(signal.SIGTERM)
        for worker in workers[3:]:
            assert worker.process.wait(60) == 0
            said += worker.rest()
    done = [id for id, _, ok in said if ok]
    assert len(done) == len(set(done))
    # A worker that was killed may have acknowledged one job whose reply it never printed.
    assert count - 3 <= len(done) <= count
    assert server.wait() == 0
    server.check_log()


def test_a_drain_lets_workers_finish(start_server: StartServer, hire: Hire, codec: Codec) -> None:
    server = start_server("--drain-timeout", "60s")
    with server.client(codec) as client:
        id = client.ok("PUSH", queue="q", data=1)["id"]
        busy, idle = hire(server, codec), hire(server, codec)
        job = busy.call("PULL", queue="q")["job"]
        idle.order(False, "PULL", queue="q", timeout=60_000, reqId="parked")
        assert idle.call("PING", reqId="ping")["reqId"] == "ping"
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        assert busy.call("PROGRESS", id=id, progress=50, token=job["token"])["ok"] is True
        assert busy.call("ACK", id=id, token=job["token"], result="last")["ok"] is True
    assert server.wait() == 0
    assert server.wait_for("stopped")["cut"] == 0
