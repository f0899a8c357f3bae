"""URLs of servers: what each part means, and what is refused with a sentence."""

import pytest

from flashq.client import AsyncFlashQ, Endpoint, FlashQ
from flashq.client.endpoint import parse


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("flashq://", Endpoint()),
        ("flashq://example.org", Endpoint("example.org")),
        ("flashq://s3cret@example.org:7000?tls=1&format=json",
         Endpoint("example.org", 7000, tls=True, format="json", token="s3cret")),
        ("flashq://a%40b%2Fc@h/", Endpoint("h", token="a@b/c")),
        ("flashq://[::1]:7000", Endpoint("::1", 7000)),
        ("flashq://h?ca=/etc/ca.pem", Endpoint("h", tls=True, ca="/etc/ca.pem")),
        ("flashq://h?tls=false", Endpoint("h")),
        ("flashq+unix:///run/flashq.sock", Endpoint(path="/run/flashq.sock")),
        ("flashq+unix://t@/run/a%20b.sock?format=json", Endpoint(path="/run/a b.sock", format="json", token="t")),
    ],
)
def test_parts(url: str, endpoint: Endpoint) -> None:
    assert parse(url) == endpoint


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("redis://h", "flashq://"),
        ("localhost:6789", "flashq://"),
        ("flashq://h:99999", "port"),
        ("flashq://h:0", "port"),
        ("flashq://h:x", "port"),
        ("flashq://h/queue", "between"),
        ("flashq://user:pw@h", "token"),
        ("flashq://h?tsl=1", "'tsl'"),
        ("flashq://h?tls=yes", "'tls'"),
        ("flashq://h?tls=1&tls=0", "twice"),
        ("flashq://h?tls=0&ca=/x", "'ca'"),
        ("flashq://h?format=xml", "'format'"),
        ("flashq+unix://run/flashq.sock", "absolute"),
        ("flashq+unix:///x?tls=1", "'tls'"),
        ("flashq://h#x", "#"),
    ],
)
def test_refusals(url: str, word: str) -> None:
    with pytest.raises(ValueError, match="flashq URL") as raised:
        parse(url)
    assert word in str(raised.value)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:6789", "localhost", "localhost:6789", "[::1]:6789", "queue.example.org:1"])
def test_an_address_alone_is_told_as_a_url(address: str) -> None:
    with pytest.raises(ValueError, match="must begin with") as raised:
        parse(address)
    assert str(raised.value) == f"flashq URL: must begin with flashq:// (did you mean flashq://{address}?)"
    assert parse(f"flashq://{address}")


def test_what_may_be_a_token_is_not_repeated() -> None:
    for text in ("s3cret.in.parts", "s3cret@127.0.0.1:6789", "s3cret"):
        with pytest.raises(ValueError, match="must begin with") as raised:
            parse(text)
        assert str(raised.value) == "flashq URL: must begin with flashq:// or flashq+unix://"


def test_the_environment_counts_without_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(None, {}) == Endpoint("127.0.0.1", 6789)
    assert parse(None, {"FLASHQ_URL": ""}) == Endpoint()
    assert parse(None, {"FLASHQ_URL": "flashq://h:1"}) == Endpoint("h", 1)
    assert parse("flashq://other", {"FLASHQ_URL": "flashq://h:1"}) == Endpoint("other")
    monkeypatch.setenv("FLASHQ_URL", "nonsense")
    for kind in (FlashQ, AsyncFlashQ):
        with pytest.raises(ValueError, match="flashq URL"):
            kind()


def test_a_token_shows_nowhere() -> None:
    endpoint = parse("flashq://s3cret@example.org?tls=1")
    assert "s3cret" not in f"{endpoint} {endpoint!r}"
    assert str(endpoint) == "flashq://example.org:6789?tls=1"
    with pytest.raises(ValueError, match="port") as raised:
        parse("flashq://s3cret@example.org:x")
    assert "s3cret" not in str(raised.value)


def test_other_options_are_checked_at_once() -> None:
    for kind in (FlashQ, AsyncFlashQ):
        with pytest.raises(ValueError, match="format"):
            kind("flashq://h", format="xml")
        with pytest.raises(ValueError, match="deadline"):
            kind("flashq://h", deadline=0)
