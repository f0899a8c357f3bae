"""Every command over every way in: TCP, Unix socket and TLS, in both formats, with the replies to the letter."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import flashq
from flashq.commands import BY_NAME, COMMANDS
from flashq.fields import Command
from flashq.job_shape import JOB_FIELDS
from support.certificates import Certificate
from support.server import ServerProcess
from support.wire import CODECS, JSON, MSGPACK, Client, Codec, Message

OK = [("ok", True), ("success", True)]
JOB_KEYS = [field.name for field in JOB_FIELDS]
WAYS = ("tcp", "unix", "tls")

Connect = Callable[[Codec], Client]


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """One with TCP and a Unix socket, one with TLS."""
    directory = tmp_path_factory.mktemp("wire")
    started: list[ServerProcess] = []
    try:
        started.append(ServerProcess(directory, "--unix-socket", str(directory / "q.sock")))
        tls = ("--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
        started.append(ServerProcess(directory, "--data-dir", "other", *tls))
        yield started[0], started[1]
        for one in started:
            one.stop()
    finally:
        for one in started:
            one.kill()


@pytest.fixture(params=WAYS)
def connect(
    request: pytest.FixtureRequest, servers: tuple[ServerProcess, ServerProcess], certificate: Certificate
) -> Connect:
    """Opens a client over one of the ways in."""
    plain, secure = servers
    ways: dict[str, Connect] = {
        "tcp": plain.client,
        "unix": lambda codec: Client(str(plain.ready["unix"]), codec),
        "tls": lambda codec: secure.client(codec, tls=certificate.client_context()),
    }
    return ways[request.param]


@pytest.fixture
def client(connect: Connect, codec: Codec) -> Iterator[Client]:
    with connect(codec) as opened:
        yield opened


def exact(client: Client, cmd: str, **fields: Any) -> list[tuple[str, Any]]:
    """The reply's keys and values in the order in which they came."""
    return list(client.call(cmd, **fields).items())


def push(client: Client, queue: str, **fields: Any) -> int:
    return int(client.ok("PUSH", queue=queue, **fields)["id"])


def pull(client: Client, queue: str) -> Message:
    job = client.ok("PULL", queue=queue, timeout=0)["job"]
    assert isinstance(job, dict)
    return job


# -- the commands ---------------------------------------------------------------------------------------------


def test_the_life_of_a_job(client: Client, queue_name: str) -> None:
    made = exact(client, "PUSH", queue=queue_name, data={"to": ["a", 1.5, None]}, priority=-7, tags=["x"], reqId="r1")
    id = dict(made)["id"]
    assert made == [("reqId", "r1"), *OK, ("id", id)]
    assert 0 < id < 2**53
    assert exact(client, "GETSTATE", id=id) == [*OK, ("id", id), ("state", "waiting")]
    assert exact(client, "COUNT", queue=queue_name) == [*OK, ("count", 1)]
    pulled = exact(client, "PULL", queue=queue_name, timeout=0, reqId="r2")
    job = dict(pulled)["job"]
    assert pulled == [("reqId", "r2"), *OK, ("job", job)]
    assert list(job) == JOB_KEYS
    expected = {"id": id, "queue": queue_name, "data": {"to": ["a", 1.5, None]}, "priority": -7, "state": "active"}
    expected |= {"tags": ["x"], "attempts": 0, "unique_key": None, "depends_on": [], "completed_at": 0, "lifo": False}
    assert {key: job[key] for key in expected} == expected
    assert job["created_at"] == job["run_at"] <= job["started_at"] == job["last_heartbeat"]
    assert 0 < job["token"] < 2**53
    assert exact(client, "PROGRESS", id=id, progress=40.9, message="4 of 10", token=job["token"]) == OK
    shown = {"id": id, "progress": 40, "message": "4 of 10"}
    assert exact(client, "GETPROGRESS", id=id) == [*OK, ("progress", shown), ("message", "4 of 10")]
    assert exact(client, "HEARTBEAT", id=id) == OK
    assert exact(client, "HEARTBEAT", job_id=id, reqId="h") == [("reqId", "h"), *OK]
    assert exact(client, "ACK", id=id, result={"sent": True}, token=job["token"]) == OK
    assert exact(client, "GETRESULT", id=id) == [*OK, ("id", id), ("result", {"sent": True})]
    got = client.ok("GETJOB", id=id)
    assert list(got) == ["ok", "success", "job", "state"]
    assert list(got["job"]) == JOB_KEYS
    assert (got["state"], got["job"]["state"], got["job"]["token"]) == ("completed", "completed", None)
    assert got["job"]["completed_at"] >= job["started_at"]


