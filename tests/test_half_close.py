"""Clients that leave half-way or altogether: what was asked is answered as far as that goes, and no more is done."""

import socket

import pytest

from conftest import StartServer
from support.lazy import PAYLOAD, lazy_client
from support.server import ServerProcess
from support.wire import Client, Closed, Codec


def closes(client: Client) -> None:
    with pytest.raises(Closed) as caught:
        client.receive()
    assert caught.value.rest == b""


def test_a_half_close_is_answered_first(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        client.send_raw(b"".join(codec.encode({"cmd": "PUSH", "queue": queue_name, "data": n}) for n in range(1000)))
        client.finish()
        assert all(client.receive()["ok"] for _ in range(1000))
        closes(client)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_half_close_with_more_replies_than_fit(
    server: ServerProcess, codec: Codec, queue_name: str, count: int
) -> None:
    with lazy_client(server, codec) as client:
        id = client.ok("PUSH", queue=queue_name, data=PAYLOAD)["id"]
        client.send_raw(codec.encode({"cmd": "GETJOB", "id": id}) * count)
        client.finish()
        for _ in range(count):
            assert client.receive()["job"]["data"] == PAYLOAD
        closes(client)


def test_a_half_close_sets_off_what_was_blocked(start_server: StartServer, codec: Codec) -> None:
    """The pull in front is answered by the half-close; all that stood behind it is worked off before the end."""
    server = start_server("--write-high-water", "64KB")
    with lazy_client(server, codec) as client:
        id = client.ok("PUSH", queue="large", data=PAYLOAD)["id"]
        client.send("PULL", queue="none")
        client.send_raw(codec.encode({"cmd": "GETJOB", "id": id}) * 20)
        client.finish()
        assert client.receive()["job"] is None
        for _ in range(20):
            assert client.receive()["job"]["data"] == PAYLOAD
        closes(client)


def test_a_half_close_whose_reply_does_not_fit(start_server: StartServer) -> None:
    """The last line is answered at the half-close only, by more than the sockets hold."""
    server = start_server("--write-high-water", "64KB")
    with lazy_client(server) as client:
        for _ in range(14):
            client.ok("PUSH", queue="large", data=PAYLOAD)
        client.send_raw(b'{"cmd":"PULLB","queue":"large","count":14}')
        client.finish()
        assert [job["data"] for job in client.receive()["jobs"]] == [PAYLOAD] * 14
        closes(client)


def test_a_half_close_ends_parked_pulls(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        client.send("PULL", queue=queue_name, reqId="a")
        client.send("PULLB", queue=queue_name, count=5)
        client.send("PING")
        client.send("PULL", queue=queue_name)
        client.send("COUNT", queue=queue_name)
        client.finish()
        replies = [client.receive() for _ in range(5)]
        (first,) = [reply for reply in replies if reply.get("reqId") == "a"]
        assert first["job"] is None
        batch, pong, single, count = [reply for reply in replies if "reqId" not in reply]
        assert (batch["jobs"], pong["pong"], single["job"], count["count"]) == ([], True, None, 0)
        closes(client)


def test_the_pull_of_one_that_left_takes_nothing(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client() as producer:
        for leave in ("close", "finish", "reset"):
            client = server.client(codec)
            client.send("PULL", queue=queue_name)
            client.send("PULLB", queue=queue_name, count=5, reqId="batch")
            client.ok("PING", reqId="parked")
            if leave == "reset":
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            if leave == "finish":
                client.finish()
                client.receive(), client.receive()
            else:
                client.close()
            producer.ok("PING")  # a reset is noticed one turn of the loop after it came
            id = producer.ok("PUSH", queue=queue_name, data=leave)["id"]
            assert producer.ok("GETSTATE", id=id)["state"] == "waiting", leave
            job = producer.ok("PULL", queue=queue_name, timeout=0)["job"]
            assert job["id"] == id
            producer.ok("ACK", id=id)
            client.close()
