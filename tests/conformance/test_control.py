"""Queue control, cron and statistics: sections 2.6, 2.7, 2.8 and 3.11, and bulk removal, 3.12."""

import pytest

from conformance.marks import row
from conformance.talk import Message, Names, Talk

HOUR = 3_600_000


def cron_entry(talk: Talk, name: str) -> Message | None:
    return next((one for one in talk.ok("CRONLIST")["crons"] if one["name"] == name), None)


@row("2.6 PAUSE, RESUME, ISPAUSED")
def test_pause(talk: Talk, queue: str) -> None:
    job_id = talk.push(queue)
    assert talk.ok("ISPAUSED", queue=queue)["paused"] is False
    talk.ok("PAUSE", queue=queue)
    assert talk.ok("ISPAUSED", queue=queue)["paused"] is True and talk.pulls_nothing(queue)
    talk.ok("RESUME", queue=queue)
    assert talk.ok("ISPAUSED", queue=queue)["paused"] is False and talk.pull(queue)["id"] == job_id


@row("2.6 limits: shown")
def test_limits_shown(talk: Talk, queue: str) -> None:
    talk.push(queue)
    talk.ok("RATELIMIT", queue=queue, limit=70)
    talk.ok("SETCONCURRENCY", queue=queue, limit=3)
    info = talk.info(queue)
    assert info is not None and (info["rate_limit"], info["concurrency_limit"]) == (70, 3)
    talk.ok("RATELIMITCLEAR", queue=queue)
    talk.ok("CLEARCONCURRENCY", queue=queue)
    info = talk.info(queue)
    assert info is not None and (info["rate_limit"], info["concurrency_limit"]) == (None, None)


@row("2.6 LISTQUEUES: what is listed")
@pytest.mark.parametrize("make", ["push", "delayed", "active", "dead", "PAUSE"])
def test_listqueues(talk: Talk, queue: str, make: str) -> None:
    assert talk.info(queue) is None
    talk.ok(make, queue=queue) if make == "PAUSE" else getattr(talk, make)(queue)
    info = talk.info(queue)
    assert info is not None and info["paused"] is (make == "PAUSE")


@row("2.6 CLEAN: state needed")
@pytest.mark.parametrize("fields", [{}, {"state": "active"}, {"state": "all"}, {"state": None}])
def test_clean_state(talk: Talk, queue: str, fields: dict[str, str]) -> None:
    text = "Invalid state. Use: waiting, delayed, completed, failed"
    assert talk.error("CLEAN", queue=queue, grace=0, **fields) == text
    assert talk.ok("CLEAN", queue=queue, grace=0, state="WAITING")["count"] == 0


@row("2.6 names are checked")
@pytest.mark.parametrize("command", ["PAUSE", "DRAIN", "OBLITERATE", "RATELIMIT", "SETCONCURRENCY"])
def test_control_names(talk: Talk, command: str) -> None:
    assert talk.error(command, queue="a b", limit=1).startswith("Queue name must contain only")


@row("2.7 CRON: listed")
def test_cron_listed(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, data={"a": 1}, schedule="0 0 * * * *", priority=100, limit=10)
    entry = cron_entry(talk, name)
    assert entry is not None and entry["next_run"] > 1_600_000_000_000
    shown = {key: entry[key] for key in entry if key in ("queue", "data", "schedule", "repeat_every", "priority")}
    assert shown == {
        "queue": queue, "data": {"a": 1}, "schedule": "0 0 * * * *", "repeat_every": None, "priority": 100,
    }
    assert (entry["executions"], entry["limit"]) == (0, 10)
    assert entry in talk.ok("CRONLIST")["jobs"]
    talk.ok("CRONDELETE", name=name)
    assert cron_entry(talk, name) is None
    assert talk.error("CRONDELETE", name=name) == "Cron job not found"


@row("2.7 CRON: schedules taken")
@pytest.mark.parametrize(
    "schedule", ["0 * * * * *", "0 0 * * * *", "*/60", "*/5 * * * * *", "*/5 * * * *", "0 12 * * MON"]
)
def test_cron_schedules(talk: Talk, queue: str, names: Names, schedule: str) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, schedule=schedule)
    entry = cron_entry(talk, name)
    assert entry is not None and entry["schedule"] == schedule and entry["data"] is None


