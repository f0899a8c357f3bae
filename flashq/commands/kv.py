"""Keys and values: small shared state beside the jobs."""
from flashq.commands.shared import AGAIN
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
    ErrorCode,
)
from flashq.fields import Command, Field, Kind, ReplyField

_KEY = Field("key", Kind.STR, "1 to 1024 bytes of any text.", required=True)
_VALUE = Field("value", Kind.RAW, "Any value, at most 10485760 bytes as compact JSON.")
_TTL = Field("ttl", Kind.U64, "ms until the key is gone; left out, it stays.")
ENTRY_FIELDS = (_KEY, _VALUE, _TTL)     # of each item of KVMSET

_EXISTS = ReplyField("exists", "bool", "Whether the key was there.")
_PUT_ERRORS: tuple[ErrorCode, ...] = (KV_KEY_EMPTY, KV_KEY_LONG, KV_VALUE_LARGE, KV_FULL, DISK_FULL)
_TTL_AGAIN = "Safe; a `ttl` counts from the second on."

COMMANDS = (
    Command(
        "KVSET", "Set a key.", ENTRY_FIELDS, (), _PUT_ERRORS, "cold", _TTL_AGAIN,
        ({"cmd": "KVSET", "key": "config:rate", "value": {"max": 5}, "ttl": 60000}, {"ok": True, "success": True}),
        "kv.set", changes=True,
    ),
    Command(
        "KVGET", "Show a key's value.", (_KEY,),
        (ReplyField("value", "any", "As it was set; null when there is no such key."),), (), "cold", AGAIN,
        ({"cmd": "KVGET", "key": "config:rate"}, {"ok": True, "success": True, "value": {"max": 5}}), "kv.get",
    ),
    Command(
        "KVDEL", "Remove a key.", (_KEY,), (_EXISTS,), (), "cold",
        "Safe: the second says that there is no such key.",
        ({"cmd": "KVDEL", "key": "config:rate"}, {"ok": True, "success": True, "exists": True}), "kv.delete",
        changes=True,
    ),
    Command(
        "KVMGET", "Show the values of up to 1000 keys.",
        (Field("keys", Kind.TAGS, "The keys; those past the first 1000 are not looked at.", required=True),),
        (ReplyField("values", "[any]", "In the order of the keys; null for one that is not there."),),
        (REPLY_TOO_LARGE,), "cold", AGAIN,
        ({"cmd": "KVMGET", "keys": ["a", "b"]}, {"ok": True, "success": True, "values": [1, None]}), "kv.get_many",
    ),
    Command(
        "KVMSET", "Set up to 1000 keys: all that are acceptable, or none when they do not fit.",
        (Field("entries", Kind.LIST, "Objects of `key`, `value` and `ttl` as in KVSET; one that is not acceptable is "
               "passed over, and of two of one key the later counts.", required=True),),
        (ReplyField("count", "u64", "How many of them were acceptable."),),
        (KV_TOO_MANY, KV_FULL, DISK_FULL), "cold", _TTL_AGAIN,
        ({"cmd": "KVMSET", "entries": [{"key": "a", "value": 1}, {"key": "b", "value": 2, "ttl": 1000}]},
         {"ok": True, "success": True, "count": 2}), "kv.set_many", changes=True,
    ),
    Command(
        "KVEXISTS", "Tell whether a key is there.", (_KEY,), (_EXISTS,), (), "cold", AGAIN,
        ({"cmd": "KVEXISTS", "key": "a"}, {"ok": True, "success": True, "exists": True}), "kv.exists",
    ),
    Command(
        "KVEXPIRE", "Give a key another time to live.",
        (_KEY, Field("ttl", Kind.U64, "ms from now; 0 removes it.", required=True)), (_EXISTS,), (), "cold",
        _TTL_AGAIN,
        ({"cmd": "KVEXPIRE", "key": "a", "ttl": 5000}, {"ok": True, "success": True, "exists": True}), "kv.expire",
        changes=True,
    ),
    Command(
        "KVTTL", "Tell how long a key has to live.", (_KEY,),
        (ReplyField("ttl", "i64", "ms; -1 = it stays, -2 = there is no such key."),), (), "cold", AGAIN,
        ({"cmd": "KVTTL", "key": "a"}, {"ok": True, "success": True, "ttl": 4200}), "kv.ttl",
    ),
    Command(
        "KVKEYS", "List the keys that match a pattern.",
        (Field("pattern", Kind.STR, "`*` is any run of characters, `?` one; nothing else is special. Left out: every "
               "key.", limit=1024),),
        (ReplyField("keys", "[str]", "In no order."),), (REPLY_TOO_LARGE,), "cold", AGAIN,
        ({"cmd": "KVKEYS", "pattern": "config:*"}, {"ok": True, "success": True, "keys": ["config:rate"]}), "kv.keys",
    ),
    Command(
        "KVINCR", "Add to an integer; a key that is not there, or null, counts as 0.",
        (_KEY, Field("by", Kind.I64, "What to add.", default=1)),
        (ReplyField("value", "i64", "The sum. A time to live stays as it was."),),
        (KV_NOT_INTEGER, KV_NOT_NUMBER, KV_OVERFLOW, KV_KEY_EMPTY, KV_KEY_LONG, KV_FULL, DISK_FULL),
        "cold",
        "Not safe: it is added a second time.",
        ({"cmd": "KVINCR", "key": "visits", "by": 2}, {"ok": True, "success": True, "value": 2}), "kv.increment",
        changes=True,
    ),
)
