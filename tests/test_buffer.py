"""The write buffer against a bytearray."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq._core.probe import BufferProbe, fail_allocations


@pytest.fixture(autouse=True)
def no_faults_left() -> Iterator[None]:
    yield
    fail_allocations(0, 0)


@given(st.lists(st.one_of(st.binary(max_size=40), st.integers(0, 20_000), st.integers(-10_000, -1))))
def test_it_holds_what_was_put_and_not_consumed(steps: list[bytes | int]) -> None:
    """Bytes are put, n >= 0 puts n bytes at once, n < 0 consumes -n bytes."""
    buffer, model = BufferProbe(), bytearray()
    for step in steps:
        if isinstance(step, int) and step < 0:
            buffer.consume(-step)
            del model[:-step]
        else:
            data = step if isinstance(step, bytes) else bytes(i % 251 for i in range(step))
            buffer.put(data)
            model += data
        assert bytes(buffer) == model
        assert buffer.cap >= len(buffer)
    assert not buffer.failed


def test_it_grows_by_doubling_from_4_kib() -> None:
    buffer, caps = BufferProbe(), set()
    for _ in range(100):
        buffer.put(b"x" * 1000)
        caps.add(buffer.cap)
    assert caps == {4096 << n for n in range(6)}


def test_it_shrinks_only_when_empty_and_large() -> None:
    buffer = BufferProbe()
    buffer.put(b"x" * 9000)
    buffer.shrink(0)
    assert (len(buffer), buffer.cap) == (9000, 16384)
    buffer.consume(9000)
    buffer.shrink(16384)
    assert buffer.cap == 16384
    buffer.shrink(16383)
    assert buffer.cap == 0
    buffer.put(b"again")
    assert bytes(buffer) == b"again"


def test_after_a_refused_append_nothing_more_is_taken() -> None:
    """A reply with a hole in it would be worse than none, so also what would still fit is dropped."""
    buffer = BufferProbe()
    buffer.put(b"x" * 4000)
    fail_allocations(1)
    buffer.put(b"y" * 200)
    assert buffer.failed
    fail_allocations(0, 0)
    buffer.put(b"z")
    buffer.put(b"z" * 5000)
    assert buffer.failed
    assert bytes(buffer) == b"x" * 4000
    buffer.consume(1000)
    assert len(buffer) == 3000
    buffer.close()
    assert (len(buffer), buffer.cap, buffer.failed) == (0, 0, False)
    buffer.put(b"z")
    assert bytes(buffer) == b"z"
