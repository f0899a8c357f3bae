"""Dead letters: jobs that failed for good."""
from flashq.commands.shared import AGAIN, MAX_BATCH, QUEUE, QUEUE_NAME_ERRORS
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_EXAMPLE

COMMANDS = (
    Command(
        "DLQ", "Show a queue's dead letters, oldest first.",
        (QUEUE, Field("count", Kind.U64, f"Jobs wanted; over {MAX_BATCH} counts as {MAX_BATCH}.", default=100)),
        (ReplyField("jobs", "[Job]", "The jobs, first the one that died first; fewer when they grow large."),),
        QUEUE_NAME_ERRORS, "cold", AGAIN,
        ({"cmd": "DLQ", "queue": "emails", "count": 1}, {"ok": True, "success": True, "jobs": [JOB_EXAMPLE]}),
        "dead.show",
    ),
    Command(
        "RETRYDLQ", "Let a queue's dead letters run again, with no attempt and no lost worker counted. "
        "They wait for [no other job](waiting.md#when-a-dead-letter-is-retried) any more.",
        (QUEUE, Field("id", Kind.U64, "Only this one.", aliases=("job_id",))),
        (ReplyField("ids", "[u64]", "No ids, despite its name: a list of one number, which is `count`."),
         ReplyField("count", "u64", "How many run again.")),
        QUEUE_NAME_ERRORS, "cold", "Safe: the second finds only what died since.",
        ({"cmd": "RETRYDLQ", "queue": "emails"}, {"ok": True, "success": True, "ids": [2], "count": 2}), "dead.retry",
        changes=True,
    ),
    Command(
        "PURGEDLQ", "Remove a queue's dead letters for good.", (QUEUE,), (ReplyField("count", "u64", "Jobs removed."),),
        QUEUE_NAME_ERRORS, "cold", "Safe: the second removes only what died since.",
        ({"cmd": "PURGEDLQ", "queue": "emails"}, {"ok": True, "success": True, "count": 2}), "dead.purge", changes=True,
    ),
)
