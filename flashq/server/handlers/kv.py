"""The key-value commands."""
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq.commands.kv import ENTRY_FIELDS
from flashq.config import Settings
from flashq.errors import (
    DISK_FULL,
    KV_FULL,
    KV_KEY_EMPTY,
    KV_KEY_LONG,
    KV_NOT_INTEGER,
    KV_NOT_NUMBER,
    KV_OVERFLOW,
    KV_TOO_MANY,
    KV_VALUE_LARGE,
    REPLY_TOO_LARGE,
    Refused,
)
from flashq.glob import matcher
from flashq.server.alarm import Alarm
from flashq.server.checks import values_of
from flashq.server.handlers.call import Body, Call
from flashq.server.kept import KV_SPACE, Recorder
from flashq.server.kv_store import KvStore
from flashq.server.replies import Raw

MAX_KEY = 1024                      # bytes
MAX_VALUE = 10 * 1024 * 1024        # bytes of compact JSON
MAX_BATCH = 1000
ROUND_MS = 10_000                   # between two looks at all keys that may have run out
SLICE_MS = 20                       # between two slices of such a look
SLICE_KEYS = 1000
INT64 = (-(2**63), 2**63 - 1)
NULL = b"null"


class Engine(Recorder, Protocol):
    """The clock that times to live are counted by, and the one that a restart has in common with what was before."""

    @property
    def mono(self) -> int: ...
    @property
    def now(self) -> int: ...


