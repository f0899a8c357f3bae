"""Every field of every command, missing, null, of each wrong type and at its limits: refused, and nothing changed.

The cases come from the command table, so that a new command is covered on the day it is added.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from flashq.commands import BY_NAME, COMMANDS, PUSH_OPTIONS
from flashq.fields import RANGES, Command, Field, Kind, field_rule, kind_rule
from support.listening import Listener, Probes
from support.server import ServerProcess
from support.wire import Codec

# fmt: off
VALUES: list[Any] = [
    True, False, 0, 1, -1, 1.5, -0.5, 2**31, -(2**31) - 1, 2**32, 2**63, 2**64 - 1, 1e300, "", "5", "text", [], [1],
    ["a"], [None], [True], [-1], [1.5], [2**63], [[]], [{}], [{"data": 1}, 5], {}, {"a": 1}, "x" * 5000,
    ["heard", "not-there", 5],
]
NAMES_REFUSED = [
    "a b", "a/b", "<b>", "a\x00b", "\x00", "a\nb", "a\r", "a\t", "'\"", "a\u2028b", "a\u200bb", "\U0001f600", "a@b",
    "a:b", "{}", "%s", "..\\", "a;--", "\u202eb",
]
# fmt: on
NAME_TEXT = "Queue name must contain only alphanumeric characters, underscores, hyphens, or dots"


@pytest.fixture(scope="module")
def held(server: ServerProcess) -> Iterator[int]:
    """The id of an active job that only a valid request could change; its worker stays connected."""
    with server.client() as worker:
        worker.ok("PUSH", queue="held", data={"keep": "me"}, max_attempts=1)
        job = worker.ok("PULL", queue="held", timeout=0)["job"]
        worker.ok("PROGRESS", id=job["id"], progress=7, message="kept")
        yield int(job["id"])


@pytest.fixture(scope="module")
def probes(server: ServerProcess) -> Iterator[Probes]:
    with server.client() as talker:
        yield Probes(talker)


@pytest.fixture
def client(server: ServerProcess, codec: Codec, probes: Probes) -> Iterator[Listener]:
    with Listener(server.address, codec) as opened:
        opened.probes = probes
        opened.ok("HELLO", push=True)
        opened.ok("SUB", channels=["heard"])
        opened.ok("PSUB", patterns=["heard"])
        for queue in ("heard", "last"):
            opened.ok("SUBSCRIBE", queue=queue, events=["partial"])
        yield opened
        # The next test counts listeners, maybe before this one is known to be gone.
        opened.ok("UNSUB", channels=["heard"])
        opened.ok("PUNSUB", patterns=["heard"])


def state(client: Listener, held: int) -> tuple[Any, ...]:
    """All that a refused request could have changed."""
    whole = (client.ok(command) for command in ("STATS", "LISTQUEUES", "CRONLIST", "KVKEYS", "PUBSUBCHANNELS"))
    return client.ok("GETJOB", id=held), *whole, client.heard()


def good_request(command: Command, held: int) -> dict[str, Any]:
    """A request with all required fields right; it names the held job, or a queue that is not there.

    One about listening names what the client listens to: only so can a refusal take it away, or make it more.
    """
    values = {
        "queue": "not-there",
        "id": held,
        "ids": [held],
        "jobs": [{"data": 1}],
        "children": [{"queue": "not-there"}],
        "parent_id": held,
        "count": 1,
        "progress": 50,
        "token": "t",
        "name": "not-there",
        "key": "not-there",
        "keys": ["not-there"],
        "entries": [],
        "ttl": 1,
        "channel": "heard",
        "channels": ["heard"],
        "patterns": ["heard"],
        "job_id": "not-there",
        "priority": 1,
        "delay": 1,
        "data": 1,
        "message": "m",
        "limit": 1,
        "grace": 1,
    }
    if command.handler.startswith("events."):
        values["queue"] = "heard"
    return {"cmd": command.name} | {field.name: values[field.name] for field in command.fields if field.required}


def number_is_good(field: Field, value: Any) -> bool:
    low, high = RANGES[field.kind]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    whole = field.kind is Kind.PROGRESS or float(value).is_integer()
    return whole and low <= value <= (high if field.limit is None else field.limit)


def is_good(field: Field, value: Any) -> bool:
    """Whether the field takes the value: the table's rule, said once more and in another way."""
    kind = field.kind
    if kind in RANGES:
        return number_is_good(field, value)
    if kind is Kind.BOOL:
        return isinstance(value, bool)
    if kind is Kind.RAW:
        return True
    if kind in (Kind.STR, Kind.CMD, Kind.REQ_ID, Kind.CHOICE):
        fits = isinstance(value, str) and len(value) <= (field.limit or 2**30)
        return fits and (not field.choices or value in field.choices)
    if kind in (Kind.OBJECT, Kind.RETRY):
        return isinstance(value, dict)
    if kind is Kind.LIST:
        return isinstance(value, list)
    if not isinstance(value, list):
        return False
    if kind in (Kind.IDS, Kind.ID_LIST):
        fits = len(value) <= (field.limit or 2**30)
        return fits and all(number_is_good(Field("", Kind.U64, ""), child) for child in value)
    return all(isinstance(child, dict if kind is Kind.ITEMS else str) for child in value)


