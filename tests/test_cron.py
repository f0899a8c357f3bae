"""Cron through the whole server with the clock in hand, in both formats."""

import itertools
from datetime import UTC, datetime

import pytest

from flashq._core.engine import Rejected
from support.server import ServerProcess
from support.simulated import START_WALL, Client, DelayedStore, Simulation, simulation
from support.wire import Codec

MINUTE = 60_000
HOUR = 60 * MINUTE


def entry(client: Client, name: str = "c") -> dict[str, object]:
    """What CRONLIST says of one entry."""
    reply = client.ok("CRONLIST")
    assert reply["crons"] == reply["jobs"]
    found = [one for one in reply["crons"] if one["name"] == name]
    assert len(found) == 1
    return dict(found[0])


def names(client: Client) -> list[str]:
    return [one["name"] for one in client.ok("CRONLIST")["crons"]]


def pulled(client: Client, queue: str = "q") -> list[dict[str, object]]:
    """Every ready job, acknowledged."""
    jobs = client.ok("PULLB", queue=queue, count=1000, timeout=0)["jobs"]
    for job in jobs:
        client.ok("ACK", id=job["id"])
    return list(jobs)


def set_clock(sim: Simulation, ms: int) -> None:
    """The wall clock is set forward (or back); no time passes."""
    sim.loop.wall += ms


# -- firing -----------------------------------------------------------------------------------------------------


