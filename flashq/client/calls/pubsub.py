"""Calls: Messages between clients, and the events of queues. Both reach only connections that said HELLO with `push`.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Sequence

from flashq.client import readers
from flashq.client.call import Call, make


def publish(channel: str, message: object = None, *, deadline: float | None = None) -> Call[int]:
    """Send a message to all who listen to a channel now; nothing is kept.

    channel: Any text.

    message: Any value; at most `max_job_size` bytes as compact JSON.
    """
    fields: dict[str, object] = {"channel": channel, "message": message}
    return make("PUB", fields, readers.receivers, None, deadline)


def subscribe(channels: Sequence[str], *, deadline: float | None = None) -> Call[list[str]]:
    """Listen to channels. Messages come as `{event: "message", channel, message}`, with the `pattern` that matched
    if it was one; a client that takes too little loses some.

    channels: The channels.
    """
    fields: dict[str, object] = {"channels": channels}
    return make("SUB", fields, readers.channels, None, deadline)


def subscribe_patterns(patterns: Sequence[str], *, deadline: float | None = None) -> Call[list[str]]:
    """Listen to all channels that match a pattern.

    patterns: `*` is any run of characters, `?` one; nothing else is special.
    """
    fields: dict[str, object] = {"patterns": patterns}
    return make("PSUB", fields, readers.channels, None, deadline)


def unsubscribe(channels: Sequence[str], *, deadline: float | None = None) -> Call[list[str]]:
    """Listen to channels no more.

    channels: The channels.
    """
    fields: dict[str, object] = {"channels": channels}
    return make("UNSUB", fields, readers.channels, None, deadline)


def unsubscribe_patterns(patterns: Sequence[str], *, deadline: float | None = None) -> Call[list[str]]:
    """Listen to patterns no more.

    patterns: `*` is any run of characters, `?` one; nothing else is special.
    """
    fields: dict[str, object] = {"patterns": patterns}
    return make("PUNSUB", fields, readers.channels, None, deadline)


def list_channels(pattern: str | None = None, *, deadline: float | None = None) -> Call[list[str]]:
    """List the channels that somebody listens to, by name; patterns do not count.

    pattern: Only those that match; as in PSUB.
    """
    fields: dict[str, object] = {"pattern": pattern}
    return make("PUBSUBCHANNELS", fields, readers.channels, None, deadline)


def count_listeners(channels: Sequence[str], *, deadline: float | None = None) -> Call[dict[str, int]]:
    """Count who listens to channels; patterns do not count.

    channels: The channels.
    """
    fields: dict[str, object] = {"channels": channels}
    return make("PUBSUBNUMSUB", fields, readers.listeners, None, deadline)


def subscribe_events(queue: str, events: Sequence[str] | None = None, *, deadline: float | None = None) -> Call[None]:
    """Hear what becomes of a queue's jobs, once HELLO said `push`. Events come as `{event: "job", event_type,
    queue, job_id, timestamp}` with `data`, `error`, `progress`; a client that takes too little loses some.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.

    events: Which types; left out or empty, all.
    """
    fields: dict[str, object] = {"queue": queue, "events": events}
    return make("SUBSCRIBE", fields, readers.nothing, None, deadline)


def unsubscribe_events(queue: str, *, deadline: float | None = None) -> Call[None]:
    """Take back this connection's SUBSCRIBE; those of others stay.

    queue: The queue: 1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`.
    """
    fields: dict[str, object] = {"queue": queue}
    return make("UNSUBSCRIBE", fields, readers.nothing, None, deadline)

