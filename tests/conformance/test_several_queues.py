"""PULL and PULLB with `queues`: section 2.2, beyond what other servers of this wire have."""

from collections import Counter

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import row
from conformance.talk import Names, Talk


@row("2.2 PULL: several queues in order")
def test_in_order(talk: Talk, names: Names) -> None:
    first, second, third = (names.queue() for _ in range(3))
    for queue in (third, second):
        talk.push_all(queue, [{"data": n} for n in range(2)])
    job = talk.ok("PULL", queues=[first, second, third], timeout=0)["job"]
    assert (job["queue"], job["data"]) == (second, 0)
    jobs = talk.ok("PULLB", queues=[first, second, third], count=2, timeout=0)["jobs"]
    assert [(job["queue"], job["data"]) for job in jobs] == [(second, 1), (third, 0)]
    talk.ok("PAUSE", queue=third)
    assert talk.ok("PULL", queues=[first, third], timeout=0)["job"] is None


@row("2.2 PULL: several queues by weight")
def test_by_weight(talk: Talk, names: Names) -> None:
    heavy, light = names.queue(), names.queue()
    for queue in (heavy, light):
        talk.push_all(queue, [{}] * 400)
    jobs = talk.ok("PULLB", queues=[light, heavy], weights=[1, 3], count=200, timeout=0)["jobs"]
    jobs += [talk.ok("PULL", queues=[light, heavy], weights=[1, 3], timeout=0)["job"] for _ in range(200)]
    found = Counter(job["queue"] for job in jobs)
    assert found[light] + found[heavy] == 400 and 200 < found[heavy] < 400
    rest = talk.ok("PULLB", queues=[light, heavy], weights=[1, 3], count=1000, timeout=0)["jobs"]
    assert len(rest) == 400, "also when one has no more"


@row("2.2 PULL: several queues waited for")
def test_waits(talk: Talk, open_talk: OpenTalk, names: Names) -> None:
    first, second = names.queue(), names.queue()
    other = open_talk()
    talk.send("PULL", queues=[first, second])
    job_id = other.push(second)
    assert talk.receive()["job"]["id"] == job_id
    left = other.push(first)
    assert other.state(left) == "waiting" and talk.ok("PING")["pong"] is True


@row("2.2 PULL: queue or queues")
@pytest.mark.parametrize("fields", [
    {}, {"queue": "a", "queues": ["a"]}, {"queues": []}, {"queues": ["a", "a"]}, {"queues": ["no name"]},
    {"queues": ["a", "b"], "weights": [1]}, {"queues": ["a"], "weights": [0]}, {"queue": "a", "weights": [1]},
])
def test_refused(talk: Talk, fields: dict[str, object]) -> None:
    assert talk.error("PULL", timeout=0, **fields)
    assert talk.error("PULLB", count=1, timeout=0, **fields)
