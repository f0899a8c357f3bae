"""Each kind of fault at the first call that it could meet, the second, … until a run meets it no more."""

from pathlib import Path

import pytest

from support.faults import FAULTS, Faults, try_every_call
from torture.test_connections import chosen_seed


@pytest.mark.slow
@pytest.mark.torture
def test_faults_at_every_call(tmp_path: Path) -> None:
    faults = Faults(tmp_path, chosen_seed())
    try:
        for fault in FAULTS:
            print(f"{fault}: {try_every_call(faults, fault)} calls")
        faults.end()
    finally:
        faults.close()
