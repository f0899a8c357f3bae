"""Every error a client can be told: its number in the core, its code, its text. Nothing else spells them out.

`text` is a template over `{field}`, `{number}`, `{text}`, `{rule}` and the settings of `LIMITS`;
flashq/server/replies.py fills it in. The wire document fixes many texts to the letter, because
published clients search them; TS-E retries by itself on the code SERVICE_UNAVAILABLE and on INTERNAL_ERROR.
"""
from typing import NamedTuple

# Settings that texts name.
LIMITS = ("max_job_size", "max_parked", "max_queues", "max_frame", "max_subscriptions", "max_channels", "kv_max_keys",
          "kv_max_bytes", "cron_max_entries")


class ErrorCode(NamedTuple):
    """One error: `status` is its number in flashq/_core/status.pxd, None when only Python raises it."""

    status: int | None
    code: str
    text: str
    doc: str
    msgpack_text: str = ""  # where MessagePack requests are told another text


# The frame cannot be read.
NO_MEMORY = ErrorCode(
    -1, "SERVICE_UNAVAILABLE", "Out of memory", "The machine gave no memory; nothing was changed. Try again later."
)
BAD_SYNTAX = ErrorCode(
    -2, "INVALID_JSON", "Invalid: invalid JSON at byte {number}", "The line breaks the grammar of RFC 8259."
)
BAD_UTF8 = ErrorCode(
    -3,
    "INVALID_UTF8",
    "Invalid: invalid UTF-8 at byte {number}",
    "A text is not UTF-8, or is half of a surrogate pair.",
    "MessagePack deserialize error: invalid UTF-8 at byte {number}",
)
TOO_DEEP = ErrorCode(
    -4,
    "TOO_DEEP",
    "Invalid: nesting deeper than 128 levels at byte {number}",
    "Objects and lists stand in each other more than 128 levels deep, the request itself included.",
    "MessagePack deserialize error: nesting deeper than 128 levels at byte {number}",
)
BAD_MSGPACK = ErrorCode(
    -5,
    "INVALID_MSGPACK",
    "MessagePack deserialize error: invalid data at byte {number}",
    "The frame is no MessagePack value, or holds bin, ext or a key that is not a str.",
)
NOT_OBJECT = ErrorCode(
    -6,
    "NOT_AN_OBJECT",
    "Invalid: a request must be a JSON object",
    "The frame holds a value, but no object or map.",
    "MessagePack deserialize error: a request must be a map",
)
TOO_LARGE_FRAME = ErrorCode(
    -14, "MESSAGE_TOO_LARGE", "Message too large", "The frame is over `max_frame`; the connection is closed."
)

# A field is not as the command wants it.
DUPLICATE_FIELD = ErrorCode(
    -7, "DUPLICATE_FIELD", "Invalid: duplicate field '{field}'", "A field was given twice, perhaps once by an alias."
)
MISSING_FIELD = ErrorCode(
    -8, "MISSING_FIELD", "Invalid: missing field '{field}'", "A required field is absent, or null."
)
BAD_TYPE = ErrorCode(-9, "INVALID_FIELD", "Invalid: field '{field}' must be {rule}", "A field has the wrong type.")
OUT_OF_RANGE = ErrorCode(
    -10, "OUT_OF_RANGE", "Invalid: field '{field}' must be {rule}", "A number is too small or too large."
)
BAD_REQ_ID = ErrorCode(
    -12,
    "INVALID_REQ_ID",
    "Invalid: field 'reqId' must be a string of at most 256 bytes",
    "`reqId` is no string or too long, and so cannot be echoed.",
)
UNKNOWN_COMMAND = ErrorCode(
    -13, "UNKNOWN_COMMAND", "Invalid: unknown command '{text}'", "`cmd` names no command; names are upper case."
)
TEXT_TOO_LONG = ErrorCode(
    -26, "FIELD_TOO_LONG", "Invalid: field '{field}' is longer than {number} bytes", "A text is over its limit."
)

