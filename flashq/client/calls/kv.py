"""Calls: Keys and values: small shared state beside the jobs.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from collections.abc import Sequence
from typing import Any

from flashq.client import readers
from flashq.client.call import Call, OnReceipt, make
from flashq.client.shapes import KvEntry


def kv_set(
    key: str, value: object = None, *, ttl: int | None = None, receipt: OnReceipt | None = None,
    deadline: float | None = None,
) -> Call[None]:
    """Set a key.

    key: 1 to 1024 bytes of any text.

    value: Any value, at most 10485760 bytes as compact JSON.

    ttl: ms until the key is gone; left out, it stays.
    """
    fields: dict[str, object] = {"key": key, "value": value, "ttl": ttl}
    return make("KVSET", fields, readers.nothing, receipt, deadline)


def kv_get(key: str, *, deadline: float | None = None) -> Call[Any]:
    """Show a key's value.

    key: 1 to 1024 bytes of any text.
    """
    fields: dict[str, object] = {"key": key}
    return make("KVGET", fields, readers.value, None, deadline)


def kv_delete(key: str, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[bool]:
    """Remove a key.

    key: 1 to 1024 bytes of any text.
    """
    fields: dict[str, object] = {"key": key}
    return make("KVDEL", fields, readers.exists, receipt, deadline)


def kv_get_many(keys: Sequence[str], *, deadline: float | None = None) -> Call[list[Any]]:
    """Show the values of up to 1000 keys.

    keys: The keys; those past the first 1000 are not looked at.
    """
    fields: dict[str, object] = {"keys": keys}
    return make("KVMGET", fields, readers.values, None, deadline)


def kv_set_many(
    entries: Sequence[KvEntry], *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[int]:
    """Set up to 1000 keys: all that are acceptable, or none when they do not fit.

    entries: Objects of `key`, `value` and `ttl` as in KVSET; one that is not acceptable is passed over, and of two
        of one key the later counts.
    """
    fields: dict[str, object] = {"entries": entries}
    return make("KVMSET", fields, readers.count, receipt, deadline)


def kv_exists(key: str, *, deadline: float | None = None) -> Call[bool]:
    """Tell whether a key is there.

    key: 1 to 1024 bytes of any text.
    """
    fields: dict[str, object] = {"key": key}
    return make("KVEXISTS", fields, readers.exists, None, deadline)


def kv_expire(key: str, ttl: int, *, receipt: OnReceipt | None = None, deadline: float | None = None) -> Call[bool]:
    """Give a key another time to live.

    key: 1 to 1024 bytes of any text.

    ttl: ms from now; 0 removes it.
    """
    fields: dict[str, object] = {"key": key, "ttl": ttl}
    return make("KVEXPIRE", fields, readers.exists, receipt, deadline)


def kv_ttl(key: str, *, deadline: float | None = None) -> Call[int]:
    """Tell how long a key has to live.

    key: 1 to 1024 bytes of any text.
    """
    fields: dict[str, object] = {"key": key}
    return make("KVTTL", fields, readers.ttl, None, deadline)


def kv_keys(pattern: str | None = None, *, deadline: float | None = None) -> Call[list[str]]:
    """List the keys that match a pattern.

    pattern: `*` is any run of characters, `?` one; nothing else is special. Left out: every key.
    """
    fields: dict[str, object] = {"pattern": pattern}
    return make("KVKEYS", fields, readers.keys, None, deadline)


def kv_increment(
    key: str, by: int | None = None, *, receipt: OnReceipt | None = None, deadline: float | None = None,
) -> Call[int]:
    """Add to an integer; a key that is not there, or null, counts as 0.

    key: 1 to 1024 bytes of any text.

    by: What to add.
    """
    fields: dict[str, object] = {"key": key, "by": by}
    return make("KVINCR", fields, readers.total, receipt, deadline)

