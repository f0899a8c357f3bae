"""docs/cli.md is so: its commands run in order, and print what stands there, but for numbers and times. With
FLASHQ_RENEW_PAGES=1 the page takes over what they print now. docs/cli-reference.md describes every command.
"""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from conftest import StartServer
from flashq.cli import SECTIONS, main
from flashq.cli.exits import Exit
from flashq.client import FlashQ
from support.blocks import blocks
from support.captured import RENEW, Shell, renew, shape
from support.clients import url_of
from support.server import PROJECT_ROOT, ServerProcess
from support.terminal import Terminal, row_of

PAGE = PROJECT_ROOT / "docs" / "cli.md"
REFERENCE = PROJECT_ROOT / "docs" / "cli-reference.md"
SEEN_AT = {"top": "flashq top", "doctor": "flashq doctor", "bench": "flashq bench"}
SHOWN_ROWS = 15


class Page:
    """Runs its blocks against one server, as if it listened on the port that the page names."""

    def __init__(self, server: ServerProcess, directory: Path) -> None:
        self.shell = Shell(directory, url_of(server))
        self.directory = directory
        self.port = str(server.address[1])

    def now(self, block: str) -> str:
        """The block with what its commands print now; paths and the port as the page has them."""
        command = block.splitlines()[0].removeprefix("$ ")
        text = f"$ {command}\n{self._top()}" if command == "flashq top" else self.shell.transcript(block)
        text = text.replace(str(self.directory), "/srv/flashq").replace("--port 0", "--port 6789")
        return text.replace(f":{self.port}", ":6789")

    def _top(self) -> str:
        """While a worker is busy: with more to do than it can in that time."""
        with FlashQ(self.shell.environment["FLASHQ_URL"]) as client:
            client.push_many("webhooks", ({"data": number} for number in range(20_000)))
            ended = threading.Event()

            def work() -> None:
                while not ended.wait(0.01):
                    client.ack_batch(client.pull_batch("webhooks", 5, timeout=0))

            worker = threading.Thread(target=work)
            worker.start()
            try:
                return self._screen()
            finally:
                ended.set()
                worker.join()
                client.drain("webhooks")

    def _screen(self) -> str:
        terminal = Terminal("top", "--every", "100ms", directory=self.directory, rows=SHOWN_ROWS,
                            env={"FLASHQ_URL": self.shell.environment["FLASHQ_URL"]})
        try:
            terminal.wait_for("webhooks")
            terminal.wait(lambda: row_of(terminal, "webhooks")[5:7].count("-") == 0, "rates")
            terminal.type("q")
            assert terminal.end() == 0
            return "".join(f"{line}\n" for line in terminal.lines)
        finally:
            terminal.close()


def checks_of(report: str) -> list[str]:
    """The names of what `doctor` looked at, whatever it found."""
    return re.findall(r"^  (?:ok   |warn |fail )(.{22})", report, re.MULTILINE)


def rows_of(report: str) -> list[str]:
    """What `bench` measured, whoever was the limit."""
    return re.findall(r"^│ (.+?) +│", report, re.MULTILINE)


def test_the_page_shows_what_the_commands_print(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLASHQ_SEGMENT_SIZE", raising=False)
    page = Page(start_server(), tmp_path)
    captured = set()
    for language, block in [(one.language, one.text) for one in blocks(PAGE)]:
        if language == "sh":
            page.shell.run(block, check=True)
            continue
        assert language == "console"
        now = page.now(block)
        if RENEW:
            renew(PAGE, f"```console\n{block}```", f"```console\n{now}```")
            continue
        captured |= {name for name, start in SEEN_AT.items() if f"$ {start}" in block}
        if "$ flashq doctor" in block:
            found = checks_of(now)      # on other systems there are less
            assert found == [name for name in checks_of(block) if name in found] and len(found) > 12
        elif "$ flashq bench" in block:
            assert rows_of(now) == rows_of(block) != []
        else:
            assert shape(now) == shape(block)
    assert RENEW or captured == set(SEEN_AT)


def test_a_shape_tells_texts_apart_but_not_numbers() -> None:
    assert shape("1,234 jobs   in 3m 5s, Mon 7") == shape("7 jobs in 20s, Tue 12") != shape("7 job in 20s, Tue 12")
    assert shape("820 ms") == shape("3d 4h") == shape("59s") == shape("<1 ms") == "SPAN"


# --- the reference


def every(group: click.Group, path: str = "flashq") -> Iterator[tuple[str, click.Command]]:
    """All commands that there are, with what is typed for them."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(every(main))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_described(path: str) -> None:
    command, text = COMMANDS[path], REFERENCE.read_text(encoding="utf-8")
    assert command.help
    (part,) = re.findall(rf"^### {re.escape(path)}\n(.*?)(?=^##)", f"{text}\n## ", re.DOTALL | re.MULTILINE)
    shared = {"url", "deadline", "as_json"}
    asks = shared <= {param.name for param in command.params}
    for param in command.params:
        if not isinstance(param, click.Option) or param.hidden:
            continue
        assert param.help, param.opts
        if path != "flashq serve" and not (asks and param.name in shared):
            assert f"{param.opts[-1]}" in part, param.opts
    assert asks is ("[those of all]" in part)


def test_the_json_option_is_everywhere() -> None:
    without = {path for path, command in COMMANDS.items() if not any("--json" in one.opts for one in command.params)}
    assert COMMANDS and not without


def test_help_names_each_command_and_status() -> None:
    context = click.Context(main, info_name="flashq")
    shown = main.get_help(context)
    for section, table in SECTIONS.items():
        assert f"{section}:" in shown
        for name, (_, line) in table.items():
            assert re.search(rf"^  {name} +{re.escape(line[:30])}", shown, re.MULTILINE), name
    flat = " ".join(shown.split())
    for status in Exit:
        assert int(status) > 6 or f"{int(status)} " in flat.split("Exit status:")[1]


def test_each_line_of_the_help_has_a_command() -> None:
    assert {path.split()[1] for path in COMMANDS} == {name for table in SECTIONS.values() for name in table}