# A limit was reached.
QUEUE_NAME_EMPTY = ErrorCode(-20, "INVALID_QUEUE_NAME", "Queue name cannot be empty", "`queue` is empty.")
QUEUE_NAME_LONG = ErrorCode(
    -21, "INVALID_QUEUE_NAME", "Queue name too long (max 256 chars)", "`queue` is longer than 256 bytes."
)
QUEUE_NAME_CHARS = ErrorCode(
    -22,
    "INVALID_QUEUE_NAME",
    "Queue name must contain only alphanumeric characters, underscores, hyphens, or dots",
    "`queue` holds another character than letters, digits, `_`, `-` and `.`.",
)
QUEUE_LIMIT = ErrorCode(
    -23, "QUEUE_LIMIT", "Too many queues (max {max_queues})", "The name is new and `max_queues` names are in use."
)
DATA_TOO_LARGE = ErrorCode(
    -24,
    "DATA_TOO_LARGE",
    "Job data too large ({number} bytes, max {max_job_size} bytes)",
    "`data` is over `max_job_size`.",
)
BATCH_TOO_LARGE = ErrorCode(
    -25, "BATCH_TOO_LARGE", "Batch too large ({number} items, max 1000)", "A batch has more than 1000 items."
)
MEMORY_FULL = ErrorCode(
    -27,
    "SERVICE_UNAVAILABLE",
    "Memory limit reached: no new jobs are taken until some are done",
    "The server is over `memory_limit`. Only pushes are refused; ACK, FAIL and CANCEL go on.",
)
TOO_MANY_PENDING = ErrorCode(
    -28, "TOO_MANY_PENDING", "Too many requests are waiting (max {max_parked})",
    "`max_parked` pulls, or as many WAITJOBs, of one client wait.",
)
AUTH_REQUIRED = ErrorCode(
    -29, "AUTH_REQUIRED", "Authentication required", "Tokens are set and this connection has not sent a valid AUTH."
)
SHUTTING_DOWN = ErrorCode(
    -30, "SERVICE_UNAVAILABLE", "Server is shutting down", "The server drains; connect to it again in a moment."
)
DISK_FULL = ErrorCode(
    -31,
    "DISK_FULL",
    "Disk full: the server's data directory has no room, and nothing is taken that needs some",
    "What adds jobs or data is refused until there is space again; ACK, FAIL and CANCEL go on. Try again later.",
)
STORAGE_FAILED = ErrorCode(
    -32,
    "STORAGE_FAILED",
    "Storage failed: what was asked may be lost, and the server stops",
    "The disk did not take what was written. The change may be there after a restart, or not.",
)
NOT_DURABLE = ErrorCode(
    -33,
    "NOT_DURABLE",
    "Invalid: field 'durability' asks for more than this server gives, which runs with --durability memory",
    "Nothing is written there that could be as durable.",
)

# The job is not in the state that the command needs.
JOB_NOT_FOUND = ErrorCode(
    -40, "JOB_NOT_FOUND", "Job {number} not found", "The id is unknown, or the job is not active any more."
)
NOT_IN_PROCESSING = ErrorCode(
    -41, "JOB_NOT_ACTIVE", "Job {number} not found in processing", "PROGRESS for a job that is not active."
)
NOT_PROCESSING = ErrorCode(
    -42, "JOB_NOT_ACTIVE", "Job {number} not in processing", "HEARTBEAT for a job that is not active."
)
CANNOT_CANCEL = ErrorCode(
    -43,
    "CANNOT_CANCEL",
    "Job {number} cannot be cancelled (already completed/failed)",
    "CANCEL for a job that has ended.",
)
STALE_TOKEN = ErrorCode(
    -44,
    "STALE_TOKEN",
    "Job {number} is held by a newer delivery (stale token)",
    "The job was delivered again since; this delivery may change nothing any more.",
)

CANNOT_PRIORITIZE = ErrorCode(
    -45,
    "CANNOT_PRIORITIZE",
    "Job {number} not found or cannot change priority",
    "CHANGEPRIORITY for a job that is unknown or completed.",
)
NOT_DELAYED = ErrorCode(
    -46, "NOT_DELAYED", "Job {number} is not delayed", "PROMOTE for a job in another state than `delayed`."
)
NOT_FOUND_DELAYED = ErrorCode(
    -47, "NOT_DELAYED", "Job {number} not found or not in delayed state", "PROMOTE for an unknown id."
)
CANNOT_DISCARD = ErrorCode(
    -48,
    "CANNOT_DISCARD",
    "Job {number} not found or already in DLQ/completed",
    "DISCARD for a job that is unknown or has ended.",
)

