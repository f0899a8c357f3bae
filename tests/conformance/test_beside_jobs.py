"""Flows, events, AUTH, PING, keys and values, and messages: sections 2.9 to 2.13."""

from typing import Any

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk


@row("2.9 FLOW: parent and children")
@pytest.mark.parametrize("field", ["data", "parent_data"])
def test_flow(talk: Talk, queue: str, names: Names, field: str) -> None:
    other = names.queue()
    children: list[dict[str, Any]] = [{"queue": other, "data": n, "priority": n} for n in range(3)]
    flow = talk.ok("FLOW", queue=queue, children=children, priority=4, **{field: "top"})
    assert len(flow["children_ids"]) == 3 and talk.pulls_nothing(queue)
    assert [talk.job(one)["data"] for one in flow["children_ids"]] == [0, 1, 2]
    assert {talk.job(one)["parent_id"] for one in flow["children_ids"]} == {flow["parent_id"]}
    parent = talk.job(flow["parent_id"])
    assert (parent["data"], parent["priority"], parent["children_ids"]) == ("top", 4, flow["children_ids"])
    assert talk.pulled_data(other, 3) == [2, 1, 0]


@row("2.9 FLOW: no children")
def test_flow_empty(talk: Talk, queue: str) -> None:
    assert talk.error("FLOW", queue=queue, data=1, children=[]) == "Flow must have at least one child"


@row("2.9 FLOW: push options")
def test_flow_options(talk: Talk, queue: str) -> None:
    options = {"max_attempts": 3, "backoff": 50, "tags": ["t"], "timeout": 60_000, "ttl": 600_000, "unique_key": None}
    child = {"queue": queue, "data": 1, "delay": 3_600_000, "lifo": False, **options}
    flow = talk.ok("FLOW", queue=queue, parent_data=0, children=[child], delay=None, **options)
    for job_id in (flow["parent_id"], *flow["children_ids"]):
        job = talk.job(job_id)
        assert (job["max_attempts"], job["backoff"], job["tags"], job["timeout"]) == (3, 50, ["t"], 60_000)
    assert talk.state(flow["children_ids"][0]) == "delayed"


@row("2.9 FLOW: other names of options")
@pytest.mark.parametrize("short", [False, True])
def test_flow_aliases(talk: Talk, queue: str, names: Names, short: bool) -> None:
    custom = names.text()
    asked = {"maxAttempts": 3, "jobId": custom, "keepCompletedAge": 70_000, "keepCompletedCount": 5}
    if not short:
        asked = {"attempts": 3, "job_id": custom, "keep_completed_age": 70_000, "keep_completed_count": 5}
    child = {"queue": queue, "data": 1}
    flow = talk.ok("FLOW", queue=queue, data=0, children=[child], remove_on_complete=True, remove_on_fail=True, **asked)
    job = talk.job(flow["parent_id"])
    assert (job["max_attempts"], job["custom_id"], job["keep_completed_age"]) == (3, custom, 70_000)
    assert (job["remove_on_complete"], job["remove_on_fail"], job["keep_completed_count"]) == (True, True, 5)


@row("2.10 SUBSCRIBE: taken")
def test_subscribe_taken(talk: Talk, queue: str) -> None:
    talk.ok("SUBSCRIBE", queue=queue, events=["pushed", "completed"])
    talk.completed(queue)
    assert talk.ok("UNSUBSCRIBE", queue=queue)["ok"] is True


@row("2.10 SUBSCRIBE: events")
def test_subscribe_events(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    listener = open_talk()
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue=queue, events=["completed", "failed"])
    done, dead = talk.completed(queue, {"r": 1}), talk.dead(queue)
    events = listener.events(2)
    assert [(one["event_type"], one["queue"], one["job_id"]) for one in events] == [
        ("completed", queue, done), ("failed", queue, dead),
    ]
    assert events[0]["data"] == {"r": 1} and events[1]["error"] == "broke"
    assert all(one["timestamp"] > 1_600_000_000_000 for one in events)


