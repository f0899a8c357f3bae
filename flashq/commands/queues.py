"""Steering whole queues."""
from flashq.commands.shared import AGAIN, QUEUE, QUEUE_ERRORS
from flashq.fields import Command, ReplyField

_QUEUE_INFO = ("List of {name, pending (waiting and delayed), processing, dlq, paused, rate_limit, concurrency_limit, "
               "completed, delayed}, by name.")
_QUEUE_EXAMPLE: dict[str, object] = {
    "name": "emails", "pending": 3, "processing": 1, "dlq": 0, "paused": False, "rate_limit": None,
    "concurrency_limit": None, "completed": 12, "delayed": 1,
}

COMMANDS = (
    Command(
        "PAUSE", "Hand out no more jobs of a queue; pushes go on.", (QUEUE,), (), QUEUE_ERRORS,
        "cold", AGAIN, ({"cmd": "PAUSE", "queue": "emails"}, {"ok": True, "success": True}), "queues.pause",
    ),
    Command(
        "RESUME", "Hand out the jobs of a paused queue again.", (QUEUE,), (), QUEUE_ERRORS,
        "cold", AGAIN, ({"cmd": "RESUME", "queue": "emails"}, {"ok": True, "success": True}), "queues.resume",
    ),
    Command(
        "ISPAUSED", "Tell whether a queue is paused.", (QUEUE,),
        (ReplyField("paused", "bool", "Also false for a queue that nobody has used."),), (), "cold", AGAIN,
        ({"cmd": "ISPAUSED", "queue": "emails"}, {"ok": True, "success": True, "paused": False}), "queues.is_paused",
    ),
    Command(
        "LISTQUEUES", "List the queues that hold jobs, or are paused.", (),
        (ReplyField("queues", "[QueueInfo]", _QUEUE_INFO),), (), "cold", AGAIN,
        ({"cmd": "LISTQUEUES"}, {"ok": True, "success": True, "queues": [_QUEUE_EXAMPLE]}), "queues.list_queues",
    ),
    Command(
        "COUNT", "Count a queue's waiting and delayed jobs.", (QUEUE,), (ReplyField("count", "u64", "How many."),),
        (), "cold", AGAIN,
        ({"cmd": "COUNT", "queue": "emails"}, {"ok": True, "success": True, "count": 3}), "queues.count",
    ),
)
