"""Keys and cron entries outlive the process: what a room kept, given to the room of another server at a later time."""

from typing import Any

import pytest

from flashq._core import records
from flashq.scheduler import schedule
from flashq.server.kept import CRON_SPACE, KV_SPACE
from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import Codec

AWAY = 3_600_000        # ms that the server was down


def entries(sim: Simulation) -> dict[tuple[int, bytes], bytes]:
    """As a snapshot reads them."""
    found = {}
    for space, keys, read in sim.rooms.kept():
        for key in keys:
            value = read(key)
            if value is not None:
                found[space, key] = value
    return found


def later(sim: Simulation, **settings: Any) -> Simulation:
    """Another server that begins with what this one kept, `AWAY` later and with a monotonic clock of its own."""
    other = Simulation(**settings)
    other.loop.wall = sim.loop.wall + AWAY
    other.loop.mono += 12_345
    other.hub.turn(lambda: other.rooms.restore(entries(sim)))
    return other


def test_keys_come_back_with_the_time_that_is_left(sim: Simulation, client: Client, codec: Codec) -> None:
    client.ok("KVSET", key="stays", value={"a": [1, None, "ü 0"]})
    client.ok("KVSET", key="ends", value=2, ttl=AWAY + 1000)
    client.ok("KVSET", key="ended", value=3, ttl=AWAY)
    client.ok("KVSET", key="over", value=4, ttl=10)
    sim.advance(10)
    reader = later(sim).connect(codec)
    assert reader.ok("KVMGET", keys=["stays", "ends", "ended", "over"])["values"] == [
        {"a": [1, None, "ü 0"]}, 2, None, None]
    assert (reader.ok("KVTTL", key="stays")["ttl"], reader.ok("KVTTL", key="ends")["ttl"]) == (-1, 990)
    reader.sim.advance(990)
    assert reader.ok("KVGET", key="ends")["value"] is None


def test_keys_come_back_past_narrower_bounds(sim: Simulation, client: Client) -> None:
    client.ok("KVMSET", entries=[{"key": str(n), "value": n} for n in range(5)])
    other = later(sim, kv_max_keys=3).connect()
    assert sorted(other.ok("KVKEYS")["keys"]) == list("01234")
    assert "full" in other.error("KVSET", key="more", value=1)


def test_a_restored_key_is_swept(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1, ttl=AWAY + 1000)
    other = later(sim)
    other.advance(60_000)
    assert len(other.rooms.kv.store) == 0


@pytest.mark.parametrize("when", [
    {"schedule": "0 30 2 * * *", "tz": "Europe/Berlin"}, {"schedule": "*/7"}, {"repeat_every": 2500},
    {"schedule": "*/10 * * * *", "repeat_every": 1000},
])
def test_cron_entries_come_back_as_they_were(sim: Simulation, client: Client, when: dict[str, Any]) -> None:
    client.ok("CRON", name="c", queue="q", data={"a": [1.5, "x", None]}, limit=100, catchup="all", overlap="skip",
              priority=-3, options={"max_attempts": 5, "retry": {"type": "fixed", "delay": 9}}, tags=["t"], **when)
    sim.advance(30_000)
    other = later(sim)
    assert entries(other) == entries(sim)
    listed: Any = other.rooms.cron.list(None)  # type: ignore[arg-type]  # before anything of it runs
    assert listed["crons"] == client.ok("CRONLIST")["crons"]
    kept = sim.rooms.cron.table.find("c")
    restored = other.rooms.cron.table.find("c")
    assert kept is not None and restored is not None
    assert restored.frame == kept.frame and restored.size == kept.size and restored.last_job == kept.last_job
    now = other.loop.wall
    assert restored.schedule.next_after(now) == kept.schedule.next_after(now)


