"""Every method of both clients, in both formats, on a real server: one walk for each command of the table."""

from collections.abc import Callable, Iterator

import pytest

import flashq
from flashq.client import results as kinds
from flashq.client.results import Receipt
from flashq.client.shapes import Job
from flashq.client.streams import Event
from flashq.commands import COMMANDS
from support.clients import FORMATS, KINDS, Either, either, url_of
from support.server import ServerProcess

Walk = Callable[[Either, str], None]
WALKS: dict[str, Walk] = {}


def walk(*commands: str) -> Callable[[Walk], Walk]:
    """The function walks through these commands."""

    def note(function: Walk) -> Walk:
        WALKS.update(dict.fromkeys(commands, function))
        return function

    return note


@pytest.fixture(scope="module", params=[(kind, form) for kind in KINDS for form in FORMATS], ids="-".join)
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Either]:
    kind, form = request.param
    with either(kind, url_of(server), format=form) as one:
        yield one


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_method(client: Either, command: str, queue_name: str) -> None:
    WALKS[command](client, queue_name)


def active(client: Either, queue: str, data: object = None) -> Job:
    """A job that was pushed and pulled."""
    client.push(queue, data)
    job = client.pull(queue, timeout=0)
    assert isinstance(job, Job)
    return job


@walk("PUSH", "PULL", "GETJOB", "GETSTATE")
def push_and_pull(client: Either, queue: str) -> None:
    receipts: list[Receipt] = []
    id = client.push(queue, {"to": "a@b.c"}, priority=5, tags=["x"], retry={"type": "fixed", "delay": 10},
                     name="mail", version=2, receipt=receipts.append)
    assert receipts[0].durability == "commit" and receipts[0].position > 0
    assert client.get_state(id) == "waiting"
    job = client.pull(queue, names=["mail"], versions=[2], timeout=0)
    assert (job.id, job.data, job.priority, job.tags) == (id, {"to": "a@b.c"}, 5, ["x"])
    assert (job.name, job.version) == ("mail", 2)
    assert job.retry == {"type": "fixed", "delay": 10, "max": 0, "jitter": 0}
    assert job.state == "active" and isinstance(job.token, int) and job.reason is None and job.history == ()
    shown = client.get_job(id)
    assert shown == job and hash(shown) == hash(job) and "a@b.c" in repr(shown)
    assert client.pull(queues=[queue], timeout=0) is None
    client.ack(job)
    assert client.get_job(id + 32 * 10**6) is None


@walk("PUSHB", "PULLB", "ACKB")
def batches(client: Either, queue: str) -> None:
    done = client.push_batch(queue, [{"data": 1, "unique_key": "k"}, {"data": 2, "unique_key": "k"}, {"data": 3}])
    assert len(done.ids) == 2
    (refused,) = done.refused
    assert (refused.index, refused.code, refused.error) == (1, "DUPLICATE_KEY", "Duplicate job with key: k")
    jobs = client.pull_batch(queue, 10, timeout=0)
    assert [job.data for job in jobs] == [1, 3]
    assert client.ack_batch(jobs) == 2
    assert client.ack_batch([job.id for job in jobs], tokens=[job.token for job in jobs]) == 0
    assert client.pull_batch(None, 10, queues=[queue], timeout=0) == []


@walk("ACK", "GETRESULT", "WAITJOB")
def endings(client: Either, queue: str) -> None:
    job = active(client, queue)
    client.ack(job, {"sent": [1, None]})
    assert client.get_result(job.id) == {"sent": [1, None]}
    assert client.wait_job(job.id, timeout=0) == {"sent": [1, None]}
    with pytest.raises(flashq.client.refusals.JobNotFound) as raised:
        client.ack(job)
    assert (raised.value.code, raised.value.command, raised.value.sent_again) == ("JOB_NOT_FOUND", "ACK", False)
    with pytest.raises(flashq.client.refusals.Timeout):
        client.wait_job(client.push(queue), timeout=1)


@walk("FAIL", "DLQ", "RETRYDLQ", "PURGEDLQ")
def failing(client: Either, queue: str) -> None:
    for number in range(2):
        client.fail(active(client, queue, number), "mailbox full", retry=False)
    letters = client.dead_letters(queue)
    assert [letter.data for letter in letters] == [0, 1]
    assert letters[0].reason == "failed" and letters[0].history[0].error == "mailbox full"
    assert client.retry_dead_letters(queue, letters[0].id) == 1
    assert client.purge_dead_letters(queue) == 1
    client.fail(client.pull(queue, timeout=0), release=True)
    assert client.get_state(letters[0].id) == "waiting"


@walk("PROGRESS", "GETPROGRESS", "HEARTBEAT")
def living(client: Either, queue: str) -> None:
    job = active(client, queue)
    client.progress(job, 40, "page 4")
    assert client.get_progress(job.id) == kinds.Progress(job.id, 40, "page 4")
    client.heartbeat(job)
    with pytest.raises(flashq.client.refusals.StaleToken):
        client.heartbeat(job.id, token=job.token - 1)


