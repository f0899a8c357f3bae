"""The methods of the two TypeScript clients, 11.1 and 11.2 of the wire document: field by field, and what they read."""

from typing import Any

from conformance.sdk_steps import UNSET, Fields, Sdk, Step, Walk

DATA = {"to": "a@b.c", "n": 3.14, "list": [None, True]}
BASELINE_OPTIONS = (
    "delay", "ttl", "timeout", "max_attempts", "backoff", "unique_key", "depends_on", "tags", "stall_timeout",
    "debounce_id", "debounce_ttl", "job_id", "keep_completed_age", "keep_completed_count",
)
SERVED: Fields = {
    "priority": 5, "delay": 0, "ttl": 600_000, "timeout": 60_000, "max_attempts": 3, "backoff": 100, "tags": ["a"],
    "lifo": True, "remove_on_complete": True, "remove_on_fail": True, "stall_timeout": 30_000,
}
LINKED: Fields = {
    "unique_key": "k", "depends_on": [], "debounce_id": "d", "debounce_ttl": 10, "keep_completed_age": 5000,
    "keep_completed_count": 2,
}
LINKS = ("unique_key", "depends_on", "debounce", "keep_completed")


def options(extended: bool, **chosen: Any) -> Fields:
    """What a push always carries, with what the caller chose."""
    unset = dict.fromkeys((*BASELINE_OPTIONS, "group_id") if extended else BASELINE_OPTIONS, UNSET)
    return {"data": DATA, "priority": 0, **unset, "lifo": False, "remove_on_complete": False, "remove_on_fail": False,
            **chosen}


def ok(_reply: Fields, _walk: Walk) -> bool:
    return True


def is_id(reply: Fields, _walk: Walk) -> bool:
    return isinstance(reply["id"], int) and 0 < reply["id"] < 2**53


def pushing(extended: bool) -> tuple[Step, ...]:
    """push/add and pushBatch/addBulk."""
    linked = {**LINKED, "group_id": "g"} if extended else LINKED
    needs = (*LINKS, "group") if extended else LINKS
    items = [options(extended), options(extended, **SERVED)]
    return (
        Step("push(queue,data)", lambda w: {"cmd": "PUSH", "queue": w.queue(), **options(extended)}, is_id),
        Step("push(queue,data,opts)",
             lambda w: {"cmd": "PUSH", "queue": w.queue(), **options(extended, job_id=w.text(), **SERVED)}, is_id),
        Step("push(queue,data,linking opts)",
             lambda w: {"cmd": "PUSH", "queue": w.queue(), **options(extended, **linked)}, is_id, needs),
        Step("push(queue,data,{jobId}) again", lambda w: {"cmd": "PUSH", "queue": w.queue(), **options(
            extended, job_id=w.note("custom", w.text()), data=w.note("id", w.other.ask(
                "PUSH", queue=w.memo["queue"], job_id=w.memo["custom"])["id"]))}, lambda r, w: r["id"] == w.memo["id"]),
        Step("pushBatch(queue,jobs)", lambda w: {"cmd": "PUSHB", "queue": w.queue(), "jobs": items},
             lambda r, w: len(r["ids"]) == 2 and all(one > 0 for one in r["ids"])),
        Step("pushBatch(queue,linking jobs)",
             lambda w: {"cmd": "PUSHB", "queue": w.queue(), "jobs": [options(extended, **linked)]},
             lambda r, w: len(r["ids"]) == 1, needs),
    )


