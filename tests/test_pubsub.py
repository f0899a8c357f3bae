"""Pub/sub and event subscriptions: who gets which frame, in both formats, and that nothing is left behind."""


import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashq.events import ALL
from flashq.server.handlers.pubsub import MAX_PATTERNS
from flashq.server.subscriptions import Subscriptions
from support.server import ServerProcess
from support.simulated import Client, Simulation, simulation
from support.wire import JSON, MSGPACK, Codec


def listener(sim: Simulation, codec: Codec, *channels: str, patterns: tuple[str, ...] = ()) -> Client:
    client = sim.connect(codec)
    client.ok("HELLO", push=True)
    if channels:
        assert client.ok("SUB", channels=list(channels))["channels"] == list(channels)
    if patterns:
        assert client.ok("PSUB", patterns=list(patterns))["channels"] == list(patterns)
    return client


@pytest.mark.parametrize("message", [None, 1, "ü\n", [1, {"a": None}], {"n": 2**63}, 1.5])
def test_a_message_reaches_all_who_listen_in_their_own_format(sim: Simulation, codec: Codec, message: object) -> None:
    listeners = [listener(sim, one, "news", "other") for one in (JSON, MSGPACK, JSON)]
    deaf = listener(sim, codec, "else")
    assert sim.connect(codec).ok("PUB", channel="news", message=message)["receivers"] == 3
    for client in listeners:
        (event,) = client.replies()
        assert list(event.items()) == [("event", "message"), ("channel", "news"), ("message", message)]
    assert deaf.replies() == []


def test_patterns_say_which_one_matched(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "news.a", patterns=("news.*", "*.?", "x*"))
    assert sim.connect(codec).ok("PUB", channel="news.a", message=1)["receivers"] == 3
    events = client.replies()
    assert {event.get("pattern") for event in events} == {None, "news.*", "*.?"}
    assert all(event["channel"] == "news.a" and "ok" not in event and "reqId" not in event for event in events)


def test_only_connections_that_said_push_are_sent_to(sim: Simulation, codec: Codec) -> None:
    client = sim.connect(codec)
    client.ok("SUB", channels=["c"])
    other = sim.connect(codec)
    assert other.ok("PUB", channel="c", message=1)["receivers"] == 0
    assert other.ok("PUBSUBNUMSUB", channels=["c"])["counts"] == [["c", 1]]
    client.ok("HELLO", push=True)
    assert other.ok("PUB", channel="c", message=2)["receivers"] == 1
    assert [event["message"] for event in client.replies()] == [2]
    client.ok("HELLO", push=False)
    assert other.ok("PUB", channel="c", message=3)["receivers"] == 0


def test_one_hears_oneself_before_the_reply(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "c")
    client.send("PUB", channel="c", message="me", reqId="r")
    event, reply = client.replies()
    assert event["message"] == "me" and (reply["reqId"], reply["receivers"]) == ("r", 1)


def test_unsubscribing(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "a", "b", patterns=("a*", "b*"))
    assert client.ok("UNSUB", channels=["a", "never"])["channels"] == ["a", "never"]
    assert client.ok("PUNSUB", patterns=["b*"])["channels"] == ["b*"]
    other = sim.connect(codec)
    assert other.ok("PUB", channel="a")["receivers"] == 1
    assert other.ok("PUB", channel="b")["receivers"] == 1
    assert [event.get("pattern") for event in client.replies()] == ["a*", None]


def test_subscribing_twice_is_once(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "a", "a")
    client.ok("SUB", channels=["a"])
    assert sim.connect(codec).ok("PUB", channel="a")["receivers"] == 1
    assert len(client.replies()) == 1


def test_lists_and_counts(sim: Simulation, codec: Codec) -> None:
    listener(sim, codec, "b", "a", "x.1", patterns=("p*",))
    listener(sim, codec, "a")
    client = sim.connect(codec)
    assert client.ok("PUBSUBCHANNELS")["channels"] == ["a", "b", "x.1"]
    assert client.ok("PUBSUBCHANNELS", pattern="x.?")["channels"] == ["x.1"]
    counts = client.ok("PUBSUBNUMSUB", channels=["b", "none", "a", "p"])["counts"]
    assert counts == [["b", 1], ["none", 0], ["a", 2], ["p", 0]]
    assert client.ok("PUBSUBNUMSUB", channels=[])["counts"] == []


def test_subscriptions_end_with_the_connection(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "a", patterns=("a*",))
    client.ok("SUBSCRIBE", queue="q", events=["completed"])
    assert len(sim.rooms.events.listeners("q")) == 1
    client.disconnect()
    other = sim.connect(codec)
    assert other.ok("PUB", channel="a")["receivers"] == 0
    assert other.ok("PUBSUBCHANNELS")["channels"] == []
    assert sim.rooms.events.listeners("q") == {}
    pubsub = sim.rooms.pubsub
    assert (len(pubsub._channels), len(pubsub._patterns), pubsub._matchers) == (0, 0, {})
    assert pubsub._channels._held == {} and sim.rooms.events._queues._held == {}


def test_a_client_that_does_not_read_loses_messages_and_holds_up_nobody(codec: Codec) -> None:
    with simulation(write_high_water=10_000) as sim:
        slow, quick = (listener(sim, codec, "c") for _ in range(2))
        slow.stop_taking()
        sender = sim.connect(codec)
        received = [sender.ok("PUB", channel="c", message=f"{n}".ljust(1000, "x"))["receivers"] for n in range(100)]
        assert received[0] == 2 and received[-1] == 1
        assert len(quick.replies()) == 100
        lost = received.count(1)
        assert sim.hub.events_lost == lost and 70 < lost < 100
        assert len(slow.transport.sent) < 25_000 and not slow.closed
        slow.take()
        events = slow.replies()
        assert [event["message"].rstrip("x") for event in events] == [str(n) for n in range(100 - lost)]
        assert sender.ok("PUB", channel="c", message="again")["receivers"] == 2


