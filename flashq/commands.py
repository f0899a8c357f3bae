"""THE command table: each command's fields, limits, reply and errors, once.

The core's parsers (flashq/_core/fieldtable), the Dispatcher and docs/commands.md read it. Hot commands share one
field table, so a name has one kind, limit and set of aliases in all of them; a cold command's fields are its own.
"""
from flashq.errors import (
    AUTH_REQUIRED,
    BAD_REQ_ID,
    BAD_TYPE,
    BATCH_TOO_LARGE,
    CANNOT_CANCEL,
    DATA_TOO_LARGE,
    DUPLICATE_FIELD,
    INVALID_TOKEN,
    JOB_NOT_FOUND,
    MEMORY_FULL,
    MISSING_FIELD,
    NOT_IN_PROCESSING,
    NOT_PROCESSING,
    OUT_OF_RANGE,
    QUEUE_LIMIT,
    QUEUE_NAME_CHARS,
    QUEUE_NAME_EMPTY,
    QUEUE_NAME_LONG,
    SHUTTING_DOWN,
    STALE_TOKEN,
    TEXT_TOO_LONG,
    TOO_MANY_PENDING,
    UNKNOWN_OPTION,
    ErrorCode,
)
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_EXAMPLE

__all__ = ["ANY_COMMAND_ERRORS", "BY_NAME", "COMMANDS", "COMMON", "LATER_OPTIONS", "MAX_BATCH", "PUSH_OPTIONS",
           "QUEUE_RULE", "STATES", "Command", "Field", "Kind", "ReplyField"]

STATES = ("waiting", "delayed", "active", "completed", "failed")  # in the order of job.pxd's State
MAX_BATCH = 1000            # as in flashq/_core/request.pxd
QUEUE_RULE = "1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`"

COMMON = (
    Field("cmd", Kind.CMD, "Name of the command, upper case.", required=True),
    Field("reqId", Kind.REQ_ID, "Echoed in the reply, which may then overtake those of waiting pulls.", limit=256),
)
PUSH_OPTIONS = (
    Field("data", Kind.RAW, "The payload, any value; at most `max_job_size` bytes."),
    Field("priority", Kind.I32, "Greater runs sooner.", default=0),
    Field("delay", Kind.U64, "ms from now until the job may run.", default=0),
    Field("ttl", Kind.U64, "ms after which a job nobody has taken is dropped; 0 = never.", default=0),
    Field("timeout", Kind.U64, "ms a worker may take; then the attempt has failed. 0 = no limit.", default=0),
    Field("max_attempts", Kind.U32, "Failures until the job is dead; 0 = retried for ever.", default=0,
          aliases=("attempts", "maxAttempts")),
    Field("backoff", Kind.U64, "ms; a retry waits backoff * 2^min(attempts, 10). 0 = no wait.", default=0),
    Field("lifo", Kind.BOOL, "Newest first among jobs of the same priority, before those that are not.", default=False),
    Field("tags", Kind.TAGS, "Free labels.", default=()),
    Field("job_id", Kind.STR, "A custom id: while that job exists, a push only answers with its id.", limit=1024,
          aliases=("jobId",)),
    Field("stall_timeout", Kind.U64, "ms between heartbeats; a missed one takes the job back. 0 = `lease`, which "
          "counts only once the worker's connection is lost.", default=0),
    Field("remove_on_complete", Kind.BOOL, "Keep neither job nor result when it is acknowledged.", default=False),
    Field("remove_on_fail", Kind.BOOL, "Remove the job instead of keeping it as a dead letter.", default=False),
)
LATER_OPTIONS = (
    Field("unique_key", Kind.LATER, "Not served yet."),
    Field("depends_on", Kind.LATER, "Not served yet."),
    Field("debounce_id", Kind.LATER, "Not served yet."),
    Field("debounce_ttl", Kind.LATER, "Not served yet."),
    Field("keep_completed_age", Kind.LATER, "Not served yet.", aliases=("keepCompletedAge",)),
    Field("keep_completed_count", Kind.LATER, "Not served yet.", aliases=("keepCompletedCount",)),
    Field("group_id", Kind.LATER, "Not served yet."),
)

_ID = Field("id", Kind.U64, "The job.", required=True, aliases=("job_id",))
_QUEUE = Field("queue", Kind.STR, f"The queue: {QUEUE_RULE}.", required=True)
_TOKEN = Field("token", Kind.U64, "`token` of the delivered Job: refused when the job was delivered again since.")
_WAIT = Field("timeout", Kind.U64, "ms to wait for a job; 0 = do not wait.", default=60_000)

