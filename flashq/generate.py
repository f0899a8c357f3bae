"""Writes docs/commands.md and docs/settings.md from the tables, and the parts of flashq/client that follow them.

`python -m flashq.generate`, in a source tree; with `--check` it only compares.
"""
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from flashq import generate_client
from flashq.client.methods import BY_COMMAND
from flashq.commands import (
    ANY_COMMAND_ERRORS,
    COMMANDS,
    COMMON,
    PUSH_OPTIONS,
    QUEUE_RULE,
    STATES,
)
from flashq.commands.durable import RECEIPT
from flashq.config import SETTINGS
from flashq.errors import ERRORS, ErrorCode
from flashq.events import EVENT_TYPES
from flashq.fields import Command, Field, Kind, ReplyField, field_rule
from flashq.job_shape import JOB_EXAMPLE, JOB_FIELDS, OPTIONAL_JOB_FIELDS
from flashq.markdown import table
from flashq.setting_types import SIZE, SWITCH, TIME, Setting

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Made by `python -m flashq.generate` from {}: change it there. -->\n"
SECTIONS = ("Push options", "The Job", "Events", "Errors")
SHOWN_JOB_KEYS = ("id", "queue", "data", "priority", "attempts", "state", "token")

COMMANDS_HEAD = f"""# Commands

A request is one object: in text mode a line of JSON, in binary mode a 4-byte big-endian length and a MessagePack map.
The first byte of a connection decides: `00` and `01` are binary. Every reply has `ok`; a success has `success: true`
too, a refusal `error` (a text for people) and `code` (for programs), and has changed nothing. Fields that a command
does not know are ignored, and `null` is the same as leaving a field out.

Without `reqId` replies come in the order of the requests. With it, a PULL, PULLB or WAITJOB that has to wait lets
later requests pass.

- Times are milliseconds. `u64` is 0 to 2^63-1, `u32` 0 to 2^32-1, `i32` -2^31 to 2^31-1; integral floats are taken.
- A queue's name is {QUEUE_RULE}.
- A job's state is {", ".join(f"`{state}`" for state in STATES)}, or `unknown` when there is no such job (any more).

**Python.** The [Python client](client.md) has a method for each command; it is named with the fields that it takes in
this order, and takes all others by their names.

**Sending again.** Some clients send a request a second time when no answer came. Each command says what that does.
"""
SETTINGS_HEAD = """# Settings of `flashq serve`

Each setting is a flag and an environment variable; the flag wins, and an empty variable counts as not set. Where two
variables are named, the first that is set counts. Sizes are bytes, or take `KB`, `MB`, `GB` (powers of 1024); times
need a unit: `500ms`, `30s`, `5m`, `1h`. Switches are `1` or `0` in the environment. What cannot be used stops the
start with a sentence that names it, except a port in `TCP_PORT` or `PORT` that cannot be read: it stands for 6789.
"""


def commands_page() -> str:
    """The text of docs/commands.md."""
    parts = [NOTE.format("flashq/commands"), COMMANDS_HEAD, _contents(), "## Fields of every request\n"]
    parts += [_field_table(COMMON), _changing(), *map(_command, COMMANDS)]
    parts += ["## Push options\n", "The fields of PUSH beside `queue`, and of each item of PUSHB.\n"]
    parts += [_field_table(PUSH_OPTIONS), _job(), _events(), _errors()]
    return "\n".join(parts)


def settings_page() -> str:
    """The text of docs/settings.md."""
    parts = [NOTE.format("flashq/config.py"), SETTINGS_HEAD]
    for section in dict.fromkeys(one.section for one in SETTINGS):
        parts.append(f"## {section}\n")
        rows = [_setting_row(one) for one in SETTINGS if one.section == section]
        parts.append(table(("flag", "variable", "default", "meaning"), rows))
    return "\n".join(parts)


def cli_page() -> str:
    """The text of docs/cli-reference.md."""
    from flashq import generate_cli  # loads every command, also those that need the extensions

    return generate_cli.page(NOTE.format("flashq/cli"))


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page, "settings.md": settings_page, "cli-reference.md": cli_page,
}


# -- commands ---------------------------------------------------------------------------------------------------


def _contents() -> str:
    lines = [f"- [{command.name}](#{command.name.lower()}): {command.doc}" for command in COMMANDS]
    lines += [f"- [{title}](#{title.lower().replace(' ', '-')})" for title in SECTIONS]
    return "\n".join(lines) + "\n"


def _changing() -> str:
    names = ", ".join(command.name for command in COMMANDS if command.changes)
    return f"Those that change something take one more: {names}.\n\n{_field_table((RECEIPT,))}"


def _command(command: Command) -> str:
    own = [field for field in command.fields if field not in PUSH_OPTIONS and field is not RECEIPT]
    parts = [f"## {command.name}\n", f"{command.doc}\n", _request(command, own), _reply(command)]
    parts.append(f"**Errors**: {_codes(command.errors)}\n" if command.errors else "**Errors**: none of its own\n")
    parts.append(f"**Sent again**: {command.resend}\n")
    parts.append(f"**Python**: `{_signature(command)}`\n")
    request, reply = command.example
    parts.append(f"```text\n→ {_json(request)}\n← {_json(reply)}\n```\n")
    return "\n".join(parts)


def _signature(command: Command) -> str:
    """Its method of both clients, and what that takes without names."""
    method = BY_COMMAND[command.name]
    return f"{method.name}({', '.join(method.lead)})"