def expected_texts(field: Field, value: Any, shown: str) -> set[str]:
    """What the refusal may say: it names the field and its rule."""
    if field.kind in (Kind.STR, Kind.CMD) and isinstance(value, str) and not field.choices:
        return {f"Invalid: field '{shown}' is longer than {field.limit} bytes"}
    texts = {f"Invalid: field '{shown}' must be {field_rule(field)}"}
    if field.name == "id" and isinstance(value, str):
        texts.add("Invalid: missing field 'id'")  # `job_id` with a text is the push option of that name
    if field.kind is Kind.OBJECTS:
        texts |= {f"Invalid: missing field '{shown}[0].{item.name}'" for item in field.items if item.required}
    if field.kind is Kind.IDS:
        texts.add(f"Invalid: field '{shown}' must be {kind_rule(Kind.U64)}")
    return texts


CODES = {"INVALID_FIELD", "MISSING_FIELD", "OUT_OF_RANGE", "FIELD_TOO_LONG"}
FIELDS = [
    (command.name, name) for command in COMMANDS for field in command.fields for name in (field.name, *field.aliases)
]


def field_named(fields: tuple[Field, ...], name: str) -> Field:
    return next(field for field in fields if name in (field.name, *field.aliases))


@pytest.mark.parametrize(("command", "name"), FIELDS)
def test_a_field_of_a_wrong_type(client: Listener, held: int, command: str, name: str) -> None:
    field = field_named(BY_NAME[command].fields, name)
    request = {key: value for key, value in good_request(BY_NAME[command], held).items() if key != field.name}
    refused = [value for value in VALUES if not is_good(field, value)]
    before = state(client, held)
    for n, value in enumerate(refused):
        reply = client.call(**{**request, name: value, "reqId": f"r{n}"})
        assert (reply["reqId"], reply["ok"]) == (f"r{n}", False), value
        assert reply["error"] in expected_texts(field, value, field.name), value
        assert reply["code"] in CODES
    assert state(client, held) == before
    assert refused or field.kind is Kind.RAW


@pytest.mark.parametrize("field", PUSH_OPTIONS, ids=lambda field: field.name)
def test_an_option_of_a_batch_of_a_wrong_type(client: Listener, held: int, field: Field) -> None:
    before = state(client, held)
    for value in [value for value in VALUES if not is_good(field, value)]:
        jobs = [{"data": 1}, {"data": 2}, {"data": 3, field.name: value}, {field.name: value}]
        reply = client.call("PUSHB", queue="not-there", jobs=jobs, reqId="r")
        assert (reply["reqId"], reply["ok"]) == ("r", False), value
        assert reply["error"] in expected_texts(field, value, f"jobs[2].{field.name}"), value
    assert state(client, held) == before


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_a_required_field_that_is_missing_or_null(client: Listener, held: int, command: str) -> None:
    before = state(client, held)
    request = good_request(BY_NAME[command], held)
    for name in [name for name in request if name != "cmd"]:
        without = {key: value for key, value in request.items() if key != name}
        raw = field_named(BY_NAME[command].fields, name).kind is Kind.RAW  # null is a value there
        for changed in (without,) if raw else (without, {**request, name: None}):
            reply = client.call(**changed, reqId="r")
            assert reply == {
                "reqId": "r",
                "ok": False,
                "error": f"Invalid: missing field '{name}'",
                "code": "MISSING_FIELD",
            }
    assert state(client, held) == before


@pytest.mark.parametrize("command", ["PUSH", "PUSHB"])
@pytest.mark.parametrize("field", PUSH_OPTIONS, ids=lambda field: field.name)
def test_null_is_the_same_as_nothing(client: Listener, queue_name: str, command: str, field: Field) -> None:
    options = {field.name: None}
    whole = {"jobs": [options]} if command == "PUSHB" else options
    client.ok(command, queue=queue_name, **whole)
    client.ok("PUSH", queue=queue_name)
    first, second = client.ok("PULLB", queue=queue_name, count=2, timeout=0)["jobs"]
    differing = {key for key in first if first[key] != second[key]}
    assert differing <= {"id", "token", "created_at", "run_at", "started_at", "last_heartbeat"}


