"""The key-value commands: against a plain dict through time, at each limit, and what both formats make of values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq.glob import matcher
from flashq.server.kv_store import OVERHEAD, KvStore
from support.server import ServerProcess
from support.simulated import Client, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec

KEY_LIMIT = 1024
VALUE_LIMIT = 10 * 1024 * 1024


VALUES = [None, True, 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, -0.0, 1e300, "", "ü\0\n\"", [], [[1, None]], {},
          {"a": {"b": [1, 2.5, "c"]}}]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_in_both_formats(sim: Simulation, codec: Codec, value: object) -> None:
    sim.connect(codec).ok("KVSET", key="k", value=value)
    for other in (JSON, MSGPACK):
        reader = sim.connect(other)
        found = reader.ok("KVGET", key="k")["value"]
        assert found == value and type(found) is type(value)
        assert reader.ok("KVMGET", keys=["k", "none", "k"])["values"] == [value, None, value]


def test_what_is_not_there(client: Client) -> None:
    assert client.ok("KVGET", key="k")["value"] is None
    assert client.ok("KVDEL", key="k")["exists"] is False
    assert client.ok("KVEXISTS", key="k")["exists"] is False
    assert client.ok("KVEXPIRE", key="k", ttl=5)["exists"] is False
    assert client.ok("KVTTL", key="k")["ttl"] == -2
    assert client.ok("KVKEYS")["keys"] == []
    assert client.ok("KVMGET", keys=[])["values"] == []


def test_ttl(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1, ttl=1000)
    client.ok("KVSET", key="stays", value=1)
    assert (client.ok("KVTTL", key="k")["ttl"], client.ok("KVTTL", key="stays")["ttl"]) == (1000, -1)
    sim.advance(999)
    assert (client.ok("KVTTL", key="k")["ttl"], client.ok("KVGET", key="k")["value"]) == (1, 1)
    sim.advance(1)
    assert (client.ok("KVTTL", key="k")["ttl"], client.ok("KVGET", key="k")["value"]) == (-2, None)
    assert client.ok("KVKEYS")["keys"] == ["stays"]
    assert client.ok("KVDEL", key="k")["exists"] is False


def test_a_plain_set_takes_the_ttl_away(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1, ttl=10)
    client.ok("KVSET", key="k", value=2)
    sim.advance(100)
    assert client.ok("KVGET", key="k")["value"] == 2


def test_expire(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1)
    assert client.ok("KVEXPIRE", key="k", ttl=50)["exists"] is True
    assert client.ok("KVEXPIRE", key="k", ttl=2**63 - 1)["exists"] is True
    sim.advance(100)
    assert client.ok("KVTTL", key="k")["ttl"] == 2**63 - 1 - 100
    client.ok("KVEXPIRE", key="k", ttl=0)
    assert client.ok("KVEXISTS", key="k")["exists"] is False


def test_the_clock_on_the_wall_does_not_matter(sim: Simulation, client: Client) -> None:
    client.ok("KVSET", key="k", value=1, ttl=1000)
    sim.loop.wall += 10**9
    assert client.ok("KVTTL", key="k")["ttl"] == 1000


def test_many_at_once(client: Client) -> None:
    entries = [{"key": "a", "value": 1}, {"key": "b", "value": None, "ttl": 5}, {"key": "a", "value": 2}]
    wrong = [5, None, {}, {"key": ""}, {"key": 5, "value": 1}, {"key": "x" * 1025}, {"key": "c", "ttl": -1}, ["d"]]
    assert client.ok("KVMSET", entries=[*wrong, *entries])["count"] == 3
    assert sorted(client.ok("KVKEYS")["keys"]) == ["a", "b"]
    assert client.ok("KVMGET", keys=["a", "b"])["values"] == [2, None]


def test_batch_limits(client: Client) -> None:
    entries = [{"key": str(n), "value": n} for n in range(1001)]
    assert client.error("KVMSET", entries=entries) == "Too many entries (1001 > 1000)"
    assert client.ok("KVKEYS")["keys"] == []
    assert client.ok("KVMSET", entries=entries[:1000])["count"] == 1000
    values = client.ok("KVMGET", keys=[str(n) for n in range(1500)])["values"]
    assert values == list(range(1000))


def test_key_limits(client: Client) -> None:
    assert client.error("KVSET", key="", value=1) == "Key cannot be empty"
    client.ok("KVSET", key="é" * (KEY_LIMIT // 2), value=1)
    assert client.error("KVSET", key="é" * (KEY_LIMIT // 2) + "x", value=1) == "Key too long (1025 > 1024 bytes)"
    assert client.error("KVINCR", key="x" * 2000) == "Key too long (2000 > 1024 bytes)"
    assert client.error("KVINCR", key="") == "Key cannot be empty"
    assert client.ok("KVGET", key="x" * 5000)["value"] is None


def test_value_limit(client: Client) -> None:
    client.ok("KVSET", key="k", value="x" * (VALUE_LIMIT - 2))
    size = VALUE_LIMIT + 1
    assert client.error("KVSET", key="k", value="y" * (size - 2)) == f"Value too large ({size} > {VALUE_LIMIT} bytes)"
    assert client.ok("KVGET", key="k")["value"] == "x" * (VALUE_LIMIT - 2)
    assert client.call("KVMGET", keys=["k", "k"])["code"] == "REPLY_TOO_LARGE"


def test_the_store_is_bounded_in_keys(codec: Codec) -> None:
    with simulation(kv_max_keys=2) as sim:
        client = sim.connect(codec)
        client.ok("KVSET", key="a", value=1, ttl=50)
        client.ok("KVSET", key="b", value=1)
        text = "Key-value store is full (max 2 keys, 268435456 bytes)"
        assert client.error("KVSET", key="c", value=1) == text
        assert client.error("KVINCR", key="c") == text
        assert client.error("KVMSET", entries=[{"key": "b", "value": 2}, {"key": "c", "value": 2}]) == text
        assert client.ok("KVMGET", keys=["a", "b", "c"])["values"] == [1, 1, None]
        client.ok("KVSET", key="b", value=3)
        sim.advance(50)
        client.ok("KVSET", key="c", value=4)  # what ran out makes room at once


def test_the_store_is_bounded_in_bytes(codec: Codec) -> None:
    with simulation(kv_max_bytes=2 * OVERHEAD + 100) as sim:
        client = sim.connect(codec)
        client.ok("KVSET", key="a", value="x" * 96)
        assert client.call("KVSET", key="b", value=1)["code"] == "KV_FULL"
        assert client.call("KVSET", key="a", value="x" * (OVERHEAD + 98))["code"] == "KV_FULL"
        client.ok("KVSET", key="a", value=1)
        client.ok("KVSET", key="b", value=1)
        assert sim.rooms.kv.store.size == 2 * (OVERHEAD + 2)


def test_increments(sim: Simulation, client: Client) -> None:
    assert [client.ok("KVINCR", key="n", **by)["value"] for by in ({}, {"by": 5}, {"by": -10}, {"by": None})] == [
        1, 6, -4, -3
    ]
    assert client.ok("KVTTL", key="n")["ttl"] == -1
    client.ok("KVSET", key="null", value=None, ttl=500)
    assert client.ok("KVINCR", key="null", by=2.0)["value"] == 2
    assert client.ok("KVTTL", key="null")["ttl"] == 500
    sim.advance(500)
    assert client.ok("KVINCR", key="null")["value"] == 1
    assert client.ok("KVTTL", key="null")["ttl"] == -1


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "Value is not an integer"), (2.0, "Value is not an integer"), (2**63, "Value is not an integer"),
     ("5", "Value is not a number"), (True, "Value is not a number"), ([], "Value is not a number"),
     ({}, "Value is not a number")],
)
def test_increments_of_what_is_no_integer(client: Client, value: object, text: str) -> None:
    client.ok("KVSET", key="k", value=value)
    assert client.error("KVINCR", key="k") == text
    assert client.ok("KVGET", key="k")["value"] == value


@pytest.mark.parametrize(("value", "by"), [(2**63 - 1, 1), (-(2**63), -1), (1, 2**63 - 1)])
def test_increments_do_not_overflow(client: Client, value: int, by: int) -> None:
    """Wire document, 10.3 number 46."""
    client.ok("KVSET", key="k", value=value)
    assert client.error("KVINCR", key="k", by=by) == "Value would leave the range of a 64-bit integer"
    assert client.ok("KVGET", key="k")["value"] == value


def test_keys_by_pattern(client: Client) -> None:
    keys = ["user:1", "user:22", "ü1", "a*b", "a?b", "[x]", "日本語"]
    client.ok("KVMSET", entries=[{"key": key} for key in keys])

    def found(pattern: str | None) -> list[str]:
        return [key for key in keys if key in client.ok("KVKEYS", pattern=pattern)["keys"]]

    assert found(None) == found("*") == keys
    assert found("user:?") == ["user:1"]
    assert found("user:*") == ["user:1", "user:22"]
    assert found("?1") == ["ü1"]
    assert found("日?語") == ["日本語"]
    assert found("[x]") == ["[x]"]
    assert found("a?b") == ["a*b", "a?b"]
    assert found("") == [] == found("user")


def test_values_are_seen_by_all_connections(server: ServerProcess, codec: Codec) -> None:
    with server.client(codec) as one, server.client(codec) as two:
        one.ok("KVSET", key="shared", value={"by": 1})
        assert two.ok("KVGET", key="shared")["value"] == {"by": 1}
        assert two.ok("KVDEL", key="shared")["exists"] is True
        assert one.ok("KVEXISTS", key="shared")["exists"] is False


# -- sweeping ---------------------------------------------------------------------------------------------------


def test_what_ran_out_is_swept_in_slices(sim: Simulation, client: Client) -> None:
    for base in range(0, 5000, 1000):
        client.ok("KVMSET", entries=[{"key": str(base + n), "ttl": 100 + n} for n in range(1000)])
    client.ok("KVSET", key="stays", value=1, ttl=10**6)
    store = sim.rooms.kv.store
    assert len(store) == 5001
    sim.advance(20_000)
    assert (len(store), store.size) == (1, len("stays") + 1 + OVERHEAD)
    client.ok("KVDEL", key="stays")
    assert not store.has_mortal and store.size == 0


def test_a_slice_looks_at_its_budget_only() -> None:
    store = KvStore(10**6, 10**9)
    store.put({str(n): (b"1", 5) for n in range(1000)}, 0)
    assert store.sweep(10, 100) is True
    assert len(store) == 900
    assert store.sweep(10, 900) is False
    assert len(store) == 0 and store.size == 0


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "del", "expire", "sweep", "pass"]),
        st.sampled_from("abcdef"),
        st.none() | st.integers(0, 30),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_the_store_against_a_dict(operations: list[tuple[str, str, int | None]]) -> None:
    store, now = KvStore(4, 10**6), 0
    model: dict[str, tuple[bytes, int | None]] = {}
    for n, (what, key, number) in enumerate(operations):
        model = {k: v for k, v in model.items() if v[1] is None or v[1] > now}
        deadline = None if number is None else now + number
        if what == "set":
            value = str(n).encode()
            fits = key in model or len(model) < 4
            assert store.put({key: (value, deadline)}, now) is fits
            if fits:
                model[key] = (value, deadline)
        elif what == "del":
            assert store.remove(key, now) is (model.pop(key, None) is not None)
        elif what == "expire" and key in model:
            store.expire(key, deadline)
            model[key] = (model[key][0], deadline)
        elif what == "sweep":
            store.sweep(now, number or 0)
        else:
            now += number or 0
        alive = {k: v for k, v in model.items() if v[1] is None or v[1] > now}
        shown = {k: (e.value, e.deadline) for k in "abcdef" if (e := store.get(k, now)) is not None}
        assert shown == alive
        assert sorted(store.keys(now)) == sorted(alive)
        assert len(store) <= 4
    assert store.size == sum(len(k) + len(e.value) + OVERHEAD for k, e in store._entries.items())


# -- patterns ---------------------------------------------------------------------------------------------------


def glob_by_table(pattern: str, name: str) -> bool:
    """The textbook's table: row by row, a cell says whether the prefixes match."""
    row = [True] + [False] * len(name)
    for char in pattern:
        below: list[Any] = [char == "*" and row[0]]
        for at, letter in enumerate(name, 1):
            below.append(row[at] or below[at - 1] if char == "*" else row[at - 1] and char in ("?", letter))
        row = below
    return row[-1]


@given(st.text("ab*?.\n", max_size=8), st.text("ab.\n", max_size=10))
def test_patterns(pattern: str, name: str) -> None:
    assert matcher(pattern)(name) == glob_by_table(pattern, name)


def test_patterns_that_make_careless_matchers_explode() -> None:
    """Some 10^20 ways to place the stars; the test's own timeout is what fails otherwise."""
    assert matcher("*a" * 30 + "b")("a" * 1024) is False
    assert matcher("*" * 200 + "b")("a" * 1024) is False
