"""Looking at jobs."""
from flashq.commands.shared import AGAIN, ID, STATE_REPLY
from flashq.errors import JOB_NOT_FOUND
from flashq.fields import Command, ReplyField
from flashq.job_shape import JOB_EXAMPLE

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
        "GETPROGRESS", "Show how far a job is.", (ID,),
        (ReplyField("progress", "{id, progress, message}", "Percent, and the message or null."),
         ReplyField("message", "str or null", "The message again.")),
        (JOB_NOT_FOUND,), "cold", AGAIN,
        ({"cmd": "GETPROGRESS", "id": 97},
         {"ok": True, "success": True, "progress": {"id": 97, "progress": 40, "message": "page 4 of 10"},
          "message": "page 4 of 10"}), "reading.get_progress",
    ),
)