@pytest.mark.parametrize("value", [None, 5, True, [], {}, ["PING"], 1.5])
def test_a_command_that_is_no_name(client: Listener, value: Any) -> None:
    client.send_raw(client.codec.encode({"cmd": value, "reqId": "r"}))
    reply = client.receive()
    text = "Invalid: missing field 'cmd'" if value is None else "Invalid: field 'cmd' must be a string"
    assert (reply["reqId"], reply["ok"], reply["error"]) == ("r", False, text)


@pytest.mark.parametrize("name", ["", "x", "push", "POP", "\x00\n", "<script>", "é" * 300, "x" * 1_048_576])
def test_a_command_that_is_unknown(client: Listener, name: str) -> None:
    reply = client.call(name, reqId="r")
    assert (reply["reqId"], reply["code"]) == ("r", "UNKNOWN_COMMAND")
    assert reply["error"] == f"Invalid: unknown command '{name[:64]}'"


# -- limits ---------------------------------------------------------------------------------------------------

NUMBERS = [field for field in PUSH_OPTIONS if field.kind in RANGES]


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_numbers_at_and_past_their_limits(client: Listener, held: int, queue_name: str, field: Field) -> None:
    low, high = RANGES[field.kind]
    for value in (low, high, float(2**30), -0.0):
        id = client.ok("PUSH", queue=queue_name, data=1, **{field.name: value})["id"]
        shown = client.ok("GETJOB", id=id)["job"]
        if field.name not in {"delay", "backoff", "debounce_ttl"}:
            assert shown.get(field.name, 0) == value
        assert shown["created_at"] <= shown["run_at"] < 2**63
        client.ok("CANCEL", id=id)
    before = state(client, held)
    for value in (low - 1, high + 1, high * 2 + 1, -(2**63), 0.5, 1e19, -1e300):
        text = client.error("PUSH", queue=queue_name, data=1, **{field.name: value})
        assert text == f"Invalid: field '{field.name}' must be an integer between {low} and {high}"
    assert state(client, held) == before


@pytest.mark.parametrize(
    "command", ["GETJOB", "GETSTATE", "GETRESULT", "CANCEL", "GETPROGRESS", "ACK", "FAIL", "HEARTBEAT"]
)
def test_ids_at_the_limit_are_of_no_job(client: Listener, held: int, command: str) -> None:
    before = state(client, held)
    for id in (0, 2**53 - 1, 2**53, 2**63 - 1, held + 2**40, 2**52 | held % 32):
        reply = client.call(command, id=id)
        assert reply.get("state") == "unknown" or reply.get("result", 1) is None or f"Job {id} not" in reply["error"]
    assert state(client, held) == before


def test_counts_are_cut_to_the_batch(client: Listener, queue_name: str) -> None:
    client.ok("PUSHB", queue=queue_name, jobs=[{}] * 1000)
    client.ok("PUSH", queue=queue_name)
    for count in (1001, 2**32, 2**63 - 1):
        jobs = client.ok("PULLB", queue=queue_name, count=count, timeout=0)["jobs"]
        assert len(jobs) == 1000
        for job in reversed(jobs):
            client.ok("FAIL", id=job["id"])


def test_batches_at_and_past_the_limit(client: Listener, held: int, queue_name: str) -> None:
    ids = client.ok("PUSHB", queue=queue_name, jobs=[{"data": n} for n in range(1000)])["ids"]
    assert len(set(ids)) == 1000
    before = state(client, held)
    for count in (1001, 5000):
        assert (
            client.error("PUSHB", queue="not-there", jobs=[{}] * count) == f"Batch too large ({count} items, max 1000)"
        )
        assert client.error("ACKB", ids=[held] * count) == f"Batch too large ({count} items, max 1000)"
    assert client.error("ACKB", ids=[held, 1], tokens=[1]) == (
        "Invalid: field 'tokens' must be a list of integers, as many as 'ids' has"
    )
    assert client.ok("ACKB", ids=[2**52] * 1000)["count"] == 0
    assert state(client, held) == before


