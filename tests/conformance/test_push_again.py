"""A push that is sent again, and a push whose unique key is held: what goes beyond the wire document."""

import pytest

from conformance.marks import row
from conformance.talk import Names, Talk


@row("beyond push_key: once")
@pytest.mark.parametrize("end", ["waiting", "completed", "removed"])
def test_push_key(talk: Talk, queue: str, names: Names, end: str) -> None:
    options = {"push_key": names.text(), "data": {"a": 1}}
    if end == "waiting":
        job_id = talk.push(queue, **options)
    elif end == "completed":
        job_id = talk.completed(queue, **options)
    else:
        job_id = talk.push(queue, **options)
        talk.ok("CANCEL", id=job_id)
    assert talk.push(queue, **options) == job_id
    assert talk.counts(queue)[0] == (end == "waiting")
    assert talk.push(names.queue(), **options) != job_id


@row("beyond push_key: of a batch")
def test_push_key_of_batch(talk: Talk, queue: str, names: Names) -> None:
    holder = talk.push(queue, unique_key="k")
    batch = {"queue": queue, "jobs": [{"data": 1}, {"unique_key": "k"}, {"data": 3}], "push_key": names.text()}
    first = talk.ok("PUSHB", **batch)
    assert first["failed"] == [1]
    assert {**talk.ok("PUSHB", **batch), "reqId": None} == {**first, "reqId": None}
    talk.ok("CANCEL", id=holder)
    second = talk.ok("PUSHB", **batch)
    assert "failed" not in second and [second["ids"][0], second["ids"][2]] == first["ids"]
    assert talk.ok("PUSHB", **batch)["ids"] == second["ids"]
    assert talk.counts(queue)[0] == 3


@row("beyond push_key: another push")
def test_push_key_of_another(talk: Talk, queue: str) -> None:
    talk.push(queue, push_key="mine")
    refused = talk.call("PUSHB", queue=queue, jobs=[{}], push_key="mine")
    assert (refused["ok"], refused["error"]) == (False, "Push key 'mine' belongs to another push")
    assert talk.counts(queue)[0] == 1


@row("beyond on_duplicate: existing")
def test_on_duplicate_existing(talk: Talk, queue: str) -> None:
    job_id = talk.active(queue, unique_key="k", data=1)
    assert talk.push(queue, unique_key="k", on_duplicate="existing", data=2) == job_id
    assert talk.job(job_id)["data"] == 1
    assert talk.push_all(queue, [{"unique_key": "k", "on_duplicate": "existing"}] * 2) == [job_id] * 2
    assert "Duplicate" in talk.error("PUSH", queue=queue, unique_key="k", on_duplicate="error")


@row("beyond on_duplicate: replace")
def test_on_duplicate_replace(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue, unique_key="k", data=1, priority=2)
    assert talk.push(queue, unique_key="k", on_duplicate="replace", data=[2], priority=7) == job_id
    assert talk.push_all(queue, [{"unique_key": "k", "on_duplicate": "replace", "data": [3]}]) == [job_id]
    job = talk.pull(queue)
    assert (job["id"], job["data"], job["priority"]) == (job_id, [3], 2)
    assert "Duplicate" in talk.error("PUSH", queue=queue, unique_key="k", on_duplicate="replace", data=4)
    assert talk.job(job_id)["data"] == [3]