def test_an_attempt_that_fails(client: Client, queue_name: str) -> None:
    id = push(client, queue_name, data=1, max_attempts=2)
    pull(client, queue_name)
    assert exact(client, "FAIL", id=id, error="mailbox full") == OK
    assert exact(client, "GETSTATE", id=id)[-1] == ("state", "waiting")
    again = pull(client, queue_name)
    assert (again["id"], again["attempts"], again["progress_msg"]) == (id, 1, "mailbox full")
    assert exact(client, "FAIL", id=id, reqId="f") == [("reqId", "f"), *OK]
    assert client.ok("GETJOB", id=id)["state"] == "failed"


def test_batches(client: Client, queue_name: str) -> None:
    made = exact(client, "PUSHB", queue=queue_name, jobs=[{"data": n} for n in range(5)], reqId="b")
    ids = dict(made)["ids"]
    assert made == [("reqId", "b"), *OK, ("ids", ids)]
    assert len(ids) == 5 and ids == sorted(ids)
    assert exact(client, "PUSHB", queue=queue_name, jobs=[]) == [*OK, ("ids", [])]
    taken = exact(client, "PULLB", queue=queue_name, count=3, timeout=0)
    jobs = dict(taken)["jobs"]
    assert taken == [*OK, ("jobs", jobs)]
    assert [job["id"] for job in jobs] == ids[:3] and [job["data"] for job in jobs] == [0, 1, 2]
    assert all(list(job) == JOB_KEYS for job in jobs)
    assert exact(client, "PULLB", queue=queue_name, count=0) == [*OK, ("jobs", []), ("job", None)]
    tokens = [jobs[0]["token"], jobs[1]["token"] - 1]
    assert exact(client, "ACKB", ids=ids[:2], tokens=tokens) == [*OK, ("ids", [1]), ("count", 1)]
    assert exact(client, "ACKB", ids=ids, reqId="a") == [("reqId", "a"), *OK, ("ids", [2]), ("count", 2)]
    assert exact(client, "ACKB", ids=[]) == [*OK, ("ids", [0]), ("count", 0)]
    assert client.ok("COUNT", queue=queue_name)["count"] == 2


def test_pulls_that_find_nothing(client: Client, queue_name: str) -> None:
    assert exact(client, "PULL", queue=queue_name, timeout=0, reqId="p") == [("reqId", "p"), *OK, ("job", None)]
    assert exact(client, "PULLB", queue=queue_name, count=5, timeout=1) == [*OK, ("jobs", []), ("job", None)]


def test_cancel(client: Client, queue_name: str) -> None:
    id = push(client, queue_name, data=1)
    assert exact(client, "CANCEL", id=id) == OK
    assert exact(client, "GETJOB", id=id) == [*OK, ("job", None), ("state", "unknown")]
    missing = [("ok", False), ("error", f"Job {id} not found"), ("code", "JOB_NOT_FOUND")]
    assert exact(client, "CANCEL", id=id) == missing
    assert exact(client, "ACK", id=id, reqId="r3") == [("reqId", "r3"), *missing]
    assert exact(client, "FAIL", id=id) == missing
    assert exact(client, "GETPROGRESS", id=id) == missing
    assert client.error("PROGRESS", id=id, progress=1) == f"Job {id} not found in processing"
    assert client.error("HEARTBEAT", id=id) == f"Job {id} not in processing"
    assert exact(client, "GETRESULT", id=id) == [*OK, ("id", id), ("result", None)]


