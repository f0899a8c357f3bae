"""Known defects of other servers, 10.3 and 10.4: what clients could exhaust, and what they could learn."""

import itertools

import pytest

from conformance.conftest import OpenTalk
from conformance.marks import defect
from conformance.talk import Names, Talk
from conftest import StartServer
from support.wire import JSON, Closed, Codec

MOST = 2**63 - 1


@defect(39)
@pytest.mark.parametrize("count", [1001, 2**32, MOST])
def test_a_huge_count_is_a_thousand(talk: Talk, queue: str, count: int) -> None:
    talk.push_all(queue, [{}] * 1000)
    talk.push(queue)
    assert len(talk.ok("PULLB", queue=queue, count=count, timeout=0)["jobs"]) == 1000


@defect(40)
def test_a_page_ends_at_a_thousand(talk: Talk, queue: str) -> None:
    for _ in range(2):
        talk.push_all(queue, [{}] * 700)
    reply = talk.ok("GETJOBS", queue=queue, limit=MOST, offset=0)
    assert len(reply["jobs"]) == 1000 and reply["total"] == 1400
    assert talk.ok("GETJOBS", queue=queue, limit=10, offset=MOST)["jobs"] == []


@defect(41, "depends_on")
def test_the_ack_of_a_dependency_releases_in_the_same_moment(talk: Talk, queue: str) -> None:
    for _ in range(20):
        first = talk.active(queue)
        job_id = talk.push(queue, depends_on=[first])
        talk.ok("ACK", id=first)
        assert talk.pull(queue, timeout=0)["id"] == job_id
        talk.ok("ACK", id=job_id)


@defect(42)
def test_subscribing_again_adds_nothing(talk: Talk, open_talk: OpenTalk, queue: str) -> None:
    for _ in range(1500):  # more than a connection may have of different queues
        talk.ok("SUBSCRIBE", queue=queue, events=["completed"])
    open_talk().ok("UNSUBSCRIBE", queue=queue)
    talk.ok("UNSUBSCRIBE", queue=queue)


@defect(43)
def test_keys_and_subscriptions_have_limits(start_own: StartServer, codec: Codec) -> None:
    server = start_own("--kv-max-keys", "3", "--max-subscriptions", "2", "--cron-max-entries", "2", "--max-queues", "4")
    with Talk(server.address, codec) as talk:
        for key in "abc":
            talk.ok("KVSET", key=key, value=1)
        assert talk.call("KVSET", key="d", value=1)["code"] == "KV_FULL"
        talk.ok("SUB", channels=["a", "b"])
        assert talk.call("SUB", channels=["c"])["code"] == "TOO_MANY_SUBSCRIPTIONS"
        for name in "ab":
            talk.ok("CRON", name=name, queue="q", repeat_every=3_600_000)
        assert talk.call("CRON", name="c", queue="q", repeat_every=3_600_000)["code"] == "CRON_LIMIT"
        replies = (talk.call("PUSH", queue=f"q{n}") for n in itertools.count())
        refused = next(reply for reply in itertools.islice(replies, 10) if not reply["ok"])
        assert refused["error"] == "Too many queues (max 4)"


@defect(44)
def test_connections_and_waiting_pulls_have_limits(start_own: StartServer, codec: Codec) -> None:
    server = start_own("--max-connections", "2", "--max-parked", "3")
    with Talk(server.address, codec) as one, Talk(server.address, codec) as two:
        assert one.ok("PING")["pong"] and two.ok("PING")["pong"]
        with Talk(server.address, codec) as three, pytest.raises((Closed, ConnectionError)):
            three.ok("PING")
        for n in range(4):
            one.send("PULL", queue="q", timeout=60_000, reqId=f"r{n}")
        reply = one.receive()
        assert (reply["reqId"], reply["code"]) == ("r3", "TOO_MANY_PENDING")


@defect(46)
def test_patterns_and_counters_at_their_edges(talk: Talk, names: Names) -> None:
    key = names.key()
    wide = f"{key}-ü€\U0001f600"
    talk.ok("KVSET", key=wide, value=MOST)
    for pattern in (f"{key}-???", f"{key}-ü*", f"{key}-*\U0001f600", f"{key}-?€?"):
        assert talk.ok("KVKEYS", pattern=pattern)["keys"] == [wide]
    for value, by in ((MOST, 1), (-MOST - 1, -1)):
        talk.ok("KVSET", key=wide, value=value)
        assert talk.error("KVINCR", key=wide, by=by) == "Value would leave the range of a 64-bit integer"
        assert talk.ok("KVGET", key=wide)["value"] == value
    talk.ok("KVDEL", key=wide)


@defect(47)
def test_times_do_not_wrap(talk: Talk, queue: str, names: Names) -> None:
    for options in ({"delay": MOST}, {"ttl": MOST}, {"timeout": MOST}, {"stall_timeout": MOST}, {"backoff": MOST}):
        job_id = talk.push(queue, **options)
        job = talk.job(job_id)
        assert job["run_at"] >= job["created_at"] and talk.state(job_id) in ("waiting", "delayed")
    jobs = talk.ok("PULLB", queue=queue, count=9, timeout=0)["jobs"]
    assert len(jobs) == 4
    talk.ok("FAIL", id=jobs[3]["id"])
    talk.ok("MOVETODELAYED", id=jobs[0]["id"], delay=MOST)
    assert talk.state(jobs[3]["id"]) == talk.state(jobs[0]["id"]) == "delayed" and talk.pulls_nothing(queue)
    assert talk.ok("CLEAN", queue=queue, grace=MOST, state="delayed")["count"] == 0
    key = names.key()
    talk.ok("KVSET", key=key, value=1, ttl=MOST)
    assert talk.ok("KVTTL", key=key)["ttl"] > 0


@defect(48)
def test_messages_that_are_dropped_are_counted(start_own: StartServer, codec: Codec) -> None:
    """`receivers` tells the sender that a listener who does not read is passed over; the listener still goes on."""
    server = start_own("--write-high-water", "64KB")
    with Talk(server.address, codec) as listener, Talk(server.address, codec) as sender:
        listener.ok("HELLO", push=True)
        listener.ok("SUB", channels=["c"])
        sent = 0
        while sender.ok("PUB", channel="c", message="x" * 100_000)["receivers"]:
            sent += 1
            assert sent < 1000, "a client that does not read is written to without end"
        assert len(listener.events(sent)) == sent
        assert listener.ok("PING")["pong"] is True
        assert sender.ok("PUB", channel="c", message="again")["receivers"] == 1


@defect(55)
def test_tokens_stand_in_no_log(start_own: StartServer, codec: Codec) -> None:
    server = start_own(env={"AUTH_TOKENS": "s3cret-token, other"})
    with Talk(server.address, codec) as talk:
        assert talk.error("STATS") == "Authentication required"
        for wrong in ("", "s3cret-toke", "s3cret-tokenn", "wrong-guess"):
            assert talk.error("AUTH", token=wrong) == "Invalid token"
        assert talk.ok("AUTH", token="s3cret-token")["success"] is True
        assert talk.ok("STATS")["ok"] is True
    with Talk(server.address, JSON) as talk:
        assert talk.ok("AUTH", token="other")["success"] is True
    server.stop()
    assert "s3cret" not in server.text and "wrong-guess" not in server.text
