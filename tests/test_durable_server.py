"""A server that keeps its jobs: what is there again after a kill, and what stands in the way of a start."""

import re
import signal
from pathlib import Path

import pytest

from conftest import StartServer
from flashq.server.checkpoints import LEAST_SEGMENTS
from support.command import refused
from support.server import Event, ServerProcess
from support.wire import Client, Codec

KEEPING = ["commit", "interval"]
SMALL = ("--segment-size", "64KB")


def counts(client: Client, queue: str) -> dict[str, int]:
    found: dict[str, int] = client.ok("STATS")["queues"].get(queue, {})
    return found


def recovered(server: ServerProcess) -> Event:
    """What a start that is ready has said of it."""
    return next(event for event in server.events if event["event"] == "recovered")


def data_files(directory: Path, pattern: str) -> list[Path]:
    return sorted((directory / "flashq-data").glob(pattern))


# -- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", KEEPING)
def test_everything_acknowledged_survives_a_kill(start_server: StartServer, codec: Codec, queue_name: str,
                                                 durability: str) -> None:
    first = start_server("--durability", durability)
    assert first.ready["durability"] == durability
    with first.client(codec) as client:
        ids = client.ok("PUSHB", queue=queue_name, jobs=[{"data": n} for n in range(1000)])["ids"]
        job = client.ok("PULL", queue=queue_name, timeout=0)["job"]
        done = client.ok("PULL", queue=queue_name, timeout=0)["job"]
        client.ok("ACK", id=done["id"], result={"a": [1]})
        dead = client.ok("PUSH", queue=queue_name, max_attempts=1, priority=9)["id"]
        client.ok("PULL", queue=queue_name, timeout=0)
        client.ok("FAIL", id=dead, error="broke")
        client.ok("CANCEL", id=ids[10])
        client.ok("PUSH", queue=queue_name, delay=3_600_000, job_id="mine")
        client.ok("KVSET", key="k", value={"x": 1}, ttl=3_600_000)
        client.ok("CRON", name="c", queue=queue_name, schedule="0 0 1 1 *", data=7)
        client.ok("PAUSE", queue=queue_name)
        before = counts(client, queue_name)
        last = client.ok("PUSH", queue="other")["id"]
        first.kill()
    second = start_server("--durability", durability)
    with second.client(codec) as client:
        assert counts(client, queue_name) == before
        assert client.ok("GETRESULT", id=done["id"])["result"] == {"a": [1]}
        assert client.ok("GETSTATE", id=dead)["state"] == "failed"
        assert client.ok("GETSTATE", id=ids[10])["state"] == "unknown"
        assert client.ok("GETSTATE", id=job["id"])["state"] == "active"
        assert client.ok("GETJOBBYCUSTOMID", job_id="mine")["job"]["state"] == "delayed"
        assert client.ok("KVGET", key="k")["value"] == {"x": 1} and 0 < client.ok("KVTTL", key="k")["ttl"] <= 3_600_000
        assert [one["name"] for one in client.ok("CRONLIST")["crons"]] == ["c"]
        assert client.ok("ISPAUSED", queue=queue_name)["paused"] is True
        assert client.ok("PUSH", queue="other")["id"] > last
        client.ok("ACK", id=job["id"], token=job["token"])
        client.ok("RESUME", queue=queue_name)
        assert client.ok("PULL", queue=queue_name, timeout=0)["job"]["token"] >> 32 > job["token"] >> 32


def test_a_restart_says_what_it_found(start_server: StartServer, queue_name: str) -> None:
    first = start_server("--durability", "commit")
    with first.client() as client:
        client.ok("PUSHB", queue=queue_name, jobs=[{}] * 50)
        position = client.ok("METRICS")["metrics"]["store"]["position"]
        first.stop()
    second = start_server("--durability", "commit")
    found = recovered(second)
    assert (found["jobs"], found["queued"], found["position"], found["cut_bytes"]) == (50, 50, position, 0)


def test_a_lease_counts_from_the_restart(start_server: StartServer, queue_name: str) -> None:
    """The worker that held a job has a lease's time to come back; then it is another's."""
    flags = ("--durability", "commit", "--lease", "400ms", "--disconnect-grace", "300ms")
    first = start_server(*flags)
    with first.client() as client:
        job_id = client.ok("PUSH", queue=queue_name)["id"]
        client.ok("PULL", queue=queue_name, timeout=0)
        first.kill()
    second = start_server(*flags)
    with second.client() as client:
        job = client.ok("PULL", queue=queue_name, timeout=20_000)["job"]
        assert job["id"] == job_id


def test_a_clean_stop_loses_nothing_either(start_server: StartServer, queue_name: str) -> None:
    first = start_server("--durability", "interval", "--sync-interval", "60s")
    with first.client() as client:
        client.ok("PUSH", queue=queue_name)
        first.stop()
    second = start_server("--durability", "commit")
    with second.client() as client:
        assert counts(client, queue_name)["waiting"] == 1


def test_the_next_start_has_little_to_read_after_a_clean_stop(start_server: StartServer, queue_name: str) -> None:
    first = start_server("--keep-completed", "100", "--keep-results", "0")
    with first.client() as client:
        churn(client, queue_name, 100)      # well over a megabyte of journal
        client.ok("PUSH", queue=queue_name)
        first.stop()
    events = [event["event"] for event in first.events]
    assert events.index("draining") < events.index("checkpoint") < events.index("stopped")
    second = start_server()
    assert recovered(second)["records"] == 0
    with second.client() as client:
        assert counts(client, queue_name)["waiting"] == 1


