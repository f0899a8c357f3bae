"""Rows and tests name each other: each row has one test, and each test of this folder stands for a row or a defect."""

import ast
from collections import Counter
from pathlib import Path

from conformance.rows import NOT_SERVED, ROWS

HERE = Path(__file__).parent
WITHOUT = {"test_rows.py", "test_sdk_walk.py"}


def marked(name: str) -> list[tuple[str, object]]:
    """Each test of the folder with the first argument of its decorator of this name."""
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and path.name not in WITHOUT:
                found += [
                    (f"{path.name}::{node.name}", call.args[0].value)
                    for call in node.decorator_list
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
                    and isinstance(call.args[0], ast.Constant)
                ]
    return found


def test_each_row_has_one_test() -> None:
    named = Counter(value for _, value in marked("row"))
    assert named == Counter(list(ROWS))


def test_each_test_has_a_row_or_a_defect() -> None:
    owners = [test for test, _ in marked("row") + marked("defect")]
    written = [
        f"{path.name}::{node.name}"
        for path in sorted(HERE.glob("test_*.py")) if path.name not in WITHOUT
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(owners) == sorted(written)


def test_rows_stand_in_order_and_say_something() -> None:
    sections = [[int(part) for part in name.split()[0].split(".")] for name in ROWS if not name.startswith("beyond")]
    assert sections == sorted(sections) and {section[0] for section in sections} == {2, 3, 12, 13}
    assert all(row.says.endswith(".") for row in ROWS.values())
    assert len({row.says for row in ROWS.values()}) == len(ROWS)


def test_what_is_not_served_is_needed_by_a_row() -> None:
    assert {need for row in ROWS.values() for need in row.needs} >= NOT_SERVED
