"""What a terminal, a pipe and a shell make of the commands: bars, questions, colours, completion, broken pipes."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flashq.cli import SECTIONS
from flashq.cli.completion import SHELLS, VARIABLE
from support.cli import COLOURS, Cli, cli_of
from support.clients import url_of
from support.commandline import flashq
from support.server import ServerProcess, server_environment
from support.terminal import Terminal
from support.tools import need_tool

At = Callable[..., Terminal]
FLASHQ = [sys.executable, "-m", "flashq"]


@pytest.fixture
def cli(server: ServerProcess) -> Cli:
    return cli_of(server)


@pytest.fixture
def at_terminal(server: ServerProcess, tmp_path: Path) -> Iterator[At]:
    """Starts a command at a terminal of its own."""
    started: list[Terminal] = []

    def start(*words: Any, **options: Any) -> Terminal:
        env = {"FLASHQ_URL": url_of(server), **options.pop("env", {})}
        started.append(Terminal(*words, directory=tmp_path, env=env, **options))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


# --- questions


def test_a_question_names_how_many_and_a_no_changes_nothing(at_terminal: At, cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n2\n3\n")
    terminal = at_terminal("drain", queue_name, columns=200)
    terminal.wait_for(f"This removes 3 waiting or delayed jobs of queue {queue_name} for good. Go on? [y/N]")
    terminal.type("n\n")
    assert terminal.end() == 1
    assert "Error: nothing was done" in terminal.text and len(cli("jobs", queue_name, "--json").lines) == 3


@pytest.mark.parametrize("command", [["drain"], ["obliterate"], ["dlq", "purge"]])
def test_a_yes_goes_on(at_terminal: At, cli: Cli, queue_name: str, command: list[str]) -> None:
    cli("push", queue_name, "1", "--max-attempts", 1)
    if command == ["dlq", "purge"]:
        cli("pull", queue_name, "--fail", "x")
    terminal = at_terminal(*command, queue_name, columns=200)
    terminal.wait_for("Go on?")
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "removed 1 " in terminal.text and cli("jobs", queue_name, "--json").lines == []


def test_ctrl_c_at_a_question_is_a_no(at_terminal: At, cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "1")
    terminal = at_terminal("drain", queue_name)
    terminal.wait_for("Go on?")
    assert terminal.interrupt() == 130
    assert len(cli("jobs", queue_name, "--json").lines) == 1


# --- bars, live tables, colours


def test_a_bar_shows_how_far_a_push_is(at_terminal: At, cli: Cli, queue_name: str, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("".join(f'"{"x" * 50}{number}"\n' for number in range(60_000)))
    terminal = at_terminal("push", queue_name, "--file", file, columns=100)
    terminal.wait_for("pushed 60,000 jobs")
    assert terminal.end() == 0 and not terminal.screen.cursor.hidden
    seen = COLOURS.sub("", terminal.seen.decode())
    assert re.search(r"pushing .*100%.* 60,000 jobs", seen) and re.search(r"\b[1-9]\d?% +[\d,]+ jobs", seen)
    assert "pushing" not in terminal.text       # it is gone at the end


def test_lines_that_are_typed_are_pushed_at_once(at_terminal: At, cli: Cli, queue_name: str) -> None:
    terminal = at_terminal("push", queue_name, "-", columns=100)
    terminal.wait_for("pushing")
    for number in ("1", "2"):
        terminal.type(f"{number}\n")
        terminal.wait_for(f"{number} job")
    assert len(cli("jobs", queue_name, "--json").lines) == 2
    terminal.type("\x04")
    terminal.wait_for("pushed 2 jobs")
    assert terminal.end() == 0


def test_ctrl_c_in_a_push_says_how_far_it_came(at_terminal: At, cli: Cli, queue_name: str) -> None:
    terminal = at_terminal("push", queue_name, "-", columns=100)
    terminal.wait_for("pushing")
    terminal.type("1\n")
    terminal.wait_for("1 job")
    assert terminal.interrupt() == 130
    assert "stopped: 1 job pushed, and perhaps some more" in terminal.text


def test_jobs_that_could_not_be_printed_are_given_back(server: ServerProcess, cli: Cli, queue_name: str,
                                                       tmp_path: Path) -> None:
    cli("push", queue_name, "-", input=f'"{"x" * 900_000}"\n' * 6)
    env = server_environment({"FLASHQ_URL": url_of(server)})
    with subprocess.Popen([*FLASHQ, "pull", queue_name, "--count", "6", "--ack", "--json"], cwd=tmp_path, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(30) == 141
    jobs = cli("jobs", queue_name, "--json").objects
    assert [(job["state"], job["attempts"]) for job in jobs] == [("waiting", 0)] * 6


def test_stats_go_on_until_ctrl_c(at_terminal: At, cli: Cli, queue_name: str) -> None:
    terminal = at_terminal("stats", "--watch", "--every", "100ms", columns=100)
    terminal.wait_for("storage: commit, ok")
    before = int(re.findall(r"since the start: ([\d,]+) pushed", terminal.text)[0].replace(",", ""))
    cli("push", queue_name, "1")
    terminal.wait_for(f"since the start: {before + 1:,} pushed")
    assert terminal.interrupt() == 130 and not terminal.screen.cursor.hidden


@pytest.mark.parametrize("words", [["jobs", "{}"], ["queues"]])
def test_jobs_and_queues_can_be_watched(at_terminal: At, cli: Cli, queue_name: str, words: list[str]) -> None:
    words = [word.format(queue_name) for word in words]
    terminal = at_terminal(*words, "--watch", "--every", "50ms", columns=200, rows=60)

    def counted(count: str) -> bool:
        return any(line.split()[:2] == [queue_name, count] for line in terminal.lines)

    cli("push", queue_name, "7")
    terminal.wait(lambda: counted("1") if words == ["queues"] else queue_name in terminal.text, "the job")
    cli("pause", queue_name)
    cli("drain", queue_name, "--yes")
    terminal.wait(lambda: counted("0") if words == ["queues"] else queue_name not in terminal.text, "the drain")
    assert terminal.interrupt() == 130


def test_events_end_with_ctrl_c(at_terminal: At, cli: Cli, queue_name: str) -> None:
    terminal = at_terminal("events", queue_name, columns=200)
    terminal.wait_for("listening")
    cli("push", queue_name, '"hello"')
    terminal.wait_for('"hello"')
    assert terminal.interrupt() == 130 and "Traceback" not in terminal.text


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals(at_terminal: At, cli: Cli, env: dict[str, str], coloured: bool) -> None:
    terminal = at_terminal("doctor", "--offline", env=env, columns=200)
    terminal.wait_for(" fail")
    terminal.end()
    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]m", terminal.seen)) is coloured
    for words in (["queues"], ["stats"], ["limit", "emails"]):
        assert "\x1b" not in cli(*words).out


# --- pipes


@pytest.mark.parametrize("words", [["jobs", "--all"], ["jobs", "--all", "--json"], ["export"], ["stats", "--watch"]])
def test_a_reader_that_goes_away_is_no_error(server: ServerProcess, cli: Cli, queue_name: str, tmp_path: Path,
                                             words: list[str]) -> None:
    cli("push", queue_name, "-", input="".join(f'"{"x" * 200}{n}"\n' for n in range(15_000)))
    named = [] if words[0] == "stats" else [queue_name]
    every = ["--every", "50ms"] if words[0] == "stats" else []
    env = server_environment({"FLASHQ_URL": url_of(server)})
    with subprocess.Popen([*FLASHQ, *words, *named, *every], cwd=tmp_path, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(30) == 141
    assert "Traceback" not in said and "Broken" not in said and "Exception" not in said


def test_an_output_that_is_no_utf8_still_says_all(server: ServerProcess, cli: Cli, queue_name: str,
                                                  tmp_path: Path) -> None:
    cli("push", queue_name, '"caf\u00e9 \u2192"')
    env = server_environment({"FLASHQ_URL": url_of(server), "PYTHONIOENCODING": "ascii"})

    def printed(*words: str) -> str:
        done = subprocess.run([*FLASHQ, *words], cwd=tmp_path, env=env, capture_output=True,
                              text=True, timeout=60, check=True)
        return done.stdout

    assert "caf? ?" in printed("jobs", queue_name) and "caf? ?" in printed("pull", queue_name)
    assert json.loads(printed("jobs", queue_name, "--json"))["data"] == "caf\u00e9 \u2192"


def test_without_a_stdin(server: ServerProcess, tmp_path: Path, queue_name: str) -> None:
    env = server_environment({"FLASHQ_URL": url_of(server)})
    for words, said in (("push x -", "no stdin"), ("drain x", "no terminal")):
        done = subprocess.run(["sh", "-c", f"{sys.executable} -m flashq {words} <&-"], cwd=tmp_path, env=env,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_in_a_pipe_is_silent(server: ServerProcess, tmp_path: Path, queue_name: str) -> None:
    env = server_environment({"FLASHQ_URL": url_of(server)})
    with subprocess.Popen([*FLASHQ, "events", queue_name], cwd=tmp_path, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == ""


# --- shells


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_name_the_variable(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    assert f"{VARIABLE}={shell}_complete" in script and "flashq" in script


def completed(tmp_path: Path, url: str, *words: str) -> list[str]:
    """What bash is told for the last of the words."""
    env = server_environment({"FLASHQ_URL": url, VARIABLE: "bash_complete", "COMP_WORDS": " ".join(words),
                              "COMP_CWORD": str(len(words) - 1)})
    code = "from flashq.cli import main; main(prog_name='flashq')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True,
                          timeout=60, check=True)
    assert done.stderr == ""
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


def test_commands_options_and_queues_are_completed(server: ServerProcess, cli: Cli, queue_name: str,
                                                   tmp_path: Path) -> None:
    cli("push", f"{queue_name}.a", "1")
    url = url_of(server)
    assert completed(tmp_path, url, "flashq", "p") == ["push", "pull", "promote", "pause"]
    assert completed(tmp_path, url, "flashq", "cron", "") == ["add", "list", "next", "rm"]
    assert "--max-attempts" in completed(tmp_path, url, "flashq", "push", "--max")
    assert completed(tmp_path, url, "flashq", "jobs", queue_name) == [f"{queue_name}.a"]
    elsewhere = completed(tmp_path, "flashq://127.0.0.1:1", "flashq", "jobs", "--url", url, queue_name)
    assert elsewhere == [f"{queue_name}.a"]


def test_without_a_server_no_queue_is_completed(tmp_path: Path) -> None:
    assert completed(tmp_path, "flashq://127.0.0.1:1", "flashq", "jobs", "x") == []
    assert completed(tmp_path, "nonsense", "flashq", "jobs", "x") == []


def test_bash_takes_the_script(server: ServerProcess, cli: Cli, queue_name: str, tmp_path: Path) -> None:
    bash = need_tool("bash")
    cli("push", queue_name, "1")
    program = tmp_path / "flashq"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m flashq "$@"\n')
    program.chmod(0o755)
    lines = f'''source <(flashq completion bash)
COMP_WORDS=(flashq drain {queue_name[:8]}) COMP_CWORD=2
_flashq_completion flashq && printf '%s\\n' "${{COMPREPLY[@]}}"'''
    env = server_environment({"FLASHQ_URL": url_of(server)})
    env["PATH"] = f"{tmp_path}{os.pathsep}{env['PATH']}"
    done = subprocess.run([bash, "--norc", "-c", lines], cwd=tmp_path, env=env, capture_output=True, text=True,
                          timeout=60, check=True)
    assert queue_name in done.stdout.splitlines()


# --- starting


def test_help_imports_no_command(tmp_path: Path) -> None:
    code = "import sys; from flashq.cli import main; main(['--help'], standalone_mode=False); "
    code += "print([m for m in sys.modules if m.startswith(('flashq.cli.', 'flashq.client', 'rich'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=server_environment(), capture_output=True,
                          text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {name} " in done.stdout for table in SECTIONS.values() for name in table)


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    assert "No such command" in flashq(tmp_path, "pusch", status=2).stderr
