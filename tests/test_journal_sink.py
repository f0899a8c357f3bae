"""The hub feeds a journal from the engine's own buffer: the same records as to any store, and replies that wait."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flashq._core import probe, records
from support.journal import Opened, frame, read
from support.simulated import Client, DelayedStore, Simulation


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    with Opened(tmp_path / "data", segment_size=1 << 22) as opened:
        yield opened


def work(client: Client) -> None:
    """A bit of everything; the replies are not looked at."""
    client.send("PUSHB", queue="q", jobs=[{"data": {"number": number}} for number in range(100)])
    for number in range(50):
        client.send("PUSH", queue=f"other-{number % 3}", data="x" * 200 * number, delay=1000 * (number % 2))
    client.send("PULLB", queue="q", count=10, timeout=0)
    client.send("PAUSE", queue="q")
    client.send("DRAIN", queue="other-1")


def on_journal(opened: Opened) -> Simulation:
    sim = Simulation(opened.journal)  # type: ignore[arg-type]  # it asks for a store that tests can hold back
    opened.on_commit = lambda position, synced: sim.hub.committed(position)
    return sim


def test_the_records_are_those_that_another_store_gets(opened: Opened) -> None:
    delayed = DelayedStore()
    for sim in (on_journal(opened), Simulation(delayed)):
        work(sim.connect())
    assert opened.position == delayed.position > 150
    opened.close()
    found, kept = read(opened.directory)
    assert found.position == delayed.position
    assert records.decode(bytes(kept.frames)) == records.decode(bytes(delayed.log))


def test_replies_leave_once_their_records_are_on_disk(opened: Opened) -> None:
    sim = on_journal(opened)
    client = sim.connect()
    client.send("PUSH", queue="q", data=1)
    assert client.replies() == []
    opened.until(lambda: (sim.loop.settle() or len(client.transport.sent)) > 0)
    (reply,) = client.replies()
    assert reply["ok"] is True
    assert opened.journal.durable >= 1


def test_a_large_batch_costs_the_loop_no_copy_and_leaves_the_engine_an_empty_buffer(opened: Opened) -> None:
    sim = on_journal(opened)
    client = sim.connect()
    for _ in range(20):
        client.send("PUSHB", queue="q", jobs=[{"data": "x" * 100}] * 1000)
    assert opened.position == 20_000
    opened.reach(20_000)
    assert opened.journal.pending_bytes == 0
    assert [len(reply["ids"]) for reply in client.replies()] == [1000] * 20


def test_without_memory_a_record_is_refused_whole(opened: Opened) -> None:
    opened.committed()
    probe.fail_allocations(1)
    try:
        with pytest.raises(MemoryError):
            opened.journal.append(frame(2, b"x" * 100_000), 2)
    finally:
        probe.fail_allocations(1, 0)
    assert opened.position == 1
    opened.committed()
    opened.close()
    assert read(opened.directory)[1].positions == [1, 2]


def test_a_closed_journal_holds_no_memory(tmp_path: Path) -> None:
    before = probe.blocks_held()
    with Opened(tmp_path / "other") as opened:
        for size in (10, 50_000, 10, 3_000_000, 20_000):
            opened.committed(1, b"x" * size)
    del opened.journal
    assert probe.blocks_held() == before