def test_pause_and_resume(client: Client, queue_name: str) -> None:
    assert exact(client, "ISPAUSED", queue=queue_name) == [*OK, ("paused", False)]
    assert exact(client, "PAUSE", queue=queue_name) == OK
    assert exact(client, "ISPAUSED", queue=queue_name) == [*OK, ("paused", True)]
    id = push(client, queue_name, data=1)
    assert client.ok("PULL", queue=queue_name, timeout=0)["job"] is None
    client.send("PULL", queue=queue_name, timeout=20_000, reqId="parked")
    client.send("RESUME", queue=queue_name, reqId="resume")
    replies = {reply["reqId"]: reply for reply in (client.receive(), client.receive())}
    assert list(replies["resume"].items()) == [("reqId", "resume"), *OK]
    assert replies["parked"]["job"]["id"] == id


def test_lists_and_counts(client: Client, queue_name: str) -> None:
    before = client.ok("STATS")
    client.ok("PUSHB", queue=queue_name, jobs=[{"data": 1}] * 3 + [{"data": 1, "delay": 3_600_000}] * 2)
    client.ok("ACK", id=pull(client, queue_name)["id"])
    pull(client, queue_name)
    client.ok("PAUSE", queue=queue_name)
    stats = client.ok("STATS")
    assert list(stats) == ["ok", "success", "queued", "processing", "delayed", "dlq", "completed", "queues"]
    changes = {key: stats[key] - before[key] for key in ("queued", "processing", "delayed", "dlq", "completed")}
    assert changes == {"queued": 1, "processing": 1, "delayed": 2, "dlq": 0, "completed": 1}
    counts = [("waiting", 1), ("active", 1), ("completed", 1), ("failed", 0), ("delayed", 2), ("paused", True)]
    assert list(stats["queues"][queue_name].items()) == counts
    listed = client.ok("LISTQUEUES")
    assert list(listed) == ["ok", "success", "queues"]
    (mine,) = [queue for queue in listed["queues"] if queue["name"] == queue_name]
    expected = [("name", queue_name), ("pending", 3), ("processing", 1), ("dlq", 0), ("paused", True)]
    expected += [("rate_limit", None), ("concurrency_limit", None), ("completed", 1), ("delayed", 2)]
    assert list(mine.items()) == expected


def test_the_connection_itself(client: Client) -> None:
    assert exact(client, "PING", reqId="p") == [("reqId", "p"), *OK, ("pong", True)]
    assert exact(client, "AUTH", token="any") == OK
    greeting = exact(client, "HELLO", session="w1", push=True, reqId="h")
    limits = [("max_batch", 1000), ("max_frame", 16 * 1024 * 1024), ("max_job_size", 1024 * 1024), ("max_parked", 1000)]
    who = [("session", "w1"), ("server", "flashq"), ("version", flashq.__version__), ("push", True)]
    assert greeting == [("reqId", "h"), *OK, *who, *limits]
    assert client.ok("HELLO")["session"] is None


# -- the two formats ------------------------------------------------------------------------------------------

VALUES = [None, True, 0, -1, 2**53, 2**63, 2**64 - 1, -(2**63), 3.14, -0.0, 1e308, "", 'é\U0001f600\n\x00"\\/']
VALUES += [[], {}, [[1, [2]], {"": {"a b": None}}], {"n": [1.0, 1]}, "x" * 70_000, [0] * 70_000]