def _codes(errors: Iterable[ErrorCode]) -> str:
    return ", ".join(f"[{code}](#errors)" for code in dict.fromkeys(error.code for error in errors))


def _request(command: Command, own: Sequence[Field]) -> str:
    options = "All [push options](#push-options) as well.\n" if set(PUSH_OPTIONS) & set(command.fields) else ""
    if not own:
        return "**Request**: no fields\n"
    return "\n".join(filter(None, ("**Request**\n", _field_table(own), options)))


def _reply(command: Command) -> str:
    if not command.reply:
        return "**Reply**: nothing beside `ok` and `success`\n"
    return "**Reply**\n\n" + _keys(command.reply)


def _field_table(fields: Iterable[Field]) -> str:
    rows = [(_names(one), _kind(one), _default(one), one.doc) for field in fields for one in (field, *_parts(field))]
    return table(("field", "type", "default", "meaning"), rows)


def _parts(field: Field) -> Iterable[Field]:
    """The keys of a retry policy, as error texts name them."""
    if field.kind is not Kind.RETRY:
        return ()
    return (replace(part, name=f"{field.name}.{part.name}") for part in field.items)


def _names(field: Field) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in field.aliases)
    return f"`{field.name}`" + (f" (or {aliases})" if aliases else "")


def _kind(field: Field) -> str:
    if field.kind is Kind.RAW:
        return "any value"
    if field.kind in (Kind.U64, Kind.U32, Kind.I32, Kind.I64) and field.limit is None and field.least is None:
        return field.kind.name.lower()
    rule = (field.rule or field_rule(field)).removeprefix("an ").removeprefix("a ")
    text = field.kind in (Kind.STR, Kind.REQ_ID)
    return f"{rule}, at most {field.limit} bytes" if text and field.limit is not None else rule


def _default(field: Field) -> str:
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    return f"`{json.dumps(field.default)}`"


def _job() -> str:
    head = "## The Job\n\nEvery key is always present; the examples above show a few.\n"
    more = "After them come these, where there is something to say:\n"
    return "\n".join((head, _keys(JOB_FIELDS), more, _keys(OPTIONAL_JOB_FIELDS)))


def _keys(keys: Iterable[ReplyField]) -> str:
    return table(("key", "type", "meaning"), [(f"`{one.name}`", one.type, one.doc) for one in keys])


def _events() -> str:
    rows = [(f"`{one.name}`", one.doc) for one in EVENT_TYPES]
    head = "## Events\n\nWhat SUBSCRIBE hears of. An event is told once the change behind it is durable.\n"
    return head + "\n" + table(("type", "when"), rows)


def _errors() -> str:
    rows = [(f"`{error.code}`", f"`{_text(error)}`", error.doc) for error in ERRORS]
    every = ", ".join(dict.fromkeys(f"`{error.code}`" for error in ANY_COMMAND_ERRORS))
    head = f"## Errors\n\nAny command may be refused with {every},\nor because the frame cannot be read.\n"
    return head + "\n" + table(("code", "text", "when"), rows)


def _text(error: ErrorCode) -> str:
    return f"{error.text}` or `{error.msgpack_text}" if error.msgpack_text else error.text


def _json(value: dict[str, object]) -> str:
    """One line of JSON, in which a Job shows only some of its keys."""
    job = {key: JOB_EXAMPLE[key] for key in SHOWN_JOB_KEYS}
    text = json.dumps({key: job if one is JOB_EXAMPLE else one for key, one in value.items()}, ensure_ascii=False)
    whole = json.dumps(job, ensure_ascii=False)
    return text.replace(whole, whole[:-1] + ", …}")


# -- settings ---------------------------------------------------------------------------------------------------


def _setting_row(one: Setting) -> tuple[str, ...]:
    variables = ", ".join(f"`{name}`" for name in one.env)
    choices = f" One of {', '.join(f'`{choice}`' for choice in one.choices)}." if len(one.choices) > 1 else ""
    return f"`{one.flag}`", variables, _setting_default(one), one.help + choices


def _setting_default(one: Setting) -> str:
    if one.default_text:
        return one.default_text
    if one.type is SWITCH:
        return "off"
    if isinstance(one.default, int) and one.type in (SIZE, TIME):
        return f"`{_with_unit(one.default, one.type is SIZE)}`"
    return f"`{one.default}`"


def _with_unit(value: int, size: bool) -> str:
    """The value in the largest unit that divides it, as the setting itself may be written."""
    units = ((1024**3, "GB"), (1024**2, "MB"), (1024, "KB"), (1, "")) if size else ((1000, "s"), (1, "ms"))
    factor, unit = next((factor, unit) for factor, unit in units if value % factor == 0)
    return f"{value // factor}{unit}"


# -- files ------------------------------------------------------------------------------------------------------


def stale(docs: Path = DOCS) -> list[str]:
    """Names of the pages that differ from what the tables say."""
    return [name for name, page in PAGES.items() if _current(docs / name) != page()]


def _current(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: Sequence[str]) -> int:
    """Exit status 0, or 1 when `--check` found a file that is not current."""
    pages, parts = stale(), generate_client.stale()
    names = [f"docs/{name}" for name in pages] + [f"flashq/client/{name}" for name in parts]
    if "--check" in arguments:
        for name in names:
            print(f"{name} is not current: run `python -m flashq.generate`", file=sys.stderr)
        return 1 if names else 0
    DOCS.mkdir(exist_ok=True)
    for name in pages:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    generate_client.write()
    for name in names:
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
