"""Minutes of damaged requests and noise against one server: it answers what it can, and never more."""

import os
import random
import time

import pytest

from conftest import StartServer
from support.garbage import damaged_payload, stream
from support.process import MIB, resident_bytes, until
from support.wire import CODECS, Closed
from torture.test_connections import FLAGS, chosen_seed, empty


@pytest.mark.slow
@pytest.mark.torture
def test_fuzz(start_server: StartServer) -> None:
    server = start_server(*FLAGS)
    rng = random.Random(chosen_seed())
    end = time.monotonic() + float(os.environ.get("FLASHQ_TORTURE_SECONDS", "120"))
    frames = noisy = 0
    with server.client() as witness:
        before = resident_bytes(server.pid)
        while time.monotonic() < end:
            codec = CODECS[rng.choice(["json", "msgpack"])]
            payloads = [damaged_payload(rng, codec) for _ in range(500)]
            with server.client(codec) as client:
                client.ok("PING")  # settles the format: damage may begin with any byte
                client.send_raw(b"".join(map(codec.frame, payloads)))
                client.send("PING", reqId="the end")
                replies = 1
                while client.receive().get("reqId") != "the end":
                    replies += 1
                assert replies == len(payloads) + 1
            frames += len(payloads)
            for _ in range(20):
                with server.client(codec) as client:
                    try:
                        client.send_raw(stream(rng, codec))
                        client.finish()
                        while True:
                            assert isinstance(client.receive()["ok"], bool)
                    except (Closed, ConnectionError):
                        noisy += 1
            assert witness.ok("PING")["pong"] is True
            if frames % 50_000 == 0:
                empty(witness)
        empty(witness)
        print(f"{frames} damaged frames, {noisy} noisy connections")
        until(lambda: resident_bytes(server.pid) - before < 32 * MIB, witness, 60)
    server.stop()
    assert "command_failed" not in server.text