@walk("PARTIAL", "SUBSCRIBE", "UNSUBSCRIBE")
def events(client: Either, queue: str) -> None:
    client.subscribe_events(queue, ["cancelled"])
    stream = client.client.events(queue, ["partial"])
    client.result(stream.open())
    job = active(client, queue)
    client.partial(job, "Dear ", index=3)
    event = client.result(stream.next(20))
    assert isinstance(event, Event)
    assert (event.event_type, event.job_id, event.data) == ("partial", job.id, {"chunk": "Dear ", "index": 3})
    client.result(stream.close())
    client.unsubscribe_events(queue)


@walk("AUTH", "HELLO", "PING")
def access(client: Either, queue: str) -> None:
    client.auth("any")
    info = client.hello(session=f"s-{queue}", push=True)
    assert (info.session, info.server, info.push, info.max_batch) == (f"s-{queue}", "flashq", True, 1000)
    assert client.ping() is True
    assert client.connect().version == flashq.__version__


@walk("EXPLAIN", "GETLOGS", "LOG")
def explaining(client: Either, queue: str) -> None:
    id = client.push(queue, delay=60_000)
    told = client.explain(id)
    assert (told.id, told.state, told.reasons[0]["reason"]) == (id, "delayed", "delayed")
    client.log(id, "page 4 of 10", "debug")
    (line,) = client.get_logs(id)
    assert (line.message, line.level) == ("page 4 of 10", "debug") and line.timestamp > 0


@walk("GETJOBBYCUSTOMID", "GETJOBSBATCH", "GETJOBS", "GETJOBCOUNTS")
def reading(client: Either, queue: str) -> None:
    ids = [client.push(queue, n, job_id=f"{queue}-{n}") for n in range(3)]
    assert client.get_job_by_custom_id(f"{queue}-1").id == ids[1]
    assert client.get_job_by_custom_id(f"{queue}-x") is None
    assert [job.data for job in client.get_jobs_batch([ids[2], ids[0]])] == [2, 0]
    page = client.get_jobs(queue, "waiting", limit=2, offset=1)
    assert ([job.id for job in page.jobs], page.total) == ([ids[1], ids[0]], 3)
    assert client.get_job_counts(queue) == kinds.JobCounts(3, 0, 0, 0, 0, 0)
    assert [job.id for job in client.items(client.client.jobs(queue, page_size=2))] == ids[::-1]


@walk("CANCEL", "CHANGEPRIORITY", "PROMOTE", "MOVETODELAYED", "UPDATEJOB", "UPDATE", "DISCARD")
def managing(client: Either, queue: str) -> None:
    id = client.push(queue, 1, delay=60_000)
    client.change_priority(id, 7)
    client.update_job(id, {"a": 1})
    client.update(id, {"a": 2})
    client.promote(id)
    job = client.pull(queue, timeout=0)
    assert (job.id, job.priority, job.data) == (id, 7, {"a": 2})
    client.move_to_delayed(job, 60_000)
    assert client.get_state(id) == "delayed"
    client.discard(id)
    assert client.get_state(id) == "failed"
    other = client.push(queue)
    client.cancel(other)
    assert client.get_state(other) == "unknown"


@walk("PAUSE", "RESUME", "ISPAUSED", "LISTQUEUES", "COUNT", "RATELIMIT", "RATELIMITCLEAR", "SETCONCURRENCY",
      "CLEARCONCURRENCY", "SETGROUPS")
def steering(client: Either, queue: str) -> None:
    client.push(queue)
    client.pause(queue)
    assert client.is_paused(queue) is True and client.count(queue) == 1
    client.limit_rate(queue, 10)
    client.limit_concurrency(queue, 3)
    client.set_groups(queue, group_concurrency=2, group_rate=5, fair=True)
    (info,) = (one for one in client.list_queues() if one.name == queue)
    assert (info.pending, info.paused, info.rate_limit, info.concurrency_limit) == (1, True, 10, 3)
    assert info.groups == kinds.GroupRules(2, 5, True)
    client.clear_rate_limit(queue)
    client.clear_concurrency_limit(queue)
    client.set_groups(queue)
    client.resume(queue)
    (info,) = (one for one in client.list_queues() if one.name == queue)
    assert (info.paused, info.rate_limit, info.concurrency_limit, info.groups) == (False, None, None, None)


@walk("DRAIN", "OBLITERATE", "CLEAN")
def emptying(client: Either, queue: str) -> None:
    client.push_batch(queue, [{"data": n} for n in range(4)])
    assert client.clean(queue, 0, "waiting", limit=1) == 1
    active(client, queue)
    assert client.drain(queue) == 3
    assert client.obliterate(queue) == 1
    with pytest.raises(flashq.client.refusals.InvalidState):
        client.clean(queue, 0, "asleep")


