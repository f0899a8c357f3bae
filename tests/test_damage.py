"""A data directory with a checkpoint and several segments, damaged: nothing in it is lost without a word.

tests/torture/test_damage.py flips and cuts at every byte; test_journal_damage asks the journal alone.
"""

import random
from itertools import islice

import pytest

from conftest import SLOW_BUILD
from support.damage import Damage, Patient

SEED, STEPS = 1, 100
SAMPLE = 200 if SLOW_BUILD else 600     # of each kind of damage


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    return Patient(tmp_path_factory.mktemp("damage"), SEED, STEPS)


def test_it_is_whole_at_first(patient: Patient) -> None:
    assert patient.look(patient.files) == []


def test_flipped_bits(patient: Patient) -> None:
    step = sum(map(len, patient.files.values())) // SAMPLE
    for one in islice(patient.flips(random.Random(SEED)), SEED, None, step):
        patient.damage(one)
    assert patient.outcomes["refused"] and patient.outcomes["all found"]


def test_files_that_end_early(patient: Patient) -> None:
    """The size of a segment is stated, so that this is no torn tail."""
    step = sum(map(len, patient.files.values())) // SAMPLE
    patient.outcomes.clear()
    for one in islice(patient.cuts(), SEED, None, step):
        patient.damage(one)
    assert set(patient.outcomes) == {"refused"}


def test_zeros_and_noise(patient: Patient) -> None:
    patient.outcomes.clear()
    for one in patient.blots(random.Random(SEED), SAMPLE):
        patient.damage(one)
    assert patient.outcomes.total() == SAMPLE and patient.outcomes["refused"]


def test_files_that_are_missing_or_in_each_others_place(patient: Patient) -> None:
    patient.outcomes.clear()
    for name in patient.files:
        patient.suffer({other: content for other, content in patient.files.items() if other != name}, f"no {name}")
    for one in patient.needed:
        for other in patient.needed:
            exchanged = {**patient.files, one: patient.files[other], other: patient.files[one]}
            patient.suffer(exchanged, f"{one} and {other} exchanged")
            patient.suffer({**patient.files, one: patient.files[other]}, f"{other} in place of {one}")
    assert patient.outcomes.total() == len(patient.files) + 2 * len(patient.needed) ** 2
    assert patient.outcomes["refused"] >= len(patient.needed)


def test_what_no_start_reads_may_be_damaged(patient: Patient) -> None:
    patient.outcomes.clear()
    for name in set(patient.files) - set(patient.needed):
        patient.damage(Damage(name, 0, bytes(5)))
        patient.damage(Damage(name, 3))
    assert set(patient.outcomes) == {"all found"}