_JOB_REPLY = ReplyField("job", "Job or null", "The job, now `active`; null when the wait ended without one.")
_QUEUE_ERRORS: tuple[ErrorCode, ...] = (QUEUE_NAME_EMPTY, QUEUE_NAME_LONG, QUEUE_NAME_CHARS, QUEUE_LIMIT)
_PUSH_ERRORS: tuple[ErrorCode, ...] = (*_QUEUE_ERRORS, MEMORY_FULL, UNKNOWN_OPTION)

_AGAIN = "Safe: the answer is the same and nothing changes twice."
_ONCE_PUSH = "With `job_id` safe: the second answers with the same id. Without, it makes another job."
_PULL_AGAIN = ("Safe: jobs of an answer that never arrived come back when their reservation ends, "
               "with a connection that broke at once.")

_HOT = (
    Command(
        "PUSH", "Add a job to a queue.", (_QUEUE, *PUSH_OPTIONS, *LATER_OPTIONS),
        (ReplyField("id", "u64", "Id of the job; below 2^53, increasing within a queue."),),
        (DATA_TOO_LARGE, *_PUSH_ERRORS), "hot", _ONCE_PUSH,
        ({"cmd": "PUSH", "queue": "emails", "data": {"to": "a@b.c"}, "priority": 5, "reqId": "r1"},
         {"reqId": "r1", "ok": True, "success": True, "id": 97}),
    ),
    Command(
        "PUSHB", "Add up to 1000 jobs to a queue.",
        (_QUEUE, Field("jobs", Kind.ITEMS, "List of push options, those of PUSH.", required=True)),
        (ReplyField("ids", "[u64]", "Ids of the jobs taken, in their order."),
         ReplyField("errors", "[{index, error}]", "What was refused, by its place in `jobs`; else left out."),
         ReplyField("failed", "[u64]", "Those places alone; else left out.")),
        (BATCH_TOO_LARGE, *_PUSH_ERRORS), "hot", "Safe for jobs with `job_id`; of the others it makes second ones.",
        ({"cmd": "PUSHB", "queue": "emails", "jobs": [{"data": 1}, {"data": 2, "delay": 5000}]},
         {"ok": True, "success": True, "ids": [97, 129]}),
    ),
    Command(
        "PULL", "Take the next ready job of a queue, or wait for one.", (_QUEUE, _WAIT), (_JOB_REPLY,),
        (*_QUEUE_ERRORS, TOO_MANY_PENDING), "hot", _PULL_AGAIN,
        ({"cmd": "PULL", "queue": "emails", "timeout": 1000}, {"ok": True, "success": True, "job": JOB_EXAMPLE}),
    ),
    Command(
        "PULLB", "Take up to `count` ready jobs; waits for the first, never for more.",
        (_QUEUE, Field("count", Kind.U64, "Jobs wanted; over 1000 counts as 1000, 0 answers at once.", required=True),
         _WAIT),
        (ReplyField("jobs", "[Job]", "The jobs, now `active`, next to run first; fewer when they grow large."),
         ReplyField("job", "null", "Only when the wait ended without a job: `jobs` is empty then.")),
        (*_QUEUE_ERRORS, TOO_MANY_PENDING), "hot", _PULL_AGAIN,
        ({"cmd": "PULLB", "queue": "emails", "count": 10, "timeout": 500},
         {"ok": True, "success": True, "jobs": [], "job": None}),
    ),
    Command(
        "ACK", "Report a job as done.",
        (_ID, Field("result", Kind.RAW, "Kept for GETRESULT, at most `max_job_size` bytes; null = none."), _TOKEN), (),
        (JOB_NOT_FOUND, STALE_TOKEN, DATA_TOO_LARGE), "hot",
        "Safe: the second is refused as `Job {id} not found` and changes nothing.",
        ({"cmd": "ACK", "id": 97, "result": {"sent": True}}, {"ok": True, "success": True}),
    ),
    Command(
        "ACKB", "Report up to 1000 jobs as done; ids that are not active are passed over.",
        (Field("ids", Kind.IDS, "The jobs.", required=True),
         Field("tokens", Kind.IDS, "Their tokens, one for each; a stale one's job is passed over.",
               rule="a list of integers, as many as 'ids' has")),
        (ReplyField("ids", "[u64]", "One number: how many of the jobs were active."),
         ReplyField("count", "u64", "The same number.")),
        (BATCH_TOO_LARGE,), "hot", "Safe: the second counts 0.",
        ({"cmd": "ACKB", "ids": [97, 129]}, {"ok": True, "success": True, "ids": [2], "count": 2}),
    ),
    Command(
        "FAIL", "Report an attempt as failed: the job is retried, or dead after `max_attempts`.",
        (_ID, Field("error", Kind.STR, "Why; shown as the job's progress_msg, cut after 64 KiB."), _TOKEN), (),
        (JOB_NOT_FOUND, STALE_TOKEN), "hot",
        "With `token` safe. Without, the second fails the retry too if a worker has it by then.",
        ({"cmd": "FAIL", "id": 97, "error": "mailbox full"}, {"ok": True, "success": True}),
    ),
    Command(
        "PROGRESS", "Note how far an active job is; renews its lease.",
        (_ID, Field("progress", Kind.PROGRESS, "Percent; fractions are rounded down, over 100 counts as 100.",
                    required=True),
         Field("message", Kind.STR, "What it does now, cut after 64 KiB; null or absent clears it."), _TOKEN), (),
        (NOT_IN_PROCESSING, STALE_TOKEN), "hot", _AGAIN,
        ({"cmd": "PROGRESS", "id": 97, "progress": 40, "message": "page 4 of 10"}, {"ok": True, "success": True}),
    ),
    Command(
        "HEARTBEAT", "Renew the reservation of an active job.",
        (_ID, _TOKEN), (),
        (NOT_PROCESSING, STALE_TOKEN), "hot", _AGAIN,
        ({"cmd": "HEARTBEAT", "id": 97}, {"ok": True, "success": True}),
    ),
)

