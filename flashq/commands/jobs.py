"""Pushing, pulling and ending jobs: nearly all of it hot, read by the core itself."""
from flashq.commands.durable import DURABILITY
from flashq.commands.options import MAX_NAME, PUSH_OPTIONS
from flashq.commands.retry import FAIL_OPTIONS
from flashq.commands.shared import AGAIN, GONE_AGAIN, ID, QUEUE, QUEUE_ERRORS, QUEUE_RULE, ROOM_ERRORS
from flashq.errors import (
    BATCH_TOO_LARGE,
    CONTRADICTION,
    DATA_TOO_LARGE,
    DEBOUNCED,
    DUPLICATE_KEY,
    JOB_NOT_FOUND,
    NOT_DURABLE,
    NOT_IN_PROCESSING,
    NOT_PROCESSING,
    PUSH_KEY_TAKEN,
    STALE_TOKEN,
    TOO_MANY_NAMES,
    TOO_MANY_PENDING,
    ErrorCode,
)
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_EXAMPLE

_TOKEN = Field("token", Kind.U64, "`token` of the delivered Job: refused when the job was delivered again since.")
_PUSH_KEY = Field("push_key", Kind.STR, "For 5 minutes the same push with this key, to the same queue, is answered as "
                  "this one was and makes no job; what was refused of it is tried again.", limit=1024)
MAX_QUEUES = 100            # of a pull; as in flashq/_core/several.pxd
MAX_WEIGHT = 1000           # likewise
MAX_NAMES = 100             # of a pull; as in flashq/_core/lanes.pxd
_WHICH = (
    Field("queue", Kind.STR, f"The queue: {QUEUE_RULE}. Either it or `queues`."),
    Field("queues", Kind.TAGS, f"Up to {MAX_QUEUES} queues, none twice: each job comes from the first of them that has "
          "one to give. See [pulling](pulling.md).", rule=f"a list of 1 to {MAX_QUEUES} different queue names"),
    Field("weights", Kind.ID_LIST, "One for each of `queues`: each job comes from one that chance chooses, in "
          "proportion to them, among those that have one to give.", limit=MAX_QUEUES,
          rule=f"a list of integers from 1 to {MAX_WEIGHT}, as many as 'queues' has"),
    Field("names", Kind.TAGS, f"Only jobs with one of these names, up to {MAX_NAMES}, or with none.",
          rule=f"a list of at most {MAX_NAMES} strings of at most {MAX_NAME} bytes"),
    Field("versions", Kind.ID_LIST, "The highest version that this worker can run of each of `names`; without, any.",
          limit=MAX_NAMES, rule="a list of non-negative integers, as many as 'names' has"),
)
_WAIT = Field("timeout", Kind.U64, "ms to wait for a job; 0 = do not wait.", default=60_000)

_JOB_REPLY = ReplyField("job", "Job or null", "The job, now `active`; null when the wait ended without one.")
_PUSH_ERRORS: tuple[ErrorCode, ...] = (*QUEUE_ERRORS, *ROOM_ERRORS, DEBOUNCED, DUPLICATE_KEY,
                                        PUSH_KEY_TAKEN, TOO_MANY_NAMES, NOT_DURABLE)
_ONCE_PUSH = ("With `push_key` safe for 5 minutes, whatever becomes of the job; with `job_id` while that job exists: "
              "the second answers with the same id. Without, it makes another job.")
_ONCE_BATCH = ("With `push_key` safe for 5 minutes: the second answers with the same ids, and tries again what was "
               "refused. Without, safe for jobs with `job_id`; of the others it makes second ones.")
_PULL_AGAIN = ("Safe: jobs of an answer that never arrived come back when their reservation ends, "
               "with a connection that broke at once.")

