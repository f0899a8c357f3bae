"""The server is killed at random moments of random work; what it acknowledged is there when it starts again.

tests/torture/test_crash.py does the same some hundred times.
"""

from pathlib import Path

import pytest

from support.crash import run_crashes


@pytest.mark.parametrize(("seed", "rounds", "durability"), [(1, 7, "commit"), (2, 3, "interval")])
def test_what_was_acknowledged_survives_kills(tmp_path: Path, seed: int, rounds: int, durability: str) -> None:
    crash = run_crashes(tmp_path, seed, rounds, durability)
    assert crash.kills >= rounds
    assert crash.shared.done
