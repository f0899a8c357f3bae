"""What the disk does to a running server: errors, no space, syncs that do not return. The process is a real one."""

import errno
import os
from pathlib import Path

import pytest

from conftest import StartServer
from support.filelayer import Action, FileLayer, Kind
from support.process import until
from support.server import ServerProcess
from support.wire import Client, Codec

SEGMENT = 64 * 1024


@pytest.fixture
def layer(tmp_path: Path) -> FileLayer:
    root = tmp_path / "flashq-data"
    root.mkdir(mode=0o700)
    return FileLayer(tmp_path, root)


@pytest.fixture
def server(start_server: StartServer, layer: FileLayer) -> ServerProcess:
    return start_server("--durability", "commit", "--segment-size", str(SEGMENT), "--max-unsynced", "64KB",
                        env=layer.env)


def store_of(client: Client) -> dict[str, object]:
    found: dict[str, object] = client.ok("METRICS")["metrics"]["store"]
    return found


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "action", "error"), [
    (Kind.SYNC, Action.FAIL, errno.EIO), (Kind.SYNC, Action.FAIL_AFTER, errno.EIO),
    (Kind.SYNC, Action.FAIL, errno.ENOSPC), (Kind.WRITE, Action.FAIL, errno.EIO),
    (Kind.WRITE, Action.TORN, errno.EIO), (Kind.WRITE, Action.FAIL, errno.ENOSPC),
])
def test_a_failed_write_or_sync_is_the_end(
    start_server: StartServer, server: ServerProcess, layer: FileLayer, codec: Codec, queue_name: str, kind: Kind,
    action: Action, error: int,
) -> None:
    with server.client(codec) as client, server.client(codec) as waiting, server.client(codec) as idle:
        acknowledged = [client.ok("PUSH", queue=queue_name, data=n)["id"] for n in range(20)]
        waiting.send("PULL", queue="nothing", reqId="w")
        idle.ok("PING")
        layer.rule(0, kind, action, error, pattern="segment-*")
        client.send("PUSH", queue=queue_name, data="lost?", reqId="p")
        client.send("GETJOB", id=acknowledged[0], reqId="g")
        told = [client.receive(), client.receive(), waiting.receive()]
        assert [(reply["reqId"], reply["ok"], reply["code"]) for reply in told] == [
            (name, False, "STORAGE_FAILED") for name in "pgw"]
        assert client.is_closed() and waiting.is_closed() and idle.is_closed()
    assert server.wait() == os.EX_IOERR
    assert os.strerror(error) in server.wait_for("storage_failed")["reason"]
    server.check_log()
    layer.clear()
    again = start_server("--durability", "commit", "--segment-size", str(SEGMENT))
    with again.client(codec) as client:
        jobs = client.ok("PULLB", queue=queue_name, count=100, timeout=0)["jobs"]
        assert [job["id"] for job in jobs[:20]] == acknowledged
        assert [job["data"] for job in jobs[20:]] in ([], ["lost?"])


def test_a_segment_that_cannot_be_prepared_is_the_end_too(server: ServerProcess, layer: FileLayer,
                                                          queue_name: str) -> None:
    with server.client() as client:
        client.ok("PUSH", queue=queue_name)
        layer.rule(0, Kind.ALLOCATE, Action.FAIL, errno.EIO)
        for _ in range(50):
            client.send("PUSH", queue=queue_name, data="x" * 10_000)
        replies = [client.receive() for _ in range(50)]
        assert {reply.get("code") for reply in replies if not reply["ok"]} == {"STORAGE_FAILED"}
    assert server.wait() == os.EX_IOERR


# -- no space --------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_pushes_until_there_is_space(server: ServerProcess, layer: FileLayer, codec: Codec,
                                                         queue_name: str) -> None:
    with server.client(codec) as client:
        ids = [client.ok("PUSH", queue=queue_name)["id"] for _ in range(20)]
        used = sum(path.stat().st_size for path in layer.root.iterdir())
        layer.limit(used + 1000)
        taken = 0
        while (reply := client.call("PUSH", queue=queue_name, data="x" * 1000))["ok"]:
            taken += 1
            assert taken < 1000, "the disk does not fill"
        assert reply["code"] == "DISK_FULL"
        assert store_of(client)["health"] == "full"
        assert server.wait_for("disk_full")["data_dir"] == "./flashq-data"
        jobs = client.ok("PULLB", queue=queue_name, count=3, timeout=0)["jobs"]
        client.ok("ACK", id=jobs[0]["id"])
        client.ok("FAIL", id=jobs[1]["id"])
        client.ok("ACKB", ids=[jobs[2]["id"]])
        client.ok("CANCEL", id=ids[10])
        layer.limit(0)
        until(lambda: client.call("PUSH", queue=queue_name)["ok"], client)
        server.wait_for("disk_has_space")
        assert store_of(client)["health"] == "ok"


# -- a slow disk -----------------------------------------------------------------------------------------------------


def test_requests_stay_unread_while_the_disk_is_stuck(server: ServerProcess, layer: FileLayer, codec: Codec,
                                                      queue_name: str) -> None:
    with server.client(codec) as client, server.client(codec) as other:
        client.ok("PUSH", queue=queue_name)
        layer.hold(True)
        client.send("PUSH", queue=queue_name, data="x", reqId="0")
        for n in range(1, 40):
            client.send("PUSH", queue=queue_name, data="x" * 10_000, reqId=str(n))
        other.send("PING")
        layer.hold(False)
        assert [client.receive()["reqId"] for _ in range(40)] == [str(n) for n in range(40)]
        assert other.receive()["pong"] is True
        assert len(client.ok("PULLB", queue=queue_name, count=100, timeout=0)["jobs"]) == 41


def test_the_loop_leaves_a_disk_alone_that_is_slow_to_write_to(server: ServerProcess, layer: FileLayer, codec: Codec,
                                                               queue_name: str) -> None:
    """Past the page cache it is the write that waits for the disk; the sync behind it may have nothing to do."""
    layer.skip_syncs()
    layer.rule(0, Kind.WRITE, Action.SLOW, 5_000, pattern="segment-*")
    with server.client(codec) as client:
        client.ok("PUSH", queue=queue_name)     # by whom it was written depends on what the disk did before
        before = len(layer.trace())
        for n in range(20):
            client.ok("PUSH", queue=queue_name, data=n)
        writers = [call.tid for call in layer.trace()[before:] if call.kind == Kind.WRITE and b"FQG1" in call.data]
    assert len(writers) >= 20 and server.pid not in writers