def test_repeat_every_first_after_one_interval(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", data={"n": 1}, repeat_every=1500)
    assert entry(client)["next_run"] == START_WALL + 1500
    sim.advance(1499)
    assert pulled(client) == []
    sim.advance(1)
    assert [job["data"] for job in pulled(client)] == [{"n": 1}]
    sim.advance(4500)
    assert len(pulled(client)) == 3
    assert (entry(client)["executions"], entry(client)["next_run"]) == (4, START_WALL + 7500)


def test_a_waiting_worker_gets_the_job_at_its_time(sim: Simulation, client: Client) -> None:
    """The pull is answered by the firing itself, not by the next thing that happens."""
    client.ok("CRON", name="c", queue="q", data="x", schedule="*/5 * * * * *")
    client.send("PULL", queue="q", timeout=60_000)
    due = 5000 - START_WALL % 5000
    sim.advance(due - 1)
    assert client.replies() == []
    sim.advance(2)
    (reply,) = client.replies()
    assert reply["job"]["data"] == "x" and reply["job"]["created_at"] == START_WALL + due


@pytest.mark.parametrize("schedule", ["0 */10 * * * *", "*/10 * * * *"])
def test_five_and_six_fields(sim: Simulation, client: Client, schedule: str) -> None:
    client.ok("CRON", name="c", queue="q", schedule=schedule)
    step = 10 * MINUTE
    assert entry(client)["next_run"] == START_WALL // step * step + step
    sim.advance(HOUR)
    assert len(pulled(client)) == 6


def test_the_legacy_interval_of_a_published_check(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", data=None, schedule="*/60")
    assert (entry(client)["schedule"], entry(client)["repeat_every"]) == ("*/60", None)
    sim.advance(3 * MINUTE)
    assert len(pulled(client)) == 3


def test_repeat_every_wins_over_the_schedule(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", schedule="0 0 1 1 *", repeat_every=100)
    sim.advance(250)
    assert len(pulled(client)) == 2


def test_the_time_zone(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", schedule="30 9 * * *", tz="Asia/Tokyo")
    run = datetime.fromtimestamp(int(str(entry(client)["next_run"])) / 1000, UTC)
    assert (run.hour, run.minute) == (0, 30)
    assert entry(client)["tz"] == "Asia/Tokyo"


def test_the_entry_goes_at_once_with_its_last_firing(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, limit=2)
    sim.advance(1000)
    assert entry(client)["limit"] == 2
    sim.advance(1000)
    assert names(client) == []
    sim.advance(5000)
    assert len(pulled(client)) == 2


def test_limit_zero_is_no_limit(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, limit=0)
    sim.advance(3000)
    assert len(pulled(client)) == 3 and entry(client)["limit"] is None


def test_push_options_at_the_top_and_in_options(sim: Simulation, client: Client) -> None:
    """Go-E sends them beside the rest, Py-E in an object; what nobody knows is ignored."""
    client.ok("CRON", name="c", queue="q", repeat_every=1000, priority=7, max_attempts=4, ttl=0, nonsense=1,
              options={"max_attempts": 9, "backoff": 50, "timeout": 60_000, "tags": ["t"], "strange": [1]})
    sim.advance(1000)
    (job,) = pulled(client)
    shown = {key: job[key] for key in ("priority", "max_attempts", "backoff", "timeout", "tags")}
    assert shown == {"priority": 7, "max_attempts": 4, "backoff": 50, "timeout": 60_000, "tags": ["t"]}
    listed = entry(client)
    assert listed["priority"] == 7
    assert listed["options"] == {"max_attempts": 4, "backoff": 50, "timeout": 60_000, "tags": ["t"], "ttl": 0}


@pytest.mark.parametrize("data", [None, {"a": [1, 2.5, "ü", None, True]}, [], "", 0, 2**63, {"nul": "\0\n"}])
def test_data_comes_as_it_was_given(sim: Simulation, client: Client, data: object) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=10, data=data)
    sim.advance(10)
    assert [job["data"] for job in pulled(client)] == [data]
    assert entry(client)["data"] == data


def test_a_firing_may_replace_the_payload_of_the_job_before(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, unique_key="k", on_duplicate="replace", data=1)
    sim.advance(1000)
    client.ok("CRON", name="c", queue="q", repeat_every=1000, unique_key="k", on_duplicate="replace", data=2)
    sim.advance(1000)
    assert [job["data"] for job in pulled(client)] == [2]


def test_data_may_be_left_out(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=10)
    sim.advance(10)
    assert [job["data"] for job in pulled(client)] == [None]


def test_the_keys_that_clients_index(client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=10)
    assert list(entry(client))[:9] == [
        "name", "queue", "data", "schedule", "repeat_every", "priority", "next_run", "executions", "limit"
    ]


# -- adding and removing ----------------------------------------------------------------------------------------


def test_an_entry_of_the_same_name_is_replaced(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000)
    sim.advance(1000)
    client.ok("CRON", name="c", queue="other", repeat_every=300)
    sim.advance(1000)
    assert len(pulled(client)) == 1 and len(pulled(client, "other")) == 3
    assert (entry(client)["queue"], entry(client)["executions"]) == ("other", 3)


def test_a_refused_replacement_leaves_the_entry(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000)
    before = entry(client)
    client.error("CRON", name="c", queue="q", schedule="x y z")
    client.error("CRON", name="c", queue="q q", repeat_every=5)
    assert entry(client) == before


def test_delete(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=10)
    client.ok("CRON", name="a", queue="q", repeat_every=1000)
    assert names(client) == ["a", "c"]
    client.ok("CRONDELETE", name="c")
    assert client.error("CRONDELETE", name="c") == "Cron job not found"
    sim.advance(500)
    assert pulled(client) == [] and names(client) == ["a"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Must provide either 'schedule' or 'repeat_every'"),
        ({"schedule": None, "repeat_every": None}, "Must provide either 'schedule' or 'repeat_every'"),
        ({"schedule": "*" * 257}, "Cron schedule too long (257 chars, max 256 chars)"),
        ({"schedule": "*/0"}, "Invalid interval format: */0"),
        ({"schedule": "*/abc"}, "Invalid interval format: */abc"),
        ({"repeat_every": 0}, "Invalid interval format: 0"),
        ({"repeat_every": 2**63 - 1}, f"Invalid interval format: {2**63 - 1}"),
        ({"schedule": "not a cron"}, "Invalid cron expression 'not a cron': expected 5 or 6 fields, got 3"),
        ({"schedule": "61 * * * *"},
         "Invalid cron expression '61 * * * *': the minute cannot be '61': it goes from 0 to 59"),
        ({"schedule": f"0 {' ' * 90}* 1 feb-99 *"},
         f"Invalid cron expression '0 {' ' * 62}': the month cannot be 'feb-99': it goes from 1 to 12, or jan to dec"),
        ({"schedule": "0 0 30 2 *"}, "Invalid cron expression '0 0 30 2 *': it never runs"),
        ({"schedule": "* * * * *", "tz": "Mars/Olympus"}, "Unknown time zone 'Mars/Olympus'"),
        ({"repeat_every": 5, "catchup": "some"}, "Invalid: field 'catchup' must be one of none, last, all"),
        ({"repeat_every": 5, "overlap": ""}, "Invalid: field 'overlap' must be one of allow, skip"),
        ({"repeat_every": 5, "options": {"lifo": 1}}, "Invalid: field 'options.lifo' must be true or false"),
        ({"repeat_every": 5, "data": "x" * 1_048_576}, "Job data too large (1048578 bytes, max 1048576 bytes)"),
    ],
)
def test_refusals(client: Client, fields: dict[str, object], text: str) -> None:
    assert client.error("CRON", name="c", queue="q", **fields) == text
    assert names(client) == []


def test_there_is_a_limit_on_entries_and_on_their_size(codec: Codec) -> None:
    with simulation(cron_max_entries=2) as sim:
        client = sim.connect(codec)
        for name in "ab":
            client.ok("CRON", name=name, queue="q", repeat_every=10_000)
        assert client.call("CRON", name="c", queue="q", repeat_every=10_000)["code"] == "CRON_LIMIT"
        client.ok("CRON", name="a", queue="q2", repeat_every=10_000)
        client.ok("CRONDELETE", name="b")
        client.ok("CRON", name="c", queue="q", repeat_every=10_000)
    with simulation(max_job_size=1 << 20) as sim:
        client = sim.connect(codec)
        replies = [client.call("CRON", name=str(n), queue="q", repeat_every=10_000, data="x" * 1_000_000)
                   for n in range(6)]
        assert [reply["ok"] for reply in replies] == [True] * 4 + [False] * 2
        assert len(client.ok("CRONLIST")["crons"]) == 4


# -- policies ---------------------------------------------------------------------------------------------------


def test_overlap_allow_pushes_all_the_same(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000)
    sim.advance(3000)
    assert len(pulled(client)) == 3


def test_overlap_skip_waits_for_the_job_before(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, overlap="skip")
    sim.advance(3000)
    job = client.pull()
    sim.advance(2000)
    assert client.pulls_nothing()
    assert (entry(client)["executions"], entry(client)["skipped"]) == (1, 4)
    client.ok("ACK", id=job["id"])
    sim.advance(1000)
    assert len(pulled(client)) == 1 and entry(client)["executions"] == 2


def test_overlap_skip_after_a_cancelled_job(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, overlap="skip", max_attempts=1)
    sim.advance(1000)
    client.ok("CANCEL", id=client.pull()["id"])
    sim.advance(1000)
    client.ok("FAIL", id=client.pull()["id"])
    sim.advance(1000)
    assert len(pulled(client)) == 1


@pytest.mark.parametrize(("catchup", "jobs"), [("none", 0), ("last", 1), ("all", 10)])
def test_a_clock_set_forward(sim: Simulation, client: Client, catchup: str, jobs: int) -> None:
    client.ok("CRON", name="c", queue="q", schedule="0 * * * *", catchup=catchup)
    sim.advance(HOUR - START_WALL % HOUR + MINUTE)
    assert len(pulled(client)) == 1
    set_clock(sim, 10 * HOUR + MINUTE)
    sim.advance(MINUTE)
    assert len(pulled(client)) == jobs
    assert int(str(entry(client)["next_run"])) > sim.loop.wall
    sim.advance(HOUR)
    assert len(pulled(client)) == 1


def test_a_clock_set_back_fires_no_slot_twice(sim: Simulation, client: Client) -> None:
    client.ok("CRON", name="c", queue="q", repeat_every=1000, catchup="all")
    sim.advance(2000)
    set_clock(sim, -10_000)
    sim.advance(10_000)
    assert len(pulled(client)) == 2
    sim.advance(1000)
    assert len(pulled(client)) == 1


# -- with the rest of the server --------------------------------------------------------------------------------


def test_a_refused_push_is_told_in_the_log_and_the_slot_used_up(codec: Codec) -> None:
    with simulation(max_queues=1) as sim:
        client = sim.connect(codec)
        client.push("only")
        client.ok("CRON", name="c", queue="other", repeat_every=1000)
        sim.advance(2500)
        assert entry(client)["executions"] == 2
        assert sim.faults() == []
        assert client.ok("COUNT", queue="only")["count"] == 1


def test_a_firing_is_recorded_and_its_reply_waits_for_nobody() -> None:
    store = DelayedStore()
    with simulation(store) as sim:
        client = sim.connect()
        client.send("CRON", name="c", queue="q", data=1, repeat_every=1000)
        store.commit()
        sim.advance(1000)
        assert len(store.records()) > 0
        store.commit()


def test_many_entries_due_at_once_fire_in_slices(sim: Simulation, client: Client) -> None:
    for n in range(200):
        client.ok("CRON", name=str(n), queue="q", repeat_every=1000, data=n)
    sim.advance(1000)
    assert sorted(int(str(job["data"])) for job in pulled(client)) == list(range(200))


def test_the_engine_runs_a_command_without_a_connection(sim: Simulation, client: Client) -> None:
    engine = sim.engine
    assert engine.command(b'{"cmd":"PUSH","queue":"q","data":5,"reqId":"r"}').startswith(b'{"reqId":"r","ok":true')
    assert client.pull()["data"] == 5
    frame = client.codec.encode({"cmd": "PUSH", "queue": "q", "data": 6})
    in_msgpack = client.codec.name == "msgpack"
    assert b"success" in engine.command(frame[4:] if in_msgpack else frame[:-1], in_msgpack)
    assert client.pull()["data"] == 6
    before = engine.memory()["objects"]
    for frame, status in ((b'{"cmd":"PUSH","queue":""}', -20), (b'{"cmd":"PUSH"}', -8), (b"{", -2), (b"{}", -8),
                          (b'{"cmd":"ACK","id":999999}', -40)):
        with pytest.raises(Rejected) as caught:
            engine.command(frame)
        assert caught.value.status == status
    for frame in (b'{"cmd":"PULL","queue":"q"}', b'{"cmd":"PULLB","queue":"q","count":5}', b'{"cmd":"PING"}'):
        with pytest.raises(ValueError):
            engine.command(frame)
    assert engine.memory()["objects"] == before


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as client:
        client.ok("CRON", name=queue_name, queue=queue_name, data={"x": 1}, repeat_every=20, limit=3)
        jobs = list(itertools.chain(*(client.ok("PULLB", queue=queue_name, count=9, timeout=5000)["jobs"]
                                      for _ in range(3))))
        assert [job["data"] for job in jobs] == [{"x": 1}] * 3
        assert queue_name not in [one["name"] for one in client.ok("CRONLIST")["crons"]]
        for job in jobs:
            client.ok("ACK", id=job["id"])
