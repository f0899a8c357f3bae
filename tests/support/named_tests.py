"""Tables of guarantees: each row names tests, which must exist."""

import re

from support.server import PROJECT_ROOT

_NAMED = re.compile(r"`((?:torture/)?test_\w+\.py)?(?:::(\w+))?`")


def check_rows(text: str) -> int:
    """How many rows of tables the text has whose second column names tests. AssertionError for one that does not."""
    rows = [line for line in text.splitlines() if re.match(r"\| (?!---|guarantee )", line)]
    for row in rows:
        named = _NAMED.findall(row.split("|")[2])
        assert named, row
        file = ""
        for name, test in named:
            file = name or file
            source = (PROJECT_ROOT / "tests" / file).read_text()
            assert f"def {test}(" in source if test else source, f"{file}::{test}"
    return len(rows)