COMMON = (
    Step("auth(token)", lambda w: {"cmd": "AUTH", "token": "t"}, lambda r, w: r["ok"] is True),
    Step("pull(queue)", lambda w: {"cmd": "PULL", "queue": w.queue_of(w.waiting), "timeout": 60_000},
         lambda r, w: r["job"]["id"] == w.memo["id"] and r["job"]["data"] == {"n": 1}),
    Step("pull(queue,timeout), nothing", lambda w: {"cmd": "PULL", "queue": w.queue(), "timeout": 10},
         lambda r, w: r["job"] is None),
    Step("ack(id,result)", lambda w: {"cmd": "ACK", "id": w.active(), "result": {"sent": True}}, ok),
    Step("ack(id)", lambda w: {"cmd": "ACK", "id": w.active(), "result": UNSET}, ok),
    Step("fail(id,error)", lambda w: {"cmd": "FAIL", "id": w.active(), "error": "broke"}, ok),
    Step("fail(id)", lambda w: {"cmd": "FAIL", "id": w.active(), "error": UNSET}, ok),
    Step("ack(id) of an unknown job", lambda w: {"cmd": "ACK", "id": 2**53 - 1, "result": UNSET}, ok,
         error="not found"),
    Step("getJob(id)", lambda w: {"cmd": "GETJOB", "id": w.waiting()},
         lambda r, w: r["job"]["data"] == {"n": 1} and r["state"] == "waiting"),
    Step("getState(id)", lambda w: {"cmd": "GETSTATE", "id": w.active()}, lambda r, w: r["state"] == "active"),
    Step("getResult(id)", lambda w: {"cmd": "GETRESULT", "id": w.done([1])}, lambda r, w: r["result"] == [1]),
    Step("finished(id)", lambda w: {"cmd": "WAITJOB", "id": w.done({"a": 1}), "timeout": 30_000},
         lambda r, w: r["result"] == {"a": 1}, ("waitjob",)),
    Step("finished(id,timeout), too late", lambda w: {"cmd": "WAITJOB", "id": w.active(), "timeout": 20}, ok,
         ("waitjob",), error="timeout"),
    Step("getJobByCustomId(s)", lambda w: {"cmd": "GETJOBBYCUSTOMID", "job_id": w.note("custom", w.custom())},
         lambda r, w: r["job"]["custom_id"] == w.memo["custom"] and r["state"] == "waiting"),
    Step("getJobByCustomId(s), nobody", lambda w: {"cmd": "GETJOBBYCUSTOMID", "job_id": w.text()},
         lambda r, w: r["job"] is None),
    Step("cancel(id)", lambda w: {"cmd": "CANCEL", "id": w.waiting()}, ok),
    Step("progress(id,n,msg)", lambda w: {"cmd": "PROGRESS", "id": w.active(), "progress": 50, "message": "half"}, ok),
    Step("progress(id,n)", lambda w: {"cmd": "PROGRESS", "id": w.active(), "progress": 33.4, "message": UNSET}, ok),
    Step("getProgress(id)", lambda w: {"cmd": "GETPROGRESS", "id": w.active()},
         lambda r, w: r["progress"]["progress"] == 0 and r["progress"]["message"] is None),
    Step("getDlq(queue)", lambda w: {"cmd": "DLQ", "queue": w.queue_of(w.dead), "count": 100},
         lambda r, w: r["jobs"][0]["id"] == w.memo["id"]),
    Step("retryDlq(queue)", lambda w: {"cmd": "RETRYDLQ", "queue": w.queue_of(w.dead), "id": UNSET},
         lambda r, w: r["ids"][0] == 1),
    Step("retryDlq(queue,id)", lambda w: {"cmd": "RETRYDLQ", "id": w.dead(), "queue": w.memo["queue"]},
         lambda r, w: r["ids"][0] == 1),
    Step("purgeDlq(queue)", lambda w: {"cmd": "PURGEDLQ", "queue": w.queue_of(w.dead)}, lambda r, w: r["count"] == 1),
    Step("pause(queue)", lambda w: {"cmd": "PAUSE", "queue": w.queue()}, ok),
    Step("isPaused(queue)", lambda w: {"cmd": "ISPAUSED", "queue": w.memo["queue"]}, lambda r, w: r["paused"] is True),
    Step("resume(queue)", lambda w: {"cmd": "RESUME", "queue": w.memo["queue"]}, ok),
    Step("setRateLimit(queue,n)", lambda w: {"cmd": "RATELIMIT", "queue": w.queue(), "limit": 10}, ok),
    Step("clearRateLimit(queue)", lambda w: {"cmd": "RATELIMITCLEAR", "queue": w.memo["queue"]}, ok),
    Step("setConcurrency(queue,n)", lambda w: {"cmd": "SETCONCURRENCY", "queue": w.queue(), "limit": 5}, ok),
    Step("clearConcurrency(queue)", lambda w: {"cmd": "CLEARCONCURRENCY", "queue": w.memo["queue"]}, ok),
    Step("listQueues()", lambda w: {"cmd": "LISTQUEUES", **w.also(w.waiting)},
         lambda r, w: any(one["name"] == w.memo["queue"] and one["pending"] == 1 for one in r["queues"])),
    Step("addCron(name,{schedule})", lambda w: {
        "cmd": "CRON", "name": w.note("name", w.text()), "queue": w.queue(), "data": DATA, "schedule": "0 * * * * *",
        "repeat_every": UNSET, "priority": 0, "limit": UNSET}, ok),
    Step("addCron(name,{repeatEvery})", lambda w: {
        "cmd": "CRON", "name": w.memo["name"], "queue": w.queue(), "data": DATA, "schedule": UNSET,
        "repeat_every": 3_600_000, "priority": 100, "limit": 10}, ok),
    Step("listCrons()", lambda w: {"cmd": "CRONLIST", **w.also(w.cron)},
         lambda r, w: any(one["name"] == w.memo["name"] and one["next_run"] > 0 for one in r["crons"])),
    Step("deleteCron(name)", lambda w: {"cmd": "CRONDELETE", "name": w.memo["name"]}, lambda r, w: r["ok"] is True),
    Step("stats()", lambda w: {"cmd": "STATS"},
         lambda r, w: all(isinstance(r[key], int) for key in ("queued", "processing", "delayed", "dlq"))),
    Step("metrics()", lambda w: {"cmd": "METRICS"},
         lambda r, w: r["metrics"]["total_pushed"] > 0 and r["metrics"]["avg_latency_ms"] >= 0),
    Step("log(id,msg)", lambda w: {"cmd": "LOG", "job_id": w.active(), "message": "m", "level": "info"}, ok),
    Step("getLogs(id)", lambda w: {"cmd": "GETLOGS", "job_id": w.memo["id"]},
         lambda r, w: r["logs"][0]["message"] == "m" and r["logs"][0]["level"] == "info"),
    Step("heartbeat(id)", lambda w: {"cmd": "HEARTBEAT", "job_id": w.active()}, ok),
    Step("getChildren(id)", lambda w: {"cmd": "GETCHILDREN", "parent_id": w.flow()},
         lambda r, w: r["children_ids"] == w.memo["children"], ("flow",)),
    Step("getJobs({queue,state,limit,offset})", lambda w: {
        "cmd": "GETJOBS", "queue": w.queue_of(w.waiting), "state": "waiting", "limit": 100, "offset": 0},
        lambda r, w: r["jobs"][0]["job"]["id"] == w.memo["id"] and r["jobs"][0]["state"] == "waiting"
        and r["total"] == 1),
    Step("getJobs()", lambda w: {
        "cmd": "GETJOBS", "queue": UNSET, "state": UNSET, "limit": 100, "offset": 0, **w.also(w.waiting)},
        lambda r, w: r["total"] >= 1 and all("job" in one for one in r["jobs"])),
    Step("clean(queue,grace,state,limit)", lambda w: {
        "cmd": "CLEAN", "queue": w.queue_of(w.waiting), "grace": 0, "state": "waiting", "limit": 5},
        lambda r, w: r["count"] == 1),
    Step("clean(queue,grace,state)", lambda w: {
        "cmd": "CLEAN", "queue": w.queue_of(w.dead), "grace": 0, "state": "failed", "limit": UNSET},
        lambda r, w: r["count"] == 1),
    Step("drain(queue)", lambda w: {"cmd": "DRAIN", "queue": w.queue_of(w.waiting)}, lambda r, w: r["count"] == 1),
    Step("obliterate(queue)", lambda w: {"cmd": "OBLITERATE", "queue": w.queue_of(w.active)},
         lambda r, w: r["count"] == 1),
    Step("count(queue)", lambda w: {"cmd": "COUNT", "queue": w.queue_of(w.delayed)}, lambda r, w: r["count"] == 1),
    Step("changePriority(id,n)", lambda w: {"cmd": "CHANGEPRIORITY", "id": w.waiting(), "priority": 9}, ok),
    Step("moveToDelayed(id,ms)", lambda w: {"cmd": "MOVETODELAYED", "id": w.active(), "delay": 60_000}, ok),
    Step("promote(id)", lambda w: {"cmd": "PROMOTE", "id": w.delayed()}, ok),
    Step("discard(id)", lambda w: {"cmd": "DISCARD", "id": w.waiting()}, ok),
    Step("update(id,data)", lambda w: {"cmd": "UPDATEJOB", "id": w.waiting(), "data": {"new": 1}}, ok),
    Step("getJobCounts(queue)", lambda w: {"cmd": "GETJOBCOUNTS", "queue": w.queue_of(w.active)},
         lambda r, w: (r["waiting"], r["active"], r["delayed"], r["completed"], r["failed"]) == (0, 1, 0, 0, 0)),
)