@row("2.7 CRON: refusals")
def test_cron_refusals(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    fields = {"name": name, "queue": queue, "data": 1}
    assert talk.error("CRON", **fields) == "Must provide either 'schedule' or 'repeat_every'"
    text = talk.error("CRON", **fields, schedule="* " * 129)
    assert text.startswith("Cron schedule too long (") and text.endswith(" chars, max 256 chars)")
    assert talk.error("CRON", **fields, schedule="*/0") == "Invalid interval format: */0"
    assert talk.error("CRON", **fields, schedule="every day").startswith("Invalid cron expression 'every day': ")
    assert cron_entry(talk, name) is None


@row("2.7 CRON: replaced")
def test_cron_replaced(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, schedule="0 0 0 1 1 *")
    talk.ok("CRON", name=name, queue=queue, repeat_every=HOUR, data=2)
    (entry,) = [one for one in talk.ok("CRONLIST")["crons"] if one["name"] == name]
    assert (entry["schedule"], entry["repeat_every"], entry["data"]) == (None, HOUR, 2)


@row("2.7 CRON: options")
def test_cron_options(talk: Talk, queue: str, names: Names) -> None:
    options = {"max_attempts": 4, "tags": ["c"], "nonsense": 1}
    talk.ok("CRON", name=names.text(), queue=queue, repeat_every=20, limit=1, options=options, backoff=7)
    job = talk.pull(queue, timeout=15_000)
    assert (job["max_attempts"], job["tags"], job["backoff"], job["data"]) == (4, ["c"], 7, None)


@row("2.7 CRON: every option of a push")
@pytest.mark.parametrize("names_of", [("max_attempts", "job_id"), ("attempts", "jobId"), ("maxAttempts", "jobId")])
def test_cron_push_options(talk: Talk, queue: str, names: Names, names_of: tuple[str, str]) -> None:
    attempts, custom_id = names_of
    asked = {"tags": ["a"], "remove_on_complete": True, "remove_on_fail": True, "stall_timeout": 60_000, "delay": 10,
             "ttl": 50_000, "timeout": 40_000, "lifo": True}
    aliased = {attempts: 3, custom_id: names.text()}
    talk.ok("CRON", name=names.text(), queue=queue, repeat_every=20, limit=1, **asked, **aliased)
    job = talk.pull(queue, timeout=15_000)
    assert {key: job[key] for key in asked if key != "delay"} == {key: asked[key] for key in asked if key != "delay"}
    assert (job["max_attempts"], job["custom_id"]) == (3, aliased[custom_id])


@row("2.7 CRON: options that link jobs")
@pytest.mark.parametrize("short", [False, True])
def test_cron_links(talk: Talk, queue: str, names: Names, short: bool) -> None:
    age, count = ("keepCompletedAge", "keepCompletedCount") if short else ("keep_completed_age", "keep_completed_count")
    done = talk.completed(queue)
    kept = {age: 70_000, count: 5}
    links = {"unique_key": "k", "depends_on": [done], "debounce_id": "d", "debounce_ttl": 10, "group_id": "g"}
    talk.ok("CRON", name=names.text(), queue=queue, repeat_every=20, limit=1, **links, **kept)
    job = talk.pull(queue, timeout=15_000)
    assert (job["unique_key"], job["depends_on"], job["group_id"]) == ("k", [done], "g")
    assert (job["keep_completed_age"], job["keep_completed_count"]) == (70_000, 5)


@row("2.8 STATS: whole server and queues")
def test_stats(talk: Talk, queue: str) -> None:
    talk.completed(queue)
    talk.dead(queue)
    talk.active(queue)
    talk.delayed(queue)
    talk.push(queue)
    stats = talk.ok("STATS")
    assert all(stats[key] >= 1 for key in ("queued", "processing", "delayed", "dlq", "completed"))
    wanted = {"waiting": 1, "active": 1, "completed": 1, "failed": 1, "delayed": 1, "paused": False}
    assert stats["queues"][queue] == wanted


@row("2.8 METRICS: totals grow")
def test_metrics_totals(talk: Talk, queue: str) -> None:
    keys = ("total_pushed", "total_completed", "total_failed")
    before = talk.ok("METRICS")["metrics"]
    talk.completed(queue)
    talk.dead(queue)
    after = talk.ok("METRICS")["metrics"]
    assert all(after[key] - before[key] >= least for key, least in zip(keys, (2, 1, 1), strict=True))


@row("3.11 cron: repeat_every")
def test_cron_repeats(talk: Talk, queue: str, names: Names) -> None:
    talk.ok("CRON", name=names.text(), queue=queue, data="tick", repeat_every=200, priority=6)
    assert talk.pulls_nothing(queue)
    jobs = [talk.pull(queue, timeout=15_000) for _ in range(3)]
    assert {(job["data"], job["priority"]) for job in jobs} == {("tick", 6)} and len({job["id"] for job in jobs}) == 3


@row("3.11 cron: repeat_every wins")
def test_cron_interval_wins(talk: Talk, queue: str, names: Names) -> None:
    talk.ok("CRON", name=names.text(), queue=queue, schedule="0 0 0 1 1 *", repeat_every=20, limit=1)
    talk.pull(queue, timeout=15_000)


@row("3.11 cron: limit")
def test_cron_limit(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, repeat_every=20, limit=2)
    for _ in range(2):
        talk.pull(queue, timeout=15_000)
    assert cron_entry(talk, name) is None and talk.pulls_nothing(queue)


@row("3.11 cron: next_run")
def test_cron_next_run(talk: Talk, queue: str, names: Names) -> None:
    name = names.text()
    talk.ok("CRON", name=name, queue=queue, schedule="0 0 * * * *")
    entry = cron_entry(talk, name)
    now = talk.job(talk.push(queue))["created_at"]
    assert entry is not None and entry["next_run"] % HOUR == 0 and 0 < entry["next_run"] - now <= HOUR


@row("3.12 DRAIN")
def test_drain(talk: Talk, queue: str) -> None:
    dead, active = talk.dead(queue), talk.active(queue)
    talk.push_all(queue, [{}, {}, {"delay": HOUR}])
    talk.ok("RATELIMIT", queue=queue, limit=50)
    assert talk.ok("DRAIN", queue=queue)["count"] == 3
    assert talk.counts(queue) == (0, 1, 0, 0, 1)
    info = talk.info(queue)
    assert info is not None and info["rate_limit"] == 50
    talk.ok("ACK", id=active)
    assert talk.state(dead) == "failed"


@row("3.12 DRAIN: unique keys")
def test_drain_keys(talk: Talk, queue: str) -> None:
    talk.push(queue, unique_key="k")
    assert talk.holds_key(queue, "k")
    talk.ok("DRAIN", queue=queue)
    talk.push(queue, unique_key="k")


@row("3.12 CLEAN: one state")
@pytest.mark.parametrize("state", ["waiting", "delayed", "completed", "failed"])
def test_clean_one_state(talk: Talk, queue: str, names: Names, state: str) -> None:
    other = names.queue()
    for one in (queue, other):
        talk.completed(one)
        talk.dead(one)
        talk.push_all(one, [{"delay": HOUR}, {}])
    assert talk.ok("CLEAN", queue=queue, grace=0, state=state)["count"] == 1
    left = {name: int(name != state) for name in ("waiting", "delayed", "completed", "failed")}
    assert {name: talk.ok("GETJOBS", queue=queue, state=name)["total"] for name in left} == left
    assert talk.counts(other) == (1, 0, 1, 1, 1)


@row("3.12 CLEAN: grace and limit")
def test_clean_grace(talk: Talk, queue: str) -> None:
    talk.push_all(queue, [{}] * 7)
    assert talk.ok("CLEAN", queue=queue, grace=HOUR, state="waiting")["count"] == 0
    assert talk.ok("CLEAN", queue=queue, grace=0, state="waiting", limit=2)["count"] == 2
    assert talk.ok("COUNT", queue=queue)["count"] == 5
    assert talk.ok("CLEAN", queue=queue, grace=0, state="waiting", limit=0)["count"] == 5
    talk.push(queue)
    assert talk.ok("CLEAN", queue=queue, grace=0, state="waiting", limit=None)["count"] == 1


@row("3.12 CLEAN: failed, oldest first")
def test_clean_oldest(talk: Talk, queue: str) -> None:
    ids = [talk.dead(queue) for _ in range(3)]
    assert talk.ok("CLEAN", queue=queue, grace=0, state="failed", limit=2)["count"] == 2
    assert [job["id"] for job in talk.ok("DLQ", queue=queue)["jobs"]] == ids[2:]


@row("3.12 OBLITERATE")
def test_obliterate(talk: Talk, queue: str, names: Names) -> None:
    cron, custom = names.text(), names.text()
    ids = [talk.dead(queue), talk.active(queue), talk.push(queue, job_id=custom), talk.delayed(queue)]
    talk.ok("CRON", name=cron, queue=queue, repeat_every=HOUR)
    talk.ok("PAUSE", queue=queue)
    talk.ok("RATELIMIT", queue=queue, limit=1)
    talk.ok("SETCONCURRENCY", queue=queue, limit=1)
    assert talk.ok("OBLITERATE", queue=queue)["count"] == 4
    assert {talk.state(one) for one in ids} == {"unknown"}
    assert talk.error("ACK", id=ids[1]) == f"Job {ids[1]} not found"
    info = talk.info(queue) or {"pending": 0, "dlq": 0, "paused": False, "rate_limit": None, "concurrency_limit": None}
    assert (info["pending"], info["dlq"], info["paused"]) == (0, 0, False) and cron_entry(talk, cron) is None
    assert info["rate_limit"] is None and info["concurrency_limit"] is None
    assert talk.push(queue, job_id=custom) not in ids
    assert talk.ok("ISPAUSED", queue=queue)["paused"] is False


@row("3.12 OBLITERATE: keys, windows, groups")
def test_obliterate_more(talk: Talk, queue: str) -> None:
    options = {"unique_key": "k", "debounce_id": "d", "debounce_ttl": 60_000, "group_id": "g"}
    for _ in range(2):
        talk.active(queue, **options)
        assert talk.holds_key(queue, "k") and "Debounced" in talk.error("PUSH", queue=queue, debounce_id="d")
        talk.push(queue, group_id="g")
        assert talk.pulls_nothing(queue)
        talk.ok("OBLITERATE", queue=queue)


@row("3.12 OBLITERATE: waiting for others")
def test_obliterate_dependents(talk: Talk, queue: str, names: Names) -> None:
    other = names.queue()
    waits = talk.push(queue, depends_on=[talk.push(other)])
    parent = talk.ok("FLOW", queue=queue, data=1, children=[{"queue": other, "data": 2}])["parent_id"]
    assert talk.ok("OBLITERATE", queue=queue)["count"] == 2
    assert {talk.state(waits), talk.state(parent)} == {"unknown"}
