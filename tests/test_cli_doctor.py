"""`flashq doctor`: each check at its edge, and the whole of it against real servers in good and bad health."""

import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import StartServer
from flashq.cli.doctor import directory, machine, server, settings
from flashq.cli.doctor.check import Check, Level
from flashq.cli.doctor.running import running as find_running
from flashq.client import Endpoint
from flashq.client.results import Metrics, StoreInfo
from flashq.config import Settings, load
from support.certificates import Certificate
from support.cli import Cli, Ran, cli_of
from support.clients import url_of
from support.server import ServerProcess
from support.tools import lacking

GIB = 1024**3


def levels(checks: Any) -> list[str]:
    return [str(check.level) for check in checks]


def found(done: Ran) -> dict[str, dict[str, Any]]:
    """The lines of --json by the name of the check; of several the worst."""
    worst: dict[str, dict[str, Any]] = {}
    for one in done.objects[:-1]:
        before = worst.get(one["name"])
        if before is None or list(Level).index(one["level"]) > list(Level).index(before["level"]):
            worst[one["name"]] = one
    return worst


@pytest.fixture
def on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests' own directory stands on: in memory, and small, it would fail."""
    monkeypatch.setattr(directory, "kind_of", lambda _directory, _mounts: "ext4")
    monkeypatch.setenv("FLASHQ_SEGMENT_SIZE", "64KB")


def need_proc() -> None:
    if not Path("/proc/net/tcp").exists():
        lacking("this system has no /proc")


# --- the whole


@pytest.mark.usefixtures("on_a_disk")
def test_a_healthy_server(start_server: StartServer, tmp_path: Path) -> None:
    running = start_server()
    data = tmp_path / "flashq-data"
    cli = cli_of(running)
    done = cli("doctor")
    assert f"in use by process {running.pid}" in done.out and "0 fail" in done.out
    for section in ("settings", "machine", "data directory", "server"):
        assert section in done.lines
    checks = found(cli("doctor", "--json"))
    assert {"version", "settings", "durability", "access", "open files", "memory", "clock", "data directory",
            "file system", "disk space", "disk sync", "server", "round trip", "storage", "dead letters",
            "active jobs"} <= set(checks)
    assert all(one["remedy"] for one in checks.values() if one["level"] != "ok")
    for name in ("server", "storage", "dead letters", "active jobs", "durability", "file system"):
        assert checks[name]["level"] == "ok", checks[name]
    assert not any(path.name.startswith("tmp") for path in data.iterdir())


@pytest.mark.usefixtures("on_a_disk")
def test_what_stands_still_is_named(start_server: StartServer) -> None:
    running = start_server("--durability", "memory")
    cli = cli_of(running)
    cli("push", "dead", "1", "--max-attempts", 1)
    cli("pull", "dead", "--fail", "x")
    cli("push", "alone", "1")
    cli("push", "held", "1")
    cli("pause", "held")
    cli("push", "none", "1")
    cli("limit", "none", "--rate", 0)
    with running.client() as worker:
        worker.ok("PUSH", queue="slow", data=1)
        worker.ok("PULL", queue="slow")
        done = cli("doctor", "--long", "1ms", "--json")
    checks = found(done)
    assert checks["dead letters"]["text"] == "1: dead (1)"
    assert "flashq dlq list dead" in checks["dead letters"]["remedy"]
    assert "held (1)" in checks["paused queues"]["text"]
    assert "none (1)" in checks["queues limited to 0"]["text"]
    assert checks["active jobs"]["text"].endswith("slow (1)")
    assert "alone (1)" in checks["waiting jobs"]["text"] and "held" not in checks["waiting jobs"]["text"]
    assert checks["storage"]["level"] == checks["durability"]["level"] == "warn"
    assert done.objects[-1]["fail"] == 0 and done.objects[-1]["warn"] >= 6
    cli("doctor", "--strict", status=1)


@pytest.mark.usefixtures("on_a_disk")
def test_the_settings_of_the_running_server_count(start_server: StartServer, tmp_path: Path) -> None:
    """Not those of the environment that the command has, nor its directory."""
    need_proc()
    running = start_server("--durability", "interval", "--lease", "7s", env={"FLASHQ_MAX_QUEUES": "77"})
    checks = found(cli_of(running)("doctor", "--json", env={"FLASHQ_DURABILITY": "memory"}))
    assert checks["settings"]["text"].startswith(f"of process {running.pid}, the server: ")
    for text in ("--durability interval", "--lease 7s", "FLASHQ_MAX_QUEUES=77"):
        assert text in checks["settings"]["text"]
    assert checks["durability"]["text"].startswith("interval")
    assert f"{tmp_path}/flashq-data, in use by process {running.pid}" in checks["data directory"]["text"]
    limit = Path(f"/proc/{running.pid}/limits").read_text().split("Max open files")[1].split()[0]
    assert f"{int(limit):,}" in checks["open files"]["text"]
    assert "of this environment" in found(cli_of(running)("doctor", "--json", "--offline"))["settings"]["text"]


