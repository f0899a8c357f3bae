"""Every method of the published clients: what it sends is taken, and what it reads is there."""

import subprocess
import sys

import pytest

from conformance import sdk_walk
from conformance.sdk_steps import Sdk, walk_all


@pytest.mark.parametrize("sdk", sdk_walk.SDKS, ids=lambda sdk: sdk.name.replace(" ", "-"))
def test_every_method_goes_on(address: tuple[str, int], sdk: Sdk) -> None:
    said = {step.method: sdk_walk.verdict(step.needs, trouble) for step, trouble in walk_all(address, sdk)}
    assert len(said) == len(sdk.steps), "two steps of one name"
    assert {method: text for method, text in said.items() if text.startswith("FAILED")} == {}


def test_the_script_runs_alone(address: tuple[str, int]) -> None:
    command = [sys.executable, sdk_walk.__file__, f"{address[0]}:{address[1]}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0 and "FAILED" not in ended.stdout, ended.stdout + ended.stderr
    assert all(sdk.name in ended.stdout for sdk in sdk_walk.SDKS)


def test_a_method_that_cannot_go_on_is_told() -> None:
    assert sdk_walk.verdict((), "") == "ok"
    assert sdk_walk.verdict((), "no id").startswith("FAILED")


def test_a_script_without_an_address_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert sdk_walk.main([]) == 2 and "host:port" in capsys.readouterr().err
