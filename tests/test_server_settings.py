"""What a user who starts a server says and is told: flags, variables, warnings, the log."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import flashq
from conftest import StartServer
from support.certificates import Certificate
from support.command import flashq_command, refused
from support.server import START_SECONDS, ServerProcess, server_environment


def test_version_and_help(tmp_path: Path) -> None:
    assert flashq_command("--version", directory=tmp_path).stdout == f"flashq {flashq.__version__}\n"
    text = flashq_command("--help", directory=tmp_path).stdout
    assert re.search(r"^  serve  ", text, re.MULTILINE) and re.search(r"^  bench  ", text, re.MULTILINE)


def test_serve_help_shows_each_setting_with_its_variable(tmp_path: Path) -> None:
    from flashq.config import SETTINGS

    text = flashq_command("serve", "--help", directory=tmp_path).stdout
    for setting in SETTINGS:
        assert re.search(rf"^  {setting.flag}\b", text, re.MULTILINE), setting.flag
        assert all(f"${name}" in text for name in setting.env)
    assert [line[:-1] for line in text.splitlines() if re.fullmatch(r"[A-Z]\w+:", line)] == [
        *dict.fromkeys(setting.section for setting in SETTINGS),
        "Other",
    ]
    assert all(re.search(rf"^  --tls-{one} PATH\b", text, re.MULTILINE) for one in ("cert", "key"))


def test_help_loads_no_server(tmp_path: Path) -> None:
    code = "import sys; from flashq.cli import main; main(['--help'], standalone_mode=False); "
    code += "print([m for m in sys.modules if m in ('uvloop', 'asyncio', 'flashq.config') or m.startswith('flashq._')])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=server_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_public_address_needs_a_token(tmp_path: Path, host: str) -> None:
    assert "--insecure" in refused("--host", host, "--port", "0", directory=tmp_path)


def test_a_setting_that_is_wrong(tmp_path: Path) -> None:
    assert "--port: 'many' is no whole number" in refused("--port", "many", directory=tmp_path)
    text = refused(directory=tmp_path, env={"FLASHQ_MAX_FRAME": "plenty", "PORT": "0"})
    assert "FLASHQ_MAX_FRAME" in text and "plenty" in text


def test_a_flag_without_its_value(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from flashq.cli.serve import command
    from flashq.config import SETTINGS
    from flashq.setting_types import SWITCH

    assert "'--lease' requires an argument" in refused("--port", "0", "--lease", directory=tmp_path)
    for setting in SETTINGS:
        if setting.type is not SWITCH:  # CliRunner asks the parser alone, and starts no server
            assert "requires an argument" in CliRunner().invoke(command, [setting.flag]).output, setting.flag


def test_a_value_that_looks_like_a_flag(tmp_path: Path) -> None:
    assert "--port: '-1' is no whole number" in refused("--port", "-1", directory=tmp_path)
    assert "--lease: '--port' is no time" in refused("--lease", "--port", directory=tmp_path)


def test_tokens_that_are_none_start_no_open_server(tmp_path: Path) -> None:
    assert "--auth-tokens: holds no token" in refused("--port", "0", "--auth-tokens", ",", directory=tmp_path)
    assert "AUTH_TOKENS: holds no token" in refused("--port", "0", directory=tmp_path, env={"AUTH_TOKENS": ","})


def test_an_empty_variable_means_no_tokens(start_server: StartServer) -> None:
    with start_server(env={"AUTH_TOKENS": ""}).client() as client:
        client.ok("PING")


def events_of(server: ServerProcess) -> dict[str, dict[str, Any]]:
    """The events that a server logged from its start to its end, by name."""
    server.stop()
    return {event["event"]: event for event in map(json.loads, server.log)}


def test_tokens_that_cross_the_network_in_the_clear_are_warned_of(
    certificate: Certificate, start_server: StartServer, tmp_path: Path
) -> None:
    tokens = {"AUTH_TOKENS": "hunter2"}
    files = ("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    open_to_all = events_of(start_server(env=tokens))
    assert open_to_all["ready"]["host"] == "0.0.0.0"
    warning = open_to_all["tokens_in_clear"]
    assert (warning["level"], warning["host"]) == ("warning", "0.0.0.0") and "--tls-cert" in warning["remedy"]
    assert list(open_to_all).index("ready") < list(open_to_all).index("tokens_in_clear")
    for flags in (files, ("--host", "127.0.0.1"), ("--no-tcp", "--unix-socket", str(tmp_path / "q.sock"))):
        assert "tokens_in_clear" not in events_of(start_server(*flags, env=tokens)), flags
    assert "tokens_in_clear" not in events_of(start_server("--host", "0.0.0.0", "--insecure"))


def run_until_ready(directory: Path, *flags: str, shell: str = "", env: dict[str, str] | None = None) -> list[str]:
    """What `flashq serve` writes to a stdout and stderr that are one pipe, once it was ready and then ended."""
    serve = [sys.executable, "-m", "flashq", "serve", "--port", "0", *flags]
    process = subprocess.Popen(
        ["sh", "-c", f'{shell}exec "$@"', "sh", *serve],
        cwd=directory,
        env=server_environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as pipe:
        lines = []
        for line in pipe:
            lines.append(line.rstrip("\n"))
            if "ready" in line:
                process.terminate()
        assert process.wait(START_SECONDS) == 0
    return lines


def test_without_a_terminal_people_can_read_it(tmp_path: Path) -> None:
    lines = run_until_ready(tmp_path, env={"AUTH_TOKENS": "hunter2"})
    assert lines[0].startswith("flashQ listens on 0.0.0.0:")
    assert "YOUR_TOKEN is one of AUTH_TOKENS" in lines[2] and '"token":"YOUR_TOKEN"' in lines[3]
    text = "\n".join(lines)
    assert "hunter2" not in text and "\x1b" not in text
    assert not [line for line in lines if line.startswith("{")]
    assert re.search(r"^\S+ \[info\W+ready ", text, re.MULTILINE)


def test_a_log_collector_gets_json_and_no_banner(tmp_path: Path) -> None:
    lines = run_until_ready(tmp_path, env={"FLASHQ_LOG_FORMAT": "json"})
    events = [json.loads(line)["event"] for line in lines]
    assert [event for event in events if event != "few_files"] == ["ready", "signal", "draining", "stopped"]


def test_too_few_files_are_told_below_the_banner(tmp_path: Path) -> None:
    lines = run_until_ready(tmp_path, shell="ulimit -n 512; ")
    assert lines[0].startswith("flashQ listens on ")
    (warning,) = (line for line in lines if "few_files" in line)
    assert "limit=512" in warning and "wanted=16448" in warning
    assert "few_files" not in "\n".join(run_until_ready(tmp_path, "--max-connections", "400", shell="ulimit -n 512; "))


def test_the_environment_sets_and_a_flag_wins(start_server: StartServer, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = str(tmp_path / "q.sock")
    server = start_server("--port", "0", env={"PORT": str(port), "UNIX_SOCKET": path})
    assert server.ready["port"] != port
    assert server.ready["unix"] == path


def test_logs_are_json_lines_with_time_level_and_event(start_server: StartServer) -> None:
    server = start_server()
    server.stop()
    events = [json.loads(line) for line in server.log]
    assert all(list(event)[:3] == ["timestamp", "level", "event"] for event in events)
    assert [event["event"] for event in events if event["event"] != "few_files"] == [
        "ready",
        "signal",
        "draining",
        "stopped",
    ]
