"""Messages between clients: sent to whoever listens at that moment, kept nowhere."""
from collections.abc import Callable

import orjson

from flashq.config import Settings
from flashq.errors import MESSAGE_LARGE, TOO_MANY_SUBSCRIPTIONS, Refused
from flashq.glob import matcher
from flashq.server.handlers.call import Body, Call, Connection
from flashq.server.replies import encode
from flashq.server.subscriptions import Subscriptions

MAX_PATTERNS = 1000     # different ones on the server: each message is held against all of them

Matcher = Callable[[str], bool]


class PubSubHandlers:
    """Owns the subscriptions of all connections. Their detail is the connection's format: whether it is MessagePack."""

    def __init__(self, settings: Settings) -> None:
        limit = settings.max_subscriptions
        self._max_message = settings.max_job_size
        self._channels = Subscriptions[Connection, bool](limit, settings.max_channels)
        self._patterns = Subscriptions[Connection, bool](limit, MAX_PATTERNS)
        self._matchers: dict[str, Matcher] = {}     # of the patterns in use

    def publish(self, call: Call) -> Body:
        """One frame for each channel or pattern that a connection listens to."""
        channel, message = call.values["channel"], call.values["message"]
        size = len(orjson.dumps(message))
        if size > self._max_message:
            raise Refused(MESSAGE_LARGE, number=size)
        event: Body = {"event": "message", "channel": channel}
        receivers = self._send(self._channels, channel, {**event, "message": message})
        for pattern in self._patterns.names():
            if self._matchers[pattern](channel):
                receivers += self._send(self._patterns, pattern, {**event, "pattern": pattern, "message": message})
        return {"receivers": receivers}

    def _send(self, subscriptions: Subscriptions[Connection, bool], name: str, event: Body) -> int:
        frames: dict[bool, bytes] = {}      # encoded once for all that speak a format
        sent = 0
        for connection, msgpack in subscriptions.of(name).items():
            if msgpack not in frames:
                frames[msgpack] = encode(msgpack, None, event)
            sent += connection.send_event(frames[msgpack])
        return sent

    def subscribe(self, call: Call) -> Body:
        """All of the channels, or none."""
        return self._add(self._channels, call, call.values["channels"])

    def subscribe_patterns(self, call: Call) -> Body:
        """All of the patterns, or none."""
        body = self._add(self._patterns, call, call.values["patterns"])
        for pattern in call.values["patterns"]:
            if pattern not in self._matchers:
                self._matchers[pattern] = matcher(pattern)
        return body

    def _add(self, subscriptions: Subscriptions[Connection, bool], call: Call, names: list[str]) -> Body:
        if not subscriptions.add(call.connection, names, call.msgpack):
            raise Refused(TOO_MANY_SUBSCRIPTIONS)
        return {"channels": names}

    def unsubscribe(self, call: Call) -> Body:
        """Channels that it does not listen to are passed over."""
        self._channels.remove(call.connection, call.values["channels"])
        return {"channels": call.values["channels"]}

    def unsubscribe_patterns(self, call: Call) -> Body:
        """Patterns that it does not listen to are passed over."""
        self._patterns.remove(call.connection, call.values["patterns"])
        self._drop_matchers()
        return {"channels": call.values["patterns"]}

    def list_channels(self, call: Call) -> Body:
        """Those that match, by name."""
        pattern = call.values["pattern"]
        names = self._channels.names()
        return {"channels": names if pattern is None else list(filter(matcher(pattern), names))}

    def count_listeners(self, call: Call) -> Body:
        """Connections, also those that said no HELLO with `push`."""
        return {"counts": [[name, len(self._channels.of(name))] for name in call.values["channels"]]}

    def disconnected(self, connection: Connection) -> None:
        """Its subscriptions end with it."""
        self._channels.forget(connection)
        self._patterns.forget(connection)
        self._drop_matchers()

    def _drop_matchers(self) -> None:
        if len(self._matchers) > len(self._patterns):
            self._matchers = {name: self._matchers[name] for name in self._patterns.names()}