def test_a_process_that_is_no_flashq_has_no_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert find_running(Endpoint(port=listening.getsockname()[1])) is None
    assert find_running(Endpoint(port=1)) is None and find_running(Endpoint(path="/f.sock")) is None


@pytest.mark.usefixtures("on_a_disk")
def test_no_server_is_a_failure_unless_it_is_left_out(tmp_path: Path) -> None:
    cli = Cli("flashq://127.0.0.1:1")
    done = cli("doctor", "--data-dir", tmp_path, status=1)
    assert "Connection refused" in done.out and "--offline" in done.out and "1 failed" in done.error
    cli("doctor", "--data-dir", tmp_path, "--offline")


def test_a_wrong_setting_fails(tmp_path: Path) -> None:
    done = Cli("flashq://127.0.0.1:1")("doctor", "--offline", "--json", "--data-dir", tmp_path, status=1,
                                      env={"FLASHQ_MAX_JOB_SIZE": "huge"})
    assert found(done)["settings"]["level"] == "fail"
    assert "FLASHQ_MAX_JOB_SIZE: 'huge'" in found(done)["settings"]["text"]


@pytest.mark.usefixtures("on_a_disk")
def test_a_missing_token_and_a_certificate(start_server: StartServer, certificate: Certificate, tmp_path: Path) -> None:
    running = start_server("--auth-tokens", "s3cret", "--host", "127.0.0.1", "--tls-cert", str(certificate.cert),
                           "--tls-key", str(certificate.key))
    query = f"?tls=1&ca={certificate.cert}"
    refused = found(Cli(url_of(running, query))("doctor", "--json", "--data-dir", tmp_path, status=1))
    assert "TOKEN@" in refused["server"]["remedy"]
    url = url_of(running, query).replace("flashq://", "flashq://s3cret@")
    checks = found(Cli(url)("doctor", "--json", "--data-dir", tmp_path))
    assert checks["server"]["level"] == "ok" and "days" in checks["certificate"]["text"]
    assert "s3cret" not in str(checks)
    untrusted = found(Cli(url_of(running, "?tls=1"))("doctor", "--json", "--data-dir", tmp_path, status=1))
    assert "certificate" in untrusted["server"]["text"]


# --- this machine


def test_the_user_files_and_memory() -> None:
    assert levels([machine.user(0), machine.user(1000)]) == ["warn", "ok"]
    files = [machine.files(1024, 960), machine.files(1024, 961), machine.files(None, 10**6)]
    assert levels(files) == ["ok", "warn", "ok"]
    assert levels([machine.memory(60, 100), machine.memory(85, 100), machine.memory(86, 100)]) == ["ok", "ok", "warn"]


def test_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.clock(time.time()).level is Level.OK
    assert machine.clock(0.0).level is Level.FAIL
    walls = iter([1000.0, 1001.0])
    monkeypatch.setattr(machine, "time", SimpleNamespace(
        time=lambda: next(walls), monotonic=time.monotonic, sleep=lambda _seconds: None))
    assert "jumped by +1000 ms" in machine.clock(time.monotonic() + machine.OLDEST_TIME).text