class KvHandlers:
    """Owns the store, whose keys outlive the process; also the background task that sweeps it.

    That a key ran out is not recorded: the clock tells it to whoever reads the records.
    """

    space = KV_SPACE

    def __init__(self, engine: Engine, settings: Settings, alarm: Alarm) -> None:
        self._engine = engine
        self._alarm = alarm
        self._max_reply = settings.max_frame
        self._next_sweep = 0
        self.store = KvStore(settings.kv_max_keys, settings.kv_max_bytes)

    # -- commands ---------------------------------------------------------------------------------------------

    def set(self, call: Call) -> Body:
        """One key; without `ttl` it stays."""
        self._put({call.values["key"]: self._checked(call.values)})
        return {}

    def set_many(self, call: Call) -> Body:
        """Entries that are not as they should be are passed over; of two of one key the later counts."""
        entries = call.values["entries"]
        if len(entries) > MAX_BATCH:
            raise Refused(KV_TOO_MANY, number=len(entries))
        items: dict[str, tuple[bytes, int | None]] = {}
        count = 0
        for entry in entries:
            found = self._acceptable(entry)
            if found is not None:
                count += 1
                items[found[0]] = found[1]
        self._put(items)
        return {"count": count}

    def get(self, call: Call) -> Body:
        """The value as it was set, null when there is none."""
        entry = self.store.get(call.values["key"], self._engine.mono)
        return {"value": None if entry is None else _shown(call.msgpack, entry.value)}

    def get_many(self, call: Call) -> Body:
        """In the order of the keys; those past the batch limit are not looked at."""
        now = self._engine.mono
        found = [self.store.get(key, now) for key in call.values["keys"][:MAX_BATCH]]
        values = [NULL if entry is None else entry.value for entry in found]
        self._check_reply(sum(map(len, values)))
        return {"values": _shown(call.msgpack, b"[" + b",".join(values) + b"]")}

    def delete(self, call: Call) -> Body:
        """Whether something was removed."""
        key: str = call.values["key"]
        exists = self.store.remove(key, self._engine.mono)
        if exists:
            self._engine.record_entry(self.space, key.encode(), None)
        return {"exists": exists}

    def exists(self, call: Call) -> Body:
        """Whether it is there, and has not run out."""
        return {"exists": self.store.get(call.values["key"], self._engine.mono) is not None}

    def expire(self, call: Call) -> Body:
        """Another time to live for a key that is there."""
        key, now = call.values["key"], self._engine.mono
        if self.store.get(key, now) is None:
            return {"exists": False}
        self._waking(lambda: self.store.expire(key, now + call.values["ttl"]))
        self._record([key])
        return {"exists": True}

    def ttl(self, call: Call) -> Body:
        """ms left; -1 = for ever, -2 = not there."""
        now = self._engine.mono
        entry = self.store.get(call.values["key"], now)
        if entry is None:
            return {"ttl": -2}
        return {"ttl": -1 if entry.deadline is None else entry.deadline - now}

    def keys(self, call: Call) -> Body:
        """In no order; the whole store is looked at."""
        keys = self.store.keys(self._engine.mono)
        if call.values["pattern"] is not None:
            keys = list(filter(matcher(call.values["pattern"]), keys))
        self._check_reply(sum(len(key) + 3 for key in keys))
        return {"keys": keys}

    def increment(self, call: Call) -> Body:
        """The sum; a key that is not there is made, one that is keeps its time to live."""
        key, by = call.values["key"], call.values["by"]
        entry = self.store.get(key, self._engine.mono)
        value = by + (0 if entry is None else _integer(orjson.loads(entry.value)))
        if not INT64[0] <= value <= INT64[1]:
            raise Refused(KV_OVERFLOW)
        _check_key(key)
        self._put({key: (orjson.dumps(value), None if entry is None else entry.deadline)})
        return {"value": value}

    # -- sweeping ---------------------------------------------------------------------------------------------

    def due_in(self) -> int | None:
        """Nothing is due while no key can run out."""
        return self._next_sweep - self._engine.mono if self.store.has_mortal else None

    def run(self) -> None:
        """One slice."""
        now = self._engine.mono
        self._next_sweep = now + (SLICE_MS if self.store.sweep(now, SLICE_KEYS) else ROUND_MS)

    def _waking(self, change: Callable[[], object]) -> None:
        """Make a change that may give the store its first key that can run out."""
        before = self.store.has_mortal
        change()
        if self.store.has_mortal and not before:
            self._next_sweep = self._engine.mono + ROUND_MS
            self._alarm.ring()

    # -- values -----------------------------------------------------------------------------------------------

    def _put(self, items: dict[str, tuple[bytes, int | None]]) -> None:
        def put() -> None:
            if self._engine.full:
                raise Refused(DISK_FULL)
            if not self.store.put(items, self._engine.mono):
                raise Refused(KV_FULL)

        self._waking(put)
        self._record(list(items))

    # -- keeping ----------------------------------------------------------------------------------------------

    def _record(self, keys: list[str]) -> None:
        """What these keys are now, all in one."""
        for key in keys:
            name = key.encode()
            self._engine.record_entry(self.space, name, self.kept(name), close=key is keys[-1])

    def kept_keys(self) -> list[bytes]:
        """Those that have not run out."""
        return [key.encode() for key in self.store.keys(self._engine.mono)]

    def kept(self, key: bytes) -> bytes | None:
        """When it runs out in ms since 1970 (0: never), a space, and its value as JSON."""
        entry = self.store.get(key.decode(), self._engine.mono)
        if entry is None:
            return None
        until = 0 if entry.deadline is None else self._engine.now + entry.deadline - self._engine.mono
        return b"%d %b" % (until, entry.value)

    def restore(self, key: bytes, value: bytes) -> None:
        """Also past the bounds, which may be narrower now."""
        until, _, found = value.partition(b" ")
        left = int(until) - self._engine.now
        if int(until) == 0:
            self.store.add(key.decode(), found, None)
        elif left > 0:
            self._waking(lambda: self.store.add(key.decode(), found, self._engine.mono + left))

    def _checked(self, entry: Mapping[str, Any]) -> tuple[bytes, int | None]:
        """Value and deadline of an entry. Refused when its key or value is not acceptable."""
        _check_key(entry["key"])
        value = orjson.dumps(entry["value"])
        if len(value) > MAX_VALUE:
            raise Refused(KV_VALUE_LARGE, number=len(value))
        return value, None if entry["ttl"] is None else self._engine.mono + entry["ttl"]

    def _acceptable(self, entry: object) -> tuple[str, tuple[bytes, int | None]] | None:
        if not isinstance(entry, dict):
            return None
        try:
            values = values_of(ENTRY_FIELDS, entry)
            return values["key"], self._checked(values)
        except Refused:
            return None

    def _check_reply(self, size: int) -> None:
        """Clients refuse frames that are larger than they may send."""
        if size > self._max_reply:
            raise Refused(REPLY_TOO_LARGE, number=size)


def _check_key(key: str) -> None:
    size = len(key.encode())
    if size == 0:
        raise Refused(KV_KEY_EMPTY)
    if size > MAX_KEY:
        raise Refused(KV_KEY_LONG, number=size)


def _integer(value: object) -> int:
    """What KVINCR adds to; null counts as 0."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(KV_NOT_NUMBER)
    if isinstance(value, float) or not INT64[0] <= value <= INT64[1]:
        raise Refused(KV_NOT_INTEGER)
    return value


def _shown(in_msgpack: bool, json: bytes) -> Raw:
    """Stored JSON as the reply's format has it."""
    return Raw(msgpack.packb(orjson.loads(json)) if in_msgpack else json)
