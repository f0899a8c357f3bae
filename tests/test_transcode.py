"""Stored values in the other format: what one reader's parser makes of it is what the other's would have made."""

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given

from codec_suite import VALUES, S
from flashq._core import codec_probe as probe


@given(value=VALUES)
def test_values_survive_both_ways(value: Any) -> None:
    text, packed = json.dumps(value).encode(), msgpack.packb(value)
    assert msgpack.unpackb(probe.transcode(False, text) or b"") == value
    assert json.loads(probe.transcode(True, packed) or b"") == value
    assert probe.validate(True, probe.transcode(False, text) or b"") == S["OK"]
    assert probe.validate(False, probe.transcode(True, packed) or b"") == S["OK"]


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "1" * 300])
def test_integers_past_64_bits_become_floats(text: str) -> None:
    value = msgpack.unpackb(probe.transcode(False, text.encode()) or b"")
    assert isinstance(value, float)
    assert value == float(text)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 2**53 + 1, 0.1, 1e308, 5e-324, True, None, "é\0", {}])
def test_edges_are_exact(value: Any) -> None:
    assert msgpack.unpackb(probe.transcode(False, json.dumps(value).encode()) or b"") == value
    back = json.loads(probe.transcode(True, msgpack.packb(value)) or b"")
    assert (back, type(back)) == (value, type(value))


def test_short_floats_keep_their_value() -> None:
    assert json.loads(probe.transcode(True, msgpack.packb(0.1, use_single_float=True)) or b"") == pytest.approx(0.1)


@pytest.mark.parametrize("depth", [127, 128])
def test_depth(depth: int) -> None:
    text = b"[" * depth + b"]" * depth
    packed = probe.transcode(False, text)
    assert packed is not None
    assert probe.transcode(True, packed) == text


def test_what_was_never_validated_is_refused_without_an_exception() -> None:
    assert probe.transcode(False, b"{") is None
    assert probe.transcode(True, b"\xc1") is None
    assert probe.transcode(True, b"\x81\x01\x02") is None
