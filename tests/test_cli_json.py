"""`--json` of commands that ask no server, and what goes wrong with it: an object on stderr. Every command has it
(test_cli_docs.py)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import StartServer
from flashq import __version__
from flashq.cli.completion import SHELLS
from support.cli import Cli, cli_of
from support.clients import url_of
from support.commandline import flashq
from support.server import START_SECONDS, ServerProcess, server_environment

NOWHERE = "flashq://127.0.0.1:1"
ERROR = {"error", "code", "field", "status"}


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# --- what is wrong with the command line

WRONG = [
    (["jobs", "--colour"], "No such option"),
    (["cancel"], "Missing argument"),
    (["clean", "q"], "Missing option '--state' / '-s'. Choose from: waiting, delayed, "),
    (["push", "q", "1", "--priority", "high"], "Invalid value for '--priority'"),
    (["pusch"], "No such command 'pusch'"),
    (["cron", "ad"], "No such command 'ad'"),
    (["--colour"], "No such option"),
    (["queues", "--url", "http://x"], "flashq URL"),
    (["queues", "--deadline", "0"], "--deadline: must be more than 0"),
    (["serve", "--lease", "soon"], "--lease"),
    (["bench", "jump"], "'jump' is not one of"),
    (["worker", "nowhere:app"], "nowhere"),
    (["completion", "csh"], "'csh' is not one of"),
    (["journal", "verify", "--data-dir", "a", "b"], "given twice"),
    (["journal", "export", ".", "-o", "a", "--sqlite", "b"], "exclude each other"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_a_wrong_command_line_is_told_as_an_object(words: list[str], said: str) -> None:
    done = Cli(NOWHERE)(*words, "--json", status=2)
    (error,) = lines(done.err)
    assert said in error["error"] and error == {**error, "code": None, "field": None, "status": 2}
    assert set(error) == ERROR and done.out == ""


def test_where_it_stands_and_where_it_is_none() -> None:
    assert lines(Cli(NOWHERE)("push", "--json", "q", "1", "--priority", "high", status=2).err)[0]["status"] == 2
    for words in (["push", "q", "1", "--priority", "high"], ["cancel", "--colour", "--", "--json"]):
        assert Cli(NOWHERE)(*words, status=2).err.startswith("Usage: flashq ")


# --- other failures, and results of the commands that ask no server


def test_a_data_directory_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("inspect", "verify", "dump", "export", "compact"):
        (error,) = lines(Cli(NOWHERE)("journal", command, tmp_path / "empty", "--json", status=1).err)
        assert error == {"error": f"there is no journal in {tmp_path / 'empty'}", "code": None, "field": None,
                         "status": 1}


def test_a_load_generator_without_a_server() -> None:
    (error,) = lines(Cli(NOWHERE)("bench", "--json", status=3).err)
    assert error["error"].startswith("127.0.0.1:1: ") and error["status"] == 3


def test_records_and_jobs_of_a_data_directory(start_server: StartServer, tmp_path: Path) -> None:
    """On stdout the same lines as always; what is told beside them is an object."""
    server = start_server()
    cli = cli_of(server)
    for number in range(3):
        cli("push", "songs", number)
    pid = str(server.pid)
    dumped = flashq(tmp_path, "journal", "dump", "--json")
    assert lines(dumped.stdout) == lines(flashq(tmp_path, "journal", "dump").stdout)
    assert lines(dumped.stderr) == [{"running": pid, "gone": 0, "damages": []}]
    exported = flashq(tmp_path, "journal", "export", "--json")
    assert [job["data"] for job in lines(exported.stdout)] == [0, 1, 2]
    (told,) = lines(exported.stderr)
    assert told == {"jobs": 3, "position": told["position"], "running": pid} and told["position"] >= 3
    to_file = flashq(tmp_path, "journal", "export", "-o", "jobs", "--json")
    assert to_file.stdout == "" and lines(to_file.stderr) == [told]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_script(shell: str) -> None:
    done = Cli(NOWHERE)("completion", shell, "--json")
    assert done.object == {"shell": shell, "script": Cli(NOWHERE)("completion", shell).out.removesuffix("\n")}


# --- the server


def start(directory: Path, *flags: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flashq", "serve", "--port", "0", "--json", *flags]
    return subprocess.Popen(command, cwd=directory, env=server_environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("form", [None, "json", "console"])
def test_a_server_says_where_it_listens(tmp_path: Path, form: str | None) -> None:
    process = start(tmp_path, "--durability", "interval", *([] if form is None else ["--log-format", form]))
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        assert Cli(f"flashq://127.0.0.1:{said['port']}")("stats", "--json").object
    finally:
        process.terminate()
        rest, log = process.communicate(timeout=START_SECONDS)
    assert said == {"host": "127.0.0.1", "port": said["port"], "unix": None, "tls": False, "durability": "interval",
                    "pid": process.pid, "version": __version__}
    assert rest == "" and process.returncode == 0
    if form == "console":
        assert "ready" in log and not log.startswith("{")
    else:
        (ready,) = [event for event in lines(log) if event["event"] == "ready"]
        assert said.items() <= ready.items()


def test_a_server_that_does_not_start(server: ServerProcess, tmp_path: Path) -> None:
    process = start(tmp_path, "--port", str(server.address[1]))
    said, log = process.communicate(timeout=START_SECONDS)
    error = lines(log)[-1]
    assert said == "" and process.returncode == 1
    assert error == {**error, "code": None, "field": None, "status": 1} and "is in use" in error["error"]


def test_doctor_reads_the_settings_of_such_a_server(tmp_path: Path) -> None:
    process = start(tmp_path, "--lease", "7s")
    assert process.stdout is not None
    try:
        port = json.loads(process.stdout.readline())["port"]
        checks = Cli(f"flashq://127.0.0.1:{port}")("doctor", "--json", status=None).objects
        (text,) = [one["text"] for one in checks if one.get("name") == "settings"]
        assert text.startswith(f"of process {process.pid}, the server: ") and "--lease 7s" in text
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)


# --- workers


def test_a_worker_logs_as_json_and_fails_so(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--auth-tokens", "s3cret", "--host", "127.0.0.1")
    (tmp_path / "program.py").write_text("from flashq import App\n\napp = App(queue='songs')\n\n\n"
                                         "@app.task\ndef sing() -> None: ...\n")
    done = flashq(tmp_path, "worker", "program:app", "--url", url_of(server), "--json", status=6)
    *logged, error = lines(done.stderr)
    assert [event["event"] for event in logged] == ["worker_failed"]
    assert error == {"error": "Authentication required", "code": "AUTH_REQUIRED", "field": None, "status": 6}