def test_fields_given_twice_by_an_alias(client: Listener, held: int) -> None:
    before = state(client, held)
    twice = [("PUSH", "max_attempts", "attempts"), ("PUSH", "attempts", "maxAttempts"), ("PUSH", "job_id", "jobId")]
    for command, first, second in twice:
        values = {"job_id": "a", "jobId": "a"} if first == "job_id" else {first: 1, second: 1}
        shown = "job_id" if first == "job_id" else "max_attempts"
        reply = client.call(command, queue="not-there", reqId="r", **values)
        assert (reply["reqId"], reply["error"]) == ("r", f"Invalid: duplicate field '{shown}'")
        reply = client.call("PUSHB", queue="not-there", jobs=[{}, values], reqId="r")
        assert (reply["reqId"], reply["error"]) == ("r", f"Invalid: duplicate field 'jobs[1].{shown}'")
    assert client.error("HEARTBEAT", id=held, job_id=held) == "Invalid: duplicate field 'id'"
    assert state(client, held) == before


# -- texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["PUSH", "PUSHB", "PULL", "PULLB", "PAUSE", "RESUME", "CRON", "SUBSCRIBE"])
def test_queue_names_that_are_refused(client: Listener, held: int, command: str) -> None:
    request = good_request(BY_NAME[command], held)
    before = state(client, held)
    texts = dict.fromkeys(NAMES_REFUSED, NAME_TEXT)
    texts |= {"": "Queue name cannot be empty", "x" * 257: "Queue name too long (max 256 chars)"}
    texts |= {"é" * 129: "Queue name too long (max 256 chars)", "x" * 1_048_576: "Queue name too long (max 256 chars)"}
    for name, text in texts.items():
        reply = client.call(**{**request, "queue": name, "timeout": 0, "reqId": "r"})
        assert (reply["reqId"], reply["ok"], reply["error"]) == ("r", False, text), name
        assert client.ok("COUNT", queue=name)["count"] == 0
        assert client.ok("ISPAUSED", queue=name)["paused"] is False
    assert state(client, held) == before


@pytest.mark.parametrize(
    "name", ["x" * 256, "é" * 128, "a", ".", "..", "-", "_", "0", "日本語", "A.b-c_9", "null", "ß"]
)
def test_queue_names_that_are_taken(client: Listener, name: str) -> None:
    id = client.ok("PUSH", queue=name, data=1)["id"]
    job = client.ok("PULL", queue=name, timeout=0)["job"]
    assert (job["id"], job["queue"]) == (id, name)
    client.ok("ACK", id=id)


# fmt: off
HOSTILE = [
    "\x00", "a\x00b", "\n", "\r\n", "<script>alert(1)</script>", "'; DROP TABLE jobs; --", "%s%n{0}", "\u202e\u200b",
    "\U0010ffff", '"},{"', "\\", "\\u0000", "../../etc/passwd",
]
# fmt: on


def test_hostile_texts_are_only_texts(client: Listener, queue_name: str) -> None:
    for n, text in enumerate(HOSTILE):
        id = client.ok("PUSH", queue=queue_name, data={text: text}, tags=[text], job_id=f"{queue_name}{text}")["id"]
        job = client.ok("PULL", queue=queue_name, timeout=0, reqId=text)["job"]
        assert (job["data"], job["tags"], job["custom_id"]) == ({text: text}, [text], f"{queue_name}{text}")
        client.ok("PROGRESS", id=id, progress=n, message=text)
        assert client.ok("GETPROGRESS", id=id)["message"] == text
        client.ok("FAIL", id=id, error=text)
        assert client.ok("GETJOB", id=id)["job"]["progress_msg"] == text
        client.ok("CANCEL", id=id)


def test_long_texts(client: Listener, queue_name: str) -> None:
    """A message is cut, so that a FAIL with a long traceback counts; a cut name would be another, and is refused."""
    id = client.ok("PUSH", queue=queue_name, data=1, job_id=queue_name.ljust(1024, "x"))["id"]
    assert (
        client.error("PUSH", queue=queue_name, job_id="x" * 1025) == "Invalid: field 'job_id' is longer than 1024 bytes"
    )
    client.ok("PULL", queue=queue_name, timeout=0)
    for size, kept in ((65_536, 65_536), (65_537, 65_536), (1_048_576, 65_536)):
        client.ok("PROGRESS", id=id, progress=1, message="x" * size)
        assert client.ok("GETPROGRESS", id=id)["message"] == "x" * kept
    client.ok("PROGRESS", id=id, progress=1, message="x" + "é" * 40_000)
    assert client.ok("GETPROGRESS", id=id)["message"] == "x" + "é" * 32_767  # not half of a character
    client.ok("FAIL", id=id, error="y" * 1_048_576)
    assert client.ok("GETJOB", id=id)["job"]["progress_msg"] == "y" * 65_536
