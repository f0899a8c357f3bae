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
        calls = {fault: try_every_call(faults, fault) for fault in FAULTS}
        faults.end()
    finally:
        faults.close()
    print("\n".join(f"{fault}: {count} calls" for fault, count in calls.items()))
    assert all(calls.values()), "a fault that no call met"
    assert all(faults.did[f"{fault}: ended"] for fault in FAULTS if fault.is_fatal), faults.did
