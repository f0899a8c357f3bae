"""How sure a change is: receipts, pushes that ask for more, and waiting for the disk; beyond the wire document."""

from conformance.marks import row
from conformance.talk import Talk

PROMISES = ("memory", "interval", "commit")


@row("beyond receipt: what a change survives")
def test_receipt(talk: Talk, queue: str) -> None:
    first = talk.ok("PUSH", queue=queue, receipt=True)["receipt"]
    assert first["durability"] in PROMISES and first["position"] > 0
    second = talk.ok("ACK", id=talk.pull(queue)["id"], receipt=True)["receipt"]
    assert second["durability"] == first["durability"] and second["position"] > first["position"]
    third = talk.ok("PAUSE", queue=queue, receipt=True)["receipt"]
    assert third["position"] > second["position"]
    assert "receipt" not in talk.ok("PUSH", queue=queue)


@row("beyond durability: more than the server gives")
def test_durability(talk: Talk, queue: str) -> None:
    given = talk.ok("PUSH", queue=queue, receipt=True)["receipt"]["durability"]
    for asked in PROMISES:
        reply = talk.call("PUSH", queue=queue, durability=asked, receipt=True)
        if given == "memory" != asked:
            assert reply["code"] == "NOT_DURABLE"
        else:
            assert reply["receipt"]["durability"] == max(given, asked, key=PROMISES.index)
    assert "durability" in talk.error("PUSH", queue=queue, durability="always")


@row("beyond SYNC: on disk")
def test_sync(talk: Talk, queue: str) -> None:
    receipt = talk.ok("PUSH", queue=queue, receipt=True)["receipt"]
    if receipt["durability"] == "memory":
        assert talk.call("SYNC")["code"] == "NOT_DURABLE"
        return
    assert talk.ok("SYNC", position=receipt["position"])["position"] >= receipt["position"]
    assert talk.ok("SYNC")["position"] >= receipt["position"]
    assert talk.call("SYNC", position=2**60)["code"] == "POSITION_UNKNOWN"
