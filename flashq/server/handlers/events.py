"""SUBSCRIBE and UNSUBSCRIBE: which connection wants which events of which queue."""
from collections.abc import Mapping

from flashq.config import Settings
from flashq.errors import TOO_MANY_SUBSCRIPTIONS, Refused
from flashq.server.handlers.call import Body, Call, Connection
from flashq.server.subscriptions import Subscriptions

Wanted = frozenset[str]     # names of events; empty = all


class EventHandlers:
    """Owns who listens; whoever has an event asks `listeners`."""

    def __init__(self, settings: Settings) -> None:
        self._queues = Subscriptions[Connection, Wanted](settings.max_subscriptions, settings.max_channels)

    def subscribe(self, call: Call) -> Body:
        """Once for a connection and a queue: a second time replaces the first."""
        if not self._queues.add(call.connection, (call.values["queue"],), frozenset(call.values["events"])):
            raise Refused(TOO_MANY_SUBSCRIPTIONS)
        return {}

    def unsubscribe(self, call: Call) -> Body:
        """Of this connection only."""
        self._queues.remove(call.connection, (call.values["queue"],))
        return {}

    def listeners(self, queue: str) -> Mapping[Connection, Wanted]:
        """Who wants events of a queue, and which."""
        return self._queues.of(queue)

    def disconnected(self, connection: Connection) -> None:
        """Its subscriptions end with it."""
        self._queues.forget(connection)
