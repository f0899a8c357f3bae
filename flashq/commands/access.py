"""Saying who one is, and whether the other is there."""
from flashq.commands.shared import AGAIN
from flashq.errors import INVALID_TOKEN
from flashq.fields import Command, Field, Kind, ReplyField

COMMANDS = (
    Command(
        "AUTH", "Show a token; needed once per connection when the server has tokens set.",
        (Field("token", Kind.STR, "One of the tokens set.", required=True, limit=4096),), (),
        (INVALID_TOKEN,), "cold", AGAIN,
        ({"cmd": "AUTH", "token": "s3cret"}, {"ok": True, "success": True}), "access.auth",
    ),
    Command(
        "HELLO", "Say who this connection is, and hear what the server allows.",
        (Field("session", Kind.STR, "Name of this client's session: a reconnect within `disconnect_grace` that says "
               "the same keeps its reservations. Up to 256 bytes, unguessable.", limit=256),
         Field("push", Kind.BOOL, "Take frames that answer no request (`event`, without `ok`).", default=False)),
        (ReplyField("session", "str or null", "The session."), ReplyField("server", "str", "`flashq`."),
         ReplyField("version", "str", "The server's version."), ReplyField("push", "bool", "As asked."),
         ReplyField("max_batch", "u64", "Largest batch."), ReplyField("max_frame", "u64", "Largest frame in bytes."),
         ReplyField("max_job_size", "u64", "Largest `data` in bytes."),
         ReplyField("max_parked", "u64", "Most pulls that may wait at once on a connection; as many WAITJOBs.")),
        (), "cold", AGAIN,
        ({"cmd": "HELLO", "session": "worker-7f3a"},
         {"ok": True, "success": True, "session": "worker-7f3a", "server": "flashq", "version": "0.1.0", "push": False,
          "max_batch": 1000, "max_frame": 16777216, "max_job_size": 1048576, "max_parked": 1000}), "access.hello",
    ),
    Command(
        "PING", "Answer at once.", (), (ReplyField("pong", "bool", "Always true."),), (), "cold", AGAIN,
        ({"cmd": "PING"}, {"ok": True, "success": True, "pong": True}), "access.ping",
    ),
)
