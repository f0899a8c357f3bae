"""`@row` and `@defect`: how a test says which row of rows.py, or which defect of defects.py, it stands for."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from conformance.defects import DEFECTS
from conformance.rows import NOT_SERVED, ROWS

Test = TypeVar("Test", bound=Callable[..., object])


def row(row_id: str) -> Callable[[Test], Test]:
    """The test asserts this row. While the row needs what is not served, the test must fail."""
    needs = ROWS[row_id].needs
    return lambda test: _unless_served(pytest.mark.row(row_id)(test), needs)


def defect(number: int, *needs: str) -> Callable[[Test], Test]:
    """The test shows that this defect is not here. While it needs what is not served, it must fail."""
    assert number in DEFECTS, f"defect {number} is not of the command port"
    return lambda test: _unless_served(pytest.mark.defect(number)(test), needs)


def _unless_served(test: Test, needs: tuple[str, ...]) -> Test:
    missing = sorted(NOT_SERVED.intersection(needs))
    if not missing:
        return test
    return pytest.mark.xfail(strict=True, reason=f"not served yet: {', '.join(missing)}")(test)
