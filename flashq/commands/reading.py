"""Looking at jobs."""
from flashq.commands.shared import AGAIN, ID, MAX_BATCH, QUEUE, STATE_REPLY, STATES
from flashq.errors import (
    BATCH_TOO_LARGE,
    JOB_NOT_FOUND,
    TOO_MANY_PENDING,
    WAIT_CANCELLED,
    WAIT_CLOSED,
    WAIT_EXPIRED,
    WAIT_FAILED,
    WAIT_TIMEOUT,
    WAIT_UNKNOWN,
)
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_EXAMPLE

_ITEM_EXAMPLE: dict[str, object] = {"id": 97, "queue": "emails", "state": "active", "job": JOB_EXAMPLE}
_COUNTS_EXAMPLE: dict[str, object] = {
    "waiting": 2, "active": 1, "delayed": 1, "completed": 12, "failed": 0, "waiting-children": 0,
}
_COUNTS = tuple(
    ReplyField(name, "u64", "Since the start." if name == "completed" else "Now.") for name in _COUNTS_EXAMPLE
)

COMMANDS = (
    Command(
        "GETJOB", "Show a job.", (ID,),
        (ReplyField("job", "Job or null", "The job; null when it is gone or only known as completed."),
         STATE_REPLY),
        (), "cold", AGAIN,
        ({"cmd": "GETJOB", "id": 97}, {"ok": True, "success": True, "job": JOB_EXAMPLE, "state": "active"}),
        "reading.get_job",
    ),
    Command(
        "EXPLAIN", "Tell why a job does not run.", (ID,),
        (ReplyField("id", "u64", "The id asked for."), STATE_REPLY,
         ReplyField("reasons", "[{reason, …}]", "What is in its way; none for a job that runs or has ended: "
                    "`waiting_for` (count, ids), `delayed` (until, ms since 1970), `paused`, `concurrency_limit` "
                    "(limit, active), `rate_limit` (limit, free_in ms or null), `group_limit` (group_id, limit, "
                    "active), `group_rate` (group_id, limit, free_in ms), `jobs_ahead` (count; at_least when "
                    "there may be more), `nobody_pulling` (count of the pulls that wait, when they are all for jobs "
                    "of other names or versions), `no_memory`.")),
        (JOB_NOT_FOUND,), "cold", AGAIN,
        ({"cmd": "EXPLAIN", "id": 97},
         {"ok": True, "success": True, "id": 97, "state": "waiting", "reasons": [{"reason": "nobody_pulling"}]}),
        "reading.explain",
    ),
    Command(
        "GETSTATE", "Tell a job's state.", (ID,), (ReplyField("id", "u64", "The id asked for."), STATE_REPLY),
        (), "cold", AGAIN,
        ({"cmd": "GETSTATE", "id": 97}, {"ok": True, "success": True, "id": 97, "state": "active"}),
        "reading.get_state",
    ),
    Command(
        "GETRESULT", "Show what a job's ACK gave as its result.", (ID,),
        (ReplyField("id", "u64", "The id asked for."),
         ReplyField("result", "any", "The result; null when there is none, or no such job.")),
        (), "cold", AGAIN,
        ({"cmd": "GETRESULT", "id": 97}, {"ok": True, "success": True, "id": 97, "result": {"sent": True}}),
        "reading.get_result",
    ),
    Command(
        "WAITJOB", "Wait until a job has ended, and show its result.",
        (ID, Field("timeout", Kind.U64, "ms to wait; 0 = do not wait.", default=30_000)),
        (ReplyField("result", "any", "What its ACK gave, also of a job not kept; left out when there is none."),
         ReplyField("kept", "bool", "Only as false: it was completed before, and whether it had a result is not known "
                    "any more.")),
        (WAIT_UNKNOWN, WAIT_FAILED, WAIT_CANCELLED, WAIT_EXPIRED, WAIT_TIMEOUT, WAIT_CLOSED, TOO_MANY_PENDING), "cold",
        "Safe: it waits again. Of a job that is not kept, only a request that waited hears the result.",
        ({"cmd": "WAITJOB", "id": 97, "timeout": 5000}, {"ok": True, "success": True, "result": {"sent": True}}),
        "waits.wait_job",
    ),
    Command(
        "GETPROGRESS", "Show how far a job is.", (ID,),
        (ReplyField("progress", "{id, progress, message}", "Percent, and the message or null."),
         ReplyField("message", "str or null", "The message again.")),
        (JOB_NOT_FOUND,), "cold", AGAIN,
        ({"cmd": "GETPROGRESS", "id": 97},
         {"ok": True, "success": True, "progress": {"id": 97, "progress": 40, "message": "page 4 of 10"},
          "message": "page 4 of 10"}), "reading.get_progress",
    ),
    Command(
        "GETJOBBYCUSTOMID", "Show the job that has a custom id.",
        (Field("job_id", Kind.STR, "The `job_id` of its push.", required=True, aliases=("customId",)),),
        (ReplyField("job", "Job or null", "The job; null when there is none, or its data is no longer kept."),
         STATE_REPLY),
        (), "cold", AGAIN,
        ({"cmd": "GETJOBBYCUSTOMID", "job_id": "welcome-17"},
         {"ok": True, "success": True, "job": JOB_EXAMPLE, "state": "active"}), "reading.get_job_by_custom_id",
    ),
    Command(
        "GETJOBSBATCH", f"Show up to {MAX_BATCH} jobs.", (Field("ids", Kind.IDS, "The jobs.", required=True),),
        (ReplyField("jobs", "[Job]", "Those that there are, in the order asked for; each has itself again as `job`. "
                    "Fewer when they grow large."),),
        (BATCH_TOO_LARGE,), "cold", AGAIN,
        ({"cmd": "GETJOBSBATCH", "ids": [97, 129]}, {"ok": True, "success": True, "jobs": [_ITEM_EXAMPLE]}),
        "reading.get_jobs_batch",
    ),
    Command(
        "GETJOBS", "List jobs, newest first.",
        (Field("queue", Kind.STR, "Only this queue's."),
         Field("state", Kind.STR, f"Only these: {', '.join(STATES)}, in letters of either case, with `-`, `_` or "
               "nothing between the words; `waiting-parent` is `waiting-children`. Any other word filters nothing."),
         Field("limit", Kind.U64, f"Jobs wanted; over {MAX_BATCH} counts as {MAX_BATCH}.", default=100),
         Field("offset", Kind.U64, "Jobs passed over first.", default=0)),
        (ReplyField("jobs", "[Job]", "Each has itself again as `job`. Fewer than `limit` also when they grow large."),
         ReplyField("total", "u64", "How many there are in all, before `limit` and `offset`.")),
        (), "cold", AGAIN,
        ({"cmd": "GETJOBS", "queue": "emails", "state": "active", "limit": 1},
         {"ok": True, "success": True, "jobs": [_ITEM_EXAMPLE], "total": 1}), "reading.get_jobs",
    ),
    Command(
        "GETJOBCOUNTS", "Count a queue's jobs by state.", (QUEUE,),
        (*_COUNTS, ReplyField("counts", "{state: u64}", "All of them again.")),
        (), "cold", AGAIN,
        ({"cmd": "GETJOBCOUNTS", "queue": "emails"},
         {"ok": True, "success": True, **_COUNTS_EXAMPLE, "counts": _COUNTS_EXAMPLE}), "reading.get_job_counts",
    ),
    Command(
        "GETLOGS", "Show a job's log.", (ID,),
        (ReplyField("id", "u64", "The id asked for."),
         ReplyField("logs", "[{timestamp, message, level}]", "Oldest first; empty for an unknown job.")),
        (), "cold", AGAIN,
        ({"cmd": "GETLOGS", "id": 97},
         {"ok": True, "success": True, "id": 97,
          "logs": [{"timestamp": 1767225600500, "message": "page 4 of 10", "level": "debug"}]}), "reading.get_logs",
    ),
)