@pytest.mark.parametrize("producer", list(CODECS))
def test_payloads_arrive_as_they_were(connect: Connect, codec: Codec, producer: str, queue_name: str) -> None:
    with connect(CODECS[producer]) as pushing, connect(codec) as pulling:
        for value in VALUES:
            pushing.ok("PUSH", queue=queue_name, data=value)
            job = pull(pulling, queue_name)
            assert (job["data"], type(job["data"])) == (value, type(value))
            pulling.ok("ACK", id=job["id"], result=value)
            assert pushing.ok("GETRESULT", id=job["id"])["result"] == value


def test_a_reply_is_one_line(connect: Connect, queue_name: str) -> None:
    with connect(MSGPACK) as pushing, connect(JSON) as pulling:
        id = push(pushing, queue_name, data={"a\nb": "\r\n\x00\u2028"}, tags=["\n"])
        pulling.send_raw(b'{"cmd":"PULL","queue":"%s","timeout":0,"reqId":"\\n"}\n' % queue_name.encode())
        job = pulling.receive()["job"]
        assert (job["id"], job["data"], job["tags"]) == (id, {"a\nb": "\r\n\x00\u2028"}, ["\n"])
        assert pulling.ok("PING")["pong"] is True


def test_exact_bytes(connect: Connect, queue_name: str) -> None:
    with connect(JSON) as text, connect(MSGPACK) as binary:
        id = push(text, queue_name, data=1)
        text.send_raw(b'{"cmd":"GETSTATE","id":%d,"reqId":"r1"}\n' % id)
        expected = b'{"reqId":"r1","ok":true,"success":true,"id":%d,"state":"waiting"}\n' % id
        assert read_exactly(text, len(expected)) == expected
        binary.send_raw(bytes.fromhex("0000000a81a3636d64a450494e47"))
        expected = bytes.fromhex("0000001483a26f6bc3a773756363657373c3a4706f6e67c3")
        assert read_exactly(binary, len(expected)) == expected


def read_exactly(client: Client, size: int) -> bytes:
    found = b""
    while len(found) < size:
        data = client.socket.recv(size - len(found))
        assert data, f"closed after {found!r}"
        found += data
    return found


# -- the examples of the reference ----------------------------------------------------------------------------

HELD = {"ACK", "ACKB", "FAIL", "PROGRESS", "PARTIAL", "HEARTBEAT", "GETJOB", "GETSTATE", "GETPROGRESS", "GETRESULT",
        "WAITJOB"}
