"""docs/durability.md names tests that exist, and the records as the code describes them."""

import re
from itertools import pairwise

from flashq._core.recordforms import DONE_NUMBERED, FORMS, JOB_OPTIONS
from support.named_tests import check_rows
from support.server import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "durability.md").read_text()
RECORDS = PROJECT_ROOT / "flashq" / "_core"


def numbers(prefix: str) -> dict[str, int]:
    """The members of the enums of records.pxd whose names begin so, by what follows."""
    members = re.findall(rf"^    {prefix}(\w+) = (\d+)", (RECORDS / "records.pxd").read_text(), re.MULTILINE)
    return {name: int(number) for name, number in members}


def test_each_guarantee_names_tests_that_exist() -> None:
    assert check_rows(PAGE.split("## Guarantees")[1].split("What is *not* kept")[0]) > 10


def test_the_page_tells_the_records_as_the_code_does() -> None:
    described = (RECORDS / "recordwrite.pyx").read_text().split('"""')[1]
    lines = described[described.index("A record is u8 kind and"):described.index("TIES follows")].splitlines()[1:]
    starts = [at for at, line in enumerate(lines) if re.match(r"  [A-Z_]+ ", line)]
    forms = {}
    for start, end in pairwise([*starts, len(lines)]):
        name, _, fields = " ".join(line.strip() for line in lines[start:end]).partition(" ")
        forms[name] = re.sub(r"\s+", " ", fields).strip()
    kinds = numbers("RECORD_")
    told = {(int(kind), name): fields for kind, name, fields in re.findall(
        r"^\| (\d+) \| ([A-Z_]+) \| (.*) \|$", PAGE, re.MULTILINE)}
    assert told == {(kinds[name], name): fields for name, fields in forms.items()} and len(told) == 18


def test_records_are_decoded_by_the_numbers_that_they_are_written_with() -> None:
    assert {name.upper(): kind for kind, (name, *_rest) in FORMS.items()} == numbers("RECORD_")
    assert {name.upper(): 1 << bit for bit, (name, _layout) in enumerate(JOB_OPTIONS)} == numbers("HAS_")
    assert numbers("DONE_") == {"NUMBERED": DONE_NUMBERED}
