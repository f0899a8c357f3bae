"""Writes the parts of flashq/client that repeat the tables: shapes, refusals, calls, both clients' lists of methods."""
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from flashq import commands as table
from flashq.client.methods import BY_COMMAND, METHODS, WAITING
from flashq.commands.cron import JOB_OPTIONS
from flashq.commands.durable import RECEIPT
from flashq.commands.flows import OPTIONS as FLOW_OPTIONS
from flashq.commands.kv import ENTRY_FIELDS
from flashq.commands.options import PUSH_OPTIONS
from flashq.commands.retry import REASONS, RETRY
from flashq.commands.shared import STATES
from flashq.errors import ERRORS
from flashq.events import EVENT_TYPES
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_FIELDS, OPTIONAL_JOB_FIELDS

CLIENT = Path(__file__).parent / "client"
NOTE = "Made by `python -m flashq.generate`: change the tables it comes from."
WIDTH = 120
ROOMS = ("jobs", "access", "reading", "management", "dead", "queues", "statistics", "cron", "flows", "kv", "pubsub",
         "durable")
_TYPES: dict[Kind, str] = {
    Kind.U64: "int", Kind.U32: "int", Kind.I32: "int", Kind.I64: "int", Kind.PROGRESS: "float", Kind.F64: "float",
    Kind.BOOL: "bool", Kind.STR: "str", Kind.CHOICE: "str", Kind.RAW: "object", Kind.IDS: "Sequence[int]",
    Kind.ID_LIST: "Sequence[int]", Kind.TAGS: "Sequence[str]", Kind.ITEMS: "Iterable[PushOptions]",
    Kind.RETRY: "RetryPolicy", Kind.LIST: "Sequence[KvEntry]", Kind.OBJECT: "CronOptions",
    Kind.OBJECTS: "Sequence[FlowChild]",
}
_REPLY_TYPES: dict[str, str] = {
    "u64": "int", "u32": "int", "i32": "int", "u8": "int", "str": "str", "bool": "bool", "any": "Any",
    "str or null": "str | None", "u64 or null": "int | None", "[u64]": "list[int]", "[str]": "list[str]",
    "{type, delay, max, jitter}": "RetryPolicy",
    "[{started_at, ended_at, reason, error, worker}]": "list[Attempt]",
}
_DELIVERY = {"id": "Job | int", "ids": "Sequence[Job | int]"}


# -- shapes -----------------------------------------------------------------------------------------------------------


def shapes() -> str:
    """flashq/client/shapes.py: the Job, what a push may say, the words for states and events."""
    parts = [
        f'"""What goes in and comes out: the Job, the options of a push, states and types of events.\n\n{NOTE}\n"""',
        "from typing import Any, Literal, Required, TypedDict\n",
        "from flashq.client.record import Record\n",
        _literal("State", (*STATES, "unknown")),
        _literal("EndReason", REASONS),
        _literal("EventType", [one.name for one in EVENT_TYPES]) + "\n",
        _options("RetryPolicy", "How long a retry waits.", RETRY.items),
        _options("PushOptions", "One job of a batch, or what belongs to a push.", PUSH_OPTIONS),
        _options("FlowChild", "One child of a flow.", (table.BY_NAME["PUSH"].fields[0], *FLOW_OPTIONS)),
        _options("CronOptions", "Options of the jobs that a cron entry pushes.", JOB_OPTIONS),
        _options("KvEntry", "One key to be set.", ENTRY_FIELDS),
        _ATTEMPT, _job(),
    ]
    return "\n".join(parts) + "\n"


_ATTEMPT = '''
class Attempt(Record):
    """An attempt that ended badly. Times are ms since 1970; `worker` is its session."""

    started_at: int
    ended_at: int
    reason: EndReason
    error: str | None
    worker: str | None

'''


def _literal(name: str, words: Iterable[str]) -> str:
    return _filled(f"{name} = Literal[", ", ".join(f'"{word}"' for word in words), "]")