CHILD: Fields = {
    "queue": "", "data": DATA, "priority": UNSET, "delay": UNSET, "ttl": UNSET, "timeout": UNSET, "max_attempts": 3,
    "backoff": 100, "unique_key": UNSET, "tags": ["t"], "lifo": UNSET, "remove_on_complete": UNSET,
    "remove_on_fail": UNSET, "stall_timeout": UNSET,
}


def has_family(reply: Fields, _walk: Walk) -> bool:
    return reply["parent_id"] > 0 and len(reply["children_ids"]) == 2


BASELINE = (
    *pushing(extended=False),
    *COMMON,
    Step("pullBatch(queue,count)", lambda w: {"cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 10},
         lambda r, w: [job["id"] for job in r["jobs"]] == [w.memo["id"]]),
    Step("ackBatch(ids)", lambda w: {"cmd": "ACKB", "ids": [w.active(), w.active()]}, lambda r, w: r["ids"][0] == 2),
    Step("getJobsBatch(ids)", lambda w: {"cmd": "GETJOBSBATCH", "ids": [w.waiting()]},
         lambda r, w: r["jobs"][0]["job"]["id"] == w.memo["id"] and r["jobs"][0]["state"] == "waiting"),
    Step("pushFlow(queue,data,children,opts)", lambda w: {
        "cmd": "FLOW", "queue": w.queue(), "parent_data": DATA,
        "children": [{**CHILD, "queue": w.memo["queue"]}, {**CHILD, "queue": w.memo["queue"], "priority": 3}],
        "priority": 0, "delay": UNSET, "ttl": UNSET, "timeout": 5000, "max_attempts": UNSET, "backoff": UNSET,
        "unique_key": UNSET, "tags": ["parent"]}, has_family, ("flow",)),
    Step("Worker: pull", lambda w: {"cmd": "PULL", "queue": w.queue_of(w.waiting), "timeout": 2000},
         lambda r, w: r["job"]["attempts"] == 0 and r["job"]["id"] == w.memo["id"]),
    Step("Worker: ack", lambda w: {"cmd": "ACK", "id": w.memo["id"], "result": {"ok": 1}}, ok),
)
EXTENDED = (
    Step("ping()", lambda w: {"cmd": "PING"}, lambda r, w: r["ok"] is True or r["pong"] is True),
    *pushing(extended=True),
    Step("push, compressed too", lambda w: {
        "cmd": "PUSH", "queue": w.queue(), **options(True, data="x" * 2000), "_compressed": "H4sIAAAA"}, is_id),
    Step("pushBatchSafe(queue,jobs)", lambda w: {
        "cmd": "PUSHB", "queue": w.queue(), "jobs": [options(True), options(True, data="x" * 1_100_000)]},
        lambda r, w: [one > 0 for one in r["ids"]] == [True]
        and [(one["index"], "too large" in one["error"]) for one in r["errors"]] == [(1, True)]),
    *COMMON,
    Step("pullBatch(queue,count,timeout)", lambda w: {
        "cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 10, "timeout": 60_000},
        lambda r, w: [job["id"] for job in r["jobs"]] == [w.memo["id"]]),
    Step("ackBatch(ids)", lambda w: {"cmd": "ACKB", "ids": [w.active(), w.active()]}, lambda r, w: r["count"] == 2),
    Step("getJobsBatch(ids)", lambda w: {"cmd": "GETJOBSBATCH", "ids": [w.waiting()]},
         lambda r, w: r["jobs"][0]["id"] == w.memo["id"] and r["jobs"][0]["state"] == "waiting"),
    Step("partial(id,data,index)", lambda w: {"cmd": "PARTIAL", "id": w.active(), "data": {"t": 1}, "index": 0}, ok,
         ("partial",)),
    Step("partial(id,data)", lambda w: {"cmd": "PARTIAL", "id": w.active(), "data": "t", "index": UNSET}, ok,
         ("partial",)),
    Step("pushFlow(queue,data,children,{priority})", lambda w: {
        "cmd": "FLOW", "queue": w.queue(), "data": DATA, "priority": 5,
        "children": [{"queue": w.memo["queue"], "data": n, "priority": UNSET, "delay": UNSET} for n in range(2)]},
        has_family, ("flow",)),
    Step("Queue.add(name,data,opts)", lambda w: {
        "cmd": "PUSH", "queue": w.queue(), **options(
            True, data={"name": "mail", **DATA}, max_attempts=3, backoff=1000, remove_on_complete=True,
            job_id=w.text())}, is_id),
    Step("Queue.clean(grace,limit,type)", lambda w: {
        "cmd": "CLEAN", "queue": w.queue_of(w.done), "grace": 0, "state": "completed", "limit": 1000},
        lambda r, w: [0] * r["count"] == [0]),
    Step("Worker: pull", lambda w: {"cmd": "PULLB", "queue": w.queue_of(w.waiting), "count": 100, "timeout": 500},
         lambda r, w: [job["id"] for job in r["jobs"]] == [w.memo["id"]]),
    Step("Worker: ack", lambda w: {"cmd": "ACK", "id": w.memo["id"], "result": 1}, ok),
    Step("Worker: pull, nothing", lambda w: {"cmd": "PULLB", "queue": w.queue(), "count": 100, "timeout": 20},
         lambda r, w: r["jobs"] == []),
)

SDKS = tuple(
    Sdk(name + (", unset as null" if null else ""), steps, req_id, unset_is_null=null)
    for name, steps, req_id in (
        ("TypeScript baseline", BASELINE, lambda n: f"r{n}"),
        ("TypeScript extended", EXTENDED, lambda n: f"lq3k2-x9f{n % 10}-{n}"),
    )
    for null in (False, True)
)
