"""docs/client.md is so: its programs run in order against a server, and print what they should."""

import re

import pytest

from flashq.client.bulk import MAX_BATCH
from flashq.client.call import KEY_SECONDS
from flashq.client.link import FIRST_WAIT, LONGEST_WAIT
from flashq.client.methods import METHODS, Again
from flashq.client.setup import DEADLINE
from flashq.client.streams import STREAM_LIMIT
from support import pages
from support.clients import url_of
from support.server import ServerProcess

PATH = pages.DOCS / "client.md"
PAGE = PATH.read_text(encoding="utf-8")

SAID = {
    "Quick start": ["{'sent': 'a@b.c'}", str([f"{n}@b.c" for n in range(10)])],
    "Jobs": ["delayed printer on fire"],
    "Many jobs": ["5000 []", str(sum(range(5000))), "3"],
    "What goes wrong": ["DUPLICATE_KEY - Duplicate job with key: welcome-17", "priority"],
    "Deadlines": [r"False PUSH: no answer within 0.3 s; it was never sent (flashq://127.0.0.1:1: "],
    "Receipts": ["commit"],
    "Events and messages": ["completed sung"],
}


def test_programs(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHQ_URL", url_of(server))
    pages.check(pages.printed(PATH, url_of(server)), SAID)


def test_numbers() -> None:
    text = " ".join(PAGE.split())
    assert f"Each call has one: {DEADLINE:.0f} seconds" in text
    assert f"after {FIRST_WAIT * 1000:.0f} ms at first and at most {LONGEST_WAIT:.0f} s" in text
    assert KEY_SECONDS == 4 * 60 and "within four minutes" in text
    assert f"up to {MAX_BATCH} jobs" in text and f"newest {STREAM_LIMIT:,} items" in text


def test_what_is_not_sent_again_is_listed() -> None:
    paragraph = PAGE.split("## When the connection breaks")[1].split("\n## ")[0]
    told = paragraph.split("to a value, is sent again.")[1]
    unsafe = {one.name for one in METHODS if one.again in (Again.NEVER, Again.UNLIMITED, Again.NAMED)}
    assert set(re.findall(r"`(\w+)`", told)) - {"job_id", "ConnectionLost"} == unsafe
