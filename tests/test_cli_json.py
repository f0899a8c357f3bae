"""`--json`: whatever goes wrong is an object on stderr."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli

NOWHERE = "flashq://127.0.0.1:1"
ERROR = {"error", "code", "field", "status"}


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


# --- what is wrong with the command line

WRONG = [
    (["jobs", "--colour"], "No such option"),
    (["cancel"], "Missing argument"),
    (["push", "q", "1", "--priority", "high"], "Invalid value for '--priority'"),
    (["pusch"], "No such command 'pusch'"),
    (["cron", "ad"], "No such command 'ad'"),
    (["--colour"], "No such option"),
    (["queues", "--url", "http://x"], "flashq URL"),
    (["queues", "--deadline", "0"], "--deadline: must be more than 0"),
    (["bench", "jump"], "'jump' is not one of"),
    (["journal", "verify", "--data-dir", "a", "b"], "given twice"),
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
    for command in ("inspect", "verify", "compact"):
        (error,) = lines(Cli(NOWHERE)("journal", command, tmp_path / "empty", "--json", status=1).err)
        assert error == {"error": f"there is no journal in {tmp_path / 'empty'}", "code": None, "field": None,
                         "status": 1}


def test_a_load_generator_without_a_server() -> None:
    (error,) = lines(Cli(NOWHERE)("bench", "--json", status=3).err)
    assert error["error"].startswith("127.0.0.1:1: ") and error["status"] == 3
