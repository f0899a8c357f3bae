"""docs/durability.md names tests that exist, and the records as the code describes them."""

import re
from itertools import pairwise

from support.named_tests import check_rows
from support.server import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "durability.md").read_text()
RECORDS = PROJECT_ROOT / "flashq" / "_core"


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
    kinds = {name: int(kind) for name, kind in re.findall(
        r"^    RECORD_(\w+) = (\d+)", (RECORDS / "records.pxd").read_text(), re.MULTILINE)}
    told = {(int(kind), name): fields for kind, name, fields in re.findall(
        r"^\| (\d+) \| ([A-Z_]+) \| (.*) \|$", PAGE, re.MULTILINE)}
    assert told == {(kinds[name], name): fields for name, fields in forms.items()} and len(told) == 18
