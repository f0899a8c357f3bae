"""docs/cli-reference.md from the click commands themselves: each command, argument and option with its help text."""

import inspect
from collections.abc import Iterator

import click

from flashq.cli import SECTIONS, main
from flashq.cli.connection import shared_options
from flashq.cli.exits import Exit
from flashq.cli.setting_option import SettingOption
from flashq.markdown import table

HEAD = """# Command line: the reference

Every command, as `flashq COMMAND --help` shows it. [The guide](cli.md) goes by what one wants to do.
"""
SHARED_HEAD = """## Options of all commands that ask a server

Those that ask a server take these besides their own. Times are written as 500ms, 30s, 5m or 1h; 0 needs no unit.
"""
EXITS_HEAD = """## Exit statuses

A failure is one line on stderr, `Error: …`, with the code of the refusal and the field that was wrong, if the server
named one; with `--json` it is an object `{error, code, field, status}`, also when the command line itself is wrong.
"""
ELSEWHERE = {"serve": "Its options are [the settings](settings.md), and"}
CODE_MARK = "\b"


def page(note: str) -> str:
    """The text of the page."""
    shared = _options(click.Command("", params=list(shared_options())), set())
    parts = [note, HEAD, _contents(), SHARED_HEAD, shared]
    parts += [EXITS_HEAD, table(("status", "when"), ((f"`{int(one)}`", one.doc) for one in Exit))]
    for section, commands in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in commands:
            parts += _command(name, _found(main, name))
    return "\n".join(parts)


def _found(group: click.Command, name: str) -> click.Command:
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


def _contents() -> str:
    return "\n".join(f"- {section}: " + ", ".join(f"[{name}](#flashq-{name})" for name in commands)
                     for section, commands in SECTIONS.items()) + "\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    """The command, then those below it."""
    context = click.Context(command, info_name=f"flashq {name}")
    yield f"### flashq {name}\n"
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield text(command.help or "")
    if name in ELSEWHERE:
        own = [one for one in command.params if not isinstance(one, SettingOption)]
        yield ELSEWHERE[name] + "\n"
        yield _options(click.Command("", params=own), set())
    elif isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _command(f"{name} {below}", _found(command, below))
    else:
        shared: set[str | None] = {option.name for option in shared_options()} if _is_shared(command) else set()
        yield _options(command, shared)


def _is_shared(command: click.Command) -> bool:
    return {"url", "deadline", "as_json"} <= {param.name for param in command.params}


def _options(command: click.Command, leave_out: set[str | None]) -> str:
    context = click.Context(command)
    options = [param for param in command.params if isinstance(param, click.Option) and param.name not in leave_out]
    records = [record for option in options if (record := option.get_help_record(context)) is not None]
    rows = [(f"`{flags}`", _cell(help)) for flags, help in records]
    lines = table(("option", "meaning"), rows) if rows else ""
    return lines + ("\nAnd [those of all](#options-of-all-commands-that-ask-a-server).\n" if leave_out else "")


def _cell(help: str) -> str:
    return " ".join(help.split())


def text(help: str) -> str:
    """A help text as Markdown; what stands there line by line stays so."""
    parts = []
    for paragraph in inspect.cleandoc(help).split("\n\n"):
        if paragraph.startswith(CODE_MARK):
            parts.append("```text\n" + paragraph.removeprefix(CODE_MARK).strip("\n") + "\n```")
        else:
            parts.append(paragraph)
    return "\n\n".join(parts) + "\n"

