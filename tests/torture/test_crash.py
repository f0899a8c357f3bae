"""Hundreds of kills, over several directories, with both promises."""

import random
from pathlib import Path

import pytest

from support.crash import run_crashes
from torture.test_connections import chosen_seed

KILLS = 200
ROUNDS = 20         # of a directory


@pytest.mark.slow
@pytest.mark.torture
def test_hundreds_of_kills(tmp_path: Path) -> None:
    rng = random.Random(chosen_seed())
    kills = 0
    while kills < KILLS:
        home = tmp_path / str(kills)
        home.mkdir()
        crash = run_crashes(home, rng.randrange(2**31), ROUNDS, rng.choice(["commit", "commit", "interval"]))
        assert crash.kills >= ROUNDS and crash.shared.done
        kills += crash.kills
    print(f"{kills} kills")