@walk("STATS", "METRICS", "WORKERS")
def statistics(client: Either, queue: str) -> None:
    client.push(queue)
    stats = client.stats()
    assert stats.queues[queue] == kinds.QueueCounts(1, 0, 0, 0, 0, False)
    assert stats.queued >= 1 and "processing" in repr(stats)
    metrics = client.metrics()
    (mine,) = (one for one in metrics.queues if one.name == queue)
    none = kinds.Times(0, None, None, None)
    assert mine == kinds.QueueMetrics(queue, 1, 0, 0, None, 0, 0, 0, none, none) and metrics.total_pushed >= 1
    assert (metrics.store.durability, metrics.store.health) == ("commit", "ok") and metrics.store.position > 0
    job = client.pull(queue, timeout=0)
    assert isinstance(job, Job)
    found = client.workers(queue)
    (worker,) = found.workers
    assert found.total == 1 and worker.active >= 1 and queue in worker.queues and worker.session is not None
    client.ack(job)
    metrics = client.metrics()
    (mine,) = (one for one in metrics.queues if one.name == queue)
    assert (mine.workers, mine.wait_ms.count, mine.processing_ms.count) == (1, 1, 1) and metrics.workers >= 1
    assert metrics.wait_ms.p99 is not None and metrics.wait_ms.p99 >= 0 and metrics.connections >= 1


@walk("CRON", "CRONDELETE", "CRONLIST")
def cron(client: Either, queue: str) -> None:
    client.add_cron(queue, queue, "0 30 2 * * *", tz="Europe/Berlin", data={"kind": "daily"}, max_attempts=5)
    (entry,) = (one for one in client.list_crons() if one.name == queue)
    assert (entry.schedule, entry.tz, entry.data) == ("0 30 2 * * *", "Europe/Berlin", {"kind": "daily"})
    assert entry.options == {"max_attempts": 5} and "next_run" in repr(entry)
    client.delete_cron(queue)
    with pytest.raises(flashq.client.refusals.CronNotFound):
        client.delete_cron(queue)


@walk("FLOW", "GETCHILDREN")
def flows(client: Either, queue: str) -> None:
    flow = client.push_flow(queue, [{"queue": queue, "data": 1}, {"queue": queue, "data": 2}], {"month": 5},
                            fail_parent=True)
    assert client.get_state(flow.parent_id) == "waiting-children" and len(flow.children_ids) == 2
    told = client.get_children(flow.parent_id)
    assert [child.data for child in told.children] == [1, 2]
    assert (told.parent_id, told.children_ids, told.completed, told.total) == (
        flow.parent_id, flow.children_ids, 0, 2)


@walk("KVSET", "KVGET", "KVDEL", "KVMGET", "KVMSET", "KVEXISTS", "KVEXPIRE", "KVTTL", "KVKEYS", "KVINCR")
def values(client: Either, queue: str) -> None:
    key = f"{queue}:a"
    client.kv_set(key, {"max": 5})
    assert client.kv_get(key) == {"max": 5} and client.kv_exists(key) is True and client.kv_ttl(key) == -1
    assert client.kv_expire(key, 60_000) is True and 0 < client.kv_ttl(key) <= 60_000
    assert client.kv_set_many([{"key": f"{queue}:b", "value": 1}, {"key": f"{queue}:c", "value": 2, "ttl": 9999}]) == 2
    assert client.kv_get_many([f"{queue}:b", f"{queue}:x"]) == [1, None]
    assert client.kv_increment(f"{queue}:b", 4) == 5
    assert sorted(client.kv_keys(f"{queue}:*")) == [f"{queue}:{name}" for name in "abc"]
    assert client.kv_delete(key) is True and client.kv_delete(key) is False


@walk("PUB", "SUB", "PSUB", "UNSUB", "PUNSUB", "PUBSUBCHANNELS", "PUBSUBNUMSUB")
def messages(client: Either, queue: str) -> None:
    assert client.subscribe([queue]) == [queue]
    assert client.subscribe_patterns([f"{queue}*"]) == [f"{queue}*"]
    assert queue in client.list_channels(f"{queue}*")
    assert client.count_listeners([queue]) == {queue: 1}
    stream = client.client.messages(queue, patterns=[f"{queue}*"])
    client.result(stream.open())
    assert client.publish(queue, {"n": 1}) == 2
    got = [client.result(stream.next(20)) for _ in range(2)]
    assert {one.pattern for one in got} == {None, f"{queue}*"} and all(one.message == {"n": 1} for one in got)
    client.result(stream.close())
    assert client.count_listeners([queue]) == {queue: 1}, "the plain subscription stays"
    assert client.unsubscribe([queue]) == [queue]
    assert client.unsubscribe_patterns([f"{queue}*"]) == [f"{queue}*"]
    assert client.publish(queue, 1) == 0


@walk("SYNC")
def sync(client: Either, queue: str) -> None:
    receipts: list[Receipt] = []
    client.push(queue, receipt=receipts.append)
    assert client.sync(receipts[0].position) >= receipts[0].position
    assert client.sync(timeout=10_000) >= receipts[0].position
    with pytest.raises(flashq.client.refusals.PositionUnknown):
        client.sync(receipts[0].position + 10**9)