SERVER_WIDE = {"LISTQUEUES", "STATS"}
MOVING = {"METRICS", "WORKERS", "CRONLIST", "KVTTL", "SYNC"}  # numbers that nobody can foretell
BEFORE: dict[str, list[dict[str, Any]]] = {
    "KVGET": [{"cmd": "KVSET", "key": "config:rate", "value": {"max": 5}}],
    "KVDEL": [{"cmd": "KVSET", "key": "config:rate", "value": 1}],
    "KVMGET": [{"cmd": "KVSET", "key": "a", "value": 1}, {"cmd": "KVDEL", "key": "b"}],
    "KVEXISTS": [{"cmd": "KVSET", "key": "a", "value": 1}],
    "KVEXPIRE": [{"cmd": "KVSET", "key": "a", "value": 1}],
    "KVTTL": [{"cmd": "KVSET", "key": "a", "value": 1, "ttl": 60_000}],
    "KVKEYS": [{"cmd": "KVSET", "key": "config:rate", "value": 1}],
    "KVINCR": [{"cmd": "KVDEL", "key": "visits"}],
    "CRONDELETE": [dict(BY_NAME["CRON"].example[0])],
    "CRONLIST": [dict(BY_NAME["CRON"].example[0])],
    "PUBSUBCHANNELS": [{"cmd": "SUB", "channels": ["news"]}],
    "PUBSUBNUMSUB": [{"cmd": "SUB", "channels": ["news"]}],
}
LISTENERS = {"PUB": 0, "PUBSUBNUMSUB": 1}  # where the examples say 2
SHOW_JOBS = {"PULL", "GETJOB", "GETJOBBYCUSTOMID", "DLQ", "GETJOBS", "GETJOBSBATCH"}
STEADY = {"queue", "data", "priority", "attempts", "state", "tags", "stall_timeout"}
# What must have happened before the request of an example.
STAGES: dict[str, Callable[[Client, str, list[int]], object]] = {
    "GETPROGRESS": lambda client, _, ids: client.ok("PROGRESS", id=ids[0], progress=40, message="page 4 of 10"),
    "GETRESULT": lambda client, _, ids: client.ok("ACK", id=ids[0], result={"sent": True}),
    "WAITJOB": lambda client, _, ids: client.ok("ACK", id=ids[0], result={"sent": True}),
    "GETLOGS": lambda client, _, ids: client.ok("LOG", id=ids[0], message="page 4 of 10", level="debug"),
    "COUNT": lambda client, queue, _: [push(client, queue, delay=delay) for delay in (0, 60_000)],
    "DRAIN": lambda client, queue, _: [push(client, queue, delay=delay) for delay in (0, 60_000)],
    "OBLITERATE": lambda client, queue, _: [push(client, queue) for _ in range(4)],
    "MOVETODELAYED": lambda client, queue, _: client.ok("PULL", queue=queue),
    "PROMOTE": lambda client, queue, ids: (
        client.ok("PULL", queue=queue), client.ok("MOVETODELAYED", id=ids[0], delay=60_000)
    ),
    "LISTQUEUES": lambda client, queue, _: client.ok("SETCONCURRENCY", queue=queue, limit=5),
    "GETJOBCOUNTS": lambda client, queue, _: count_up(client, queue),
    "DLQ": lambda client, _, ids: client.ok("DISCARD", id=ids[0]),
    "RETRYDLQ": lambda client, queue, ids: [client.ok("DISCARD", id=id) for id in (ids[0], push(client, queue))],
    "PURGEDLQ": lambda client, queue, ids: [client.ok("DISCARD", id=id) for id in (ids[0], push(client, queue))],
    "METRICS": lambda client, queue, ids: (client.ok("PULL", queue=queue), client.ok("ACK", id=ids[0])),
    "WORKERS": lambda client, queue, _: (client.ok("HELLO", session=queue), client.ok("PULL", queue=queue)),
    "CLEAN": lambda client, queue, ids: [client.ok("DISCARD", id=id) for id in (ids[0], push(client, queue))],
}
OWN_EXAMPLES = {"CLEAN": {"grace": 0}, "SYNC": {"position": 1}}  # of the request: no test waits an hour


def count_up(client: Client, queue: str) -> None:
    """As many jobs of each state as the example of GETJOBCOUNTS says, when one waits already."""
    counts = BY_NAME["GETJOBCOUNTS"].example[1]["counts"]
    assert isinstance(counts, dict)
    push(client, queue, delay=60_000)
    for _ in range(counts["completed"] + counts["active"] + counts["waiting"] - 1):
        push(client, queue)
    done = client.ok("PULLB", queue=queue, count=counts["completed"])["jobs"]
    client.ok("ACKB", ids=[job["id"] for job in done])
    client.ok("PULL", queue=queue)


def filled_in(value: Any, words: dict[Any, Any]) -> Any:
    """An example with its queue and ids replaced by real ones."""
    if isinstance(value, dict):
        return {words.get(key, key): filled_in(child, words) for key, child in value.items()}
    if isinstance(value, list):
        return [filled_in(child, words) for child in value]
    return value if isinstance(value, bool) or not isinstance(value, (str, int)) else words.get(value, value)


def shape(value: Any) -> Any:
    """What is the same in every reply of a kind: keys in order, and types."""
    if isinstance(value, dict):
        return [(key, shape(child)) for key, child in value.items()]
    return [shape(child) for child in value[:1]] if isinstance(value, list) else type(value)