CONTRADICTION = ErrorCode(
    -60,
    "CONTRADICTION",
    "Invalid: field '{field}' and '{text}' exclude each other",
    "FAIL says that there is no retry, and also when or how there is one; or a pull names `queue` and `queues`.",
)

# The push is one too many.
DUPLICATE_KEY = ErrorCode(
    -49, "DUPLICATE_KEY", "Duplicate job with key: {text}", "Another job of the queue holds `unique_key`."
)
DEBOUNCED = ErrorCode(
    -50,
    "DEBOUNCED",
    "Debounced: job with id '{text}' was pushed recently",
    "The window that an earlier push with this `debounce_id` opened is still open.",
)
PUSH_KEY_TAKEN = ErrorCode(
    -51,
    "PUSH_KEY_TAKEN",
    "Push key '{text}' belongs to another push",
    "A push with this `push_key` was taken not long ago, and this one is not it: of the two one is PUSH and one PUSHB, "
    "or their `jobs` differ in number.",
)

TOO_MANY_NAMES = ErrorCode(
    -52,
    "NAME_LIMIT",
    "Too many names of waiting jobs in this queue (max 256)",
    "Jobs of 256 names, each version counted, wait in the queue; `name` is another one.",
)

# Flows.
FLOW_EMPTY = ErrorCode(None, "INVALID_FLOW", "Flow must have at least one child", "`children` is empty.")
PARENT_NOT_FOUND = ErrorCode(
    None, "JOB_NOT_FOUND", "Parent job {number} not found", "The id is unknown, or no parent of a flow."
)

# Raised by Python only.
INVALID_STATE = ErrorCode(
    None,
    "INVALID_STATE",
    "Invalid state. Use: waiting, delayed, completed, failed",
    "CLEAN without one of these states, in letters of either case.",
)
INVALID_TOKEN = ErrorCode(None, "INVALID_TOKEN", "Invalid token", "AUTH with a token that is not among those set.")
INTERNAL_ERROR = ErrorCode(
    None, "INTERNAL_ERROR", "Internal error", "A fault of the server, logged there with its cause."
)

# A limit of the server layer was reached.
REPLY_TOO_LARGE = ErrorCode(
    None, "REPLY_TOO_LARGE", "Reply too large ({number} bytes, max {max_frame} bytes)",
    "What was asked for does not fit in a frame: ask for less.",
)
TOO_MANY_SUBSCRIPTIONS = ErrorCode(
    None, "TOO_MANY_SUBSCRIPTIONS",
    "Too many subscriptions (max {max_subscriptions} of a connection, {max_channels} names of all)",
    "None of the names of the request was added.",
)
MESSAGE_LARGE = ErrorCode(
    None, "DATA_TOO_LARGE", "Message data too large ({number} bytes, max {max_job_size} bytes)",
    "`message` is over `max_job_size`.",
)

# What WAITJOB waited for did not come.
WAIT_UNKNOWN = ErrorCode(None, "JOB_NOT_FOUND", "Job not found", "WAITJOB for an unknown id, or one that is no more.")
WAIT_FAILED = ErrorCode(None, "JOB_FAILED", "Job failed", "The job failed for good; its dead letter says more.")
WAIT_CANCELLED = ErrorCode(
    None, "JOB_CANCELLED", "Job cancelled", "The job was removed: by CANCEL, CLEAN, DRAIN or OBLITERATE."
)
WAIT_EXPIRED = ErrorCode(None, "JOB_EXPIRED", "Job expired", "The job's `ttl` ended before it was done.")
WAIT_TIMEOUT = ErrorCode(
    None, "TIMEOUT", "Timeout waiting for job {number} after {text}ms", "The job has not ended; it goes on."
)
WAIT_CLOSED = ErrorCode(
    None, "WAITER_CLOSED", "Waiter channel closed", "The client sends no more while its WAITJOB waits."
)

