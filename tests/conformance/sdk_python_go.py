"""The methods of the extended Python and Go clients, 11.3 of the wire document: where they differ from TypeScript's."""

from typing import Any

from conformance.sdk_steps import Fields, Sdk, Step, Walk

DATA = {"to": "a@b.c", "n": 3.14}
STATES = {"waiting", "delayed", "active", "completed", "failed", "waiting-children"}    # Python raises on others
MINUTE = 60_000


def succeeds(reply: Fields, _walk: Walk) -> bool:
    """Both take `success` as the result."""
    return reply["success"] is True


def is_job(job: Any, walk: Walk) -> bool:
    known = job.get("state", "waiting") in STATES and isinstance(job["progress_message"], (str, type(None)))
    return known and job["id"] == walk.memo["id"] and job["data"] == {"n": 1}


def one_job(reply: Fields, walk: Walk) -> bool:
    return len(reply["jobs"]) == 1 and is_job(reply["jobs"][0], walk)


# Both leave out what is at their default, and call options by other names.
OPTIONS: Fields = {
    "priority": 5, "delay": 1000, "ttl": 600_000, "timeout": 30_000, "max_attempts": 5, "backoff": 500, "tags": ["a"],
    "lifo": True, "remove_on_complete": True, "remove_on_fail": True, "stall_timeout": 10_000,
}
COMMON = (
    Step("auth(token)", lambda w: {"cmd": "AUTH", "token": "t"}, succeeds),
    Step("push(queue,data)", lambda w: {"cmd": "PUSH", "queue": w.queue(), "data": DATA}, lambda r, w: r["id"] > 0),
    Step("push(queue,data,options)",
         lambda w: {"cmd": "PUSH", "queue": w.queue(), "data": DATA, "jobId": w.text(), **OPTIONS},
         lambda r, w: r["id"] > 0),
    Step("push, retention", lambda w: {
        "cmd": "PUSH", "queue": w.queue(), "data": DATA, "keepCompletedAge": 1000, "keepCompletedCount": 3},
        lambda r, w: r["id"] > 0, ("keep_completed",)),
    Step("push, keys", lambda w: {
        "cmd": "PUSH", "queue": w.queue(), "data": DATA, "unique_key": "k", "debounce_id": "d", "debounce_ttl": 10,
        "group_id": "g"}, lambda r, w: r["id"] > 0, ("unique_key", "debounce", "group")),
    Step("push, unique key again", lambda w: {
        "cmd": "PUSH", "queue": w.queue_of(lambda: w.waiting(unique_key="k")), "data": DATA, "unique_key": "k"},
        succeeds, ("unique_key",), error="duplicate"),
    Step("push_batch(queue,jobs)", lambda w: {
        "cmd": "PUSHB", "queue": w.queue(), "jobs": [{"data": DATA}, {"data": DATA, "jobId": w.text(), **OPTIONS}]},
        lambda r, w: r["success"] is True and all(one > 0 for one in r["ids"]) and r.get("failed", []) == []),
    Step("pull(queue)", lambda w: {"cmd": "PULL", "queue": w.queue_of(w.waiting), "timeout": 30_000},
         lambda r, w: is_job(r["job"], w)),
    Step("pull(queue), nothing", lambda w: {"cmd": "PULL", "queue": w.queue(), "timeout": 20},
         lambda r, w: r["job"] is None),
    Step("pull_batch(queue,count)",
         lambda w: {"cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 10, "timeout": 30_000}, one_job),
    Step("ack(id,result)", lambda w: {"cmd": "ACK", "id": w.active(), "result": {"sent": True}}, succeeds),
    Step("ack(id)", lambda w: {"cmd": "ACK", "id": w.active()}, succeeds),
    Step("ack(id) again", lambda w: {"cmd": "ACK", "id": w.done()}, succeeds, error="not found"),
    Step("ack_batch(ids)", lambda w: {"cmd": "ACKB", "ids": [w.active(), w.active()]}, lambda r, w: r["count"] == 2),
    Step("get_job(id)", lambda w: {"cmd": "GETJOB", "id": w.waiting()},
         lambda r, w: is_job(r["job"], w) and r["state"] == "waiting"),
    Step("get_state(id)", lambda w: {"cmd": "GETSTATE", "id": w.delayed()}, lambda r, w: r["state"] == "delayed"),
    Step("get_result(id)", lambda w: {"cmd": "GETRESULT", "id": w.done("r")}, lambda r, w: r["result"] == "r"),
    Step("get_job_by_custom_id(s)", lambda w: {"cmd": "GETJOBBYCUSTOMID", "customId": w.custom()},
         lambda r, w: is_job(r["job"], w) and r["job"]["custom_id"]),
    Step("get_jobs(...)", lambda w: {
        "cmd": "GETJOBS", "queue": w.queue_of(w.waiting), "state": "waiting", "limit": 10, "offset": 0}, one_job),
    Step("get_jobs_batch(ids)", lambda w: {"cmd": "GETJOBSBATCH", "ids": [w.waiting()]}, one_job),
    Step("get_job_counts(queue)", lambda w: {"cmd": "GETJOBCOUNTS", "queue": w.queue_of(w.active)},
         lambda r, w: r["counts"]["active"] == 1 and r["counts"]["waiting"] == 0),
    Step("count(queue)", lambda w: {"cmd": "COUNT", "queue": w.queue_of(w.waiting)}, lambda r, w: r["count"] == 1),
    Step("finished(id)", lambda w: {"cmd": "WAITJOB", "id": w.done(7), "timeout": 30_000},
         lambda r, w: r["result"] == 7, ("waitjob",)),
    Step("cancel(id)", lambda w: {"cmd": "CANCEL", "id": w.waiting()}, succeeds),
    Step("progress(id,n,msg)", lambda w: {"cmd": "PROGRESS", "id": w.active(), "progress": 50, "message": "half"},
         succeeds),
    Step("get_progress(id)", lambda w: {"cmd": "GETPROGRESS", "id": w.memo["id"]}, lambda r, w: r["message"] == "half"),
    Step("update(id,data)", lambda w: {"cmd": "UPDATE", "id": w.waiting(), "data": {"new": 1}}, succeeds),
    Step("change_priority(id,n)", lambda w: {"cmd": "CHANGEPRIORITY", "id": w.waiting(), "priority": 9}, succeeds),
    Step("move_to_delayed(id,ms)", lambda w: {"cmd": "MOVETODELAYED", "id": w.active(), "delay": MINUTE}, succeeds),
    Step("promote(id)", lambda w: {"cmd": "PROMOTE", "id": w.delayed()}, succeeds),
    Step("discard(id)", lambda w: {"cmd": "DISCARD", "id": w.waiting()}, succeeds),
    Step("heartbeat(id)", lambda w: {"cmd": "HEARTBEAT", "id": w.active()}, succeeds),
    Step("log(id,msg,level)", lambda w: {"cmd": "LOG", "id": w.active(), "message": "m", "level": "warn"}, succeeds),
    Step("get_logs(id)", lambda w: {"cmd": "GETLOGS", "id": w.memo["id"]},
         lambda r, w: r["logs"][0]["level"] == "warn"),
    Step("partial(id,data)", lambda w: {"cmd": "PARTIAL", "id": w.active(), "data": {"t": 1}, "index": 3}, succeeds,
         ("partial",)),
    Step("get_dlq(queue)", lambda w: {"cmd": "DLQ", "queue": w.queue_of(w.dead), "count": 100}, one_job),
    Step("retry_dlq(queue)", lambda w: {"cmd": "RETRYDLQ", "queue": w.queue_of(w.dead)}, lambda r, w: r["count"] == 1),
    Step("purge_dlq(queue)", lambda w: {"cmd": "PURGEDLQ", "queue": w.queue_of(w.dead)}, lambda r, w: r["count"] == 1),
    Step("pause(queue)", lambda w: {"cmd": "PAUSE", "queue": w.queue()}, succeeds),
    Step("is_paused(queue)", lambda w: {"cmd": "ISPAUSED", "queue": w.memo["queue"]}, lambda r, w: r["paused"] is True),
    Step("resume(queue)", lambda w: {"cmd": "RESUME", "queue": w.memo["queue"]}, succeeds),
    Step("set_rate_limit(queue,n)", lambda w: {"cmd": "RATELIMIT", "queue": w.queue(), "limit": 10}, succeeds),
    Step("clear_rate_limit(queue)", lambda w: {"cmd": "RATELIMITCLEAR", "queue": w.memo["queue"]}, succeeds),
    Step("set_concurrency(queue,n)", lambda w: {"cmd": "SETCONCURRENCY", "queue": w.queue(), "limit": 2}, succeeds),
    Step("clear_concurrency(queue)", lambda w: {"cmd": "CLEARCONCURRENCY", "queue": w.memo["queue"]}, succeeds),
    Step("list_queues()", lambda w: {"cmd": "LISTQUEUES", **w.also(w.waiting)}, lambda r, w: len(r["queues"]) > 0),
    Step("drain(queue)", lambda w: {"cmd": "DRAIN", "queue": w.queue_of(w.waiting)}, lambda r, w: r["count"] == 1),
    Step("obliterate(queue)", lambda w: {"cmd": "OBLITERATE", "queue": w.queue_of(w.waiting)},
         lambda r, w: r["count"] == 1),
    Step("delete_cron(name)", lambda w: {"cmd": "CRONDELETE", "name": w.cron()}, succeeds),
    Step("stats()", lambda w: {"cmd": "STATS", **w.also(w.active)},
         lambda r, w: r["queues"][w.memo["queue"]]["active"] == 1 and r["completed"] >= 0),
    Step("metrics()", lambda w: {"cmd": "METRICS"}, lambda r, w: r["metrics"]["jobs_per_second"] >= 0),
    Step("flow: children", lambda w: {"cmd": "PUSH", "queue": w.queue(), "data": DATA},
         lambda r, w: w.note("child", r["id"])),
    Step("flow: parent", lambda w: {
        "cmd": "PUSH", "queue": w.memo["queue"], "data": DATA, "depends_on": [w.memo["child"]]},
        lambda r, w: r["id"] > w.memo["child"], ("depends_on",)),
)

PYTHON = (
    *COMMON,
    Step("fail(id)", lambda w: {"cmd": "FAIL", "id": w.active()}, succeeds),
    Step("add_cron(name,schedule) without data", lambda w: {
        "cmd": "CRON", "name": w.text(), "queue": w.queue(), "schedule": "*/5 * * * * *"}, succeeds),
    Step("add_cron(name,options)", lambda w: {
        "cmd": "CRON", "name": w.note("name", w.text()), "queue": w.queue(), "data": DATA, "schedule": "0 0 * * * *",
        "options": {"priority": 3, "max_attempts": 5, "what": 1}}, succeeds),
    Step("list_crons()", lambda w: {"cmd": "CRONLIST"},
         lambda r, w: w.memo["name"] in {one["name"] for one in r["crons"] if one["queue"] and one["schedule"]}),
    Step("clean(queue,grace,state)", lambda w: {
        "cmd": "CLEAN", "queue": w.queue_of(w.dead), "grace": 0, "state": "failed"}, lambda r, w: r["count"] == 1),
    Step("Worker: pull", lambda w: {"cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 100, "timeout": 500},
         one_job),
)
GO = (
    *COMMON,
    Step("Push, empty options", lambda w: {"cmd": "PUSH", "queue": w.queue(), "data": DATA, "max_attempts": 0},
         lambda r, w: r["id"] > 0),
    Step("Fail without a text", lambda w: {"cmd": "FAIL", "id": w.active(), "error": ""}, succeeds),
    Step("AddCron, push options", lambda w: {
        "cmd": "CRON", "name": w.note("name", w.text()), "queue": w.queue(), "schedule": "0 0 * * * *", "priority": 2,
        "max_attempts": 3}, succeeds),
    Step("ListCrons", lambda w: {"cmd": "CRONLIST"},
         lambda r, w: w.memo["name"] in {one["name"] for one in r["jobs"]}),
    Step("Clean, limit not given", lambda w: {
        "cmd": "CLEAN", "queue": w.queue_of(w.dead), "grace": 0, "state": "failed", "limit": 0},
        lambda r, w: r["count"] == 1),
    Step("Clean, state not given", lambda w: {"cmd": "CLEAN", "queue": w.queue(), "grace": 0, "limit": 0}, succeeds,
         error="Invalid state"),
    Step("Worker: pull", lambda w: {"cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 100, "timeout": 5000},
         one_job),
)

SDKS = (
    Sdk("Python extended", PYTHON, str, any_error_key=True),
    Sdk("Go extended", GO, any_error_key=True),
)
