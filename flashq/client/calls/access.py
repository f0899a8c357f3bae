"""Calls: Saying who one is, and whether the other is there.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client import readers
from flashq.client.call import Call, make
from flashq.client.results import ServerInfo


def auth(token: str, *, deadline: float | None = None) -> Call[None]:
    """Show a token; needed once per connection when the server has tokens set.

    token: One of the tokens set.
    """
    fields: dict[str, object] = {"token": token}
    return make("AUTH", fields, readers.nothing, None, deadline)


def hello(*, session: str | None = None, push: bool | None = None, deadline: float | None = None) -> Call[ServerInfo]:
    """Say who this connection is, and hear what the server allows.

    session: Name of this client's session: a reconnect within `disconnect_grace` that says the same keeps its
        reservations. Up to 256 bytes, unguessable.

    push: Take frames that answer no request (`event`, without `ok`).
    """
    fields: dict[str, object] = {"session": session, "push": push}
    return make("HELLO", fields, readers.server, None, deadline)


def ping(*, deadline: float | None = None) -> Call[bool]:
    """Answer at once."""
    fields: dict[str, object] = {}
    return make("PING", fields, readers.pong, None, deadline)

