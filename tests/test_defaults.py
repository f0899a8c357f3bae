"""What pushes get for options that they leave out: the settings `default_…`, and Engine.set_defaults while it runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.simulated import Client, DelayedStore, Simulation, simulation
from support.wire import JSON, Codec, Message

NAMES = ("timeout", "max_attempts", "backoff", "ttl")
DEFAULTS = {"timeout": 7000, "max_attempts": 3, "backoff": 500, "ttl": 90_000}
NONE = dict.fromkeys(NAMES)
ZEROS = dict.fromkeys(NAMES, 0)


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with simulation(**{f"default_{name}": value for name, value in DEFAULTS.items()}) as running:
        yield running


@pytest.fixture
def client(sim: Simulation, codec: Codec) -> Client:
    return sim.connect(codec)


def shown(client: Client, job_id: int) -> dict[str, Any]:
    job = client.job(job_id)
    return {name: job[name] for name in NAMES}


def made(sim: Simulation, client: Client, cmd: str, options: Message) -> list[int]:
    """The ids of jobs that this command makes of the options."""
    if cmd == "PUSH":
        return [client.push(data=1, **options), client.push(**options)]
    if cmd == "PUSHB":
        return list(client.ok("PUSHB", queue="q", jobs=[{"data": 1, **options}, options])["ids"])
    if cmd == "FLOW":
        reply = client.ok("FLOW", queue="q", children=[{"queue": "q", **options}], **options)
        return [reply["parent_id"], *reply["children_ids"]]
    for name, given in (("beside", options), ("inside", {"options": options})):
        client.ok("CRON", name=name, queue="q", repeat_every=1000, limit=1, **given)
    sim.advance(1000)
    return [job["id"] for job in client.ok("GETJOBS", queue="q")["jobs"]]


COMMANDS = pytest.mark.parametrize("cmd", ["PUSH", "PUSHB", "FLOW", "CRON"])


@COMMANDS
@pytest.mark.parametrize(("options", "expected"), [
    ({}, DEFAULTS), (NONE, DEFAULTS), (ZEROS, ZEROS), ({"priority": 3}, DEFAULTS),
    ({"ttl": 80_000, "max_attempts": 0}, {**DEFAULTS, "ttl": 80_000, "max_attempts": 0}),
    ({"attempts": 9, "tags": ["t"], "unique_key": None}, {**DEFAULTS, "max_attempts": 9}),
], ids=["nothing", "null", "zero", "other options", "some", "alias"])
def test_what_is_left_out_is_the_default(
    sim: Simulation, client: Client, cmd: str, options: Message, expected: Message
) -> None:
    ids = made(sim, client, cmd, options)
    assert len(ids) == 2
    assert [shown(client, one) for one in ids] == [expected] * 2


@COMMANDS
def test_without_defaults_it_is_0(codec: Codec, cmd: str) -> None:
    with simulation() as sim:
        assert sim.engine.defaults == NONE
        client = sim.connect(codec)
        assert [shown(client, one) for one in made(sim, client, cmd, {})] == [ZEROS] * 2


def test_defaults_are_what_jobs_live_by(sim: Simulation, client: Client) -> None:
    job_id = client.push()
    for wait in (1000, 2000, None):
        assert client.pull()["id"] == job_id
        sim.advance(7001)
        assert client.state(job_id) == ("failed" if wait is None else "delayed")
        sim.advance(wait or 0)
    expires = client.push()
    sim.advance(90_001)
    assert client.state(expires) == "unknown"


def test_they_change_while_the_server_runs(sim: Simulation, client: Client) -> None:
    before = client.push()
    sim.engine.set_defaults(ttl=5)
    assert sim.engine.defaults == {**NONE, "ttl": 5}
    after = client.push()
    assert (shown(client, before), shown(client, after)) == (DEFAULTS, {**ZEROS, "ttl": 5})
    sim.engine.set_defaults(timeout=0)
    assert sim.engine.defaults == {**NONE, "timeout": 0}
    sim.engine.set_defaults()
    assert (sim.engine.defaults, shown(client, client.push())) == (NONE, ZEROS)


@pytest.mark.parametrize(("name", "value"), [
    ("timeout", -1), ("backoff", 2**63), ("max_attempts", 2**32), ("ttl", "5"),
])
def test_a_value_that_no_push_could_have_changes_nothing(sim: Simulation, name: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        sim.engine.set_defaults(**{"backoff": 1, name: value})
    assert sim.engine.defaults == DEFAULTS


def test_the_largest_values(sim: Simulation) -> None:
    most = {**dict.fromkeys(NAMES, 2**63 - 1), "max_attempts": 2**32 - 1}
    sim.engine.set_defaults(**most)
    assert sim.engine.defaults == most
    client = sim.connect(JSON)
    assert shown(client, client.push()) == {**most, "backoff": 2**32 - 1}


def test_records_tell_the_values_not_that_they_were_defaults() -> None:
    store = DelayedStore(at_once=True)
    with simulation(store, default_ttl=50) as sim:
        sim.connect().push()
        assert store.records()[0]["ttl"] == 50
