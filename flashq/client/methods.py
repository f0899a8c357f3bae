"""Which method each command has, what it returns, and whether a client may send it again by itself.

The rest of a method (parameters, types, defaults, text) comes from flashq/commands: see flashq/generate_client.py.
"""
from enum import Enum
from typing import NamedTuple


class Again(Enum):
    """When a request that may have been done already may be sent once more, after its connection broke."""

    ALWAYS = "nothing changes twice"
    KEYED = "the push carries a push_key, and went out less than five minutes ago"
    FENCED = "the acknowledgement carries the token of its delivery"
    UNLIMITED = "it has no `limit`"
    NAMED = "each job of it has a `job_id`"
    NEVER = "it would be done twice"


class Method(NamedTuple):
    """One method. `reader` is a function of flashq/client/results.py, `returns` what that returns.

    `lead`: the parameters that may be given without their names, in their order.
    """

    command: str
    name: str
    reader: str
    returns: str
    again: Again
    lead: tuple[str, ...] = ()


def _of(command: str, name: str, result: str, lead: str = "", again: Again = Again.ALWAYS) -> Method:
    reader, _, returns = result.partition(" ")
    return Method(command, name, reader, returns, again, tuple(lead.split()))


NOTHING, COUNT, FOUND = "nothing None", "count int", "exists bool"

METHODS: tuple[Method, ...] = (
    _of("PUSH", "push", "id int", "queue data", Again.KEYED),
    _of("PUSHB", "push_batch", "batch BatchResult", "queue jobs", Again.KEYED),
    _of("PULL", "pull", "job Job | None", "queue"),
    _of("PULLB", "pull_batch", "jobs list[Job]", "queue count"),
    _of("ACK", "ack", NOTHING, "id result", Again.FENCED),
    _of("ACKB", "ack_batch", COUNT, "ids", Again.FENCED),
    _of("FAIL", "fail", NOTHING, "id error", Again.FENCED),
    _of("PROGRESS", "progress", NOTHING, "id progress message"),
    _of("PARTIAL", "partial", NOTHING, "id data", Again.NEVER),
    _of("HEARTBEAT", "heartbeat", NOTHING, "id"),
    _of("AUTH", "auth", NOTHING, "token"),
    _of("HELLO", "hello", "server ServerInfo"),
    _of("PING", "ping", "pong bool"),
    _of("GETJOB", "get_job", "job Job | None", "id"),
    _of("EXPLAIN", "explain", "explanation Explanation", "id"),
    _of("GETSTATE", "get_state", "state State", "id"),
    _of("GETRESULT", "get_result", "result Any", "id"),
    _of("WAITJOB", "wait_job", "result Any", "id"),
    _of("GETPROGRESS", "get_progress", "progress Progress", "id"),
    _of("GETJOBBYCUSTOMID", "get_job_by_custom_id", "job Job | None", "job_id"),
    _of("GETJOBSBATCH", "get_jobs_batch", "jobs list[Job]", "ids"),
    _of("GETJOBS", "get_jobs", "page JobPage", "queue state"),
    _of("GETJOBCOUNTS", "get_job_counts", "counts JobCounts", "queue"),
    _of("GETLOGS", "get_logs", "logs list[LogLine]", "id"),
    _of("CANCEL", "cancel", NOTHING, "id"),
    _of("CHANGEPRIORITY", "change_priority", NOTHING, "id priority"),
    _of("PROMOTE", "promote", NOTHING, "id"),
    _of("MOVETODELAYED", "move_to_delayed", NOTHING, "id delay", Again.NEVER),   # a worker may have it again by then
    _of("UPDATEJOB", "update_job", NOTHING, "id data"),
    _of("UPDATE", "update", NOTHING, "id data"),
    _of("DISCARD", "discard", NOTHING, "id"),
    _of("LOG", "log", NOTHING, "id message level", Again.NEVER),
    _of("DLQ", "dead_letters", "jobs list[Job]", "queue count"),
    _of("RETRYDLQ", "retry_dead_letters", COUNT, "queue id"),
    _of("PURGEDLQ", "purge_dead_letters", COUNT, "queue"),
    _of("PAUSE", "pause", NOTHING, "queue"),
    _of("RESUME", "resume", NOTHING, "queue"),
    _of("ISPAUSED", "is_paused", "paused bool", "queue"),
    _of("LISTQUEUES", "list_queues", "queues list[QueueInfo]"),
    _of("COUNT", "count", COUNT, "queue"),
    _of("RATELIMIT", "limit_rate", NOTHING, "queue limit"),
    _of("RATELIMITCLEAR", "clear_rate_limit", NOTHING, "queue"),
    _of("SETCONCURRENCY", "limit_concurrency", NOTHING, "queue limit"),
    _of("CLEARCONCURRENCY", "clear_concurrency_limit", NOTHING, "queue"),
    _of("SETGROUPS", "set_groups", NOTHING, "queue"),
    _of("DRAIN", "drain", COUNT, "queue"),
    _of("OBLITERATE", "obliterate", COUNT, "queue"),
    _of("CLEAN", "clean", COUNT, "queue grace state", Again.UNLIMITED),
    _of("STATS", "stats", "stats Stats"),
    _of("METRICS", "metrics", "metrics Metrics"),
    _of("WORKERS", "workers", "workers WorkerList", "queue"),
    _of("CRON", "add_cron", NOTHING, "name queue schedule"),
    _of("CRONDELETE", "delete_cron", NOTHING, "name"),
    _of("CRONLIST", "list_crons", "crons list[CronEntry]"),
    _of("FLOW", "push_flow", "flow Flow", "queue children data", Again.NAMED),
    _of("GETCHILDREN", "get_children", "children Children", "parent_id"),
    _of("KVSET", "kv_set", NOTHING, "key value"),
    _of("KVGET", "kv_get", "value Any", "key"),
    _of("KVDEL", "kv_delete", FOUND, "key"),
    _of("KVMGET", "kv_get_many", "values list[Any]", "keys"),
    _of("KVMSET", "kv_set_many", COUNT, "entries"),
    _of("KVEXISTS", "kv_exists", FOUND, "key"),
    _of("KVEXPIRE", "kv_expire", FOUND, "key ttl"),
    _of("KVTTL", "kv_ttl", "ttl int", "key"),
    _of("KVKEYS", "kv_keys", "keys list[str]", "pattern"),
    _of("KVINCR", "kv_increment", "total int", "key by", Again.NEVER),
    _of("PUB", "publish", "receivers int", "channel message", Again.NEVER),
    _of("SUB", "subscribe", "channels list[str]", "channels"),
    _of("PSUB", "subscribe_patterns", "channels list[str]", "patterns"),
    _of("UNSUB", "unsubscribe", "channels list[str]", "channels"),
    _of("PUNSUB", "unsubscribe_patterns", "channels list[str]", "patterns"),
    _of("PUBSUBCHANNELS", "list_channels", "channels list[str]", "pattern"),
    _of("PUBSUBNUMSUB", "count_listeners", "listeners dict[str, int]", "channels"),
    _of("SUBSCRIBE", "subscribe_events", NOTHING, "queue events"),
    _of("UNSUBSCRIBE", "unsubscribe_events", NOTHING, "queue"),
    _of("SYNC", "sync", "position int", "position"),
)
BY_COMMAND: dict[str, Method] = {method.command: method for method in METHODS}
WAITING = ("PULL", "PULLB", "WAITJOB", "SYNC")      # those whose answer may take their `timeout`, and comes out of turn
