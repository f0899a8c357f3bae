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
    Command(
        "METRICS", "Totals since the start, and how fast it goes now.", (),
        (ReplyField("metrics", "Metrics", "{total_pushed, total_completed, total_failed (dead letters), "
                    "jobs_per_second (completed, over the last minute), avg_latency_ms (from push to end, of the last "
                    "1000 completed jobs that are kept), store: {durability (`commit`, `interval` or `memory`), "
                    "health (`ok`, `full`: nothing is taken that adds data, `failed`: nothing is acknowledged), "
                    "position (of the last change), durable (of the last one on disk), pending_bytes (not written "
                    "yet), log_bytes (of the journal since the last checkpoint), checkpoint_bytes (of that)}, "
                    "queues: [{name, pending (waiting and delayed), processing, dlq, rate_limit}]}."),),
        (), "cold", AGAIN,
        ({"cmd": "METRICS"},
         {"ok": True, "success": True, "metrics": {
             "total_pushed": 120, "total_completed": 110, "total_failed": 2, "jobs_per_second": 1.8,
             "avg_latency_ms": 41.5,
             "store": {"durability": "commit", "health": "ok", "position": 431, "durable": 431, "pending_bytes": 0,
                       "log_bytes": 60211, "checkpoint_bytes": 0},
             "queues": [
                 {"name": "emails", "pending": 7, "processing": 1, "dlq": 2, "rate_limit": None}]}}),
        "statistics.metrics",
    ),
)
