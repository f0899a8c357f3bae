"""The Job object as clients see it: its keys, in the order in which the codecs write them."""
from flashq.commands.retry import ATTEMPT_TEXT, ATTEMPTS_KEPT, REASONS
from flashq.fields import ReplyField

JOB_FIELDS = (
    ReplyField("id", "u64", "Below 2^53, increasing within a queue, never reused."),
    ReplyField("queue", "str", "Its queue."),
    ReplyField("data", "any", "The payload as pushed."),
    ReplyField("priority", "i32", "Greater runs sooner."),
    ReplyField("created_at", "u64", "ms since 1970."),
    ReplyField("run_at", "u64", "ms since 1970; earliest start."),
    ReplyField("started_at", "u64", "ms since 1970; 0 = not started."),
    ReplyField("attempts", "u32", "Failures so far."),
    ReplyField("max_attempts", "u32", "0 = retried for ever."),
    ReplyField("backoff", "u64", "ms; 0 = none."),
    ReplyField("ttl", "u64", "ms; 0 = none."),
    ReplyField("timeout", "u64", "ms; 0 = none."),
    ReplyField("unique_key", "str or null", "Of the push."),
    ReplyField("depends_on", "[u64]", "Of the push."),
    ReplyField("progress", "u8", "0 to 100."),
    ReplyField("progress_msg", "str or null", "Of the last PROGRESS, or the text of the last failure."),
    ReplyField("tags", "[str]", "Labels."),
    ReplyField("lifo", "bool", "Newest first."),
    ReplyField("remove_on_complete", "bool", "Nothing is kept after ACK."),
    ReplyField("remove_on_fail", "bool", "Not kept as a dead letter."),
    ReplyField("last_heartbeat", "u64", "ms since 1970; set by PULL, PROGRESS and HEARTBEAT."),
    ReplyField("stall_timeout", "u64", "ms; 0 = the server's `lease`."),
    ReplyField("stall_count", "u32", "Lost workers so far."),
    ReplyField("parent_id", "u64 or null", "The parent of the flow that it is a child of."),
    ReplyField("children_ids", "[u64]", "The children of its flow."),
    ReplyField("children_completed", "u32", "How many of them are completed."),
    ReplyField("custom_id", "str or null", "The `job_id` of the push."),
    ReplyField("keep_completed_age", "u64", "ms that it is kept for once completed; 0 = as the server's limits say."),
    ReplyField("keep_completed_count", "u64", "Kept while it is among so many newest; 0 = likewise."),
    ReplyField("completed_at", "u64", "ms since 1970; 0 = not completed."),
    ReplyField("group_id", "str or null", "Its group."),
    ReplyField("state", "str", "waiting, delayed, active, completed, failed or waiting-children."),
    ReplyField("progress_message", "str or null", "The same as progress_msg."),
    ReplyField("token", "u64 or null", "Of this delivery, for ACK, FAIL, PROGRESS, HEARTBEAT; null when not active."),
)
# After those, and only where there is something to say.
OPTIONAL_JOB_FIELDS = (
    ReplyField("name", "str", "What kind of job it is."),
    ReplyField("version", "u32", "Of that kind; also where only it was given."),
    ReplyField("retry", "{type, delay, max, jitter}", "The retry policy of the push."),
    ReplyField("reason", "str", f"Why it is dead: {', '.join(REASONS)}. Of a `failed` job."),
    ReplyField("failed_at", "u64", "ms since 1970; when it died. Of a `failed` job."),
    ReplyField("history", "[{started_at, ended_at, reason, error, worker}]", "The attempts that ended badly, the last "
               f"{ATTEMPTS_KEPT} of them, oldest first; `error` (or null) is cut after {ATTEMPT_TEXT} bytes, `worker` "
               "is its session (or null). Shown by GETJOB, GETJOBBYCUSTOMID and DLQ. A release is no such attempt."),
)

JOB_EXAMPLE: dict[str, object] = {
    "id": 97, "queue": "emails", "data": {"to": "a@b.c"}, "priority": 5, "created_at": 1767225600000,
    "run_at": 1767225600000, "started_at": 1767225600250, "attempts": 0, "max_attempts": 0, "backoff": 0, "ttl": 0,
    "timeout": 0, "unique_key": None, "depends_on": [], "progress": 0, "progress_msg": None, "tags": [], "lifo": False,
    "remove_on_complete": False, "remove_on_fail": False, "last_heartbeat": 1767225600250, "stall_timeout": 0,
    "stall_count": 0, "parent_id": None, "children_ids": [], "children_completed": 0, "custom_id": None,
    "keep_completed_age": 0, "keep_completed_count": 0, "completed_at": 0, "group_id": None, "state": "active",
    "progress_message": None, "token": 4294967297,
}
