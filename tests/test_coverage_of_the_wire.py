"""Nothing of the wire is without a test: each command, field, alias and error, and each known defect of others.

What a test covers is read from its source (support/named.py): a test that does not name a thing does not test it.
"""

from collections import Counter
from pathlib import Path

import pytest

from conformance.defects import DEFECTS, ELSEWHERE
from flashq import errors
from flashq.commands import BY_NAME, COMMANDS
from flashq.errors import ERRORS, ErrorCode
from support import named

HERE = Path(__file__).parent
HELPERS = [HERE / "support" / "simulated.py", *sorted((HERE / "conformance").glob("[!r]*.py"))]
TABLES = {"test_coverage_of_the_wire.py", "test_errors.py"}     # these name everything and send nothing
TESTS = [path for path in sorted(HERE.rglob("test_*.py")) if path.name not in TABLES]

# What no test names yet, and why. An entry that is covered after all must go.
NOT_COVERED: dict[str, str] = {}

TREES = named.parse(TESTS)
SENT = named.Requests(named.parse(sorted({*TESTS, *HELPERS})), BY_NAME).fields
TEXTS = {text.replace(named.HOLE, "0") for tree in TREES for text in named.texts(tree)}
NAMES = {name for tree in TREES for name in named.names(tree)}
CODES = Counter(error.code for error in ERRORS)
OWN_NAMES = {id(value): name for name, value in vars(errors).items() if isinstance(value, ErrorCode)}


def error_is_named(error: ErrorCode) -> bool:
    """By its name in errors.py, by its code where no other error has it, or by its text."""
    if OWN_NAMES[id(error)] in NAMES or (CODES[error.code] == 1 and error.code in TEXTS):
        return True
    templates = [template for template in (error.text, error.msgpack_text) if template]
    return any(named.says(template, text) for template in templates for text in TEXTS)


def uncovered() -> set[str]:
    """All that no test names, as it stands in NOT_COVERED."""
    found = {f"command {command.name}" for command in COMMANDS if command.name not in SENT}
    for command in COMMANDS:
        for field in command.fields:
            missing = {field.name, *field.aliases} - SENT[command.name]
            found |= {f"field {command.name}.{name}" for name in missing}
    found |= {f"error {OWN_NAMES[id(error)]}" for error in ERRORS if not error_is_named(error)}
    return found | {f"defect {number}" for number in set(DEFECTS) - named.marks(TREES, "defect")}


def test_everything_is_covered() -> None:
    assert sorted(uncovered() - set(NOT_COVERED)) == []


def test_what_is_listed_as_not_covered_is_not() -> None:
    assert sorted(set(NOT_COVERED) - uncovered()) == []


def test_each_known_defect_has_its_place() -> None:
    assert sorted([*DEFECTS, *ELSEWHERE]) == list(range(1, 58))


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("def test_a(c): c.ok('PUSH', queue='q', **{'ttl': 1})", {"queue", "ttl"}),
        ("def test_a(c, name): c.ok('PUSH', **{name: 'delay'})", {"PUSH", "delay"}),
        ("def test_a(c): c.send_raw({'cmd': 'PUSH', 'lifo': True})", {"cmd", "lifo"}),
        ("def give(c, **rest): c.ok('PUSH', queue='q', **rest)\ndef test_a(c): give(c, ttl=5)", {"queue", "ttl"}),
        ("def test_a(c): c.ok('PULL', queue='q')", set()),
    ],
)
def test_the_collector_finds_what_is_sent(source: str, fields: set[str]) -> None:
    tree = named.ast.parse(source)
    assert named.Requests([tree], ["PUSH", "PULL"]).fields["PUSH"] >= fields
    assert "timeout" not in named.Requests([tree], ["PUSH", "PULL"]).fields["PUSH"]


@pytest.mark.parametrize(
    ("template", "text", "same"),
    [
        ("Job {number} not found", "Job 0 not found", True),
        ("Job {number} not found", "Job 0 not found in processing", False),
        ("Job {number} not found", "Job ", False),
        ("Key too long ({number} > 1024 bytes)", "Key too long (", True),
        ("Queue name cannot be empty", "Queue name", False),
    ],
)
def test_the_collector_knows_texts(template: str, text: str, same: bool) -> None:
    assert named.says(template, text) is same
