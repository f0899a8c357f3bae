"""Counting over the whole server."""
from flashq.commands.shared import AGAIN
from flashq.fields import Command, ReplyField

_COUNTS_EXAMPLE: dict[str, object] = {
    "waiting": 2, "active": 1, "completed": 12, "failed": 0, "delayed": 1, "paused": False,
}

COMMANDS = (
    Command(
        "STATS", "Count the jobs of the whole server.", (),
        (ReplyField("queued", "u64", "Ready now."), ReplyField("processing", "u64", "Active."),
         ReplyField("delayed", "u64", "Delayed."), ReplyField("dlq", "u64", "Dead letters."),
         ReplyField("completed", "u64", "Completed since the start."),
         ReplyField("queues", "{name: counts}", "By queue: waiting, active, completed, failed, delayed, paused.")),
        (), "cold", AGAIN,
        ({"cmd": "STATS"},
         {"ok": True, "success": True, "queued": 2, "processing": 1, "delayed": 1, "dlq": 0, "completed": 12,
          "queues": {"emails": _COUNTS_EXAMPLE}}), "statistics.stats",
    ),
)
