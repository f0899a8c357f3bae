"""The pages hold together: links lead somewhere, in the repository and on the site; what they say in passing is so."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from flashq.cli import main
from flashq.config import SETTINGS, load
from flashq.server.listeners import SPARE_FILES
from support.blocks import blocks, pages
from support.links import anchors, broken
from support.named_tests import check_rows
from support.server import PROJECT_ROOT
from support.tools import need_tool

MKDOCS = (PROJECT_ROOT / "mkdocs.yml").read_text()
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md")


def text_of(page: str) -> str:
    return " ".join((PROJECT_ROOT / page).read_text(encoding="utf-8").split())


@pytest.mark.parametrize("page", [*pages(), *OTHERS])
def test_links_lead_somewhere_in_the_repository(page: str) -> None:
    assert broken(PROJECT_ROOT / page) == []


def test_links_that_lead_nowhere_are_seen() -> None:
    page = PROJECT_ROOT / "build" / "links.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text("# A `b` c\n[1](#a-b-c) [2](#d) [3](../README.md) [4](../NONE.md) [5](https://example.org)\n"
                    "[6](../docs/commands.md#push) [7](../docs/commands.md#shove)\n`[8](x)`\n```text\n[9](y)\n```\n")
    try:
        assert broken(page) == ["#d", "../NONE.md", "../docs/commands.md#shove"]
        assert anchors(page) == {"a-b-c"}
    finally:
        page.unlink()


def test_every_page_has_its_place_on_the_site() -> None:
    placed = re.findall(r": ([\w/-]+\.md)$", MKDOCS, re.MULTILINE)
    there = [str(path.relative_to(PROJECT_ROOT / "docs")) for path in (PROJECT_ROOT / "docs").rglob("*.md")]
    assert sorted(placed) == sorted(there)


def test_pages_of_the_site_link_to_nothing_beside_it() -> None:
    for page in (PROJECT_ROOT / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).resolve().is_relative_to(PROJECT_ROOT / "docs"), f"{page.name}: {target}"


@pytest.mark.slow
def test_the_site_is_built(tmp_path: Path) -> None:
    """Strict: a warning ends it. Then nothing of it is fetched from elsewhere when it is read."""
    make = need_tool("make")
    done = subprocess.run([make, "docs", f"ARGS=--site-dir {tmp_path / 'site'}"], cwd=PROJECT_ROOT,
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    html = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert len(html) >= len(list((PROJECT_ROOT / "docs").rglob("*.md")))
    fetched = [found for page in html for found in re.findall(r'(?:src|<link[^>]*href)="(https?:[^"]*)"', page)]
    assert fetched == []
    shutil.rmtree(tmp_path / "site")


def test_each_guarantee_names_tests_that_exist() -> None:
    page = (PROJECT_ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    assert check_rows(page.split("## What is not promised")[0]) > 20


def test_the_units_of_operations_start_a_server() -> None:
    """What systemd would run: flags that exist, an environment that the settings accept."""
    unit, env = (block.text for block in blocks("docs/operations.md") if block.language == "ini")
    read = configparser.ConfigParser(strict=False)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string(unit)
    assert set(read.sections()) == {"Unit", "Service", "Install"}
    program, *words = read["Service"]["ExecStart"].split()
    assert program.endswith("/flashq") and words[0] == "serve"
    flags = dict(zip(words[1::2], words[2::2], strict=True))
    known = {one.flag: one.name for one in SETTINGS}
    variables = dict(line.split("=", 1) for line in env.splitlines())
    settings = load({known[flag]: value for flag, value in flags.items()}, variables)
    assert set(variables) <= {name for one in SETTINGS for name in one.env}
    assert (settings.data_dir, settings.log_format, settings.host) == ("/var/lib/flashq", "json", "10.0.0.5")
    assert int(read["Service"]["TimeoutStopSec"]) * 1000 > settings.drain_timeout
    assert int(read["Service"]["LimitNOFILE"]) > settings.max_connections + SPARE_FILES


def test_numbers_that_stand_in_passing() -> None:
    settings = load({}, {})
    operations, concepts = text_of("docs/operations.md"), text_of("docs/concepts.md")
    assert f"`--max-connections` and {SPARE_FILES} more" in operations
    assert f"`--drain-timeout` ({settings.drain_timeout // 1000} s)" in operations
    assert f"3 segments of {settings.segment_size >> 20} MB" in operations
    assert f"{settings.disconnect_grace // 1000} s for workers that named a session" in concepts
    assert f"a lease of {settings.lease // 1000} s for others" in concepts
    assert settings.lost_workers == 3 and "lost three workers" in concepts
    assert f"the newest {settings.keep_results} completed" in concepts
    assert f"within {settings.keep_result_bytes >> 20} MiB" in concepts
    assert f"up to {settings.max_job_size >> 20} MiB" in concepts


def commands_in(text: str) -> list[list[str]]:
    """Lines and pieces of code that begin with `flashq`, as words."""
    inline = re.findall(r"(?<!`)`(flashq [^`]+)`(?!`)", text)
    lines = re.findall(r"^(?:\$ )?(flashq [^|>#\n]*)", text, re.MULTILINE)
    return [line.split() for line in (*inline, *lines)]


@pytest.mark.parametrize("page", pages())
def test_commands_and_flags_that_pages_name_exist(page: str) -> None:
    for words in commands_in((PROJECT_ROOT / page).read_text(encoding="utf-8")):
        command: click.Command = main
        path = click.Context(main, info_name="flashq")
        for word in words[1:]:
            if isinstance(command, click.Group) and (found := command.get_command(path, word)) is not None:
                command = found
        assert command is not main or words[1].startswith(("-", "…", "COMMAND")), words
        flags = {opt for param in command.params for opt in (*param.opts, *param.secondary_opts)}
        named = {re.sub(r"[=,.)].*", "", word) for word in words if re.match(r"-{1,2}[a-z]", word)}
        assert named <= flags | {"--help", "-h", "--version"}, (words, named - flags)


def test_events_that_operations_names_are_logged() -> None:
    sources = "".join(path.read_text() for path in (PROJECT_ROOT / "flashq").rglob("*.py"))
    sources += "".join(path.read_text() for path in (PROJECT_ROOT / "flashq" / "_core").glob("*.pyx"))
    named = re.findall(r"`((?:\w+_failed|unhandled|recovered))`", (PROJECT_ROOT / "docs" / "operations.md").read_text())
    assert len(named) >= 5
    assert [event for event in named if f'"{event}"' not in sources] == []
