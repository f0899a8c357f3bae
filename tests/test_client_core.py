"""What becomes of requests when connections break, answers fail to come or cannot be told apart: without any socket."""

import json
from concurrent.futures import Future
from typing import Any

import pytest

from flashq.client import ClientClosed, ConnectionLost, DeadlineExceeded
from flashq.client.call import KEY_SECONDS, Call, make
from flashq.client.calls import access, jobs, kv, management, pubsub
from flashq.client.core import Core, Request
from flashq.client.held import MAX_HELD, MAX_SESSIONS, Held
from flashq.client.refusals import InvalidMsgpack, InvalidToken, JobNotFound, MessageTooLarge, StorageFailed
from flashq.client.wire_json import JsonWire
from flashq.errors import SHUTTING_DOWN, STORAGE_FAILED

GREETING = {"server": "flashq", "session": "s", "version": "1", "push": True, "max_batch": 1000, "max_frame": 1 << 24,
            "max_job_size": 1 << 20, "max_parked": 1000}
UNREADABLE = {"ok": False, "error": "MessagePack deserialize error: invalid data at byte 9", "code": "INVALID_MSGPACK"}
Message = dict[str, Any]


class Peer:
    """The server's side of a core: what came, and what is answered. Time stands still until it is moved."""

    def __init__(self, token: str | None = None, session: str | None = "s") -> None:
        self.now = 100.0
        self.core = Core(JsonWire, token, session, lambda: self.now)

    def took(self) -> list[Message]:
        """What was sent since the last look."""
        sent = [json.loads(line) for frame in self.core.outgoing for line in frame.splitlines()]
        self.core.outgoing.clear()
        return sent

    def says(self, *messages: Message) -> None:
        self.core.received(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def accepts(self) -> list[Message]:
        """A new connection up to the end of the greeting; what was sent with it, and after it."""
        self.core.opened()
        greeting = self.took()
        for message in greeting:
            self.says({"reqId": message["reqId"], "ok": True, **(GREETING if message["cmd"] == "HELLO" else {})})
        return greeting + self.took()

    def ask(self, call: Call[Any]) -> "Future[Message]":
        future: Future[Message] = Future()
        self.last = Request(call, self.core.wire.pack(call.fields), future)
        self.core.submit(self.last)
        return future

    def answer(self, message: Message, **body: Any) -> None:
        self.says({"reqId": message["reqId"], "ok": True, **body})

    def refuse(self, message: Message, code: str, error: str) -> None:
        self.says({"reqId": message["reqId"], "ok": False, "code": code, "error": error})


@pytest.fixture
def peer() -> Peer:
    one = Peer()
    assert [message["cmd"] for message in one.accepts()] == ["HELLO"]
    return one


def commands(messages: list[Message]) -> list[str]:
    return [message["cmd"] for message in messages]


def test_the_greeting_says_who_this_is_before_anything_else() -> None:
    peer = Peer("t0ken", "s1")
    waiting = peer.ask(jobs.push("a", 1))
    assert peer.took() == []
    auth, hello, push = peer.accepts()
    assert (auth["cmd"], auth["token"]) == ("AUTH", "t0ken")
    assert (hello["cmd"], hello["session"], hello["push"]) == ("HELLO", "s1", True)
    assert push["cmd"] == "PUSH" and not waiting.done()
    peer.answer(push, id=5)
    assert waiting.result()["id"] == 5
    assert peer.core.server is not None and peer.core.server.max_batch == 1000


def test_each_client_has_a_session_of_its_own() -> None:
    names = {Peer(session=None).accepts()[0]["session"] for _ in range(10)}
    assert len(names) == 10 and all(len(name) == 32 for name in names)


def test_a_refused_token_is_told() -> None:
    peer = Peer("wrong")
    peer.core.opened()
    auth, hello = peer.took()
    peer.refuse(auth, "INVALID_TOKEN", "Invalid token")
    peer.refuse(hello, "AUTH_REQUIRED", "Authentication required")
    assert isinstance(peer.core.failed, InvalidToken) and not peer.core.ready


def test_answers_come_in_any_order(peer: Peer) -> None:
    futures = [peer.ask(jobs.push("a", n)) for n in range(3)]
    for message in reversed(peer.took()):
        peer.answer(message, id=message["data"])
    assert [future.result()["id"] for future in futures] == [0, 1, 2]


def test_what_is_safe_is_sent_again_in_order_and_the_rest_is_told(peer: Peer) -> None:
    push = peer.ask(jobs.push("a", 1))
    increment = peer.ask(kv.kv_increment("k"))
    bare_ack = peer.ask(jobs.ack(5))
    ack = peer.ask(jobs.ack(5, token=7))
    first = peer.took()
    peer.core.lost()
    for unsafe in (increment, bare_ack):
        with pytest.raises(ConnectionLost, match="may have been done"):
            unsafe.result(0)
    later = peer.ask(kv.kv_increment("k"))      # never sent: it may go out
    again = peer.accepts()[1:]
    assert commands(again) == ["PUSH", "ACK", "KVINCR"]
    assert again[0] == first[0] and "push_key" in again[0], "to the letter, its key too"
    peer.answer(again[0], id=9)
    peer.refuse(again[1], "JOB_NOT_FOUND", "Job 5 not found")
    assert push.result()["id"] == 9 and not later.done()
    error = ack.exception()
    assert isinstance(error, JobNotFound) and error.sent_again


def test_a_push_is_not_sent_again_when_its_key_may_be_forgotten(peer: Peer) -> None:
    push = peer.ask(jobs.push("a", 1))
    peer.took()
    peer.now += KEY_SECONDS + 1
    peer.core.lost()
    with pytest.raises(ConnectionLost):
        push.result(0)


def test_nor_when_the_next_connection_comes_too_late(peer: Peer) -> None:
    push = peer.ask(jobs.push("a", 1))
    peer.took()
    peer.core.lost()
    peer.now += KEY_SECONDS + 1
    assert commands(peer.accepts()) == ["HELLO"]
    with pytest.raises(ConnectionLost):
        push.result(0)


def test_pushes_have_keys_of_their_own_unless_one_is_given() -> None:
    keys = {jobs.push("a").fields["push_key"] for _ in range(100)}
    assert len(keys) == 100
    assert jobs.push("a", push_key="mine").fields["push_key"] == "mine"


def test_a_server_that_shuts_down_has_done_nothing(peer: Peer) -> None:
    increment = peer.ask(kv.kv_increment("k"))
    (message,) = peer.took()
    peer.refuse(message, SHUTTING_DOWN.code, SHUTTING_DOWN.text)
    assert not increment.done()
    peer.core.lost()
    assert commands(peer.accepts()) == ["HELLO", "KVINCR"]


def test_a_server_whose_storage_failed_may_have_done_it(peer: Peer) -> None:
    push, increment = peer.ask(jobs.push("a")), peer.ask(kv.kv_increment("k"))
    for message in peer.took():
        peer.refuse(message, STORAGE_FAILED.code, STORAGE_FAILED.text)
    assert isinstance(increment.exception(0), StorageFailed) and not push.done()
    peer.core.lost()
    assert commands(peer.accepts()) == ["HELLO", "PUSH"]


def test_a_deadline_says_whether_the_request_was_sent(peer: Peer) -> None:
    sent = peer.ask(jobs.push("a"))
    assert peer.core.expire(peer.last, 3, "") is False, "heard of since"
    assert isinstance(error := sent.exception(0), DeadlineExceeded) and error.sent
    again = peer.ask(jobs.push("a"))
    peer.core.lost()
    peer.core.expire(peer.last, 3, "")
    assert isinstance(error := again.exception(0), DeadlineExceeded) and error.sent, "by the connection before"
    unsent = peer.ask(jobs.push("a"))
    peer.core.expire(peer.last, 3, "connection refused")
    error = unsent.exception(0)
    assert isinstance(error, DeadlineExceeded) and not error.sent and "connection refused" in str(error)
    assert commands(peer.accepts()) == ["HELLO"]


def test_a_silent_connection_is_noticed(peer: Peer) -> None:
    peer.now += 5
    peer.ask(jobs.push("a"))
    assert peer.core.expire(peer.last, 3, "") is True
    assert peer.core.expire(peer.last, 3, "") is False, "only once"


def test_jobs_that_nobody_waits_for_are_given_back(peer: Peer) -> None:
    peer.ask(jobs.pull("a"))
    peer.core.expire(peer.last, 3, "")
    (pull,) = peer.took()
    peer.answer(pull, job={"id": 7, "token": 70})
    (fail,) = peer.took()
    assert (fail["cmd"], fail["id"], fail["token"], fail["release"]) == ("FAIL", 7, 70, True)
    peer.ask(jobs.pull_batch("a", 2))
    peer.core.abandon(peer.last)
    (pull,) = peer.took()
    peer.answer(pull, jobs=[{"id": 7, "token": 71}, {"id": 8, "token": 80}])
    assert [message["id"] for message in peer.took()] == [7, 8]


def test_a_lost_answer_of_a_pull_changes_the_session_and_the_old_one_is_kept_for_its_jobs(peer: Peer) -> None:
    for id in (7, 8):
        peer.ask(jobs.pull("a"))
        peer.answer(peer.took()[0], job={"id": id, "token": 10 * id})
    peer.core.lost()
    assert peer.accepts()[0]["session"] == "s", "nothing is in doubt: the same session"
    assert peer.core.held.sessions == []
    pull = peer.ask(jobs.pull("a"))
    peer.took()
    peer.core.lost()
    hello, again = peer.accepts()
    assert hello["session"].startswith("s~") and again["cmd"] == "PULL" and not pull.done()
    assert peer.core.held.changed and peer.core.held.sessions == ["s"]
    peer.answer(again, job={"id": 9, "token": 90})
    peer.ask(jobs.ack(8, token=80))
    peer.answer(peer.took()[0])
    assert peer.core.held.sessions == ["s"], "for the sake of the other"
    peer.says({"event": "cancel", "id": 7, "queue": "a", "token": 70})
    assert peer.core.held.sessions == [], "what was lost with the answer may go back"


def test_who_keeps_a_session_says_nothing_else(peer: Peer) -> None:
    keeper = Peer()
    keeper.core = peer.core.keeper("s")
    (hello,) = keeper.accepts()
    assert (hello["cmd"], hello["session"], hello["push"]) == ("HELLO", "s", False)
    keeper.core.lost()
    assert keeper.accepts()[0]["session"] == "s"


def test_what_could_not_be_read_is_told_to_whom_it_belongs(peer: Peer) -> None:
    pull = peer.ask(jobs.pull("a"))
    first, second, third = (peer.ask(jobs.push("a", n)) for n in range(3))
    messages = peer.took()
    peer.answer(messages[1], id=1)
    peer.says(UNREADABLE)
    peer.answer(messages[3], id=3)
    assert first.result()["id"] == 1 and third.result()["id"] == 3 and not pull.done()
    assert isinstance(second.exception(0), InvalidMsgpack)


def test_what_nobody_waits_for_is_still_the_one_to_blame(peer: Peer) -> None:
    peer.ask(jobs.push("a", 1))
    peer.core.abandon(peer.last)
    other = peer.ask(jobs.push("a", 2))
    _, message = peer.took()
    peer.says(UNREADABLE)
    peer.answer(message, id=2)
    assert other.result()["id"] == 2


def test_a_session_of_the_users_own_leaves_the_one_before_to_its_jobs(peer: Peer) -> None:
    peer.ask(jobs.pull("a"))
    peer.answer(peer.took()[0], job={"id": 7, "token": 70})
    peer.ask(access.hello(session="mine", push=True))
    peer.answer(peer.took()[0], **GREETING)
    assert peer.core.held.sessions == ["s"]
    peer.core.lost()
    assert peer.accepts()[0]["session"] == "mine"


def test_subscriptions_hold_for_later_connections(peer: Peer) -> None:
    peer.ask(pubsub.subscribe(["b", "a"]))
    peer.answer(peer.took()[0], channels=["b", "a"])
    peer.ask(pubsub.subscribe_events("q", ["failed"]))
    peer.answer(peer.took()[0])
    peer.core.lost()
    _, events, channels = peer.accepts()
    assert (events["cmd"], events["queue"], events["events"]) == ("SUBSCRIBE", "q", ["failed"])
    assert (channels["cmd"], channels["channels"]) == ("SUB", ["a", "b"])
    peer.ask(pubsub.unsubscribe(["a"]))
    peer.answer(peer.took()[0], channels=["a"])
    peer.core.lost()
    assert peer.accepts()[-1]["channels"] == ["b"]


def test_what_no_frame_holds_is_never_sent(peer: Peer) -> None:
    """The server would close the connection, and others with it."""
    future = peer.ask(jobs.push("a", "x" * (1 << 24)))
    assert isinstance(future.exception(0), MessageTooLarge) and peer.took() == []
    assert peer.core.pending == {}


def test_a_closed_client_tells_all_who_wait(peer: Peer) -> None:
    sent = peer.ask(jobs.push("a"))
    peer.core.close()
    late = peer.ask(jobs.push("a"))
    assert all(isinstance(future.exception(0), ClientClosed) for future in (sent, late))


def test_ids_and_tokens_come_from_a_job() -> None:
    from flashq.client.readers import make_job

    one, other = (make_job({"id": id, "token": token}) for id, token in ((5, 50), (6, 60)))
    assert jobs.ack(one, 1).fields == {"id": 5, "token": 50, "result": 1}
    assert jobs.ack(one, token=9).fields == {"id": 5, "token": 9}
    assert management.cancel(one.id).fields == {"id": 5}
    assert jobs.ack_batch([one, other]).fields == {"ids": [5, 6], "tokens": [50, 60]}
    assert jobs.ack_batch([one, 6]).fields == {"ids": [5, 6]}


def test_a_call_that_names_no_known_command_is_none() -> None:
    with pytest.raises(KeyError):
        _ = make("POP", {}, dict, None, None).again


def test_what_is_held_has_a_bound() -> None:
    held = Held()
    held.delivered({"id": n, "token": n} for n in range(MAX_HELD + 10))
    held.ended({"ids": range(10, MAX_HELD + 10)})
    held.leave("first")
    assert held.sessions == [], "the oldest were let go"
    for n in range(MAX_SESSIONS + 1):
        held.delivered([{"id": n, "token": n}])
        held.leave(f"s{n}")
    assert held.sessions == [f"s{n}" for n in range(1, MAX_SESSIONS + 1)]


def test_a_job_that_comes_again_is_of_the_session_of_now() -> None:
    held = Held()
    held.delivered([{"id": 1, "token": 1}])
    held.leave("first")
    held.changed = False
    held.delivered([{"id": 1, "token": 2}])
    assert held.sessions == [] and held.changed
