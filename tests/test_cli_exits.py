"""The exit statuses: each one of the table really comes about, on real servers; and how the failures are told."""

import json
import os
import socket
import threading
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from conftest import StartServer
from flashq.cli.exits import Exit
from support.certificates import Certificate
from support.cli import Cli, cli_of
from support.clients import url_of
from support.proxy import Proxy
from support.server import ServerProcess
from support.terminal import Terminal

NOWHERE = "flashq://127.0.0.1:1"


@pytest.fixture
def cli(server: ServerProcess) -> Cli:
    return cli_of(server)


def test_each_status_of_the_table_comes_about(cli: Cli, queue_name: str) -> None:
    """All but Ctrl-C and the pipe, which test_cli_terminal.py tries."""
    assert cli("push", queue_name, "1", status=Exit.DONE).err == ""
    cli("cancel", "nobody", status=Exit.REFUSED)
    cli("cancel", status=Exit.USAGE)
    cli("jobs", "--url", NOWHERE, status=Exit.NO_CONNECTION)
    cli("pull", f"{queue_name}-2", status=Exit.NOTHING)
    tried = {Exit.DONE, Exit.REFUSED, Exit.USAGE, Exit.NO_CONNECTION, Exit.NOTHING}
    below = {Exit.NO_ANSWER, Exit.ACCESS, Exit.INTERRUPTED, Exit.PIPE}
    assert tried | below == set(Exit) and len({one.doc for one in Exit}) == len(Exit)


def test_nobody_listens_is_told_at_once(cli: Cli, tmp_path: Path) -> None:
    said = cli("queues", "--url", NOWHERE, "--deadline", "1h", status=3).error
    assert said.startswith(f"no server at {NOWHERE}: Connection refused.") and "flashq serve" in said
    said = cli("queues", "--url", f"flashq+unix://{tmp_path}/none.sock", status=3).error
    assert "No such file or directory" in said
    assert json.loads(cli("queues", "--url", NOWHERE, "--json", status=3).err)["status"] == 3


@pytest.mark.parametrize("url", ["http://x", "flashq://a:b@x", "flashq://x?colour=red", "flashq://x?tls=1&ca=/none.pem"])
def test_a_wrong_url_is_a_usage_error(cli: Cli, url: str) -> None:
    assert "flashq URL" in cli("queues", "--url", url, status=2).error


@pytest.mark.parametrize("words", [["job", "{}"], ["push", "{}"], ["kv", "get", "{}"], ["push", "q", "--job-id", "{}"],
                                   ["cancel", "{}", "{}"], ["cron", "rm", "{}"], ["push", "q", "{}", "--text"]])
def test_arguments_that_are_no_utf8(cli: Cli, words: list[str]) -> None:
    bad = os.fsdecode(b"a\xff")
    done = cli(*(word.format(bad) for word in words), status=2)
    assert "Error: " in done.err and "Traceback" not in done.err
    done.err.encode()       # nothing that a terminal could not take


@pytest.mark.parametrize("words", [["dlq", "retry", "q", "{}"], ["push", "q", "1", "--depends-on", "{}"],
                                   ["cron", "add", "n", "q", "* * * * *", "--data", "{}"], ["kv", "set", "k", "{}"],
                                   ["pull", "q", "--ack", "--result", "{}"], ["push", "q", "1", "--priority", "{}"]])
def test_integers_beyond_all_limits(cli: Cli, words: list[str]) -> None:
    assert "Invalid value" in cli(*(word.format(2**70) for word in words), status=2).error


def test_a_silent_server_and_one_that_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"flashq://127.0.0.1:{silent.getsockname()[1]}"
        said = Cli(url)("queues", "--deadline", "200ms", status=3).error
        assert "did not answer as a flashQ server" in said


def test_no_answer_in_time(server: ServerProcess, queue_name: str, tmp_path: Path) -> None:
    """The server answers how many jobs there are, and then nothing reaches the command any more."""
    with Proxy(server.address) as proxy:
        terminal = Terminal("drain", queue_name, "--deadline", "400ms", directory=tmp_path, columns=200,
                            env={"FLASHQ_URL": proxy.url})
        try:
            terminal.wait_for("Go on?")
            proxy.deaf = True
            terminal.type("y\n")
            assert terminal.end() == Exit.NO_ANSWER
            assert "Error: DRAIN: no answer within 0.4 s; it may have been done" in terminal.text
        finally:
            terminal.close()


def test_tokens(start_server: StartServer) -> None:
    server = start_server("--auth-tokens", "s3cret", "--host", "127.0.0.1")
    assert Cli(url_of(server))("queues", status=6).error == "Authentication required [AUTH_REQUIRED]"
    wrong = url_of(server).replace("flashq://", "flashq://wr0ng@")
    said = Cli(wrong)("queues", status=6)
    assert said.error == "Invalid token [INVALID_TOKEN]" and "wr0ng" not in said.err
    Cli(url_of(server).replace("flashq://", "flashq://s3cret@"))("queues")
    for there in (url_of(server), wrong):
        Cli(there)("bench", "--count", 10, status=6)


def test_certificates(start_server: StartServer, certificate: Certificate) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    assert "certificate" in Cli(url_of(server, "?tls=1"))("queues", status=3).error
    Cli(url_of(server, f"?tls=1&ca={certificate.cert}"))("push", "secure", "1")
    said = Cli(url_of(server))("queues", "--deadline", "500ms", status=3).error
    assert said.endswith("did not answer as a flashQ server: it speaks TLS, so the URL needs ?tls=1")


def test_tls_where_none_is_spoken(server: ServerProcess) -> None:
    said = Cli(url_of(server, "?tls=1"))("queues", "--deadline", "500ms", status=3).error
    assert said.endswith("as a flashQ server: it speaks without TLS, so leave tls=1 out of the URL")


class Other(BaseRequestHandler):
    """A service that answers whatever comes with the text of its class."""

    text = b""

    def handle(self) -> None:
        """Until the other side hangs up."""
        while self.request.recv(1024):
            self.request.sendall(self.text)


@pytest.mark.parametrize(("text", "said"), [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server seems to listen there"),
    (b"-ERR unknown command\r\n", "Redis seems to listen there"),
    (b"nobody knows", "perhaps it is another service"),
])
def test_another_service_is_told_in_words(text: bytes, said: str) -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), type("Saying", (Other,), {"text": text})) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"flashq://127.0.0.1:{other.server_address[1]}"
            error = Cli(url)("queues", "--deadline", "300ms", status=3).error
            assert error == f"{url} did not answer as a flashQ server: {said}"
        finally:
            other.shutdown()
            thread.join()


def test_a_unix_socket(start_server: StartServer, tmp_path: Path) -> None:
    start_server("--unix-socket", str(tmp_path / "f.sock"))
    assert Cli(f"flashq+unix://{tmp_path}/f.sock")("push", "local", "1").out.strip().isdecimal()


def test_a_server_that_goes_away_under_a_tail(start_server: StartServer, tmp_path: Path) -> None:
    first = start_server()
    terminal = Terminal("events", "songs", "--deadline", "300ms", directory=tmp_path, columns=200,
                        env={"FLASHQ_URL": url_of(first)})
    try:
        terminal.wait_for("listening")
        port = str(first.address[1])
        first.stop()
        terminal.wait_for("no connection")
        second = start_server("--port", port)
        terminal.wait_for("connected again")
        cli_of(second)("push", "songs", '"la"')
        terminal.wait_for('"la"')
    finally:
        terminal.close()