_STATE_REPLY = ReplyField("state", "str", f"One of {', '.join(STATES)}; `unknown` when there is no such job.")
_QUEUE_INFO = ("List of {name, pending (waiting and delayed), processing, dlq, paused, rate_limit, concurrency_limit, "
               "completed, delayed}, by name.")
_QUEUE_EXAMPLE: dict[str, object] = {
    "name": "emails", "pending": 3, "processing": 1, "dlq": 0, "paused": False, "rate_limit": None,
    "concurrency_limit": None, "completed": 12, "delayed": 1,
}
_COUNTS_EXAMPLE: dict[str, object] = {
    "waiting": 2, "active": 1, "completed": 12, "failed": 0, "delayed": 1, "paused": False,
}

_COLD = (
    Command(
        "AUTH", "Show a token; needed once per connection when the server has tokens set.",
        (Field("token", Kind.STR, "One of the tokens set.", required=True, limit=4096),), (),
        (INVALID_TOKEN,), "cold", _AGAIN,
        ({"cmd": "AUTH", "token": "s3cret"}, {"ok": True, "success": True}), "auth",
    ),
    Command(
        "HELLO", "Say who this connection is, and hear what the server allows.",
        (Field("session", Kind.STR, "Name of this client's session: a reconnect within `disconnect_grace` that says "
               "the same keeps its reservations. Up to 256 bytes, unguessable.", limit=256),
         Field("push", Kind.BOOL, "Take frames that answer no request (`event`, without `ok`).", default=False)),
        (ReplyField("session", "str or null", "The session."), ReplyField("server", "str", "`flashq`."),
         ReplyField("version", "str", "The server's version."), ReplyField("push", "bool", "As asked."),
         ReplyField("max_batch", "u64", "Largest batch."), ReplyField("max_frame", "u64", "Largest frame in bytes."),
         ReplyField("max_job_size", "u64", "Largest `data` in bytes."),
         ReplyField("max_parked", "u64", "Most pulls that may wait at once on a connection.")),
        (), "cold", _AGAIN,
        ({"cmd": "HELLO", "session": "worker-7f3a"},
         {"ok": True, "success": True, "session": "worker-7f3a", "server": "flashq", "version": "0.1.0", "push": False,
          "max_batch": 1000, "max_frame": 16777216, "max_job_size": 1048576, "max_parked": 1000}), "hello",
    ),
    Command(
        "PING", "Answer at once.", (), (ReplyField("pong", "bool", "Always true."),), (), "cold", _AGAIN,
        ({"cmd": "PING"}, {"ok": True, "success": True, "pong": True}), "ping",
    ),
    Command(
        "GETJOB", "Show a job.", (_ID,),
        (ReplyField("job", "Job or null", "The job; null when it is gone or only known as completed."),
         _STATE_REPLY),
        (), "cold", _AGAIN,
        ({"cmd": "GETJOB", "id": 97}, {"ok": True, "success": True, "job": JOB_EXAMPLE, "state": "active"}), "get_job",
    ),
    Command(
        "GETSTATE", "Tell a job's state.", (_ID,), (ReplyField("id", "u64", "The id asked for."), _STATE_REPLY),
        (), "cold", _AGAIN,
        ({"cmd": "GETSTATE", "id": 97}, {"ok": True, "success": True, "id": 97, "state": "active"}), "get_state",
    ),
    Command(
        "GETRESULT", "Show what a job's ACK gave as its result.", (_ID,),
        (ReplyField("id", "u64", "The id asked for."),
         ReplyField("result", "any", "The result; null when there is none, or no such job.")),
        (), "cold", _AGAIN,
        ({"cmd": "GETRESULT", "id": 97}, {"ok": True, "success": True, "id": 97, "result": {"sent": True}}),
        "get_result",
    ),
    Command(
        "CANCEL", "Remove a job that has not ended; a worker that holds it loses it.", (_ID,), (),
        (JOB_NOT_FOUND, CANNOT_CANCEL), "cold",
        "Safe: the second is refused as `Job {id} not found` and changes nothing.",
        ({"cmd": "CANCEL", "id": 97}, {"ok": True, "success": True}), "cancel",
    ),
    Command(
        "GETPROGRESS", "Show how far a job is.", (_ID,),
        (ReplyField("progress", "{id, progress, message}", "Percent, and the message or null."),
         ReplyField("message", "str or null", "The message again.")),
        (JOB_NOT_FOUND,), "cold", _AGAIN,
        ({"cmd": "GETPROGRESS", "id": 97},
         {"ok": True, "success": True, "progress": {"id": 97, "progress": 40, "message": "page 4 of 10"},
          "message": "page 4 of 10"}), "get_progress",
    ),
    Command(
        "PAUSE", "Hand out no more jobs of a queue; pushes go on.", (_QUEUE,), (), _QUEUE_ERRORS,
        "cold", _AGAIN, ({"cmd": "PAUSE", "queue": "emails"}, {"ok": True, "success": True}), "pause",
    ),
    Command(
        "RESUME", "Hand out the jobs of a paused queue again.", (_QUEUE,), (), _QUEUE_ERRORS,
        "cold", _AGAIN, ({"cmd": "RESUME", "queue": "emails"}, {"ok": True, "success": True}), "resume",
    ),
    Command(
        "ISPAUSED", "Tell whether a queue is paused.", (_QUEUE,),
        (ReplyField("paused", "bool", "Also false for a queue that nobody has used."),), (), "cold", _AGAIN,
        ({"cmd": "ISPAUSED", "queue": "emails"}, {"ok": True, "success": True, "paused": False}), "is_paused",
    ),
    Command(
        "LISTQUEUES", "List the queues that hold jobs, or are paused.", (),
        (ReplyField("queues", "[QueueInfo]", _QUEUE_INFO),), (), "cold", _AGAIN,
        ({"cmd": "LISTQUEUES"}, {"ok": True, "success": True, "queues": [_QUEUE_EXAMPLE]}), "list_queues",
    ),
    Command(
        "COUNT", "Count a queue's waiting and delayed jobs.", (_QUEUE,), (ReplyField("count", "u64", "How many."),),
        (), "cold", _AGAIN,
        ({"cmd": "COUNT", "queue": "emails"}, {"ok": True, "success": True, "count": 3}), "count",
    ),
    Command(
        "STATS", "Count the jobs of the whole server.", (),
        (ReplyField("queued", "u64", "Ready now."), ReplyField("processing", "u64", "Active."),
         ReplyField("delayed", "u64", "Delayed."), ReplyField("dlq", "u64", "Dead letters."),
         ReplyField("completed", "u64", "Completed since the start."),
         ReplyField("queues", "{name: counts}", "By queue: waiting, active, completed, failed, delayed, paused.")),
        (), "cold", _AGAIN,
        ({"cmd": "STATS"},
         {"ok": True, "success": True, "queued": 2, "processing": 1, "delayed": 1, "dlq": 0, "completed": 12,
          "queues": {"emails": _COUNTS_EXAMPLE}}), "stats",
    ),
)

COMMANDS: tuple[Command, ...] = (*_HOT, *_COLD)
BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS}
# What any command may be refused with, beside a frame that cannot be read.
ANY_COMMAND_ERRORS: tuple[ErrorCode, ...] = (
    AUTH_REQUIRED, SHUTTING_DOWN, MISSING_FIELD, BAD_TYPE, OUT_OF_RANGE, TEXT_TOO_LONG, DUPLICATE_FIELD, BAD_REQ_ID,
)
