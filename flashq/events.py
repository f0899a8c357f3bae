"""Every type of event once: its number in the core, its name on the wire, what it tells. Everything else reads this."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """One type; `number` is that of `enum EventType` in flashq/_core/events.pxd."""

    number: int
    name: str
    doc: str

    @property
    def bit(self) -> int:
        """Its bit in a mask."""
        return 1 << self.number


PUSHED = EventType(0, "pushed", "A job was added; `data` is its payload.")
COMPLETED = EventType(1, "completed", "It is done; `data` is its result, if there is one.")
FAILED = EventType(2, "failed", "It failed for good; `error` says why, if that is known.")
PROGRESS = EventType(3, "progress", "PROGRESS; `progress` is percent, `data` the message, if there is one.")
TIMEOUT = EventType(4, "timeout", "Its `timeout` ended an attempt; `retry` or `failed` follows.")
PARTIAL = EventType(5, "partial", "PARTIAL; `data` is `{chunk, index}`, without `index` when none was given.")
RETRY = EventType(6, "retry", "An attempt failed and the job will run again; `error` as in `failed`.")
STALLED = EventType(7, "stalled", "A heartbeat was missed: it will run again, or `failed` follows.")
WORKER_LOST = EventType(8, "worker_lost", "Its worker's connection was lost: it will run again, or `failed` follows.")
CANCELLED = EventType(9, "cancelled", "CANCEL removed it.")
EXPIRED = EventType(10, "expired", "Its `ttl` ended before it was done.")
REMOVED = EventType(11, "removed", "CLEAN, DRAIN, OBLITERATE or PURGEDLQ removed it.")

EVENT_TYPES: tuple[EventType, ...] = tuple(
    sorted((one for one in tuple(globals().values()) if isinstance(one, EventType)), key=lambda one: one.number)
)
BY_NAME: dict[str, EventType] = {one.name: one for one in EVENT_TYPES}
ALL = sum(one.bit for one in EVENT_TYPES)
