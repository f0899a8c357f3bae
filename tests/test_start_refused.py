"""What stands in the way of a start: each is told in one line on stderr, with exit status 1."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import StartServer
from flashq.storage.journal.format import VERSION
from support.command import flashq_command
from support.filelayer import Action, FileLayer, Kind
from support.server import ServerProcess
from test_journal_log import newer

FLAGS = ("--durability", "commit", "--segment-size", "64KB")
JOBS = 100_000
BATCH = 1000


@pytest.fixture
def data(tmp_path: Path, start_server: StartServer) -> Path:
    """A directory with some jobs in it, which nobody uses."""
    server = start_server(*FLAGS)
    with server.client() as client:
        for n in range(50):
            client.ok("PUSH", queue="q", data=f"here {n}" * 500)
    server.stop()
    return tmp_path / "flashq-data"


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


def refusal(directory: Path, env: dict[str, str] | None = None) -> str:
    """The line that a start says there."""
    done = flashq_command("serve", "--log-format", "json", "--port", "0", *FLAGS, "--data-dir", str(directory),
                          directory=directory.parent, env=env)
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert (done.returncode, len(said)) == (1, 1), done.stderr
    return said[0]


def untouched(directory: Path) -> str:
    """Likewise; it leaves everything as it is."""
    before = content(directory)
    text = refusal(directory)
    assert content(directory) == before
    return text


def test_another_server(data: Path, start_server: StartServer) -> None:
    server = start_server(*FLAGS)
    text = refusal(data)
    assert str(data) in text and str(server.pid) in text and "in use" in text, text


def test_a_damaged_segment(data: Path) -> None:
    segment = sorted(data.glob("segment-*"))[0]
    whole = segment.read_bytes()
    at = whole.index(b"here 3") + 10
    segment.write_bytes(whole[:at] + b"!" + whole[at + 1:])
    text = untouched(data)
    assert re.fullmatch(rf"flashq: {segment} is damaged at byte \d+, after \d+ good records: .+; "
                        rf"see: flashq journal verify {data}", text), text


def test_a_segment_that_is_gone(data: Path) -> None:
    segment = sorted(data.glob("segment-*"))[1]
    segment.unlink()
    assert segment.name in untouched(data)


def test_a_newer_format(data: Path) -> None:
    segment = sorted(data.glob("segment-*"))[0]
    newer(segment, segment.read_bytes()[:8])
    text = untouched(data)
    assert text == (f"flashq: {segment} has format version {VERSION + 1}, and this flashq reads {VERSION}: "
                    "start a newer one")


# -- a directory that cannot be written to ---------------------------------------------------------------------------


@pytest.fixture
def read_only(data: Path) -> Iterator[Path]:
    """By its mode, or for root by a mount."""
    if os.geteuid() != 0:
        data.chmod(0o500)
        yield data
        data.chmod(0o700)
        return
    bind = [["mount", "--bind", str(data), str(data)], ["mount", "-o", "remount,ro,bind", str(data)]]
    if sys.platform != "linux" or any(subprocess.run(one, capture_output=True).returncode for one in bind):
        pytest.skip("only root may mount something read-only here")
    try:
        yield data
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_read_only_directory(read_only: Path) -> None:
    text = refusal(read_only)
    assert text == f"flashq: cannot use the data directory {read_only}: this user may not read and write it"


@pytest.mark.parametrize(("kind", "error"), [(Kind.OPEN, errno.EROFS), (Kind.ALLOCATE, errno.ENOSPC),
                                             (Kind.RENAME, errno.EIO), (Kind.SYNC, errno.EIO)],
                         ids=lambda one: one.name if isinstance(one, Kind) else "")
def test_a_disk_that_takes_nothing(data: Path, tmp_path: Path, kind: Kind, error: int) -> None:
    for spare in data.glob("spare-*"):
        spare.unlink()
    layer = FileLayer(tmp_path, data)
    layer.rule(0, kind, Action.FAIL, error)
    text = refusal(data, layer.env)
    assert text.startswith("flashq: ") and str(data) in text and text.endswith(os.strerror(error)), text


# -- and what does not -----------------------------------------------------------------------------------------------


def test_a_hundred_thousand_jobs_and_a_kill(tmp_path: Path, start_server: StartServer) -> None:
    """As in the README: push, kill -9, start again."""
    first = start_server("--durability", "commit")
    last = 0
    with first.client() as client:
        for n in range(JOBS // BATCH):
            ids = client.ok("PUSHB", queue="q", jobs=[{"data": [n, i]} for i in range(BATCH)])["ids"]
            assert len(ids) == BATCH and ids[0] > last
            last = ids[-1]
        first.kill()
    second = ServerProcess(tmp_path, "--durability", "commit")
    try:
        with second.client() as client:
            stats = client.ok("STATS")
            assert (stats["queued"], stats["queues"]["q"]["waiting"]) == (JOBS, JOBS)
            assert client.ok("PUSH", queue="q")["id"] > last
            assert client.ok("PULL", queue="q", timeout=0)["job"]["data"] == [0, 0]
            assert client.ok("GETJOB", id=last)["job"]["data"] == [JOBS // BATCH - 1, BATCH - 1]
        second.stop()
    finally:
        second.kill()
