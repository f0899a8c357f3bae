"""A disk that fails at some call: what was acknowledged is there, and the process says what was wrong.

tests/torture/test_faults.py goes through all calls of each kind; test_storage_faults asks what clients see of it.
"""

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from conftest import StartServer
from support.faults import FAULTS, Faults
from support.filelayer import FileLayer
from support.process import until
from support.server import ServerProcess
from support.wire import Client

SEED = 1
TRIALS = 8
FLAGS = ("--durability", "commit", "--segment-size", "64KB", "--checkpoint-factor", "1")


def test_faults_at_some_calls(tmp_path: Path) -> None:
    """The fatal ones, and a few of the others."""
    rng = random.Random(SEED)
    faults = Faults(tmp_path, SEED)
    try:
        chosen = [one for one in FAULTS if one.is_fatal]
        chosen = rng.sample(chosen, 4) + rng.sample([one for one in FAULTS if not one.is_fatal], TRIALS - 4)
        for fault in chosen:
            faults.trial(fault, rng.randint(2, 12) if fault.is_fatal else rng.randint(1, 6))
        faults.end()
    finally:
        faults.close()
    assert sum(faults.did[f"{fault}: ended"] for fault in chosen if fault.is_fatal) >= 2, faults.did


# -- a small disk ----------------------------------------------------------------------------------------------------


def fill(client: Client, queue: str) -> list[int]:
    """Push until the disk is full; the ids that were acknowledged."""
    ids: list[int] = []
    while (reply := client.call("PUSH", queue=queue, data="x" * 2000))["ok"]:
        ids.append(reply["id"])
        assert len(ids) < 5000, "the disk does not fill"
    assert reply["code"] == "DISK_FULL" and reply["error"].startswith("Disk full: "), reply
    return ids


def live_on_a_full_disk(client: Client, queue: str) -> tuple[list[int], list[int]]:
    """Ids that wait, and those that are done: everything but pushes goes on."""
    ids = fill(client, queue)
    jobs = client.ok("PULLB", queue=queue, count=10, timeout=0)["jobs"]
    done = [job["id"] for job in jobs]
    for job in jobs:
        client.ok("ACK", id=job["id"], token=job["token"])
    client.ok("CANCEL", id=ids[-1])
    failing = client.ok("PULL", queue=queue, timeout=0)["job"]
    client.ok("FAIL", id=failing["id"], error="on a full disk")
    return [one for one in ids[:-1] if one not in done], done


def over_a_full_disk(
    start: Callable[..., ServerProcess], queue: str, more_room: Callable[[], object]
) -> tuple[dict[int, str], dict[int, str]]:
    """A server that has run into it, one that begins with it, and the same once there is room. The states of the jobs
    that the second one found, and those that the first one had told."""
    server = start()
    with server.client() as client:
        waiting, done = live_on_a_full_disk(client, queue)
    server.kill()
    second = start(wait=False)
    if not second.is_ready():
        assert second.wait() == 1 and "cannot begin a segment" in second.text, second.text
        assert os.strerror(errno.ENOSPC) in second.text
        more_room()
        second = start()
    with second.client() as client:
        states = {job_id: client.ok("GETSTATE", id=job_id)["state"] for job_id in waiting + done}
        assert client.ok("STATS")["queues"][queue]["waiting"] == len(waiting)
        more_room()
        until(lambda: client.call("PUSH", queue=queue, data="x" * 2000)["ok"], client)
        for _ in range(10):
            client.ok("PUSH", queue=queue, data="x" * 2000)
    second.stop()
    return states, {**dict.fromkeys(waiting, "waiting"), **dict.fromkeys(done, "completed")}


def test_service_resumes_by_itself(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    (tmp_path / "flashq-data").mkdir(0o700)
    layer = FileLayer(tmp_path, tmp_path / "flashq-data")
    layer.limit(700_000)
    with start_server(*FLAGS, env=layer.env).client() as client:
        for _ in range(3):
            waiting, done = live_on_a_full_disk(client, queue_name)
            assert waiting and len(done) == 10
            layer.limit(sum(path.stat().st_size for path in layer.root.iterdir()) + 500_000)
            until(lambda: client.call("PUSH", queue=queue_name)["ok"], client)


def test_a_disk_that_is_too_small(start_server: StartServer, tmp_path: Path, queue_name: str) -> None:
    (tmp_path / "flashq-data").mkdir(0o700)
    layer = FileLayer(tmp_path, tmp_path / "flashq-data")
    layer.limit(700_000)
    found, told = over_a_full_disk(partial(start_server, *FLAGS, env=layer.env), queue_name, lambda: layer.limit(0))
    assert found == told


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, where root may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "flashq-test", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small file system here; the file layer stands in for it elsewhere")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_small_file_system(small_disk: Path, start_server: StartServer, queue_name: str) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    flags = (*FLAGS, "--data-dir", str(small_disk / "data"))
    found, told = over_a_full_disk(
        partial(start_server, *flags), queue_name, lambda: ballast.unlink(missing_ok=True))
    assert found == told


def test_a_start_on_a_full_disk_is_refused(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(bytes(1_000_000))
    server = ServerProcess(small_disk, *FLAGS, wait=False)
    try:
        assert not server.is_ready() and server.wait() == 1
        (line,) = [line for line in server.log if line.startswith("flashq: ")]
        assert os.strerror(errno.ENOSPC) in line and "flashq-data" in line
    finally:
        server.kill()