def test_a_message_has_the_limit_of_a_job(sim: Simulation, codec: Codec) -> None:
    client = listener(sim, codec, "c")
    sender = sim.connect(codec)
    size = sim.settings.max_job_size
    assert sender.ok("PUB", channel="c", message="x" * (size - 2))["receivers"] == 1
    text = sender.error("PUB", channel="c", message="x" * (size - 1))
    assert text == f"Message data too large ({size + 1} bytes, max {size} bytes)"
    assert len(client.replies()) == 1


def test_limits_of_a_connection(codec: Codec) -> None:
    with simulation(max_subscriptions=3) as sim:
        client = sim.connect(codec)
        client.ok("SUB", channels=["a", "b"])
        text = "Too many subscriptions (max 3 of a connection, 10000 names of all)"
        assert client.error("SUB", channels=["c", "d"]) == text
        assert client.ok("PUBSUBCHANNELS")["channels"] == ["a", "b"]
        client.ok("SUB", channels=["a", "b", "c"])
        assert client.error("PSUB", patterns=list("wxyz")) == text
        client.ok("UNSUB", channels=["a"])
        client.ok("SUB", channels=["d"])
        for queue in "xyz":
            client.ok("SUBSCRIBE", queue=queue, events=[])
        assert client.error("SUBSCRIBE", queue="more", events=[]) == text


def test_limits_of_all_connections(codec: Codec) -> None:
    with simulation(max_channels=3, max_subscriptions=10_000) as sim:
        one, two = sim.connect(codec), sim.connect(codec)
        one.ok("SUB", channels=["a", "b"])
        assert two.call("SUB", channels=["c", "d"])["code"] == "TOO_MANY_SUBSCRIPTIONS"
        two.ok("SUB", channels=["a", "b", "c"])
        one.ok("PSUB", patterns=[str(n) for n in range(MAX_PATTERNS)])
        assert two.call("PSUB", patterns=["more"])["code"] == "TOO_MANY_SUBSCRIPTIONS"


@pytest.mark.parametrize(
    ("cmd", "fields", "text"),
    [
        ("SUB", {"channels": ["a", 1]}, "Invalid: field 'channels' must be a list of strings"),
        ("SUB", {"channels": "a"}, "Invalid: field 'channels' must be a list of strings"),
        ("PSUB", {"patterns": ["a", "x" * 257]}, "Invalid: field 'patterns[1]' is longer than 256 bytes"),
        ("PUB", {"channel": "x" * 257}, "Invalid: field 'channel' is longer than 256 bytes"),
        ("PUB", {}, "Invalid: missing field 'channel'"),
    ],
)
def test_refusals(sim: Simulation, codec: Codec, cmd: str, fields: dict[str, object], text: str) -> None:
    assert sim.connect(codec).error(cmd, **fields) == text


def test_subscribe_leaks_nothing_and_unsubscribe_touches_nobody_else(sim: Simulation, codec: Codec) -> None:
    """Wire document, 10.3 number 42."""
    one, two = sim.connect(codec), sim.connect(codec)
    for n in range(50):
        assert one.ok("SUBSCRIBE", queue="q", events=[f"e{n}"]) == {"ok": True, "success": True}
    two.ok("SUBSCRIBE", queue="q")
    assert [wanted.mask for wanted in sim.rooms.events.listeners("q").values()] == [0, ALL]
    one.ok("UNSUBSCRIBE", queue="q")
    one.ok("UNSUBSCRIBE", queue="q")
    assert [wanted.mask for wanted in sim.rooms.events.listeners("q").values()] == [ALL]
    client = sim.connect(codec)
    client.ok("PUSH", queue="q", data=1)
    assert two.replies() == [] and one.replies() == []


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "forget"]), st.integers(0, 3),
                          st.lists(st.sampled_from("abcde"), max_size=4)), max_size=40))
def test_subscriptions_against_a_plain_set(operations: list[tuple[str, int, list[str]]]) -> None:
    subscriptions: Subscriptions[int, str] = Subscriptions(3, 4)
    model: set[tuple[int, str]] = set()
    for what, who, names in operations:
        if what == "add":
            wanted = model | {(who, name) for name in names}
            fits = sum(one == who for one, _ in wanted) <= 3 and len({name for _, name in wanted}) <= 4
            fits = fits or wanted == model
            assert subscriptions.add(who, names, "x") is fits
            model = wanted if fits else model
        elif what == "remove":
            subscriptions.remove(who, names)
            model -= {(who, name) for name in names}
        else:
            subscriptions.forget(who)
            model = {pair for pair in model if pair[0] != who}
        assert {(one, name) for name in "abcde" for one in subscriptions.of(name)} == model
        assert subscriptions.names() == sorted({name for _, name in model})


def test_on_a_real_server(server: ServerProcess, codec: Codec, queue_name: str) -> None:
    with server.client(codec) as one, server.client(codec) as two:
        one.ok("HELLO", push=True)
        one.ok("SUB", channels=[queue_name])
        for n in range(3):
            assert two.ok("PUB", channel=queue_name, message={"n": n})["receivers"] == 1
        assert [one.receive()["message"] for _ in range(3)] == [{"n": n} for n in range(3)]
        assert one.ok("PING")["pong"] is True
