"""Every byte of a small data directory is flipped, and every file ends at every byte."""

import random
from pathlib import Path

import pytest

from support.damage import Patient
from torture.test_connections import chosen_seed

STEPS = 100
BLOTS = 5000


@pytest.mark.slow
@pytest.mark.torture
def test_damage_at_every_byte(tmp_path: Path) -> None:
    seed = chosen_seed()
    patient, rng = Patient(tmp_path, seed, STEPS), random.Random(seed)
    for one in (*patient.flips(rng), *patient.cuts(), *patient.blots(rng, BLOTS)):
        patient.damage(one)
    assert set(patient.outcomes) == {"refused", "all found"}
    print(f"{sum(map(len, patient.files.values()))} bytes in {len(patient.files)} files: {dict(patient.outcomes)}")
