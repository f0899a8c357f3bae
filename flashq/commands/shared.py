"""What the entries of several rooms share: the fields of every request, names and limits, how a repeat ends."""
from flashq.errors import (
    DISK_FULL,
    MEMORY_FULL,
    QUEUE_LIMIT,
    QUEUE_NAME_CHARS,
    QUEUE_NAME_EMPTY,
    QUEUE_NAME_LONG,
    ErrorCode,
)
from flashq.fields import Field, Kind, ReplyField

STATES = ("waiting", "delayed", "active", "completed", "failed", "waiting-children")  # in the order of job.pxd's State
MAX_BATCH = 1000            # as in flashq/_core/request.pxd
QUEUE_RULE = "1 to 256 bytes of letters, digits (of any script), `_`, `-` and `.`"

COMMON = (
    Field("cmd", Kind.CMD, "Name of the command, upper case.", required=True),
    Field("reqId", Kind.REQ_ID, "Echoed in the reply, which may then overtake those of requests that wait.", limit=256),
)

ID = Field("id", Kind.U64, "The job.", required=True, aliases=("job_id",))
QUEUE = Field("queue", Kind.STR, f"The queue: {QUEUE_RULE}.", required=True)
STATE_REPLY = ReplyField("state", "str", f"One of {', '.join(STATES)}; `unknown` when there is no such job.")
QUEUE_NAME_ERRORS: tuple[ErrorCode, ...] = (QUEUE_NAME_EMPTY, QUEUE_NAME_LONG, QUEUE_NAME_CHARS)
QUEUE_ERRORS: tuple[ErrorCode, ...] = (*QUEUE_NAME_ERRORS, QUEUE_LIMIT)
ROOM_ERRORS: tuple[ErrorCode, ...] = (MEMORY_FULL, DISK_FULL)     # of what adds data

AGAIN = "Safe: the answer is the same and nothing changes twice."
GONE_AGAIN = "Safe: the second is refused as `Job {id} not found` and changes nothing."