def _options(name: str, doc: str, fields: Sequence[Field]) -> str:
    lines = [f"\nclass {name}(TypedDict, total=False):", f'    """{doc}"""\n']
    for field in fields:
        lines += [*_comment(field.doc), f"    {field.name}: " + (
            f"Required[{_type(field)}]" if field.required else f"{_type(field, optional=True)}")]
    return "\n".join(lines) + "\n"


def _job() -> str:
    lines = ["class Job(Record):",
             '    """A job as the server shows it; `token` names this delivery. Times are milliseconds."""\n']
    for one in JOB_FIELDS:
        lines += [*_comment(one.doc), f"    {one.name}: {_job_type(one)}"]
    for one in OPTIONAL_JOB_FIELDS:
        default = " = ()" if one.name == "history" else " = None"
        kind = "list[Attempt] | tuple[()]" if one.name == "history" else f"{_job_type(one)} | None"
        lines += [*_comment(one.doc), f"    {one.name}: {kind}{default}"]
    lines += ["", "    def __hash__(self) -> int:", "        return hash((self.id, self.token))"]
    return "\n".join(lines)


def _job_type(one: ReplyField) -> str:
    special = {"state": "State", "reason": "EndReason"}
    return special.get(one.name) or _REPLY_TYPES[one.type]


def _comment(text: str) -> list[str]:
    return [f"    # {line}" for line in textwrap.wrap(text, WIDTH - 6)]


# -- defaults ---------------------------------------------------------------------------------------------------------


def defaults() -> str:
    """flashq/client/defaults.py: the numbers that the client needs, so that it need not import the tables."""
    waits = (f'    "{name}": {_wait_ms(name)},' for name in WAITING)
    options = (f'    "{one.name}": {_written(one.default)},' for one in JOB_OPTIONS)
    return "\n".join((
        f'"""Numbers of the table of commands: the largest batch, and how long waiting commands wait.\n\n{NOTE}\n"""',
        f"MAX_BATCH = {table.MAX_BATCH}",
        "# By command, the ms that a missing `timeout` stands for. Their answers come out of turn.",
        "WAIT_MS: dict[str, int] = {", *waits, "}",
        "# Options of the jobs that a cron entry pushes, and what each is when it is left out.",
        "CRON_OPTIONS: dict[str, object] = {", *options, "}\n"))