def test_a_restored_entry_catches_up(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=AWAY // 4, catchup="all")
    other = later(sim)
    other.advance(1)
    assert len(other.connect().ok("PULLB", queue="q", count=100, timeout=0)["jobs"]) == 4


def test_an_entry_whose_zone_is_gone_is_told_and_kept(sim: Simulation, client: Client,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    client.ok("CRON", name="c", queue="q", schedule="0 0 1 * * *", tz="Europe/Berlin")
    client.ok("CRON", name="d", queue="q", schedule="0 0 1 * * *")
    before = entries(sim)

    def unknown(name: str) -> Any:
        raise schedule.BadSchedule(f"unknown time zone {name!r}")

    with monkeypatch.context() as patched:
        patched.setattr(schedule, "zone_of", lambda name: unknown(name) if name != "UTC" else schedule.UTC)
        other = later(sim)
    user = other.connect()
    assert [one["name"] for one in user.ok("CRONLIST")["crons"]] == ["d"]
    assert entries(other) == before
    user.ok("CRONDELETE", name="c")
    assert list(entries(other)) == [(CRON_SPACE, b"d")]


def test_spaces_are_part_of_the_format(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1)
    client.ok("CRON", name="c", queue="q", repeat_every=1000)
    assert [space for space, _ in entries(sim)] == [KV_SPACE, CRON_SPACE] == [1, 2]
    with pytest.raises(KeyError):
        sim.rooms.restore({(9, b"k"): b"v"})


# -- what is recorded ------------------------------------------------------------------------------------------------


def recorded(store: DelayedStore) -> dict[tuple[int, bytes], bytes]:
    """What the records say that is kept."""
    found: dict[tuple[int, bytes], bytes] = {}
    for record in store.records():
        if record["kind"] == "entry":
            key = record["space"], record["key"]
            if record["present"]:
                found[key] = record["value"]
            else:
                found.pop(key, None)
    return found


def frames(store: DelayedStore) -> list[list[str]]:
    """The kinds of record in each frame."""
    return [[record["kind"] for record in group] for _, group in records.decode(bytes(store.log))]


def test_each_change_of_a_key_is_recorded(codec: Codec) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect(codec)
        steps: list[tuple[str, dict[str, Any]]] = [
            ("KVSET", {"key": "a", "value": [1]}), ("KVSET", {"key": "a", "value": 2, "ttl": 5000}),
            ("KVMSET", {"entries": [{"key": "b", "value": 1, "ttl": 9}, {"key": "ü", "value": None}]}),
            ("KVINCR", {"key": "n", "by": 7}), ("KVINCR", {"key": "a"}), ("KVEXPIRE", {"key": "b", "ttl": 60_000}),
            ("KVDEL", {"key": "a"}), ("KVSET", {"key": "n", "value": 0, "ttl": 0}),
            ("KVEXPIRE", {"key": "b", "ttl": 0}),
        ]
        for cmd, fields in steps:
            before = len(store.log)
            client.ok(cmd, **fields)
            assert len(store.log) > before, cmd
            assert recorded(store) == entries(sim), cmd
        assert list(recorded(store)) == [(KV_SPACE, "ü".encode())]


def test_a_batch_of_keys_is_one_frame() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        sim.connect().ok("KVMSET", entries=[{"key": str(n), "value": n} for n in range(5)])
        assert frames(store) == [["entry"] * 5]


def test_what_changes_nothing_records_nothing() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect()
        client.ok("KVSET", key="k", value=1, ttl=10)
        size = len(store.log)
        sim.advance(60_000)
        client.ok("KVDEL", key="k")
        client.ok("KVEXPIRE", key="k", ttl=10)
        client.ok("KVGET", key="k")
        client.ok("KVMSET", entries=[{"key": ""}])
        client.error("CRONDELETE", name="none")
        assert len(store.log) == size


def test_each_change_of_a_cron_entry_is_recorded(codec: Codec) -> None:
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        client = sim.connect(codec)
        client.ok("CRON", name="a", queue="q", repeat_every=1000, limit=2)
        client.ok("CRON", name="b", queue="q", repeat_every=1500, overlap="skip")
        client.ok("CRON", name="c", queue="other", schedule="*/3 * * * * *")
        for _ in range(20):
            assert recorded(store) == entries(sim)
            sim.advance(500)
        assert (CRON_SPACE, b"a") not in recorded(store)
        client.ok("CRON", name="b", queue="q", repeat_every=2500)
        assert recorded(store) == entries(sim)
        client.ok("OBLITERATE", queue="q")
        assert recorded(store) == entries(sim) and list(entries(sim)) == [(CRON_SPACE, b"c")]
        client.ok("CRONDELETE", name="c")
        assert recorded(store) == entries(sim) == {}


def test_a_slot_and_its_job_stand_in_one_frame() -> None:
    """After a crash both are there, or neither: no slot fires twice, and none is lost."""
    store = DelayedStore(at_once=True)
    with simulation(store) as sim:
        sim.connect().ok("CRON", name="c", queue="q", repeat_every=1000)
        sim.advance(1000)
        assert frames(store) == [["entry"], ["entry", "job"]]


def test_replies_wait_for_what_they_show_of_keys() -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        writer, reader = sim.connect(), sim.connect()
        writer.send("KVSET", key="k", value=1)
        reader.send("KVGET", key="k")
        assert writer.replies() == reader.replies() == []
        store.commit()
        assert reader.replies()[0]["value"] == 1