# Waiting for the disk.
SYNC_TIMEOUT = ErrorCode(
    None, "TIMEOUT", "Timeout waiting for position {number} to be on disk after {text}ms",
    "The disk is slow, or full; the change is not lost by that.",
)
POSITION_UNKNOWN = ErrorCode(
    None, "POSITION_UNKNOWN", "Position {number} has not been reached (the last is {text})",
    "`position` is none that a receipt showed.",
)
NOTHING_SYNCED = ErrorCode(
    None, "NOT_DURABLE", "Nothing is written to disk: this server runs with --durability memory",
    "SYNC would wait for ever.",
)

# Keys and values.
KV_KEY_EMPTY = ErrorCode(None, "INVALID_KEY", "Key cannot be empty", "`key` is empty.")
KV_KEY_LONG = ErrorCode(None, "INVALID_KEY", "Key too long ({number} > 1024 bytes)", "`key` is over 1024 bytes.")
KV_VALUE_LARGE = ErrorCode(
    None, "VALUE_TOO_LARGE", "Value too large ({number} > 10485760 bytes)", "`value` is over 10 MiB as compact JSON."
)
KV_TOO_MANY = ErrorCode(
    None, "BATCH_TOO_LARGE", "Too many entries ({number} > 1000)", "KVMSET has more than 1000 entries."
)
KV_FULL = ErrorCode(
    None, "KV_FULL", "Key-value store is full (max {kv_max_keys} keys, {kv_max_bytes} bytes)",
    "The keys would not fit; nothing was changed.",
)
KV_NOT_INTEGER = ErrorCode(
    None, "NOT_AN_INTEGER", "Value is not an integer", "KVINCR of a fraction, or of a number beyond 64 bits."
)
KV_NOT_NUMBER = ErrorCode(None, "NOT_A_NUMBER", "Value is not a number", "KVINCR of something else than a number.")
KV_OVERFLOW = ErrorCode(
    None, "OUT_OF_RANGE", "Value would leave the range of a 64-bit integer", "KVINCR past the end; nothing was changed."
)

# Cron.
CRON_NEEDS_TIME = ErrorCode(
    None, "INVALID_SCHEDULE", "Must provide either 'schedule' or 'repeat_every'", "Both are missing."
)
CRON_LONG = ErrorCode(
    None, "INVALID_SCHEDULE", "Cron schedule too long ({number} chars, max 256 chars)", "`schedule` is too long."
)
CRON_BAD_INTERVAL = ErrorCode(
    None, "INVALID_SCHEDULE", "Invalid interval format: {text}",
    "`*/N` or `repeat_every` with an N that is no number, 0, or beyond all time.",
)
CRON_BAD_SCHEDULE = ErrorCode(
    None, "INVALID_SCHEDULE", "Invalid cron expression '{text}': {rule}", "`schedule` cannot be read, or never comes."
)
CRON_BAD_ZONE = ErrorCode(None, "INVALID_TIME_ZONE", "Unknown time zone '{text}'", "`tz` names no zone known here.")
CRON_FULL = ErrorCode(
    None, "CRON_LIMIT", "Too many cron jobs (max {cron_max_entries}, and together a quarter of {max_frame} bytes)",
    "`cron_max_entries` are listed, or the list would not fit in a frame any more.",
)
CRON_NOT_FOUND = ErrorCode(None, "CRON_NOT_FOUND", "Cron job not found", "There is no entry of this name.")

ERRORS: tuple[ErrorCode, ...] = tuple(value for value in tuple(globals().values()) if isinstance(value, ErrorCode))
BY_STATUS: dict[int, ErrorCode] = {error.status: error for error in ERRORS if error.status is not None}


class Refused(Exception):
    """A command that is answered with an error reply; what the template of its text needs comes along."""

    def __init__(
        self, error: ErrorCode, *, field: str = "", number: int = 0, text: bytes | None = None, rule: str = ""
    ) -> None:
        super().__init__(error.code)
        self.error = error
        self.field = field
        self.number = number
        self.text = text
        self.rule = rule