def _written(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _wait_ms(command: str) -> object:
    return next(field.default for field in table.BY_NAME[command].fields if field.name == "timeout")


# -- refusals ---------------------------------------------------------------------------------------------------------


def refusals() -> str:
    """flashq/client/refusals.py: an exception for each code."""
    parts = [f'"""Refusals: one exception for each code of flashq/errors.py.\n\n{NOTE}\n"""',
             "from flashq.client.errors import CommandError\n"]
    codes = list(dict.fromkeys(error.code for error in ERRORS))
    for code in codes:
        docs = " ".join(error.doc for error in ERRORS if error.code == code)
        text = textwrap.fill(docs, WIDTH - 7, subsequent_indent="    ", break_on_hyphens=False)
        text = f"{text}\n    " if "\n" in text else text
        parts.append(f'\nclass {class_name(code)}(CommandError):\n    """{text}"""\n\n    code = "{code}"\n')
    names = "".join(f"    {class_name(code)}.code: {class_name(code)},\n" for code in codes)
    parts.append(f"\nBY_CODE: dict[str, type[CommandError]] = {{\n{names}}}")
    return "\n".join(parts) + "\n"


def class_name(code: str) -> str:
    """JOB_NOT_FOUND is JobNotFound."""
    return "".join(word.capitalize() for word in code.split("_"))


# -- calls ------------------------------------------------------------------------------------------------------------


def room(name: str) -> str:
    """flashq/client/calls/<room>.py: a function for each command, which describes one call of it."""
    module: ModuleType = getattr(table, name)
    functions = [_function(table.BY_NAME[command.name]) for command in module.COMMANDS]
    body = "\n\n".join(functions)
    doc = f'"""Calls: {(module.__doc__ or "").strip().splitlines()[0]}\n\n{NOTE}\n"""'
    return "\n".join((doc, *_imports(body), "\n", body)) + "\n"


def _imports(body: str) -> list[str]:
    """Those that the text needs, sorted as ruff sorts them."""
    lines = []
    for module, names in (
        ("collections.abc", ("Iterable", "Sequence")), ("typing", ("Any", "Literal")), ("", ()),
        ("flashq.client", ("readers",)), ("flashq.client.call", ("Call", "OnReceipt", "make")),
        ("flashq.client.results", _result_names()),
        ("flashq.client.shapes", ("CronOptions", "FlowChild", "Job", "KvEntry", "PushOptions", "RetryPolicy", "State")),
    ):
        used = [name for name in names if _is_used(name, body)]
        if used:
            lines.append(_filled(f"from {module} import ", ", ".join(used), "", brackets=True))
        elif not module and lines:
            lines.append("")
    return lines


def _is_used(name: str, body: str) -> bool:
    code = re.sub(r'""".*?"""', "", body, flags=re.DOTALL)
    return re.search(rf"\b{name}\b", code) is not None


def _result_names() -> tuple[str, ...]:
    words = {word for one in METHODS for word in one.returns.replace("[", " ").replace("]", " ").split()}
    return tuple(sorted(words & {
        "BatchResult", "ServerInfo", "Explanation", "Progress", "JobPage", "JobCounts", "LogLine", "QueueInfo", "Stats",
        "Metrics", "WorkerList", "CronEntry", "Flow", "Children"}))


def _function(command: Command) -> str:
    method = BY_COMMAND[command.name]
    fields = {field.name: field for field in command.fields}
    lead = [fields[name] for name in method.lead]
    rest = [field for field in command.fields if field not in lead]
    # A required one must not follow one that is not: what stands before it takes None by name of the type alone.
    last = max((at for at, field in enumerate(lead) if field.required), default=-1)
    given = [_parameter(field, fields, bare=at <= last) for at, field in enumerate(lead)]
    given += ["*", *(_parameter(field, fields, bare=field.required) for field in rest),
              "deadline: float | None = None"]
    head = _filled(f"def {method.name}(", ", ".join(given), f") -> Call[{method.returns}]:")
    sent = ", ".join(f'"{field.name}": {_sent(field)}' for field in command.fields if field is not RECEIPT)
    fields_text = _filled("    fields: dict[str, object] = {", sent, "}", indent="        ", closing="    ")
    receipt = "receipt" if RECEIPT in command.fields else "None"
    end = f'    return make("{command.name}", fields, readers.{method.reader}, {receipt}, deadline)'
    return "\n".join((head, _docstring(command), fields_text, end)) + "\n"


def _sent(field: Field) -> str:
    return f"list({field.name})" if field.kind is Kind.ITEMS else field.name


def _parameter(field: Field, all_fields: Mapping[str, Field], bare: bool) -> str:
    if field is RECEIPT:
        return "receipt: OnReceipt | None = None"
    takes_job = field.name in _DELIVERY and not (field.name == "ids" and "tokens" not in all_fields)
    text = _type(field)
    if takes_job:
        text = _DELIVERY[field.name]
    if not field.required and text != "object":
        text += " | None"
    return f"{field.name}: {text}" if bare else f"{field.name}: {text} = None"


def _type(field: Field, optional: bool = False) -> str:
    if field.choices:
        text = "Literal[" + ", ".join(f'"{choice}"' for choice in field.choices) + "]"
    elif field.kind is Kind.TAGS or field.kind in (Kind.IDS, Kind.ID_LIST):
        text = _TYPES[field.kind] if not optional else _TYPES[field.kind].replace("Sequence", "list")
    else:
        text = _TYPES[field.kind]
    return f"{text} | None" if optional and text != "object" else text


def _docstring(command: Command) -> str:
    """Its sentence, and its own fields; those of a push stand in PushOptions."""
    lines = [f'    """{_plain(command.doc)}']
    if len(lines[0]) > WIDTH - 3:
        lines = textwrap.wrap(lines[0].strip(), WIDTH - 4, initial_indent="    ", subsequent_indent="    ")
    own = [field for field in command.fields if field not in PUSH_OPTIONS and field is not RECEIPT]
    notes = [f"{field.name}: {_plain(field.doc)}" for field in own]
    if len(own) < len([field for field in command.fields if field is not RECEIPT]):
        notes.append("All others: as in PushOptions.")
    if not notes and len(lines) == 1:
        return lines[0] + '"""'
    for note in notes:
        lines += ["", *textwrap.wrap(note, WIDTH - 4, initial_indent="    ", subsequent_indent="        ")]
    return "\n".join((*lines, '    """'))


def _plain(text: str) -> str:
    """Without links and backslashes."""
    while "](" in text:
        before, _, after = text.partition("](")
        start = before.rindex("[")
        text = before[:start] + before[start + 1:] + after.partition(")")[2]
    return text.replace(" See pulling.", "").replace(" Rules.", "").replace("\\", "")


# -- the clients' lists -----------------------------------------------------------------------------------------------


def methods(binder: str, name: str, base: str) -> Callable[[], str]:
    """The text of a class with a method for each command."""
    def text() -> str:
        by_room = {room_name: getattr(table, room_name).COMMANDS for room_name in ROOMS}
        lines = [f'"""Every command as a method of {base}.\n\n{NOTE}\n"""', f"from flashq.client.bind import {binder}",
                 "from flashq.client.calls import (", *(f"    {one}," for one in sorted(by_room)), ")\n\n",
                 f"class {name}:", f'    """What {base} can ask the server for; flashq/client/calls says how."""\n']
        for room_name, entries in by_room.items():
            for command in entries:
                method = BY_COMMAND[command.name].name
                lines.append(f"    {method} = {binder}({room_name}.{method})")
        return "\n".join(lines) + "\n"
    return text


# -- text -------------------------------------------------------------------------------------------------------------


def _filled(
    head: str, inside: str, tail: str, *, indent: str = "    ", closing: str = "", brackets: bool = False
) -> str:
    """In one line if it fits, else wrapped between head and tail."""
    if len(head + inside + tail) <= WIDTH:
        return head + inside + tail
    if brackets:
        head, tail = f"{head}(", ")"
        inside = f"{inside},"
        return "\n".join((head, *(f"{indent}{one.strip()}" for one in inside.replace(", ", ",\n").splitlines()), tail))
    return "\n".join((head, _wrapped(f"{inside},", indent), f"{closing}{tail}"))


def _wrapped(text: str, indent: str) -> str:
    """Broken after commas, but never inside brackets."""
    lines = [indent]
    for piece in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+,", text):
        if len(lines[-1]) + len(piece) > WIDTH and lines[-1] != indent:
            lines.append(indent + piece.lstrip())
        else:
            lines[-1] += piece.lstrip() if lines[-1] == indent else piece
    return "\n".join(lines)


FILES: dict[str, Callable[[], str]] = {
    "shapes.py": shapes,
    "defaults.py": defaults,
    "refusals.py": refusals,
    "sync_commands.py": methods("blocking", "SyncCommands", "FlashQ"),
    "async_commands.py": methods("awaiting", "AsyncCommands", "AsyncFlashQ"),
    **{f"calls/{name}.py": partial(room, name) for name in ROOMS},
}


def stale(client: Path = CLIENT) -> list[str]:
    """Names of the files that differ from what the tables say."""
    return [name for name, text in FILES.items() if not _is(client / name, text())]


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def write(client: Path = CLIENT) -> list[str]:
    """Write those that are stale; their names."""
    names = stale(client)
    for name in names:
        (client / name).parent.mkdir(parents=True, exist_ok=True)
        (client / name).write_text(FILES[name](), encoding="utf-8")
    return names
