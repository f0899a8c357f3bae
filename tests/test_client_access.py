"""Ways to a server: Unix socket, TLS that is verified, tokens; and what happens with the wrong ones."""

import ssl
from pathlib import Path

import pytest

from conftest import StartServer
from flashq.client import UntrustedServer, refusals
from support.certificates import Certificate, make_certificate
from support.clients import KINDS, either, url_of

pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_unix_socket(kind: str, start_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "q.sock"
    start_server("--unix-socket", str(path), "--no-tcp", env={"AUTH_TOKENS": "s3cret"})
    with either(kind, f"flashq+unix://s3cret@{path}?format=json") as client:
        assert client.ping() and client.push("a") > 0


def test_tls_is_verified(kind: str, start_server: StartServer, certificate: Certificate, tmp_path: Path) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    with either(kind, url_of(server, f"?ca={certificate.cert}")) as client:
        assert client.push_many("a", ({"data": "x" * 1000} for _ in range(2500))).ids
        assert client.count("a") == 2500
    with either(kind, url_of(server, "?tls=1"), tls=certificate.client_context()) as client:
        assert client.ping()
    wrong = make_certificate(tmp_path, "other")
    for query in ("?tls=1", f"?ca={wrong.cert}"):
        with either(kind, url_of(server, query)) as client:
            for _ in range(2):
                with pytest.raises(UntrustedServer, match="certificate"):
                    client.push("a", "secret")


def test_the_name_is_verified_too(kind: str, start_server: StartServer, certificate: Certificate) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key), "--host", "127.0.0.2")
    url = f"flashq://127.0.0.2:{server.address[1]}?ca={certificate.cert}"
    with either(kind, url) as client, pytest.raises(UntrustedServer, match=r"127\.0\.0\.2"):
        client.ping()


def test_a_context_of_the_users_own_may_trust_anybody(
    kind: str, start_server: StartServer, certificate: Certificate
) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with either(kind, url_of(server), tls=trusting) as client:
        assert client.ping()


def test_tokens(kind: str, start_server: StartServer) -> None:
    server = start_server(env={"AUTH_TOKENS": "s3cret,other"})
    host, port = server.address
    with either(kind, f"flashq://s3cret@{host}:{port}") as client:
        assert client.ping()
    with either(kind, url_of(server), token="other") as client:
        assert client.ping()


def test_a_wrong_token_is_told_at_once_and_a_right_one_helps(kind: str, start_server: StartServer) -> None:
    server = start_server(env={"AUTH_TOKENS": "s3cret"})
    with either(kind, url_of(server), token="wrong") as client:
        for _ in range(2):
            with pytest.raises(refusals.InvalidToken):
                client.push("a")
        with pytest.raises(refusals.InvalidToken):
            client.connect()
    with either(kind, url_of(server)) as client, pytest.raises(refusals.AuthRequired):
        client.push("a")
    with either(kind, url_of(server), token="s3cret") as client:
        assert client.push("a") > 0 and client.count("a") == 1
