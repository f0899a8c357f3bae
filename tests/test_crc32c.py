"""CRC-32C by the processor's instruction and by tables: the published values, and one like the other."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq.storage.journal.logscan import checksum


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # these four from RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_known_values(data: bytes, crc: int, table: bool) -> None:
    assert checksum(data, 0, table) == crc


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_both_ways_agree_wherever_the_data_is_cut(data: bytes, before: int, cut: int) -> None:
    whole = checksum(data, before)
    assert checksum(data, before, True) == whole
    assert checksum(data[cut:], checksum(data[:cut], before), True) == whole
    assert checksum(memoryview(data)[cut:], checksum(data[:cut], before)) == whole


@pytest.mark.parametrize("size", [511, 512, 1535, 1536, 1537, 3071, 3072, 3073, 50_000])
def test_both_ways_agree_on_long_data_and_from_any_address(size: int) -> None:
    data = random.Random(size).randbytes(size + 8)
    for start in range(8):
        view = memoryview(data)[start:start + size]
        assert checksum(view, size) == checksum(view, size, True)


@given(st.binary(min_size=1, max_size=64), st.integers(0, 511))
def test_every_single_bit_counts(data: bytes, bit: int) -> None:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    assert checksum(changed) != checksum(data)
