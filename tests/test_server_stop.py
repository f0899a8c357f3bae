"""Stopping a server by signals: the drain, its end, and what clients see of it."""

import signal

import pytest

from conftest import StartServer
from support.server import ServerProcess
from support.wire import MSGPACK, Codec


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server(start_server: StartServer, number: int) -> None:
    server = start_server("--drain-timeout", "1h")
    with server.client() as client:
        client.ok("PING")
        server.signal(number)
        assert client.is_closed()
    assert server.wait() == 0
    assert server.wait_for("stopped")["unhandled"] == 0
    server.check_log()


def test_a_drain_answers_parked_pulls_empty(start_server: StartServer, codec: Codec, queue_name: str) -> None:
    server = start_server("--drain-timeout", "1h")
    with server.client(codec) as client:
        client.send("PULL", queue=queue_name, timeout=60_000, reqId="parked")
        assert client.call("PING", reqId="after")["reqId"] == "after"
        server.signal(signal.SIGTERM)
        reply = client.receive()
        assert (reply["reqId"], reply["ok"], reply["job"]) == ("parked", True, None)
        assert client.is_closed()
    assert server.wait() == 0


def test_a_drain_takes_no_new_connections(start_server: StartServer, queue_name: str) -> None:
    server = start_server("--drain-timeout", "1h")
    with server.client() as worker:
        worker.ok("PUSH", queue=queue_name, data=1)
        job = worker.ok("PULL", queue=queue_name, timeout=0)["job"]
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        with pytest.raises(OSError):
            _until_refused(server)
        worker.ok("ACK", id=job["id"], token=job["token"])
        assert worker.is_closed()
    assert server.wait() == 0


def _until_refused(server: ServerProcess) -> None:
    """Connect until that fails: the listener closes right after it was said."""
    for _ in range(1000):
        with server.client() as late:
            assert late.is_closed()
    raise AssertionError("the server still takes connections")


def test_the_drain_has_an_end(start_server: StartServer, queue_name: str) -> None:
    server = start_server("--drain-timeout", "200ms")
    with server.client() as worker:
        worker.ok("PUSH", queue=queue_name, data=1)
        worker.ok("PULL", queue=queue_name, timeout=0)
        server.signal(signal.SIGTERM)
        assert worker.is_closed()
    assert server.wait() == 0
    assert server.wait_for("stopped")["cut"] == 1


def test_a_second_signal_hurries(start_server: StartServer, queue_name: str) -> None:
    server = start_server("--drain-timeout", "1h")
    with server.client() as worker:
        worker.ok("PUSH", queue=queue_name, data=1)
        worker.ok("PULL", queue=queue_name, timeout=0)
        server.signal(signal.SIGTERM)
        server.wait_for("draining")
        server.signal(signal.SIGTERM)
        assert worker.is_closed()
    assert server.wait() == 0
    assert server.wait_for("stopped")["cut"] == 1


def test_a_restart_gets_its_port_back(start_server: StartServer) -> None:
    """The server that hangs up first leaves TIME_WAIT behind; the next one must get the port all the same."""
    first = start_server()
    port = str(first.ready["port"])
    with first.client() as client:
        client.ok("PING")
        first.stop()
    second = start_server("--port", port)
    with second.client(MSGPACK) as client:
        client.ok("PING")
