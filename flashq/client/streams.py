"""What the server tells unasked: events of jobs, messages of channels, cancellations; and who wants to hear which."""
import queue
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from flashq.client.record import Record, take_over
from flashq.client.shapes import EventType

STREAM_LIMIT = 10_000   # events or messages that a stream keeps for its reader; the oldest go, and are counted
Frame = dict[str, Any]
Wanted = tuple[str, Frame]      # a command, and its fields


class Event(Record):
    """What became of a job; `timestamp` is ms since 1970."""

    event_type: EventType
    queue: str
    job_id: int
    timestamp: int
    data: Any = None
    error: str | None = None
    progress: int | None = None


class Message(Record):
    """A message of a channel; `pattern` is the one that it matched, if it came by that."""

    channel: str
    message: Any
    pattern: str | None = None


class Cancelled(Record):
    """A job that this client holds was cancelled: its work is for nothing."""

    id: int
    queue: str
    token: int


Told = Event | Message | Cancelled
_KINDS: dict[str, type[Event] | type[Message] | type[Cancelled]] = {
    "job": Event, "message": Message, "cancel": Cancelled,
}


def told(frame: Frame) -> Told | None:
    """A frame that answers no request, typed; None of a kind that this version does not know."""
    kind = _KINDS.get(frame.get("event", ""))
    return None if kind is None else take_over(kind, frame)


class Inbox(Protocol):
    """What `queue.Queue` and `asyncio.Queue` have in common."""

    def full(self) -> bool: ...
    def get_nowait(self) -> Any: ...
    def put_nowait(self, item: Any) -> None: ...


class Stream:
    """One reader's subscription: to events of a queue, or to channels and patterns. `lost` counts what it missed."""

    def __init__(
        self, inbox: Inbox, *, queue: str | None = None, types: Iterable[EventType] = (), channels: Iterable[str] = (),
        patterns: Iterable[str] = (),
    ) -> None:
        self.inbox = inbox
        self.queue = queue
        self.types = frozenset(types)
        self.channels = frozenset(channels)
        self.patterns = frozenset(patterns)
        self.lost = 0

    def wants(self, one: Told) -> bool:
        """Whether it asked for this one."""
        if isinstance(one, Event):
            return one.queue == self.queue and (not self.types or one.event_type in self.types)
        if isinstance(one, Message):
            return one.channel in self.channels if one.pattern is None else one.pattern in self.patterns
        return False

    def put(self, one: object) -> None:
        """For its reader; None is the end."""
        try:
            if self.inbox.full():
                self.inbox.get_nowait()
                self.lost += 1
        except queue.Empty:     # the reader, in another thread, was faster
            pass
        self.inbox.put_nowait(one)


class Listening:
    """All that one client listens to, so that a new connection can be told."""

    def __init__(self, on_told: Callable[[Told], object] | None) -> None:
        self._on_told = on_told
        self._streams: list[Stream] = []
        self._asked: dict[tuple[str, str], Frame] = {}      # by command and name: those of the plain methods

    # -- what is wanted -----------------------------------------------------------------------------------------------

    def add(self, stream: Stream) -> list[Wanted]:
        """What must be said to the server for it."""
        self._streams.append(stream)
        return self._of(stream)

    def remove(self, stream: Stream) -> list[Wanted]:
        """What must be said to the server now that nobody else wants the same."""
        self._streams.remove(stream)
        said: list[Wanted] = []
        if stream.queue is not None:
            said += [("UNSUBSCRIBE", {"queue": stream.queue})] if self._types(stream.queue) is None else [
                self._subscribe(stream.queue)]
        for command, key, names in (("UNSUB", "channels", stream.channels), ("PUNSUB", "patterns", stream.patterns)):
            unwanted = sorted(names - self._names(key))
            said += [(command, {key: unwanted})] if unwanted else []
        return said

    def asked(self, command: str, fields: Frame) -> None:
        """A plain method of this command was answered: it holds for later connections, too."""
        if command in ("SUBSCRIBE", "UNSUBSCRIBE"):
            names, kept = [fields["queue"]], "SUBSCRIBE"
        else:
            names = fields.get("channels") or fields.get("patterns") or []
            kept = command.replace("UNSUB", "SUB")
        for name in names:
            if command.startswith(("UNSUB", "PUNSUB")):
                self._asked.pop((kept, name), None)
            else:
                self._asked[kept, name] = fields

    def widen(self, command: str, fields: Frame) -> Frame:
        """The fields of a plain SUBSCRIBE, with the types that streams of the queue want as well."""
        if command != "SUBSCRIBE" or not any(one.queue == fields["queue"] for one in self._streams):
            return fields
        self._asked["SUBSCRIBE", fields["queue"]] = fields
        return {**fields, **self._subscribe(fields["queue"])[1]}

    def everything(self) -> list[Wanted]:
        """For a new connection."""
        queues = sorted({one.queue for one in self._streams if one.queue is not None}
                        | {name for command, name in self._asked if command == "SUBSCRIBE"})
        said = [self._subscribe(queue) for queue in queues]
        for command, key in (("SUB", "channels"), ("PSUB", "patterns")):
            names = sorted(self._names(key))
            said += [(command, {key: names})] if names else []
        return said

    def _of(self, stream: Stream) -> list[Wanted]:
        said = [self._subscribe(stream.queue)] if stream.queue is not None else []
        said += [("SUB", {"channels": sorted(stream.channels)})] if stream.channels else []
        return said + ([("PSUB", {"patterns": sorted(stream.patterns)})] if stream.patterns else [])

    def _subscribe(self, queue: str) -> Wanted:
        return "SUBSCRIBE", {"queue": queue, "events": sorted(self._types(queue) or ())}

    def _types(self, queue: str) -> frozenset[str] | None:
        """Types of events of a queue that somebody wants: empty for all, None for none."""
        wanted = [one.types for one in self._streams if one.queue == queue]
        if ("SUBSCRIBE", queue) in self._asked:
            wanted.append(frozenset(self._asked["SUBSCRIBE", queue].get("events") or ()))
        if not wanted:
            return None
        return frozenset() if not all(wanted) else frozenset().union(*wanted)

    def _names(self, key: str) -> frozenset[str]:
        """Channels, or patterns, that somebody wants."""
        command = "SUB" if key == "channels" else "PSUB"
        streams = [one.channels if key == "channels" else one.patterns for one in self._streams]
        return frozenset(name for kept, name in self._asked if kept == command).union(*streams)

    # -- what came ----------------------------------------------------------------------------------------------------

    def deliver(self, frame: Frame) -> None:
        """To all who asked for it."""
        one = told(frame)
        if one is None:
            return
        for stream in self._streams:
            if stream.wants(one):
                stream.put(one)
        if self._on_told is not None:
            try:
                self._on_told(one)
            except Exception:   # the user's own: no reason to hang up
                import logging

                logging.getLogger("flashq").exception("on_told failed")

    def close(self) -> None:
        """Every stream ends."""
        for stream in self._streams:
            stream.put(None)
