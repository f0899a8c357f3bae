"""Clients that send slowly, read slowly or not at all, or ask too much: nobody else notices."""

import select
from collections.abc import Iterator

import pytest

from conftest import StartServer
from support.lazy import PAYLOAD, lazy_client, send_until_blocked
from support.process import MIB, resident_bytes, until
from support.server import ServerProcess
from support.wire import CODECS, Client, Closed, Codec

IMPATIENT = ("--write-timeout", "400ms", "--lease", "50ms", "--lost-workers", "1000")


# -- clients that send slowly ---------------------------------------------------------------------------------


def test_a_byte_at_a_time_disturbs_nobody(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    frame = codec.encode({"cmd": "PUSH", "queue": queue_name, "data": "s" * 500, "reqId": "slow"})
    with server.client(codec) as slow, server.client(codec) as other:
        for at in range(len(frame) - 1):
            slow.send_raw(frame[at : at + 1])
            assert other.ok("COUNT", queue=queue_name)["count"] == 0
        slow.send_raw(frame[-1:])
        assert slow.receive()["reqId"] == "slow"
        assert other.ok("COUNT", queue=queue_name)["count"] == 1


def test_many_that_stop_half_way(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    """Two hundred clients each keep half a large frame open; they cost what they sent."""
    frame = codec.encode({"cmd": "PUSH", "queue": queue_name, "data": "s" * 100_000})
    before = resident_bytes(server.pid)
    clients = [server.client(codec) for _ in range(200)]
    try:
        for client in clients:
            client.send_raw(frame[:50_000])
        with server.client(codec) as other:
            for _ in range(100):
                other.ok("PUSH", queue=queue_name, data=1)
            assert resident_bytes(server.pid) - before < 200 * 150_000
            for client in clients:
                client.send_raw(frame[50_000:])
            assert all(client.receive()["ok"] for client in clients)
            assert other.ok("COUNT", queue=queue_name)["count"] == 300
    finally:
        for client in clients:
            client.close()


def test_unfinished_frames_have_a_limit_together(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    """A quarter of the memory limit: whoever takes it past that is closed, and the others' frames still arrive."""
    server = start_server("--memory-limit", "8MB")
    frame = codec.encode({"cmd": "PUSH", "queue": queue_name, "data": "s" * 900_000, "reqId": "large"})
    clients = [server.client(codec) for _ in range(4)]
    try:
        for client in clients:
            client.send_raw(frame[:-10])
            with server.client(codec) as other:
                other.ok("COUNT", queue=queue_name)     # the bytes before it have been read by now
        assert clients[-1].is_closed()
        clients[0].send_raw(frame[-10:])
        assert clients[0].receive()["ok"]
    finally:
        for client in clients:
            client.close()


def test_no_large_frame_before_auth(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    server = start_server("--auth-tokens", "secret")
    large = codec.encode({"cmd": "PUSH", "queue": queue_name, "data": "s" * 100_000})
    with server.client(codec) as stranger:
        stranger.send_raw(large)
        assert stranger.receive()["error"] == "Message too large"
        assert stranger.is_closed()
    with server.client(codec) as client:
        client.send_raw(codec.encode({"cmd": "AUTH", "token": "secret"}) + large)
        assert client.receive()["ok"] and client.receive()["ok"]


# -- clients that do not read ---------------------------------------------------------------------------------


def test_one_that_never_reads_is_paused_then_closed(start_server: StartServer, codec: Codec) -> None:
    server = start_server(*IMPATIENT)
    with server.client() as other, lazy_client(server, codec) as lazy:
        id = other.ok("PUSH", queue="large", data=PAYLOAD)["id"]
        before = resident_bytes(server.pid)
        requests = codec.encode({"cmd": "GETJOB", "id": id}) * 1000
        sent = send_until_blocked(lazy, requests, 64 * MIB, may_close=True)
        assert sent > len(requests) // 1000 * 10  # far more replies than the server may keep: 500 kB each
        assert resident_bytes(server.pid) - before < 24 * MIB
        event = server.wait_for("connection_closed")
        assert "does not take its replies" in event["reason"]
        for n in range(100):
            assert other.ok("PING", reqId=str(n))["reqId"] == str(n)
        until(lambda: resident_bytes(server.pid) - before < 12 * MIB, other)


def test_others_work_while_many_do_not_read(start_server: StartServer, queue_name: str) -> None:
    server = start_server("--write-timeout", "60s")
    with server.client() as other:
        id = other.ok("PUSH", queue="large", data=PAYLOAD)["id"]
        before = resident_bytes(server.pid)
        lazy = [lazy_client(server, CODECS[name]) for name in ("json", "msgpack") * 10]
        for client in lazy:
            client.send_raw(client.codec.encode({"cmd": "GETJOB", "id": id}) * 25)
        for n in range(1000):
            other.ok("PUSH", queue=queue_name, data=n)
            job = other.ok("PULL", queue=queue_name, timeout=0)["job"]
            assert job["data"] == n
            other.ok("ACK", id=job["id"])
        # A transport's buffer over its high-water mark, and the reply that took it there; then nothing more is read.
        assert resident_bytes(server.pid) - before < len(lazy) * 3 * MIB
        for client in lazy:  # they only slept: everything is there
            for _ in range(25):
                assert client.receive()["job"]["data"] == PAYLOAD
            client.close()


def test_a_slow_reader_gets_all_in_order(start_server: StartServer, codec: Codec) -> None:
    """It takes a little now and then, which is enough not to be closed."""
    server = start_server("--write-high-water", "64KB")
    with lazy_client(server, codec) as slow, server.client(codec) as other:
        for n in range(50):
            slow.send("PUSH", queue="q", data=f"{n}" + "x" * 20_000)
            slow.send("PULL", queue="q", timeout=0, reqId=str(n))
        for n in range(50):
            other.ok("PING")
            assert slow.receive()["ok"] is True
            reply = slow.receive()
            assert (reply["reqId"], reply["job"]["data"]) == (str(n), f"{n}" + "x" * 20_000)


def test_too_many_replies_at_once(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    """Parked pulls are answered whether or not their client reads: past the limit it is closed, its jobs come back."""
    server = start_server(*IMPATIENT, "--write-timeout", "60s", "--write-high-water", "64KB", "--write-limit", "2MB")
    with server.client() as other:
        with lazy_client(server, codec) as lazy:
            for n in range(40):
                lazy.send("PULL", queue=queue_name, reqId=str(n))
            lazy.ok("PING", reqId="parked")
            ids = [other.ok("PUSH", queue=queue_name, data=PAYLOAD)["id"] for _ in range(40)]
            event = server.wait_for("connection_closed")
            assert event["reason"] == "too many replies the client does not take"
        found = set()
        while len(found) < len(ids):
            job = other.ok("PULL", queue=queue_name, timeout=20_000)["job"]
            assert job is not None, f"{len(ids) - len(found)} jobs are lost"
            other.ok("ACK", id=job["id"], token=job["token"])
            found.add(job["id"])
        assert found == set(ids)


# -- clients that ask much ------------------------------------------------------------------------------------


def test_parked_pulls_have_a_limit(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    server = start_server("--max-parked", "3")
    with server.client(codec) as client, server.client(codec) as other:
        for n in range(3):
            client.send("PULL", queue=queue_name, reqId=f"p{n}")
        for cmd, fields in (("PULL", {}), ("PULLB", {"count": 5})):
            reply = client.call(cmd, queue=queue_name, reqId="more", **fields)
            error = "Too many requests are waiting (max 3)"
            assert reply == {"reqId": "more", "ok": False, "error": error, "code": "TOO_MANY_PENDING"}
        assert client.call("PULL", queue=queue_name, timeout=0, reqId="now")["job"] is None  # it does not wait
        other.send("PULL", queue=queue_name, reqId="other")  # the limit is of each connection
        other.ok("PING", reqId="parked")
        other.ok("PUSH", queue=queue_name, data=1, reqId="push")
        assert client.receive()["reqId"] == "p0"
        client.send("PULL", queue=queue_name, reqId="p3")
        assert client.ok("PING", reqId="fits")["reqId"] == "fits"


def test_requests_behind_a_blocked_pull(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client, server.client(codec) as other:
        client.send("PULL", queue=queue_name)
        client.send("PUSH", queue=f"{queue_name}-2", data="behind")
        client.send("COUNT", queue=f"{queue_name}-2")
        client.send("PUSH", queue=f"{queue_name}-2", data="passes", reqId="passes")
        client.send("PULL", queue=f"{queue_name}-2", timeout=0)
        client.send_raw(codec.frame(b"\xc1"))  # no request at all: its error keeps its place, too
        client.send("COUNT", queue=f"{queue_name}-2", reqId="count")
        assert client.receive()["reqId"] == "passes"
        assert client.receive() == {"reqId": "count", "ok": True, "success": True, "count": 1}
        id = other.ok("PUSH", queue=queue_name, data=1)["id"]
        replies = [client.receive() for _ in range(5)]
        assert replies[0]["job"]["id"] == id
        assert "id" in replies[1]
        assert replies[2]["count"] == 2
        assert replies[3]["job"]["data"] == "passes"
        assert replies[4]["ok"] is False


def test_a_blocked_pull_behind_a_blocked_pull(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client, server.client(codec) as other:
        for n in range(5):
            client.send("PULL", queue=f"{queue_name}-{n}")
            client.send("PING")
        client.ok("PING", reqId="read")
        for n in (4, 2, 0, 1, 3):
            other.ok("PUSH", queue=f"{queue_name}-{n}", data=n)
        for n in range(5):
            assert client.receive()["job"]["data"] == n
            assert client.receive()["pong"] is True


def test_more_behind_a_blocked_pull_than_is_kept(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    """It is not read any more, so that its requests stay with it; once the pull is answered all are served in order."""
    server = start_server("--write-high-water", "64KB")
    with server.client(codec) as client, server.client(codec) as other:
        before = resident_bytes(server.pid)
        client.send("PULL", queue=queue_name)
        frame = codec.encode({"cmd": "PUSH", "queue": f"{queue_name}-2", "data": "b" * 100})
        sent = send_until_blocked(client, frame * 100, 64 * MIB)
        assert other.ok("COUNT", queue=f"{queue_name}-2")["count"] == 0
        assert resident_bytes(server.pid) - before < 12 * MIB
        other.ok("PUSH", queue=queue_name, data="at last")
        assert client.receive()["job"]["data"] == "at last"
        client.send_raw(frame[sent % len(frame) :] if sent % len(frame) else b"")
        count = -(-sent // len(frame))
        ids = [client.receive()["id"] for _ in range(count)]
        assert ids == sorted(ids)
        assert other.ok("COUNT", queue=f"{queue_name}-2")["count"] == count


def test_a_flood_of_requests(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    count = 50_000
    frames = b"".join(codec.encode({"cmd": "COUNT", "queue": queue_name, "reqId": str(n)}) for n in range(count))
    with server.client(codec) as flood, server.client(codec) as other:
        flood.socket.setblocking(False)
        sent, n, buffer = 0, 0, bytearray()
        while n < count:
            readable, writable, _ = select.select([flood.socket], [flood.socket] if sent < len(frames) else [], [], 20)
            assert readable or writable
            if writable:
                sent += flood.socket.send(frames[sent : sent + 262_144])
            if readable:
                buffer += flood.socket.recv(1 << 20)
            while (reply := codec.take(buffer)) is not None:
                assert reply["reqId"] == str(n)
                n += 1
            assert other.ok("PING")["pong"] is True
        flood.socket.settimeout(20)


@pytest.fixture
def full(start_server: StartServer) -> Iterator[tuple[ServerProcess, list[Client]]]:
    """A server with as many connections as it takes."""
    server = start_server("--max-connections", "3")
    clients = [server.client() for _ in range(3)]
    for client in clients:
        client.ok("PING")
    yield server, clients
    for client in clients:
        client.close()


def test_connections_have_a_limit(full: tuple[ServerProcess, list[Client]], codec: Codec) -> None:
    server, clients = full
    for _ in range(20):
        with server.client(codec) as more:
            try:
                more.send("PING")
            except ConnectionError:
                continue
            assert more.is_closed()
    assert all(client.ok("PING")["pong"] for client in clients)
    clients.pop().close()

    def fits() -> bool:
        with server.client(codec) as client:
            try:
                return bool(client.call("PING")["ok"])
            except (Closed, ConnectionError):
                return False

    until(fits, clients[0])
