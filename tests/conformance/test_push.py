"""PUSH and PUSHB: section 2.2."""

import pytest

from conformance.marks import row
from conformance.talk import Names, Talk

MIB = 1 << 20
BAD_NAMES = ["a b", "a/b", "<b>", "a\x00b", "a\nb", "a@b", "../x", "\U0001f600"]
CHARS = "Queue name must contain only alphanumeric characters, underscores, hyphens, or dots"


@row("2.2 PUSH: id")
def test_push_id(talk: Talk, queue: str) -> None:
    assert 0 < talk.push(queue, data={"a": 1}) < 2**53


@row("2.2 PUSH: name empty")
def test_push_name_empty(talk: Talk) -> None:
    assert talk.error("PUSH", queue="", data=1) == "Queue name cannot be empty"


@row("2.2 PUSH: name too long")
def test_push_name_long(talk: Talk, names: Names) -> None:
    text = "Queue name too long (max 256 chars)"
    assert talk.error("PUSH", queue="a" * 257, data=1) == text
    assert talk.error("PUSH", queue="ü" * 129, data=1) == text


@row("2.2 PUSH: name characters")
@pytest.mark.parametrize("name", BAD_NAMES)
def test_push_name_characters(talk: Talk, name: str) -> None:
    assert talk.error("PUSH", queue=name, data=1) == CHARS


@row("2.2 PUSH: names that are fine")
@pytest.mark.parametrize("extra", ["_-.9", "über", "日本"])
def test_push_name_fine(talk: Talk, names: Names, extra: str) -> None:
    queue = names.queue()
    job_id = talk.push(f"{queue}{extra}")
    assert talk.job(job_id)["queue"] == f"{queue}{extra}"
    talk.ok("CANCEL", id=job_id)


@row("2.2 PUSH: data too large")
def test_push_too_large(talk: Talk, queue: str) -> None:
    limit = talk.ok("HELLO")["max_job_size"]
    text = talk.error("PUSH", queue=queue, data="x" * (limit + 10))
    assert text.startswith("Job data too large (") and text.endswith(f" bytes, max {limit} bytes)")
    assert talk.ok("COUNT", queue=queue)["count"] == 0
    talk.push(queue, data="x" * (limit - 5))


@row("2.2 PUSH: unique key duplicate")
def test_push_unique(talk: Talk, queue: str, names: Names) -> None:
    first = talk.push(queue, unique_key="k")
    assert talk.job(first)["unique_key"] == "k"
    assert talk.error("PUSH", queue=queue, unique_key="k") == "Duplicate job with key: k"
    assert talk.push(names.queue(), unique_key="k") != first, "a key is of its queue"
    assert talk.ok("COUNT", queue=queue)["count"] == 1


@row("2.2 PUSH: debounced")
def test_push_debounced(talk: Talk, queue: str) -> None:
    talk.push(queue, debounce_id="d", debounce_ttl=60_000)
    text = talk.error("PUSH", queue=queue, debounce_id="d", debounce_ttl=60_000)
    assert text == "Debounced: job with id 'd' was pushed recently"


@row("2.2 PUSH: name before size")
def test_push_order_name_size(talk: Talk) -> None:
    assert talk.error("PUSH", queue="a b", data="x" * (MIB + 100)) == CHARS


@row("2.2 PUSH: debounce before unique key")
def test_push_order_of_checks(talk: Talk, queue: str, names: Names) -> None:
    custom = names.text()
    first = talk.push(queue, unique_key="k", debounce_id="d", debounce_ttl=60_000, job_id=custom)
    assert talk.error("PUSH", queue=queue, unique_key="k", debounce_id="d", job_id=custom).startswith("Debounced")
    assert talk.push(queue, unique_key="k", job_id=custom) == first


@row("2.2 PUSH: counter")
def test_push_counter(talk: Talk, queue: str) -> None:
    before = talk.ok("METRICS")["metrics"]["total_pushed"]
    talk.push(queue)
    talk.push_all(queue, [{}, {}])
    assert talk.ok("METRICS")["metrics"]["total_pushed"] >= before + 3


