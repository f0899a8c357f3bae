"""Backups of running servers: what was acknowledged before one began is on the server that is started on it."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from flashq.storage.base import DamageError
from support.clients import url_of
from support.commandline import flashq
from support.journal import Opened, flip, frame, groups, read, segment
from support.server import ServerProcess
from support.tools import lacking
from support.wire import Client

SMALL = ("--durability", "commit", "--segment-size", "64KB", "--checkpoint-factor", "1")


class Load:
    """Clients that push, and acknowledge a half of it, until told to stop; what was acknowledged is on record."""

    def __init__(self, server: ServerProcess, clients: int = 3) -> None:
        self.pushed: set[int] = set()
        self.done: set[int] = set()
        self._server = server
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_details: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.failures

    def acknowledged(self) -> tuple[set[int], set[int]]:
        """(pushed, completed) so far."""
        with self._lock:
            return set(self.pushed), set(self.done)

    def until(self, jobs: int) -> None:
        """Wait for so many."""
        while len(self.pushed) < jobs and not self.failures:
            self._stop.wait(0.01)

    def _run(self, number: int) -> None:
        try:
            with self._server.client() as client:
                while not self._stop.is_set():
                    self._round(client, f"queue-{number}")
        except BaseException as error:
            self.failures.append(error)

    def _round(self, client: Client, queue: str) -> None:
        jobs = [{"data": {"text": "x" * 500}} for _ in range(20)]
        ids = client.ok("PUSHB", queue=queue, jobs=jobs)["ids"]
        with self._lock:
            self.pushed.update(ids)
        pulled = [job["id"] for job in client.ok("PULLB", queue=queue, count=10)["jobs"]]
        client.ok("ACKB", ids=pulled)
        with self._lock:
            self.done.update(pulled)


def states(server: ServerProcess, ids: set[int]) -> dict[int, str]:
    """Of each job."""
    found = {}
    with server.client() as client:
        for id in ids:
            found[id] = client.ok("GETSTATE", id=id)["state"]
    return found


def test_a_backup_under_load_holds_what_was_acknowledged_before_it_began(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(*SMALL)
    with Load(server) as load:
        for number in range(4):
            load.until(1500 * (number + 1))
            pushed, done = load.acknowledged()
            target = tmp_path / f"backup-{number}"
            result = json.loads(flashq(tmp_path, "backup", target, "--json").stdout)
            assert result["running"] == str(server.pid)
    assert any('"event":"checkpoint"' in line.replace(" ", "") for line in server.log)
    assert result["checkpoint"] is not None     # there was one to begin with, and segments that went meanwhile
    copy = start_server(*SMALL, "--data-dir", str(target))
    found = states(copy, pushed)
    assert {id for id in done if found[id] != "completed"} == set()
    assert {id for id in pushed if found[id] == "unknown"} == set()
    with copy.client() as client:
        assert client.ok("PUSH", queue="queue-0", data=1)["id"] not in pushed


def test_the_copy_is_private_and_as_small_as_what_it_holds(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--durability", "commit")
    with server.client() as client:
        client.ok("PUSH", queue="q", data=1)
    target = tmp_path / "new" / "backup"
    done = flashq(tmp_path, "backup", target)
    assert "OK: the copy was read and is whole" in done.stdout
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    files = [path for path in target.iterdir() if path.name != "lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert sum(path.stat().st_size for path in files) < 10_000


def test_the_directory_of_the_server_that_runs_here_is_found(start_server: StartServer, tmp_path: Path) -> None:
    if not Path("/proc/net/tcp").exists():
        lacking("this system has no /proc")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    server = start_server("--durability", "commit")
    with server.client() as client:
        id = client.ok("PUSH", queue="q", data=1)["id"]
    there = {"FLASHQ_URL": url_of(server)}
    done = flashq(elsewhere, "backup", "copy", "--json", env=there)
    assert json.loads(done.stdout)["running"] == str(server.pid)
    assert f"is the directory of the server, process {server.pid}" in done.stderr
    with start_server("--durability", "commit", "--data-dir", str(elsewhere / "copy")).client() as client:
        assert client.ok("GETSTATE", id=id)["state"] == "waiting"
    refused = flashq(elsewhere, "backup", "other", "--data-dir", "none", status=1, env=there)
    assert refused.stderr == "Error: there is no directory none: name the server's by --data-dir\n"


def test_without_a_directory_and_a_server_the_flag_is_named(tmp_path: Path) -> None:
    refused = flashq(tmp_path, "backup", "copy", status=1, env={"FLASHQ_URL": "flashq://127.0.0.1:1"})
    assert refused.stderr == "Error: there is no directory flashq-data: name the server's by --data-dir\n"


def test_a_stopped_server_is_copied_too(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(*SMALL)
    with server.client() as client:
        id = client.ok("PUSH", queue="q", data={"n": 1}, job_id="mine")["id"]
    server.stop()
    assert json.loads(flashq(tmp_path, "backup", "copy", "--json").stdout)["running"] is None
    copy = start_server(*SMALL, "--data-dir", str(tmp_path / "copy"))
    with copy.client() as client:
        assert client.ok("GETJOBBYCUSTOMID", job_id="mine")["job"]["id"] == id


def test_a_torn_tail_is_left_behind(tmp_path: Path) -> None:
    with Opened(tmp_path / "running") as opened:
        opened.committed(3)
        opened.committed(1)
        opened.killed(tmp_path / "flashq-data")
    last = groups(segment(tmp_path / "flashq-data", 1))[-1]
    flip(segment(tmp_path / "flashq-data", 1), last.offset + last.size - 1)
    flashq(tmp_path, "backup", "copy")
    found, kept = read(tmp_path / "copy")
    assert (found.position, kept.positions, found.cut_bytes) == (3, [1, 2, 3], 0)


def test_segments_that_hold_nothing_of_use_are_there_by_number(tmp_path: Path) -> None:
    """A start wants all from the one that was written to when the checkpoint was begun, also if the log has gone on."""
    with Opened(tmp_path / "flashq-data") as opened:
        last = opened.committed(3)
        assert opened.checkpoint(frame(last, b"all of it")) is None
    for _ in range(2):
        with Opened(tmp_path / "flashq-data") as opened:
            last = opened.committed(1)
    flashq(tmp_path, "backup", "copy")
    found, kept = read(tmp_path / "copy")
    assert (found.position, kept.positions) == (last, [4, 5])
    assert found.needed == 1


@pytest.mark.parametrize(("target", "text"), [
    ("full", "it is not empty"),
    ("flashq-data/inside", "lies in the data directory"),
    ("full/file", "Not a directory"),
])
def test_a_target_that_cannot_be_used_is_left_alone(tmp_path: Path, target: str, text: str) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        opened.committed(1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("precious")
    done = flashq(tmp_path, "backup", target, status=None)
    assert done.returncode in (1, 2)
    assert text in done.stderr or "is a file" in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
    assert (tmp_path / "full" / "file").read_text() == "precious"


def test_of_a_damaged_directory_there_is_no_backup(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        for _ in range(3):
            opened.committed(5)
    flip(segment(tmp_path / "flashq-data", 1), 64 + 48 + 20)
    done = flashq(tmp_path, "backup", "copy", status=1)
    assert "segment-000000000001.log is damaged at byte 64" in done.stderr
    assert not (tmp_path / "copy").exists()


def test_a_backup_that_was_killed_is_no_data_directory(tmp_path: Path) -> None:
    """Files get their names at the end, the first one last: a start finds nothing, or refuses what is there."""
    with Opened(tmp_path / "flashq-data") as opened:
        for _ in range(40):
            opened.committed(50, b"x" * 200)
    script = (
        "import os, pathlib, sys\n"
        "from flashq.storage.journal.backup import backup\n"
        "left = [int(sys.argv[1])]\n"
        "real = os.rename\n"
        "def rename(*args):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0: os._exit(9)\n"
        "    real(*args)\n"
        "os.rename = rename\n"
        "backup(pathlib.Path('flashq-data'), pathlib.Path(sys.argv[2]), lambda *told: None)\n"
    )
    segments = len(list((tmp_path / "flashq-data").glob("segment-*.log")))
    assert segments > 5
    for steps in range(segments):
        target = tmp_path / f"copy-{steps}"
        done = subprocess.run([sys.executable, "-c", script, str(steps), str(target)], cwd=tmp_path, check=False,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        assert done.returncode == 9
        if any(target.glob("segment-*.log")):
            with pytest.raises(DamageError, match="it is missing"):
                read(target)
