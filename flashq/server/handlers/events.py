"""SUBSCRIBE and UNSUBSCRIBE: which connection wants which events of which queue. PARTIAL makes one of its own."""
from collections.abc import Mapping
from dataclasses import dataclass

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq._core.bus import Bus
from flashq._core.control import Control
from flashq.config import Settings
from flashq.errors import DATA_TOO_LARGE, TOO_MANY_SUBSCRIPTIONS, Refused
from flashq.events import ALL, BY_NAME, EVENT_TYPES, PROGRESS
from flashq.server.handlers.call import Body, Call, Connection, raw, require
from flashq.server.replies import encode, in_format
from flashq.server.subscriptions import Subscriptions

# What is told between two looks at the sockets, about a millisecond of work: events, frames, bytes of their data.
SLICE_EVENTS, SLICE_FRAMES, SLICE_BYTES = 200, 2000, 512 * 1024


Happened = tuple[int, int, int, str, bytes | None, bool, str | None, int]    # as `Bus.next_event` has it


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one connection wants of a queue: a bit for each type of event, in its own format."""

    mask: int
    msgpack: bool


class EventHandlers:
    """Owns who listens to which queue; the bus is told what anybody wants, and makes nothing else."""

    def __init__(self, bus: Bus, control: Control, settings: Settings) -> None:
        self._bus = bus
        self._control = control
        self._max_data = settings.max_job_size
        self._queues = Subscriptions[Connection, Wanted](settings.max_subscriptions, settings.max_channels)

    # -- listening ----------------------------------------------------------------------------------------------------

    def subscribe(self, call: Call) -> Body:
        """Once for a connection and a queue: a second time replaces the first."""
        queue = call.values["queue"]
        require(self._control.check_name(queue))
        if not self._queues.add(call.connection, (queue,), Wanted(_mask(call.values["events"]), call.msgpack)):
            raise Refused(TOO_MANY_SUBSCRIPTIONS)
        try:
            self._tell_bus(queue)
        except MemoryError:
            self._queues.remove(call.connection, (queue,))      # it is new, or wanted nothing: else there was room
            raise
        return {}

    def unsubscribe(self, call: Call) -> Body:
        """Of this connection only."""
        self._queues.remove(call.connection, (call.values["queue"],))
        self._tell_bus(call.values["queue"])
        return {}

    def listeners(self, queue: str) -> Mapping[Connection, Wanted]:
        """Who wants events of a queue, and which."""
        return self._queues.of(queue)

    def disconnected(self, connection: Connection) -> None:
        """Its subscriptions end with it."""
        queues = self._queues.held(connection)
        self._queues.forget(connection)
        for queue in queues:
            self._tell_bus(queue)

    def _tell_bus(self, queue: str) -> None:
        mask = 0
        for wanted in self._queues.of(queue).values():
            mask |= wanted.mask
        self._bus.listen(queue, mask)

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """A slice of what happened, each to those who want it."""
        frames = size = 0
        for _ in range(SLICE_EVENTS):
            happened = self._bus.next_event()
            if happened is None:
                return
            frames += self._tell(happened)
            size += len(happened[4] or b"")
            if frames > SLICE_FRAMES or size > SLICE_BYTES:
                return

    def _tell(self, happened: Happened) -> int:
        """One event; the frames sent."""
        kind, id, at, queue, value, in_msgpack, text, progress = happened
        event: Body = {"event": "job", "event_type": EVENT_TYPES[kind].name, "queue": queue, "job_id": id,
                       "timestamp": at}
        if kind == PROGRESS.number:
            event |= {"progress": progress} if text is None else {"data": text, "progress": progress}
        elif text is not None:
            event["error"] = text
        frames: dict[bool, bytes] = {}      # encoded once for all that speak a format
        sent = 0
        for connection, wanted in self._queues.of(queue).items():
            if not wanted.mask >> kind & 1:
                continue
            if wanted.msgpack not in frames:
                frames[wanted.msgpack] = _frame(event, value, in_msgpack, wanted.msgpack)
            connection.send_event(frames[wanted.msgpack])
            sent += 1
        return sent

    def partial(self, call: Call) -> Body:
        """Nothing is stored."""
        chunk, index = call.values["data"], call.values["index"]
        data = {"chunk": chunk} if index is None else {"chunk": chunk, "index": index}
        value: bytes = msgpack.packb(data) if call.msgpack else orjson.dumps(data)
        if len(value) > self._max_data:
            raise Refused(DATA_TOO_LARGE, number=len(value))
        return require(
            self._bus.partial(call.values["id"], call.values["token"], value, call.msgpack), call.values["id"]
        )


def _mask(names: list[str]) -> int:
    """Those of these names, or all; a name that no event has asks for none."""
    if not names:
        return ALL
    return sum(BY_NAME[name].bit for name in set(names) if name in BY_NAME)


def _frame(event: Body, value: bytes | None, from_msgpack: bool, to_msgpack: bool) -> bytes:
    shown = event if value is None else {**event, "data": raw(in_format(value, from_msgpack, to_msgpack))}
    return encode(to_msgpack, None, shown)
