"""Steering whole queues."""
from flashq.commands.shared import AGAIN, QUEUE, QUEUE_ERRORS, QUEUE_NAME_ERRORS
from flashq.errors import INVALID_STATE
from flashq.fields import Command, Field, Kind, ReplyField

_QUEUE_INFO = ("List of {name, pending (waiting and delayed), processing, dlq, paused, rate_limit, concurrency_limit, "
               "completed, delayed}, by name; with `groups` {concurrency, rate, fair} where SETGROUPS set some.")
_REMOVED = ReplyField("count", "u64", "Jobs removed.")
_GONE = "Safe: the second removes what came in since."
_QUEUE_EXAMPLE: dict[str, object] = {
    "name": "emails", "pending": 3, "processing": 1, "dlq": 0, "paused": False, "rate_limit": None,
    "concurrency_limit": 5, "completed": 12, "delayed": 1,
}

COMMANDS = (
    Command(
        "PAUSE", "Hand out no more jobs of a queue; pushes go on.", (QUEUE,), (), QUEUE_ERRORS,
        "cold", AGAIN, ({"cmd": "PAUSE", "queue": "emails"}, {"ok": True, "success": True}), "queues.pause",
        changes=True,
    ),
    Command(
        "RESUME", "Hand out the jobs of a paused queue again.", (QUEUE,), (), QUEUE_ERRORS,
        "cold", AGAIN, ({"cmd": "RESUME", "queue": "emails"}, {"ok": True, "success": True}), "queues.resume",
        changes=True,
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
    Command(
        "RATELIMIT", "Deliver at most `limit` jobs of a queue a second.",
        (QUEUE, Field("limit", Kind.U32, "Jobs a second, and as many at once when none went out for a second; 0 = none "
                      "at all. Only jobs delivered count.", required=True)),
        (), QUEUE_ERRORS, "cold", "Safe: the budget is full again.",
        ({"cmd": "RATELIMIT", "queue": "emails", "limit": 100}, {"ok": True, "success": True}), "queues.limit_rate",
        changes=True,
    ),
    Command(
        "RATELIMITCLEAR", "Take a queue's rate limit away.", (QUEUE,), (), QUEUE_NAME_ERRORS, "cold", AGAIN,
        ({"cmd": "RATELIMITCLEAR", "queue": "emails"}, {"ok": True, "success": True}), "queues.clear_rate",
        changes=True,
    ),
    Command(
        "SETCONCURRENCY", "Let at most `limit` jobs of a queue be active at once.",
        (QUEUE, Field("limit", Kind.U32, "Jobs; those active already count. 0 = none.", required=True)),
        (), QUEUE_ERRORS, "cold", AGAIN,
        ({"cmd": "SETCONCURRENCY", "queue": "emails", "limit": 5}, {"ok": True, "success": True}),
        "queues.limit_concurrency", changes=True,
    ),
    Command(
        "CLEARCONCURRENCY", "Take a queue's concurrency limit away.", (QUEUE,), (), QUEUE_NAME_ERRORS, "cold", AGAIN,
        ({"cmd": "CLEARCONCURRENCY", "queue": "emails"}, {"ok": True, "success": True}), "queues.clear_concurrency",
        changes=True,
    ),
    Command(
        "SETGROUPS", "Say how a queue runs the jobs of each of its groups; what is left out is the default.",
        (QUEUE,
         Field("group_concurrency", Kind.U32, "Jobs of one group that may be active at once.", default=1, least=1),
         Field("group_rate", Kind.U32, "Jobs of one group that are delivered a second, and as many at once when none "
               "went out for a second.", least=1),
         Field("fair", Kind.BOOL, "Among jobs of equal priority the groups take turns, a job each, and those without a "
               "group as if they were one more; else the order of the queue counts.", default=False)),
        (), QUEUE_ERRORS, "cold", AGAIN,
        ({"cmd": "SETGROUPS", "queue": "emails", "group_concurrency": 2, "fair": True}, {"ok": True, "success": True}),
        "queues.set_groups", changes=True,
    ),
    Command(
        "DRAIN", "Remove all waiting and delayed jobs of a queue.", (QUEUE,), (_REMOVED,), QUEUE_NAME_ERRORS,
        "cold", _GONE, ({"cmd": "DRAIN", "queue": "emails"}, {"ok": True, "success": True, "count": 3}), "queues.drain",
        changes=True,
    ),
    Command(
        "OBLITERATE", "Remove all jobs of a queue but completed ones, its pause, limits, push keys and cron entries.",
        (QUEUE,), (_REMOVED,), QUEUE_NAME_ERRORS, "cold", _GONE,
        ({"cmd": "OBLITERATE", "queue": "emails"}, {"ok": True, "success": True, "count": 5}), "queues.obliterate",
        changes=True,
    ),
    Command(
        "CLEAN", "Remove old jobs of a queue that are in one state, the oldest first.",
        (QUEUE, Field("grace", Kind.U64, "ms that must have passed since they were pushed; since they completed, of "
                      "completed ones.", required=True),
         Field("state", Kind.STR,
               "waiting, delayed, completed or failed, in letters of either case; an error without."),
         Field("limit", Kind.U64, "Jobs to remove at most; 0 = all.", default=0)),
        (_REMOVED,), (*QUEUE_NAME_ERRORS, INVALID_STATE), "cold", "Without `limit` safe; with it, more may go.",
        ({"cmd": "CLEAN", "queue": "emails", "grace": 3600000, "state": "failed"},
         {"ok": True, "success": True, "count": 2}), "queues.clean", changes=True,
    ),
)