def test_in_memory_mode_nothing_is_written(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    server = start_server("--durability", "memory")
    with server.client() as client:
        client.ok("PUSH", queue=queue_name)
        store = client.ok("METRICS")["metrics"]["store"]
        assert (store["durability"], store["health"], store["durable"]) == ("memory", "ok", 0)
    server.stop()
    assert not (tmp_path / "flashq-data").exists()


# -- checkpoints -----------------------------------------------------------------------------------------------------


def churn(client: Client, queue: str, rounds: int) -> None:
    """Jobs that pass through a queue which stays short."""
    for _ in range(rounds):
        client.ok("PUSHB", queue=queue, jobs=[{"data": "x" * 100}] * 100)
        jobs = client.ok("PULLB", queue=queue, count=100, timeout=0)["jobs"]
        client.ok("ACKB", ids=[job["id"] for job in jobs])


def test_the_directory_stays_small_while_jobs_pass_through(start_server: StartServer, tmp_path: Path,
                                                          queue_name: str) -> None:
    server = start_server("--durability", "commit", *SMALL, "--keep-completed", "100", "--keep-results", "0")
    with server.client() as client:
        written = 0
        for _ in range(4):
            churn(client, queue_name, 60)
            server.wait_for("checkpoint")
            size = sum(path.stat().st_size for path in data_files(tmp_path, "*"))
            written = max(written, size)
        store = client.ok("METRICS")["metrics"]["store"]
        assert 0 < store["checkpoint_bytes"] < 64 * 1024
        assert written <= (2 + 3) * 64 * 1024 + 12 * 64 * 1024
    server.stop()
    second = start_server("--durability", "commit", *SMALL)
    with second.client() as client:
        assert counts(client, queue_name).get("waiting", 0) == 0


def test_starts_alone_do_not_fill_the_disk(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    checkpoints = 0
    for n in range(12):
        server = start_server("--durability", "commit", *SMALL)
        with server.client() as client:
            client.ok("PUSH", queue=queue_name, data=n)
            if n and recovered(server)["segments"] >= LEAST_SEGMENTS:
                checkpoints += 1
                server.wait_for("checkpoint")
        server.kill()
        assert len(data_files(tmp_path, "segment-*")) <= 2 * LEAST_SEGMENTS + 2
    assert checkpoints > 1
    server = start_server("--durability", "commit", *SMALL)
    with server.client() as client:
        jobs = client.ok("PULLB", queue=queue_name, count=100, timeout=0)["jobs"]
        assert [job["data"] for job in jobs] == list(range(12))


# -- what stands in the way ------------------------------------------------------------------------------------------


def test_a_second_server_on_a_directory_is_refused(start_server: StartServer, tmp_path: Path) -> None:
    start_server("--durability", "commit")
    text = refused("--port", "0", "--durability", "commit", directory=tmp_path)
    assert text.startswith("flashq: ") and "flashq-data" in text and "use" in text


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    text = refused("--port", "0", "--durability", "commit", "--data-dir", "file", directory=tmp_path)
    assert text.startswith("flashq: ") and "file" in text
    assert (tmp_path / "file").read_text() == "precious"


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    text = refused("--port", "0", "--durability", "commit", "--data-dir", "/proc/flashq", directory=tmp_path)
    assert text.startswith("flashq: ") and "/proc/flashq" in text


def test_a_damaged_segment_stops_the_start(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    server = start_server("--durability", "commit")
    with server.client() as client:
        for n in range(10):
            client.ok("PUSH", queue=queue_name, data=f"here {n}")
    server.stop()
    segment = data_files(tmp_path, "segment-*")[0]
    content = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(content.index(b"here 3"))
        file.write(b"HERE")
    text = refused("--port", "0", "--durability", "commit", directory=tmp_path)
    assert re.search(rf"{segment.name} is damaged at byte \d+", text), text
    assert "flashq journal verify" in text


def test_files_are_for_this_user_only(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--durability", "commit")
    with server.client() as client:
        client.ok("PUSH", queue="q")
    server.stop()
    assert (tmp_path / "flashq-data").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in data_files(tmp_path, "*")} == {0o600}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_whose_replies_wait(start_server: StartServer, number: int, queue_name: str) -> None:
    server = start_server("--durability", "commit", "--drain-timeout", "1h")
    with server.client() as client:
        for n in range(20):
            client.send("PUSH", queue=queue_name, reqId=str(n))
        assert client.receive()["ok"] is True
        server.signal(number)
        assert all(client.receive()["ok"] for _ in range(19))
        assert client.is_closed()
    assert server.wait() == 0
    server.check_log()



def test_a_start_that_has_to_tell_the_end_of_a_job_serves(start_server: StartServer, queue_name: str) -> None:
    """Many wait for one job, and the kill comes before all of them were told: the start tells them, and records it."""
    server = start_server("--durability", "commit")
    with server.client() as client:
        first = client.ok("PUSH", queue=f"{queue_name}-first")["id"]
        for _ in range(5):
            client.ok("PUSHB", queue=queue_name, jobs=[{"depends_on": [first]}] * 1000)
        client.ok("PULL", queue=f"{queue_name}-first")
        client.ok("ACK", id=first)
    server.kill()
    again = start_server("--durability", "commit")
    with again.client() as client:
        assert counts(client, queue_name)["waiting"] == 5000
