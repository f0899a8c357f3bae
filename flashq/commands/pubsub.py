"""Messages between clients, and the events of queues. Both reach only connections that said HELLO with `push`."""
from flashq.commands.shared import AGAIN, QUEUE, QUEUE_NAME_ERRORS
from flashq.errors import MESSAGE_LARGE, TOO_MANY_SUBSCRIPTIONS
from flashq.fields import Command, Field, Kind, ReplyField

NAME_LIMIT = 256        # bytes of a channel's name, or of a pattern
_CHANNEL = Field("channel", Kind.STR, "Any text.", required=True, limit=NAME_LIMIT)
_CHANNELS = Field("channels", Kind.TAGS, "The channels.", required=True, limit=NAME_LIMIT)
_PATTERNS = Field("patterns", Kind.TAGS, "`*` is any run of characters, `?` one; nothing else is special.",
                  required=True, limit=NAME_LIMIT)
_ECHO = ReplyField("channels", "[str]", "The list of the request.")
_MESSAGES = ('Messages come as `{event: "message", channel, message}`, with the `pattern` that matched if it was one; '
             "a client that takes too little loses some.")

_EVENTS = ('Events come as `{event: "job", event_type, queue, job_id, timestamp}` with `data`, `error`, `progress`; '
           "a client that takes too little loses some.")

COMMANDS = (
    Command(
        "PUB", "Send a message to all who listen to a channel now; nothing is kept.",
        (_CHANNEL, Field("message", Kind.RAW, "Any value; at most `max_job_size` bytes as compact JSON.")),
        (ReplyField("receivers", "u64", "Frames on their way: one for each channel or pattern listened to, of clients "
                    "that said HELLO with `push`."),),
        (MESSAGE_LARGE,), "cold", "Not safe: the message is sent a second time.",
        ({"cmd": "PUB", "channel": "news", "message": {"n": 1}}, {"ok": True, "success": True, "receivers": 2}),
        "pubsub.publish",
    ),
    Command(
        "SUB", f"Listen to channels. {_MESSAGES}", (_CHANNELS,), (_ECHO,), (TOO_MANY_SUBSCRIPTIONS,), "cold", AGAIN,
        ({"cmd": "SUB", "channels": ["news"]}, {"ok": True, "success": True, "channels": ["news"]}),
        "pubsub.subscribe",
    ),
    Command(
        "PSUB", "Listen to all channels that match a pattern.", (_PATTERNS,), (_ECHO,), (TOO_MANY_SUBSCRIPTIONS,),
        "cold", AGAIN,
        ({"cmd": "PSUB", "patterns": ["news.*"]}, {"ok": True, "success": True, "channels": ["news.*"]}),
        "pubsub.subscribe_patterns",
    ),
    Command(
        "UNSUB", "Listen to channels no more.", (_CHANNELS,), (_ECHO,), (), "cold", AGAIN,
        ({"cmd": "UNSUB", "channels": ["news"]}, {"ok": True, "success": True, "channels": ["news"]}),
        "pubsub.unsubscribe",
    ),
    Command(
        "PUNSUB", "Listen to patterns no more.", (_PATTERNS,), (_ECHO,), (), "cold", AGAIN,
        ({"cmd": "PUNSUB", "patterns": ["news.*"]}, {"ok": True, "success": True, "channels": ["news.*"]}),
        "pubsub.unsubscribe_patterns",
    ),
    Command(
        "PUBSUBCHANNELS", "List the channels that somebody listens to, by name; patterns do not count.",
        (Field("pattern", Kind.STR, "Only those that match; as in PSUB.", limit=NAME_LIMIT),),
        (ReplyField("channels", "[str]", "Their names."),), (), "cold", AGAIN,
        ({"cmd": "PUBSUBCHANNELS", "pattern": "n*"}, {"ok": True, "success": True, "channels": ["news"]}),
        "pubsub.list_channels",
    ),
    Command(
        "PUBSUBNUMSUB", "Count who listens to channels; patterns do not count.", (_CHANNELS,),
        (ReplyField("counts", "[[str, u64]]", "Each channel and how many connections, in the order of the request."),),
        (), "cold", AGAIN,
        ({"cmd": "PUBSUBNUMSUB", "channels": ["news"]}, {"ok": True, "success": True, "counts": [["news", 2]]}),
        "pubsub.count_listeners",
    ),
    Command(
        "SUBSCRIBE", f"Hear what becomes of a queue's jobs, once HELLO said `push`. {_EVENTS}",
        (QUEUE, Field("events", Kind.TAGS, "Which [types](#events); left out or empty, all.", default=(), limit=64)),
        (),
        (TOO_MANY_SUBSCRIPTIONS, *QUEUE_NAME_ERRORS), "cold", "Safe: the second replaces the first.",
        ({"cmd": "SUBSCRIBE", "queue": "emails", "events": ["completed"]}, {"ok": True, "success": True}),
        "events.subscribe",
    ),
    Command(
        "UNSUBSCRIBE", "Take back this connection's SUBSCRIBE; those of others stay.", (QUEUE,), (), (), "cold", AGAIN,
        ({"cmd": "UNSUBSCRIBE", "queue": "emails"}, {"ok": True, "success": True}), "events.unsubscribe",
    ),
)
