"""While the store has no room nothing is taken that adds data; everything that ends jobs goes on."""

from typing import Any

import pytest

from support.simulated import Client, Simulation
from support.wire import Codec

TEXT = "Disk full: the server's data directory has no room, and nothing is taken that needs some"
ADDING: list[tuple[str, dict[str, Any]]] = [
    ("PUSH", {"queue": "q"}),
    ("PUSHB", {"queue": "q", "jobs": [{}]}),
    ("FLOW", {"queue": "q", "children": [{"queue": "q"}]}),
    ("UPDATEJOB", {"id": 0, "data": 1}),
    ("LOG", {"id": 0, "message": "m"}),
    ("KVSET", {"key": "k", "value": 1}),
    ("KVMSET", {"entries": [{"key": "k", "value": 1}]}),
    ("KVINCR", {"key": "k"}),
    ("CRON", {"name": "c", "queue": "q", "repeat_every": 1000}),
]


@pytest.mark.parametrize(("cmd", "fields"), ADDING, ids=[cmd for cmd, _ in ADDING])
def test_what_adds_data_is_refused_until_there_is_room(sim: Simulation, client: Client, cmd: str,
                                                       fields: dict[str, Any]) -> None:
    job_id = client.push()
    fields = {**fields, **({"id": job_id} if "id" in fields else {})}
    position = sim.engine.position
    sim.engine.full = True
    reply = client.call(cmd, **fields)
    assert (reply["ok"], reply["code"], reply["error"]) == (False, "DISK_FULL", TEXT)
    assert sim.engine.position == position
    sim.engine.full = False
    client.ok(cmd, **fields)


def test_everything_else_goes_on(sim: Simulation, client: Client) -> None:
    ids = client.push_many(6)
    client.ok("KVSET", key="k", value=1)
    client.ok("CRON", name="c", queue="q", repeat_every=100_000)
    sim.engine.full = True
    client.ok("ACK", id=client.pull()["id"], result="small")
    client.ok("FAIL", id=client.pull()["id"])
    client.ok("ACKB", ids=[client.pull()["id"]])
    client.ok("PROGRESS", id=client.pull()["id"], progress=5)
    client.ok("CANCEL", id=ids[4])
    client.ok("CHANGEPRIORITY", id=ids[5], priority=7)
    client.ok("PAUSE", queue="q")
    client.ok("KVEXPIRE", key="k", ttl=1)
    client.ok("KVDEL", key="k")
    client.ok("CRONDELETE", name="c")
    client.ok("DRAIN", queue="q")


def test_a_push_that_was_taken_before_is_answered(sim: Simulation, client: Client) -> None:
    job_id = client.push(push_key="p")
    sim.engine.full = True
    assert client.push(push_key="p") == job_id


def test_a_cron_slot_is_used_up(sim: Simulation, codec: Codec) -> None:
    client = sim.connect(codec)
    client.ok("CRON", name="c", queue="q", repeat_every=1000)
    sim.engine.full = True
    sim.advance(1000)
    assert client.pulls_nothing()
    sim.engine.full = False
    sim.advance(1000)
    client.pull()
    assert client.pulls_nothing()