@row("2.2 PUSHB: ids in order")
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_pushb_ids(talk: Talk, queue: str, count: int) -> None:
    ids = talk.push_all(queue, [{"data": n} for n in range(count)])
    assert ids == sorted(set(ids))
    assert talk.ok("COUNT", queue=queue)["count"] == count
    assert talk.job(ids[-1])["data"] == count - 1


@row("2.2 PUSHB: empty")
def test_pushb_empty(talk: Talk, queue: str) -> None:
    assert talk.ok("PUSHB", queue=queue, jobs=[])["ids"] == []


@row("2.2 PUSHB: too many")
def test_pushb_too_many(talk: Talk, queue: str) -> None:
    assert talk.error("PUSHB", queue=queue, jobs=[{}] * 1001) == "Batch too large (1001 items, max 1000)"
    assert talk.ok("COUNT", queue=queue)["count"] == 0


@row("2.2 PUSHB: bad name")
def test_pushb_bad_name(talk: Talk) -> None:
    assert talk.error("PUSHB", queue="a b", jobs=[{}]) == CHARS


@row("2.2 PUSHB: items that are refused")
def test_pushb_refused_items(talk: Talk, queue: str) -> None:
    size = talk.ok("HELLO")["max_job_size"]
    reply = talk.ok("PUSHB", queue=queue, jobs=[{"data": 0}, {"data": "x" * (size + 1)}, {"data": 2}])
    assert len(reply["ids"]) == 2 and reply["failed"] == [1]
    (error,) = reply["errors"]
    assert error["index"] == 1 and "too large" in error["error"]
    assert talk.pulled_data(queue, 2) == [0, 2]


@row("2.2 PUSHB: custom ids")
def test_pushb_custom_ids(talk: Talk, queue: str, names: Names) -> None:
    known, new = names.text(), names.text()
    first = talk.push(queue, job_id=known)
    ids = talk.push_all(queue, [{"job_id": new}, {"job_id": known}, {"job_id": new}])
    assert ids[1] == first and ids[0] == ids[2] != first
    assert talk.ok("COUNT", queue=queue)["count"] == 2


@row("2.2 PUSHB: unique keys")
def test_pushb_unique_keys(talk: Talk, queue: str) -> None:
    reply = talk.ok("PUSHB", queue=queue, jobs=[{"unique_key": "a"}, {"unique_key": "a"}, {"unique_key": "b"}])
    assert len(reply["ids"]) == 2 and reply["failed"] == [1]
    assert reply["errors"][0]["index"] == 1 and reply["errors"][0]["error"] == "Duplicate job with key: a"


@row("2.2 PUSHB: debounced items")
def test_pushb_debounced(talk: Talk, queue: str) -> None:
    item = {"debounce_id": "d", "debounce_ttl": 60_000}
    reply = talk.ok("PUSHB", queue=queue, jobs=[item, item])
    assert len(reply["ids"]) == 1 and reply["failed"] == [1] and "Debounced" in reply["errors"][0]["error"]


@row("2.2 PUSHB: options of items")
def test_pushb_options(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{"data": "low"}, {"data": "high", "priority": 9}, {"data": "later", "delay": 3_600_000}])
    assert talk.pulled_data(queue, 2) == ["high", "low"] and talk.pulls_nothing(queue)


@row("3.10 defaults: an explicit 0")
def test_explicit_zero(talk: Talk, queue: str) -> None:
    zeros = dict.fromkeys(("timeout", "max_attempts", "backoff", "ttl"), 0)
    flow = talk.ok("FLOW", queue=queue, data=0, children=[{"queue": queue, "data": 1, **zeros}], **zeros)
    ids = [talk.push(queue, **zeros), *talk.push_all(queue, [zeros]), flow["parent_id"], *flow["children_ids"]]
    for job in map(talk.job, ids):
        assert {name: job[name] for name in zeros} == zeros
