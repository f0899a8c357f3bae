"""Power losses at random moments: everything acknowledged by then is found again, and nothing that was not asked.

tests/torture/test_outage.py does the same for minutes. The layers under it have tests of their own: test_filelayer,
test_powerloss.
"""

import shutil
from pathlib import Path

import pytest

from conftest import SLOW_BUILD
from support.model_restart import RestartModel
from support.outage import Loss, Run, copied, serves_on
from support.twin import FORGETTING, KEEPING

STEPS = 60 if SLOW_BUILD else 200
LOSSES = 20 if SLOW_BUILD else 80
Kept = list[tuple[Path, RestartModel, int]]


def lose_power(run: Run, losses: int, keep: int = 0) -> Kept:
    """So many losses; some serve on, and of some what they left is kept."""
    kept: Kept = []

    def more(loss: Loss, model: RestartModel) -> None:
        if loss.seed % 20 == 0:
            serves_on(loss, model, 20, **run.settings)
        elif len(kept) < keep and loss.seed % 7 == 3:
            directory = run.home / f"kept-{loss.seed}"
            shutil.copytree(loss.directory, directory)
            kept.append((directory, copied(model), loss.position))

    assert run.check_losses(range(losses), more) == losses
    return kept


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_survives_a_power_loss(tmp_path: Path, seed: int) -> None:
    limits = KEEPING if seed % 2 else FORGETTING
    lose_power(Run(tmp_path / "run", seed, STEPS, **limits), LOSSES)


def test_with_interval_what_was_synced_survives(tmp_path: Path) -> None:
    lose_power(Run(tmp_path / "run", 3, STEPS, durability="interval", sync_interval=5), LOSSES)


def test_a_power_loss_after_another_and_while_it_is_recovered(tmp_path: Path) -> None:
    first = Run(tmp_path / "first", 4, STEPS // 2)
    for directory, model, position in lose_power(first, LOSSES // 2, keep=2):
        second = Run(tmp_path / directory.name, 5, STEPS // 4, initial=directory, model=model)
        second.check_losses_of_the_start(range(LOSSES // 4), model, position)
        lose_power(second, LOSSES // 4)


def test_a_stop_leaves_nothing_to_lose(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", 6, STEPS // 2, close=True)
    run.disk.play(len(run.calls))
    losses = [run.lose(seed, len(run.calls)) for seed in range(10)]
    assert {loss.position for loss in losses} == {run.history.positions[-1]}
