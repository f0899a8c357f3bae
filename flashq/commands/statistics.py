"""Counting over the whole server."""
from flashq.commands.shared import AGAIN
from flashq.fields import Command, Field, Kind, ReplyField

_COUNTS_EXAMPLE: dict[str, object] = {
    "waiting": 2, "active": 1, "completed": 12, "failed": 0, "delayed": 1, "paused": False,
}

_TIMES_EXAMPLE: dict[str, object] = {
    "wait_ms": {"count": 42, "p50": 1.0, "p95": 13.5, "p99": 27.5},
    "processing_ms": {"count": 40, "p50": 27.5, "p95": 55.5, "p99": 111.5},
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
                    "1000 completed jobs that are kept), wait_ms (from when a job may run until it is pulled) and "
                    "processing_ms (from there until its ACK), each {count, p50, p95, p99}: of the last one to two "
                    "minutes, in ms, within a quarter of the true value, null when nothing was counted; connections, "
                    "workers (connections that hold jobs, wait in a pull, or pulled in the last 30 s), busy_workers "
                    "(that hold jobs), waiting_pulls; store: {durability (`commit`, `interval` or `memory`), "
                    "health (`ok`, `full`: nothing is taken that adds data, `failed`: nothing is acknowledged), "
                    "position (of the last change), durable (of the last one on disk), pending_bytes (not written "
                    "yet), log_bytes (of the journal since the last checkpoint), checkpoint_bytes (of that)}, "
                    "queues: [{name, pending (waiting and delayed), processing, dlq, rate_limit, and as above but "
                    "of the queue alone waiting_pulls, workers, busy_workers, wait_ms, processing_ms}]}. Of a "
                    "connection with thousands of jobs or pulls the first ones tell for which queues it works."),),
        (), "cold", AGAIN,
        ({"cmd": "METRICS"},
         {"ok": True, "success": True, "metrics": {
             "total_pushed": 120, "total_completed": 110, "total_failed": 2, "jobs_per_second": 1.8,
             "avg_latency_ms": 41.5, **_TIMES_EXAMPLE, "connections": 5, "workers": 3, "busy_workers": 1,
             "waiting_pulls": 2,
             "store": {"durability": "commit", "health": "ok", "position": 431, "durable": 431, "pending_bytes": 0,
                       "log_bytes": 60211, "checkpoint_bytes": 0},
             "queues": [
                 {"name": "emails", "pending": 7, "processing": 1, "dlq": 2, "rate_limit": None, "waiting_pulls": 2,
                  "workers": 3, "busy_workers": 1, **_TIMES_EXAMPLE}]}}),
        "statistics.metrics",
    ),
    Command(
        "WORKERS", "List the connections that work: hold jobs, wait in a pull, or pulled in the last 30 s.",
        (Field("queue", Kind.STR, "Only those that work for this queue."),
         Field("limit", Kind.U32, "At most so many, those that are connected for longest.", default=100, limit=1000)),
        (ReplyField("workers", "[Worker]", "{session (of its HELLO, or null), address (`host:port`; null over a Unix "
                    "socket), connected_at, last_pull_at (ms since 1970; null when it holds jobs of its session and "
                    "has not pulled itself), active (jobs that it holds), waiting_pulls, queues (names: where it "
                    "waits, whose jobs it holds, and the last 8 that it pulled from in the last 30 s)}."),
         ReplyField("total", "u64", "How many there are.")),
        (), "cold", AGAIN,
        ({"cmd": "WORKERS", "queue": "emails"},
         {"ok": True, "success": True, "workers": [
             {"session": "worker-7f3a", "address": "10.0.0.7:51442", "connected_at": 1_700_000_000_000,
              "last_pull_at": 1_700_000_060_000, "active": 1, "waiting_pulls": 2, "queues": ["emails"]}],
          "total": 1}), "statistics.workers",
    ),
)
