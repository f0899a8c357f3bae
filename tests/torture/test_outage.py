"""Thousands of power losses, in histories that differ in their promise, their limits and in which syncs are slow."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from support.outage import Run
from support.twin import FORGETTING, KEEPING
from test_outage import lose_power
from torture.test_connections import chosen_seed

SLOW = ("", "", "*segment*", "*check*", "data")
STEPS = 300
LOSSES = 150        # of a history
SECONDS = 3 * float(os.environ.get("FLASHQ_TORTURE_SECONDS", "120"))


@pytest.mark.slow
@pytest.mark.torture
def test_thousands_of_power_losses(tmp_path: Path) -> None:
    rng = random.Random(chosen_seed())
    end = time.monotonic() + SECONDS
    losses = histories = 0
    while time.monotonic() < end:
        seed, slow = rng.randrange(2**31), rng.choice(SLOW)
        settings = {**rng.choice([KEEPING, FORGETTING]), **rng.choice([{}, {}, {"durability": "interval"}])}
        home = tmp_path / str(histories)
        run = Run(home, seed, STEPS, slow=slow, **settings)
        kept = lose_power(run, LOSSES, keep=1)
        losses, histories = losses + LOSSES, histories + 1
        for directory, model, position in kept:
            again = Run(home / "again", seed + 1, STEPS // 4, initial=directory, model=model, slow=slow, **settings)
            again.check_losses_of_the_start(range(LOSSES // 5), model, position)
            lose_power(again, LOSSES // 5)
            losses += 2 * (LOSSES // 5)
        shutil.rmtree(home)
    print(f"{losses} power losses in {histories} histories")