def test_settings_of_the_kernel(tmp_path: Path) -> None:
    assert list(machine.kernel(tmp_path)) == []
    for name, text in (("vm/overcommit_memory", "2\n"), ("net/core/somaxconn", "128\n")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert levels(machine.kernel(tmp_path)) == ["warn", "warn"]
    (tmp_path / "vm/overcommit_memory").write_text("0\n")
    (tmp_path / "net/core/somaxconn").write_text("4096\n")
    assert levels(machine.kernel(tmp_path)) == ["ok", "ok"]


# --- settings


@pytest.mark.parametrize(("flags", "expected"), [
    ({}, ["ok"]),
    ({"host": "0.0.0.0", "insecure": True}, ["fail"]),
    ({"auth_tokens": ("x" * 16,), "host": "127.0.0.1"}, ["ok"]),
    ({"auth_tokens": ("x" * 15,), "host": "127.0.0.1"}, ["warn", "ok"]),
    ({"auth_tokens": ("x" * 16,)}, ["warn"]),
])
def test_access(flags: dict[str, Any], expected: list[str]) -> None:
    assert levels(settings.access(load(flags, {}))) == expected


def test_durability_and_what_is_given() -> None:
    assert levels(map(settings.durability, ("commit", "interval", "memory"))) == ["ok", "ok", "warn"]
    environment = {"AUTH_TOKENS": "s3cret", "FLASHQ_LEASE": "5s", "PORT": "7", "OTHER": "x"}
    flags = {"port": "8", "insecure": True, "host": None}
    assert settings.given(flags, environment) == "--port 8, AUTH_TOKENS=…, --insecure, FLASHQ_LEASE=5s"
    assert "s3cret" not in settings.given({"auth_tokens": "s3cret"}, {})
    assert settings.given({}, {}) == "all at their defaults"


def test_tls_files(certificate: Certificate, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(Path(certificate.key).read_bytes())
    key.chmod(0o600)
    assert levels(settings.tls(str(certificate.cert), str(key))) == ["ok"]
    key.chmod(0o644)
    assert levels(settings.tls(str(certificate.cert), str(key))) == ["warn"]
    key.write_text("nothing")
    assert levels(settings.tls(str(certificate.cert), str(key))) == ["fail"]


# --- the data directory


def test_a_directory_that_is_not_there_yet_and_one_that_is_open_to_all(tmp_path: Path) -> None:
    def checks(where: Path) -> dict[str, Check]:
        made = load({"data_dir": str(where), "segment_size": "64KB"}, {})
        return {one.name + str(one.level): one for one in directory.checks(made)}

    assert "is made by the first start" in checks(tmp_path / "a" / "b")["data directoryok"].text
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    assert "data directorywarn" in checks(tmp_path / "open")
    (tmp_path / "file").write_text("")
    assert any(name == "data directoryfail" for name in checks(tmp_path / "file"))
    assert list((tmp_path / "open").iterdir()) == []


def test_a_directory_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory.os, "access", lambda path, _mode: path != tmp_path)   # root may write anywhere
    (one,) = directory.checks(load({"data_dir": str(tmp_path / "data")}, {}))
    assert one.level is Level.FAIL and str(tmp_path) in one.text


def test_file_systems(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\noverlay /in overlay rw 0 0\nserver:/x /mnt/nfs nfs4 rw 0 0\n"
                      "tmpfs /mnt/a\\040b tmpfs rw 0 0\n")
    assert directory.kind_of(Path("/srv/data"), mounts) == "ext4"
    assert directory.kind_of(Path("/mnt/nfs/data"), mounts) == "nfs4"
    assert directory.file_system(Path("/mnt/nfs"), mounts).level is Level.WARN
    assert "volume" in directory.file_system(Path("/in/data"), mounts).remedy
    assert directory.file_system(Path("/mnt/a b/data"), mounts).level is Level.FAIL
    assert directory.file_system(Path("/srv"), tmp_path / "none").text == "unknown"


def test_room_and_sync_time(tmp_path: Path) -> None:
    assert levels([directory.room(20 * GIB, 100 * GIB, GIB), directory.room(9 * GIB, 100 * GIB, GIB),
                   directory.room(GIB - 1, 100 * GIB, GIB)]) == ["ok", "warn", "fail"]
    assert levels([directory.sync_time(0.2, 1.0), directory.sync_time(0.2, 25.0),
                   directory.sync_time(0.001, 0.01)]) == ["ok", "warn", "warn"]
    median, p99 = directory.measure(tmp_path)
    assert 0 < median <= p99 and list(tmp_path.iterdir()) == []


# --- the server


def metrics(durability: str, health: str) -> Metrics:
    return Metrics(0, 0, 0, 0.0, 0.0, StoreInfo(durability, health, 0, 0, 0, 0, 0), [])


def test_storage_ping_and_certificate() -> None:
    health = [server.storage(metrics(*one)) for one in (("commit", "ok"), ("interval", "ok"), ("memory", "ok"),
                                                       ("commit", "full"), ("commit", "failed"))]
    assert levels(health) == ["ok", "ok", "warn", "fail", "fail"]
    assert levels([server.ping(1.0), server.ping(51.0)]) == ["ok", "warn"]
    assert levels([server.expiry(90), server.expiry(20)]) == ["ok", "warn"]


@pytest.mark.usefixtures("on_a_disk")
def test_many_queues_are_named_by_the_greatest(server: ServerProcess) -> None:
    cli = cli_of(server)
    for number in range(7):
        cli("push", f"dead-{number}", "-", "--max-attempts", 1, input="1\n" * (number + 1))
        cli("pull", f"dead-{number}", "--count", number + 1, "--fail", "x")
    text = found(cli("doctor", "--json"))["dead letters"]["text"]
    assert text == "28: dead-6 (7), dead-5 (6), dead-4 (5), dead-3 (4), dead-2 (3) and 2 more queues"


def test_the_settings_of_a_first_start_are_fine() -> None:
    assert "fail" not in levels(settings.checks(Settings(), ""))
