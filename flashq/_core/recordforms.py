"""Records as dicts, for people and tests. recordwrite.pyx says the format."""
import struct
from collections.abc import Callable, Iterator

Value = int | str | bytes
Record = dict[str, Value]

_FRAME_HEAD = struct.Struct("<IQ")  # size of what follows it, position
_U16, _U32 = struct.Struct("<H"), struct.Struct("<I")

# (name, its struct; None: a text), from the lowest bit of the mask on
JOB_OPTIONS = (
    ("priority", struct.Struct("<i")), ("run_at", struct.Struct("<Q")), ("attempts", _U32), ("max_attempts", _U32),
    ("backoff", _U32), ("ttl", struct.Struct("<Q")), ("timeout", struct.Struct("<Q")),
    ("stall_timeout", struct.Struct("<Q")), ("progress", struct.Struct("<B")), ("tags", None), ("custom_id", None),
    ("retry", None),
)
DONE_NUMBERED = 1

# kind: (name, the numbers it begins with, their names, the texts behind them)
FORMS: dict[int, tuple[str, struct.Struct, tuple[str, ...], tuple[str, ...]]] = {
    1: ("job", struct.Struct("<QBBIQH"), ("id", "state", "flags", "generation", "created_at", "mask"), ()),
    2: ("state", struct.Struct("<QBBBIiIQQQQIB"), (
        "id", "state", "flags", "progress", "generation", "priority", "attempts", "run_at", "token", "started_at",
        "ended_at", "stall_count", "reason"), ("message", "result", "session")),
    3: ("gone", struct.Struct("<QB"), ("id", "how"), ()),
    4: ("queue", struct.Struct("<BQQQQB"), (
        "paused", "rate_limit", "concurrency_limit", "group_concurrency", "group_rate", "fair"), ("name",)),
    5: ("forget", struct.Struct("<Q"), ("id",), ()),
    6: ("clear", struct.Struct("<IIB"), ("drained", "obliterated", "obliterates"), ("name",)),
    7: ("attempt", struct.Struct("<QIQQB"), ("id", "number", "started_at", "ended_at", "reason"), ("error", "worker")),
    8: ("losses", struct.Struct("<QII"), ("id", "losses", "missed"), ()),
    9: ("push_key", struct.Struct("<QIB"), ("expires", "generation", "batch"), ("queue", "key", "ids")),
    10: ("ties", struct.Struct("<QQQQQIIBB"), (
        "id", "parent_id", "keep_age", "keep_count", "number", "children_completed", "version", "on_parent_failure",
        "fail_parent"), ("unique_key", "depends_on", "children", "group", "name", "met")),
    11: ("taken", struct.Struct("<QQQ"), ("id", "token", "started_at"), ()),
    12: ("done", struct.Struct("<QQB"), ("id", "ended_at", "flags"), ("result",)),
    13: ("log", struct.Struct("<QIQ"), ("id", "number", "at"), ("level", "message")),
    14: ("debounce", struct.Struct("<QI"), ("expires", "generation"), ("name",)),
    15: ("entry", struct.Struct("<BB"), ("space", "present"), ("key", "value")),
    16: ("counts", struct.Struct("<QQQQ"), ("position", "pushed", "completed", "failed"), ("name",)),
    17: ("totals", struct.Struct("<QQQQQI256s"), (
        "began", "position", "pushed", "completed", "failed", "generation", "sequences"), ()),
    18: ("ids", struct.Struct("<"), (), ("ids",)),
}


def heads(frames: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """(offset, size in bytes, position) of each frame, as they state it.

    Raises ValueError where the bytes end within a head; whether the last frame is whole is for the caller to see.
    """
    at = 0
    while at < len(frames):
        if len(frames) - at < _FRAME_HEAD.size:
            raise ValueError(f"frame head cut off at byte {at}")
        size, position = _FRAME_HEAD.unpack_from(frames, at)
        yield at, size + 4, position
        at += size + 4


def decode(frames: bytes) -> list[tuple[int, list[Record]]]:
    """The frames as a list of (position, [record, ...]); a record is a dict with `kind` and its fields.

    Raises ValueError where the bytes are no whole sequence of frames.
    """
    found = []
    for at, size, position in heads(frames):
        end = at + size
        if size < _FRAME_HEAD.size or end > len(frames):
            raise ValueError(f"frame at byte {at} says {size - 4} bytes, {len(frames) - at - 4} are there")
        records: list[Record] = []
        reader = _Reader(frames, at + _FRAME_HEAD.size, end)
        while reader.at < end:
            records.append(reader.record())
        found.append((position, records))
    return found


class _Reader:
    """Reads the records of one frame."""

    def __init__(self, frames: bytes, at: int, end: int) -> None:
        self._frames = frames
        self.at = at
        self._end = end

    def record(self) -> Record:
        """The next one."""
        start = self.at
        kind = self._numbers(struct.Struct("<B"), start)[0]
        if kind not in FORMS:
            raise ValueError(f"unknown record kind {kind} at byte {start}")
        name, layout, names, texts = FORMS[kind]
        record: Record = {"kind": name, **dict(zip(names, self._numbers(layout, start), strict=True))}
        record.update((text, self._text(_U32, text)) for text in texts)
        more = _MORE.get(name)
        if more is not None:
            more(self, record, start)
        return record

    def _numbers(self, layout: struct.Struct, start: int) -> tuple[int, ...]:
        if self.at + layout.size > self._end:
            raise ValueError(f"record cut off at byte {start}")
        values: tuple[int, ...] = layout.unpack_from(self._frames, self.at)
        self.at += layout.size
        return values

    def _text(self, size: struct.Struct, name: str) -> bytes:
        head = self.at + size.size
        end = head + size.unpack_from(self._frames, self.at)[0] if head <= self._end else self._end + 1
        if end > self._end:
            raise ValueError(f"text {name} cut off at byte {self.at}")
        self.at = end
        return self._frames[head:end]

    def job(self, record: Record, start: int) -> None:
        """The queue's name, the data, and what the mask says."""
        mask = int(record.pop("mask"))
        record["queue"], record["data"] = self._text(_U16, "queue"), self._text(_U32, "data")
        for bit, (name, layout) in enumerate(JOB_OPTIONS):
            absent: Value = b"" if layout is None else 0
            if not mask >> bit & 1:
                record[name] = record["created_at"] if name == "run_at" else absent
            elif layout is None:
                record[name] = self._text(_U32, name)
            else:
                record[name] = self._numbers(layout, start)[0]

    def taken(self, record: Record, _start: int) -> None:
        """The session."""
        record["session"] = self._text(_U16, "session")

    def done(self, record: Record, start: int) -> None:
        """The number of one that stays for its own time."""
        flags = int(record["flags"])
        record["number"] = self._numbers(struct.Struct("<Q"), start)[0] if flags & DONE_NUMBERED else 0


_MORE: dict[str, Callable[[_Reader, Record, int], None]] = {
    "job": _Reader.job, "taken": _Reader.taken, "done": _Reader.done,
}
