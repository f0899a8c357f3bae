"""Starting a server as its user does: banner, a first job, listeners, TLS, and what goes wrong."""

import json
import os
import re
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import flashq
from conftest import StartServer
from support.certificates import Certificate, make_certificate
from support.command import refused
from support.pages import blocks
from support.server import PROJECT_ROOT, START_SECONDS, ServerProcess, server_environment
from support.tools import need_tool
from support.wire import JSON, AsyncClient, Client, Codec


def test_ready_says_where_and_how_durable(server: ServerProcess) -> None:
    assert server.ready["host"] == "127.0.0.1"
    assert server.ready["port"] > 0
    assert server.ready["unix"] is None
    assert server.ready["tls"] is False
    assert server.ready["durability"] == "commit"
    assert server.ready["version"] == flashq.__version__
    assert server.ready["pid"] == server.pid


def test_a_first_job(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        made = client.ok("PUSH", queue=queue_name, data={"to": "a@b.c"})
        job = client.ok("PULL", queue=queue_name, timeout=0)["job"]
        assert (job["id"], job["queue"], job["data"]) == (made["id"], queue_name, {"to": "a@b.c"})
        client.ok("ACK", id=job["id"], token=job["token"])


async def test_a_first_job_by_asyncio(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    async with await AsyncClient.open(server.address, codec) as client:
        made = await client.ok("PUSH", queue=queue_name, data=[1, "zwei", None])
        job = (await client.ok("PULL", queue=queue_name, timeout=0))["job"]
        assert (job["id"], job["data"]) == (made["id"], [1, "zwei", None])


def test_the_banner_names_a_command_that_pushes(tmp_path: Path, start_server: StartServer) -> None:
    """The printed line is run as it stands, by a shell."""
    need_tool("nc")
    ready_file = tmp_path / "stderr"
    with ready_file.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flashq", "serve", "--port", "0"],
            cwd=tmp_path,
            env=server_environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        assert re.fullmatch(r"flashQ listens on 127\.0\.0\.1:\d+\n", lines[0])
        assert "survives a crash of the machine" in lines[1]
        line = lines[2].strip().removeprefix("first job").strip()
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=True)
        reply = json.loads(done.stdout)
        assert reply["ok"] is True and isinstance(reply["id"], int)
    finally:
        process.terminate()
        assert process.wait(START_SECONDS) == 0
        process.stdout.close()
    assert "Traceback" not in ready_file.read_text()


def test_the_client_in_the_readme(server: ServerProcess, tmp_path: Path) -> None:
    (program,) = (one for one in blocks(PROJECT_ROOT / "README.md", "python") if "import socket" in one)
    assert set(re.findall(r"^import (\w+)$", program, re.MULTILINE)) == {"msgpack", "socket", "struct"}
    written = [line for line in program.splitlines() if line.strip()]
    assert len(written) <= 20
    assert "6789" in program
    script = tmp_path / "first.py"
    script.write_text(program.replace("6789", str(server.ready["port"])))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    pushed, working, acknowledged = done.stdout.splitlines()
    assert "'ok': True" in pushed and "'id': " in pushed
    assert working == "working on {'to': 'a@b.c'}"
    assert "'ok': True" in acknowledged


def test_unix_socket_beside_tcp(tmp_path: Path, start_server: StartServer, codec: Codec, queue_name: str) -> None:
    path = tmp_path / "q.sock"
    server = start_server("--unix-socket", str(path))
    assert server.ready["unix"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with Client(str(path), codec) as inside, server.client(codec) as outside:
        made = inside.ok("PUSH", queue=queue_name, data=7)
        assert outside.ok("PULL", queue=queue_name, timeout=0)["job"]["id"] == made["id"]
    server.stop()
    assert not path.exists()


def test_unix_socket_alone(tmp_path: Path, start_server: StartServer, queue_name: str) -> None:
    path = tmp_path / "q.sock"
    server = start_server("--no-tcp", env={"UNIX_SOCKET": str(path)})
    assert (server.ready["host"], server.ready["port"]) == (None, None)
    with Client(str(path)) as client:
        client.ok("PUSH", queue=queue_name, data=7)


def test_a_stale_socket_file_is_taken_over(tmp_path: Path, start_server: StartServer) -> None:
    path = tmp_path / "q.sock"
    first = start_server("--unix-socket", str(path))
    first.kill()
    assert path.exists()
    start_server("--unix-socket", str(path))
    with Client(str(path)) as client:
        client.ok("PING")


def test_a_socket_in_use_is_left_alone(tmp_path: Path, start_server: StartServer) -> None:
    path = tmp_path / "q.sock"
    start_server("--unix-socket", str(path))
    text = refused("--port", "0", "--unix-socket", str(path), "--durability", "memory", directory=tmp_path)
    assert text == f"flashq: --unix-socket: another server answers on {path}"
    with Client(str(path)) as client:
        client.ok("PING")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    assert "is no socket" in refused("--port", "0", "--unix-socket", str(path), directory=tmp_path)
    assert path.read_text() == "data"


def test_a_socket_path_that_cannot_be(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "q.sock", tmp_path / ("x" * 120)):
        text = refused("--port", "0", "--unix-socket", str(path), directory=tmp_path)
        assert text.startswith("flashq: --unix-socket")


def test_a_port_in_use(server: ServerProcess, tmp_path: Path) -> None:
    port = str(server.ready["port"])
    text = refused("--port", port, directory=tmp_path)
    remedy = "stop the other server, or take another port with --port"
    assert text == f"flashq: port {port} on 127.0.0.1 is in use: {remedy}"


def test_an_address_that_is_not_here(tmp_path: Path) -> None:
    text = refused("--host", "192.0.2.1", "--insecure", "--port", "0", directory=tmp_path)
    assert text == "flashq: --host: 192.0.2.1 is no address of this machine"


def test_tls(certificate: Certificate, start_server: StartServer, codec: Codec, queue_name: str) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    assert server.ready["tls"] is True
    with server.client(codec, tls=certificate.client_context()) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.version() in ("TLSv1.2", "TLSv1.3")
        client.ok("PUSH", queue=queue_name, data="x" * 200_000)
        assert client.ok("PULL", queue=queue_name, timeout=0)["job"]["data"] == "x" * 200_000


async def test_tls_by_asyncio(certificate: Certificate, start_server: StartServer, codec: Codec) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    async with await AsyncClient.open(server.address, codec, tls=certificate.client_context()) as client:
        await client.ok("PING")


def test_tls_turns_away_plain_text_and_strangers(
    certificate: Certificate, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    with server.client() as plain:
        plain.send("PING")
        assert plain.is_closed()
    other = make_certificate(tmp_path, "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        server.client(tls=other.client_context())
    old = certificate.client_context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.client(tls=old)
    with server.client(tls=certificate.client_context()) as client:
        client.ok("PING")


def test_tls_files_that_do_not_fit(certificate: Certificate, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, "other")
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing of the kind")
    flags = ("--port", "0", "--tls-cert")
    for cert, key in ((certificate.cert, other.key), (broken, certificate.key), (certificate.cert, broken)):
        text = refused(*flags, str(cert), "--tls-key", str(key), directory=tmp_path)
        assert str(cert) in text and str(key) in text
    text = refused(*flags, str(tmp_path / "none"), "--tls-key", str(certificate.key), directory=tmp_path)
    assert text == f"flashq: --tls-cert: there is no file {tmp_path / 'none'}"
    assert "--tls-key" in refused(*flags, str(certificate.cert), directory=tmp_path)


def test_many_files_are_allowed(start_server: StartServer) -> None:
    """A low soft limit of open files is lifted to what the connections need."""
    import resource

    few = len(os.listdir("/dev/fd")) + 100      # enough for this process to start another
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        server = start_server()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    clients = [server.client() for _ in range(few + 50)]
    try:
        assert all(client.call("PING")["ok"] for client in clients)
    finally:
        for client in clients:
            client.close()


def test_no_setting_leaks_from_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_TOKENS", "mine")
    assert "AUTH_TOKENS" not in server_environment()
    assert server_environment({"AUTH_TOKENS": "theirs"})["AUTH_TOKENS"] == "theirs"
    assert server_environment()["PATH"] == os.environ["PATH"]


def test_json_clients_need_nothing_but_lines(server: ServerProcess) -> None:
    with server.client(JSON) as client:
        client.send_raw(b'{"cmd":"PI')
        client.send_raw(b'NG"}\r\n')
        assert client.receive()["ok"] is True