COMMANDS = (
    Command(
        "PUSH", "Add a job to a queue.", (QUEUE, *PUSH_OPTIONS, _PUSH_KEY, DURABILITY),
        (ReplyField("id", "u64", "Id of the job; below 2^53, increasing within a queue."),),
        (DATA_TOO_LARGE, *_PUSH_ERRORS), "hot", _ONCE_PUSH,
        ({"cmd": "PUSH", "queue": "emails", "data": {"to": "a@b.c"}, "priority": 5, "reqId": "r1"},
         {"reqId": "r1", "ok": True, "success": True, "id": 97}), changes=True,
    ),
    Command(
        "PUSHB", "Add up to 1000 jobs to a queue.",
        (QUEUE, Field("jobs", Kind.ITEMS, "List of push options, those of PUSH.", required=True), _PUSH_KEY,
         DURABILITY),
        (ReplyField("ids", "[u64]", "Ids of the jobs taken, in their order."),
         ReplyField("errors", "[{index, error}]", "What was refused, by its place in `jobs`; else left out."),
         ReplyField("failed", "[u64]", "Those places alone; else left out.")),
        (BATCH_TOO_LARGE, *_PUSH_ERRORS), "hot", _ONCE_BATCH,
        ({"cmd": "PUSHB", "queue": "emails", "jobs": [{"data": 1}, {"data": 2, "delay": 5000}]},
         {"ok": True, "success": True, "ids": [97, 129]}), changes=True,
    ),
    Command(
        "PULL", "Take the next ready job of a queue, or of several, or wait for one.", (*_WHICH, _WAIT), (_JOB_REPLY,),
        (*QUEUE_ERRORS, CONTRADICTION, TOO_MANY_PENDING), "hot", _PULL_AGAIN,
        ({"cmd": "PULL", "queue": "emails", "timeout": 1000}, {"ok": True, "success": True, "job": JOB_EXAMPLE}),
    ),
    Command(
        "PULLB", "Take up to `count` ready jobs; waits for the first, never for more.",
        (*_WHICH, Field("count", Kind.U64, "Jobs wanted; over 1000 counts as 1000, 0 answers at once.", required=True),
         _WAIT),
        (ReplyField("jobs", "[Job]", "The jobs, now `active`, next to run first; fewer when they grow large."),
         ReplyField("job", "null", "Only when the wait ended without a job: `jobs` is empty then.")),
        (*QUEUE_ERRORS, CONTRADICTION, TOO_MANY_PENDING), "hot", _PULL_AGAIN,
        ({"cmd": "PULLB", "queue": "emails", "count": 10, "timeout": 500},
         {"ok": True, "success": True, "jobs": [], "job": None}),
    ),
    Command(
        "ACK", "Report a job as done.",
        (ID, Field("result", Kind.RAW, "Kept for GETRESULT, at most `max_job_size` bytes; null = none."), _TOKEN), (),
        (JOB_NOT_FOUND, STALE_TOKEN, DATA_TOO_LARGE), "hot", GONE_AGAIN,
        ({"cmd": "ACK", "id": 97, "result": {"sent": True}}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "ACKB", "Report up to 1000 jobs as done; ids that are not active are passed over.",
        (Field("ids", Kind.IDS, "The jobs.", required=True),
         Field("tokens", Kind.IDS, "Their tokens, one for each; a stale one's job is passed over.",
               rule="a list of integers, as many as 'ids' has")),
        (ReplyField("ids", "[u64]", "One number: how many of the jobs were active."),
         ReplyField("count", "u64", "The same number.")),
        (BATCH_TOO_LARGE,), "hot", "Safe: the second counts 0.",
        ({"cmd": "ACKB", "ids": [97, 129]}, {"ok": True, "success": True, "ids": [2], "count": 2}), changes=True,
    ),
    Command(
        "FAIL", "Report an attempt as failed: the job is retried, or dead after `max_attempts`.",
        (ID, Field("error", Kind.STR, "Why; shown as the job's progress_msg, cut after 64 KiB."), _TOKEN,
         *FAIL_OPTIONS), (),
        (JOB_NOT_FOUND, STALE_TOKEN, CONTRADICTION), "hot",
        "With `token` safe. Without, the second fails the retry too if a worker has it by then.",
        ({"cmd": "FAIL", "id": 97, "error": "mailbox full"}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "PROGRESS", "Note how far an active job is; renews its lease.",
        (ID, Field("progress", Kind.PROGRESS, "Percent; fractions are rounded down, over 100 counts as 100.",
                    required=True),
         Field("message", Kind.STR, "What it does now, cut after 64 KiB; null or absent clears it."), _TOKEN), (),
        (NOT_IN_PROCESSING, STALE_TOKEN), "hot", AGAIN,
        ({"cmd": "PROGRESS", "id": 97, "progress": 40, "message": "page 4 of 10"}, {"ok": True, "success": True}),
        changes=True,
    ),
    Command(
        "PARTIAL", "Tell those who listen to the queue's events a part of an active job's result; renews its lease.",
        (ID, Field("data", Kind.RAW, "Any value; at most `max_job_size` bytes with what is around it. Kept nowhere."),
         Field("index", Kind.U32, "Which part it is."), _TOKEN), (),
        (NOT_IN_PROCESSING, STALE_TOKEN, DATA_TOO_LARGE), "cold", "They are told a second time.",
        ({"cmd": "PARTIAL", "id": 97, "data": "Dear ", "index": 0}, {"ok": True, "success": True}), "events.partial",
    ),
    Command(
        "HEARTBEAT", "Renew the reservation of an active job; heartbeats missed before no longer count against it.",
        (ID, _TOKEN), (),
        (NOT_PROCESSING, STALE_TOKEN), "hot", AGAIN,
        ({"cmd": "HEARTBEAT", "id": 97}, {"ok": True, "success": True}),
    ),
)
