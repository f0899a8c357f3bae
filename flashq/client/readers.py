"""How each result is read from a reply: one function for each kind of reply."""
from typing import Any, TypeVar

from flashq.client.record import take_over
from flashq.client.results import (
    BatchResult,
    Children,
    CronEntry,
    Explanation,
    Flow,
    GroupRules,
    JobCounts,
    JobPage,
    LogLine,
    Metrics,
    Progress,
    QueueCounts,
    QueueInfo,
    QueueMetrics,
    RefusedItem,
    ServerInfo,
    Stats,
    StoreInfo,
    Times,
    WorkerInfo,
    WorkerList,
)
from flashq.client.shapes import Attempt, Job, State

Reply = dict[str, Any]
T = TypeVar("T")


def _list(kind: type[T], raws: list[Reply]) -> list[T]:
    return [take_over(kind, raw) for raw in raws]


def make_job(raw: Reply) -> Job:
    """A job as the server shows it."""
    raw.pop("job", None)        # some lists show each job inside itself again
    if "history" in raw:
        raw["history"] = _list(Attempt, raw["history"])
    return take_over(Job, raw)


# -- readers: reply to result -----------------------------------------------------------------------------------------


def nothing(_reply: Reply) -> None:
    """There is nothing but `ok`."""


def id(reply: Reply) -> int:
    """Of the job."""
    return int(reply["id"])


def batch(reply: Reply) -> BatchResult:
    """Of PUSHB."""
    return BatchResult(reply["ids"], _list(RefusedItem, reply.get("errors", [])))


def job(reply: Reply) -> Job | None:
    """A job, or None."""
    return None if reply["job"] is None else make_job(reply["job"])


def jobs(reply: Reply) -> list[Job]:
    """A list of jobs."""
    return [make_job(raw) for raw in reply["jobs"]]


def page(reply: Reply) -> JobPage:
    """Of GETJOBS."""
    return JobPage(jobs(reply), reply["total"])


def count(reply: Reply) -> int:
    """How many."""
    return int(reply["count"])


def server(reply: Reply) -> ServerInfo:
    """Of HELLO."""
    return take_over(ServerInfo, reply)


def pong(reply: Reply) -> bool:
    """Of PING."""
    return bool(reply["pong"])


def explanation(reply: Reply) -> Explanation:
    """Of EXPLAIN."""
    return Explanation(reply["id"], reply["state"], reply["reasons"])


def state(reply: Reply) -> State:
    """Of GETSTATE."""
    found: State = reply["state"]
    return found


def result(reply: Reply) -> Any:
    """What a job's ack gave; None also when there is none."""
    return reply.get("result")


def progress(reply: Reply) -> Progress:
    """Of GETPROGRESS."""
    return take_over(Progress, reply["progress"])


def counts(reply: Reply) -> JobCounts:
    """Of GETJOBCOUNTS."""
    return take_over(JobCounts, {name.replace("-", "_"): number for name, number in reply["counts"].items()})


def logs(reply: Reply) -> list[LogLine]:
    """Of GETLOGS."""
    return _list(LogLine, reply["logs"])


def paused(reply: Reply) -> bool:
    """Of ISPAUSED."""
    return bool(reply["paused"])


def queues(reply: Reply) -> list[QueueInfo]:
    """Of LISTQUEUES."""
    for raw in reply["queues"]:
        if raw.get("groups") is not None:
            raw["groups"] = take_over(GroupRules, raw["groups"])
    return _list(QueueInfo, reply["queues"])


def stats(reply: Reply) -> Stats:
    """Of STATS."""
    reply["queues"] = {name: take_over(QueueCounts, raw) for name, raw in reply["queues"].items()}
    return take_over(Stats, reply)


def metrics(reply: Reply) -> Metrics:
    """Of METRICS."""
    raw = reply["metrics"]
    raw["store"] = take_over(StoreInfo, raw["store"])
    for one in (raw, *raw["queues"]):
        one.update((name, take_over(Times, one[name])) for name in ("wait_ms", "processing_ms") if name in one)
    raw["queues"] = _list(QueueMetrics, raw["queues"])
    return take_over(Metrics, raw)


def workers(reply: Reply) -> WorkerList:
    """Of WORKERS."""
    return WorkerList(_list(WorkerInfo, reply["workers"]), reply["total"])


def crons(reply: Reply) -> list[CronEntry]:
    """Of CRONLIST."""
    return _list(CronEntry, reply["crons"])


def flow(reply: Reply) -> Flow:
    """Of FLOW."""
    return take_over(Flow, reply)


def children(reply: Reply) -> Children:
    """Of GETCHILDREN."""
    reply["children"] = [make_job(raw) for raw in reply["children"]]
    return take_over(Children, reply)


def value(reply: Reply) -> Any:
    """Of a key; None when there is none."""
    return reply["value"]


def values(reply: Reply) -> list[Any]:
    """Of keys, in their order."""
    return list(reply["values"])


def total(reply: Reply) -> int:
    """The sum that a key holds now."""
    return int(reply["value"])


def exists(reply: Reply) -> bool:
    """Whether the key was there."""
    return bool(reply["exists"])


def ttl(reply: Reply) -> int:
    """ms; -1 = it stays, -2 = there is no such key."""
    return int(reply["ttl"])


def keys(reply: Reply) -> list[str]:
    """Names of keys."""
    return list(reply["keys"])


def receivers(reply: Reply) -> int:
    """Of PUB."""
    return int(reply["receivers"])


def channels(reply: Reply) -> list[str]:
    """Names of channels, or patterns."""
    return list(reply["channels"])


def listeners(reply: Reply) -> dict[str, int]:
    """Of PUBSUBNUMSUB: how many connections, by channel."""
    return dict(reply["counts"])


def position(reply: Reply) -> int:
    """Of SYNC: all up to this one are on disk."""
    return int(reply["position"])