def prepare(client: Client, command: Command, queue: str) -> dict[Any, Any]:
    """Bring about what the example of a command is about; the real names and ids for those in it."""
    words: dict[Any, Any] = {"emails": queue, 500: 1, "news": queue, "n*": queue[:-1] + "*"}
    if command.name in LISTENERS:
        words[2] = LISTENERS[command.name]
    for request in BEFORE.get(command.name, ()):
        client.ok(**filled_in(request, words))
    if command.name in {"PUSH", "PUSHB", "PULLB", "FLOW"}:
        return words
    if command.name == "GETCHILDREN":
        child = {"queue": queue, "data": {"to": "a@b.c"}, "priority": 5}
        made = client.ok("FLOW", queue=queue, children=[child])
        client.ok("PULL", queue=queue)
        return words | {98: made["parent_id"], 97: made["children_ids"][0]}
    options = {"data": {"to": "a@b.c"}, "priority": 5}
    if command.name == "GETJOBBYCUSTOMID":
        words["welcome-17"] = options["job_id"] = f"welcome-{queue}"
    ids = [push(client, queue, **options) for _ in range(2 if command.name in HELD else 1)]
    words[97] = ids[0]
    if command.name in HELD:
        words[129] = ids[1]
        client.ok("PULLB", queue=queue, count=2)
    if command.name in SHOW_JOBS - {"PULL", "DLQ", "GETJOB"}:
        client.ok("PULL", queue=queue)
    STAGES.get(command.name, lambda *_: None)(client, queue, ids)
    return words


def only_of(queues: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The entry of this queue."""
    return [queue for queue in queues if queue["name"] == name]


def shown_job(reply: dict[str, Any]) -> dict[str, Any]:
    """The one Job of a reply."""
    job: dict[str, Any] = reply["job"] if "job" in reply else reply["jobs"][0]
    return job


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_the_examples_are_true(connect: Connect, codec: Codec, queue_name: str, name: str) -> None:
    command = BY_NAME[name]
    with connect(codec) as client:
        words = prepare(client, command, queue_name)
        request, expected = (filled_in(side, words) for side in command.example)
        reply = client.call(**{**request, **OWN_EXAMPLES.get(name, {})})
        if name in SERVER_WIDE:
            key = "queues"
            assert list(reply) == list(expected)
            there = {queue_name: reply[key][queue_name]} if name == "STATS" else only_of(reply[key], queue_name)
            assert shape(there) == shape(expected[key])
        elif name in SHOW_JOBS:
            assert list(reply) == list(expected)
            job, example = shown_job(reply), shown_job(expected)
            assert job["id"] == words[97]
            if name in {"GETJOBS", "GETJOBSBATCH"}:
                assert job["job"] == {key: value for key, value in job.items() if key != "job"}
                example = example["job"]
            state = {"state": "failed"} if name == "DLQ" else {}
            assert {k: job[k] for k in STEADY} == {**{k: example[k] for k in STEADY}, **state}
            if name in {"PULL", "GETJOB"}:
                assert shape(reply) == shape(expected)
        elif name == "GETLOGS":
            assert shape(reply) == shape(expected)
            logged, example = reply["logs"][0], expected["logs"][0]
            assert (logged["message"], logged["level"]) == (example["message"], example["level"])
        elif name in MOVING:
            if name == "WORKERS":
                reply["workers"][0]["address"] = str(reply["workers"][0]["address"])    # none over a Unix socket
            if name == "METRICS":
                reply["metrics"]["queues"] = only_of(reply["metrics"]["queues"], queue_name)
            assert shape(reply) == shape(expected)
        elif name == "GETCHILDREN":
            assert shape(reply) == shape(expected)
            assert (reply["children"][0]["id"], reply["children_ids"]) == (words[97], [words[97]])
        elif name in {"PUSH", "PUSHB", "FLOW"}:
            assert shape(reply) == shape(expected)
            assert reply.get("reqId") == expected.get("reqId")
        else:
            assert list(reply.items()) == list(expected.items())