@row("2.10 SUBSCRIBE: all kinds")
def test_subscribe_all(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    listener = open_talk()
    listener.ok("HELLO", push=True)
    listener.ok("SUBSCRIBE", queue=queue, events=["pushed", "progress", "partial"])
    (job_id,) = talk.push_all(queue, [{"data": "d"}])
    talk.pull(queue)
    talk.ok("PROGRESS", id=job_id, progress=30)
    talk.ok("PARTIAL", id=job_id, data="part", index=2)
    events = listener.events(3)
    assert [one["event_type"] for one in events] == ["pushed", "progress", "partial"]
    assert events[1]["progress"] == 30 and events[2]["data"] == {"chunk": "part", "index": 2}


@row("2.10 UNSUBSCRIBE: one's own")
def test_unsubscribe(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    stays, leaves = open_talk(), open_talk()
    for one in (stays, leaves):
        one.ok("HELLO", push=True)
        one.ok("SUBSCRIBE", queue=queue, events=["pushed"])
    leaves.ok("UNSUBSCRIBE", queue=queue)
    talk.push(queue)
    assert [one["event_type"] for one in stays.events(1)] == ["pushed"]
    assert leaves.ok("PING")["pong"] is True, "and no event before it"


@row("2.11 AUTH: no tokens set")
def test_auth(talk: Talk) -> None:
    assert talk.ok("AUTH", token="whatever")["success"] is True


@row("2.11 PING")
def test_ping(talk: Talk) -> None:
    reply = talk.ok("PING", reqId="k3-9x")
    assert reply["pong"] is True and reply["reqId"] == "k3-9x"


@row("2.12 KVSET, KVGET")
@pytest.mark.parametrize("value", [None, True, -3, 2.5, "ü", [1, [2]], {"a": {"b": None}}])
def test_kv_value(talk: Talk, names: Names, value: Any) -> None:
    key = names.key()
    assert talk.ok("KVGET", key=key)["value"] is None
    talk.ok("KVSET", key=key, value=value)
    assert talk.ok("KVGET", key=key)["value"] == value


@row("2.12 KVSET: refusals")
def test_kv_refusals(talk: Talk, names: Names) -> None:
    assert talk.error("KVSET", key="", value=1) == "Key cannot be empty"
    assert talk.error("KVSET", key="k" * 1025, value=1) == "Key too long (1025 > 1024 bytes)"
    size = 10_485_760
    assert talk.error("KVSET", key=names.key(), value="x" * size) == f"Value too large ({size + 2} > {size} bytes)"


@row("2.12 KVDEL, KVEXISTS")
def test_kv_exists(talk: Talk, names: Names) -> None:
    key = names.key()
    talk.ok("KVSET", key=key, value=1)
    assert talk.ok("KVEXISTS", key=key)["exists"] is True
    assert talk.ok("KVDEL", key=key)["exists"] is True
    assert talk.ok("KVDEL", key=key)["exists"] is False
    assert talk.ok("KVEXISTS", key=key)["exists"] is False


@row("2.12 KVMSET, KVMGET")
def test_kv_many(talk: Talk, names: Names) -> None:
    a, b = names.key(), names.key()
    entries = [{"key": a, "value": 1}, {"key": "", "value": 2}, {"key": b, "value": [3], "ttl": 60_000}]
    assert talk.ok("KVMSET", entries=entries)["count"] == 2
    assert talk.ok("KVMGET", keys=[b, names.text(), a])["values"] == [[3], None, 1]
    assert talk.error("KVMSET", entries=[{"key": a, "value": 1}] * 1001) == "Too many entries (1001 > 1000)"
    assert len(talk.ok("KVMGET", keys=[a] * 1100)["values"]) == 1000


@row("2.12 KVTTL, KVEXPIRE")
def test_kv_ttl(talk: Talk, names: Names) -> None:
    key = names.key()
    assert talk.ok("KVTTL", key=key)["ttl"] == -2 and talk.ok("KVEXPIRE", key=key, ttl=5)["exists"] is False
    talk.ok("KVSET", key=key, value=1, ttl=None)
    assert talk.ok("KVTTL", key=key)["ttl"] == -1
    assert talk.ok("KVEXPIRE", key=key, ttl=60_000)["exists"] is True
    assert 0 < talk.ok("KVTTL", key=key)["ttl"] <= 60_000
    talk.ok("KVSET", key=key, value=1, ttl=10)
    talk.spend(30)
    assert talk.ok("KVGET", key=key)["value"] is None and talk.ok("KVEXISTS", key=key)["exists"] is False


@row("2.12 KVKEYS")
def test_kv_keys(talk: Talk, names: Names) -> None:
    keys = [names.key() for _ in range(2)]
    for key in keys:
        talk.ok("KVSET", key=key, value=1)
    assert talk.ok("KVKEYS", pattern=keys[0])["keys"] == [keys[0]]
    assert talk.ok("KVKEYS", pattern=f"*{keys[0][5:-1]}?")["keys"] == [keys[0]]
    assert talk.ok("KVKEYS", pattern=f"{keys[0]}?")["keys"] == []
    assert set(keys) <= set(talk.ok("KVKEYS", pattern=None)["keys"]) & set(talk.ok("KVKEYS")["keys"])


@row("2.12 KVINCR")
def test_kv_incr(talk: Talk, names: Names) -> None:
    key = names.key()
    assert talk.ok("KVINCR", key=key)["value"] == 1
    assert talk.ok("KVINCR", key=key, by=-5)["value"] == -4
    assert talk.ok("KVINCR", key=key, by=None)["value"] == -3
    assert talk.ok("KVTTL", key=key)["ttl"] == -1
    talk.ok("KVSET", key=key, value=None)
    assert talk.ok("KVINCR", key=key, by=2)["value"] == 2
    talk.ok("KVSET", key=key, value=1.5)
    assert talk.error("KVINCR", key=key) == "Value is not an integer"
    talk.ok("KVSET", key=key, value="text")
    assert talk.error("KVINCR", key=key) == "Value is not a number"


@row("2.13 PUB, SUB, PSUB")
def test_pubsub(talk: Talk, open_talk: OpenTalk, names: Names) -> None:
    channel = names.text()
    listener = open_talk()
    listener.ok("HELLO", push=True)
    assert listener.ok("SUB", channels=[channel])["channels"] == [channel]
    assert listener.ok("PSUB", patterns=[f"{channel}*"])["channels"] == [f"{channel}*"]
    assert talk.ok("PUB", channel=channel, message={"n": 1})["receivers"] == 2
    assert [(one["channel"], one["message"]) for one in listener.events(2)] == [(channel, {"n": 1})] * 2
    assert listener.ok("UNSUB", channels=[channel])["channels"] == [channel]
    assert listener.ok("PUNSUB", patterns=[f"{channel}*"])["channels"] == [f"{channel}*"]
    assert talk.ok("PUB", channel=channel, message=2)["receivers"] == 0


@row("2.13 PUBSUBCHANNELS, PUBSUBNUMSUB")
def test_pubsub_lists(talk: Talk, names: Names) -> None:
    channel, nobody = names.text(), names.text()
    talk.ok("SUB", channels=[channel])
    assert talk.ok("PUBSUBCHANNELS", pattern=f"{channel[:-1]}?")["channels"] == [channel]
    assert channel in talk.ok("PUBSUBCHANNELS", pattern=None)["channels"]
    assert talk.ok("PUBSUBNUMSUB", channels=[channel, nobody])["counts"] == [[channel, 1], [nobody, 0]]


@row("beyond EXPLAIN: why not")
def test_explain(talk: Talk, queue: str) -> None:
    ids = talk.push_all(queue, [{}, {}, {"delay": 3_600_000}])
    assert "delayed" in str(talk.ok("EXPLAIN", id=ids[2]))
    talk.ok("PAUSE", queue=queue)
    assert "paused" in str(talk.ok("EXPLAIN", id=ids[1]))
    assert talk.error("EXPLAIN", id=2**53 - 1) == f"Job {2**53 - 1} not found"


@row("beyond METRICS: times and workers")
def test_metrics_of_times_and_workers(talk: Talk, queue: str) -> None:
    talk.completed(queue)
    talk.active(queue)
    metrics = talk.ok("METRICS")["metrics"]
    (mine,) = [one for one in metrics["queues"] if one["name"] == queue]
    assert (mine["workers"], mine["busy_workers"], mine["waiting_pulls"]) == (1, 1, 0)
    assert (mine["wait_ms"]["count"], mine["processing_ms"]["count"]) == (2, 1)
    for found in (metrics, mine):
        for times in (found["wait_ms"], found["processing_ms"]):
            assert times["count"] >= 1 and 0 <= times["p50"] <= times["p95"] <= times["p99"]
    assert metrics["connections"] >= metrics["workers"] >= metrics["busy_workers"] >= 1


@row("beyond WORKERS: who works")
def test_workers(talk: Talk, queue: str) -> None:
    assert talk.ok("WORKERS", queue=queue)["workers"] == []
    talk.active(queue)
    (worker,) = talk.ok("WORKERS", queue=queue, limit=10)["workers"]
    assert (worker["active"], worker["waiting_pulls"], worker["queues"]) == (1, 0, [queue])
