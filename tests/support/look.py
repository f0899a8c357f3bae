"""All that can be seen of some queues, keys and cron entries of a server, and the same of a model of it; compared."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flashq.commands import STATES
from support.model_parts import Message
from support.model_restart import RestartModel

Ask = Callable[[list[Message]], list[Message]]     # requests to replies, in their order

PAGE = 1000
TIMES = frozenset({"created_at", "run_at", "started_at", "completed_at", "failed_at", "timestamp", "ended_at"})
UNCERTAIN = frozenset({"last_heartbeat"})           # a sign of life leaves no record
LAST_TIME = 2**53 - 1


@dataclass
class View:
    """What there is, by id or name."""

    states: dict[int, str]
    jobs: dict[int, Message]
    results: dict[int, Any]
    logs: dict[int, list[Message]]
    lists: dict[tuple[str, str], list[int]]         # queue and state: the ids, smallest first
    dead: dict[str, list[int]]                      # in their order
    queues: dict[str, Message]
    counts: dict[str, dict[str, int]]
    keys: dict[str, Any] = field(default_factory=dict)
    crons: dict[str, Message] = field(default_factory=dict)


def look(ask: Ask, queues: Iterable[str], issued: Iterable[int], prefix: str = "") -> View:
    """What a server shows of these queues, of these ids and others in its lists, and of names with that prefix."""

    def one(cmd: str, **fields: Any) -> Message:
        return all_of([{"cmd": cmd, **fields}])[0]

    def all_of(requests: list[Message]) -> list[Message]:
        replies = ask(requests)
        for request, reply in zip(requests, replies, strict=True):
            assert reply["ok"] is True, f"{request}: {reply}"
        return replies

    def paged(**fields: Any) -> Iterator[int]:
        offset, total = 0, 1
        while offset < total:
            page = one("GETJOBS", limit=PAGE, offset=offset, **fields)
            assert page["jobs"] or not page["total"], "an empty page before the end"
            yield from (job["id"] for job in page["jobs"])
            offset, total = offset + max(len(page["jobs"]), 1), page["total"]

    names = sorted(queues)
    lists = {(name, state): sorted(paged(queue=name, state=state)) for name in names for state in STATES}
    ids = sorted({*issued, *(job_id for found in lists.values() for job_id in found)})
    shown = dict(zip(ids, all_of([{"cmd": "GETJOB", "id": job_id} for job_id in ids]), strict=True))
    there = [job_id for job_id in ids if shown[job_id]["job"] is not None]
    results = all_of([{"cmd": "GETRESULT", "id": job_id} for job_id in there])
    logs = all_of([{"cmd": "GETLOGS", "id": job_id} for job_id in there])
    keys = [key for key in one("KVKEYS")["keys"] if key.startswith(prefix)]
    return View(
        states={job_id: reply["state"] for job_id, reply in shown.items()},
        jobs={job_id: shown[job_id]["job"] for job_id in there},
        results={job_id: reply["result"] for job_id, reply in zip(there, results, strict=True)},
        logs={job_id: reply["logs"] for job_id, reply in zip(there, logs, strict=True)},
        lists=lists,
        dead={name: [job["id"] for job in one("DLQ", queue=name, count=PAGE)["jobs"]] for name in names},
        queues={info["name"]: info for info in one("LISTQUEUES")["queues"] if info["name"] in names},
        counts={name: one("GETJOBCOUNTS", queue=name)["counts"] for name in names},
        keys={key: one("KVGET", key=key)["value"] for key in keys},
        crons={cron["name"]: cron for cron in one("CRONLIST")["crons"] if cron["name"].startswith(prefix)},
    )


def expected(model: RestartModel) -> View:
    """What the model says that it must be."""
    names = sorted(model.queues)
    client = model.connect(-1)

    def told(cmd: str, **fields: Any) -> Message:
        body: Message = getattr(model, "do_" + cmd.lower())(client, {"cmd": cmd, **fields})
        return body

    lists: dict[tuple[str, str], list[int]] = {(name, state): [] for name in names for state in STATES}
    for job_id, job in sorted(model.jobs.items()):
        lists[job.queue.name, job.state].append(job_id)
    view = View(
        states={job_id: model.state(job_id) for job_id in sorted(model.issued)},
        jobs={job_id: job.read() for job_id, job in model.jobs.items()},
        results={job_id: job.result for job_id, job in model.jobs.items()},
        logs={job_id: list(job.log) for job_id, job in model.jobs.items()},
        lists=lists,
        dead={name: [job.id for job in model.dead(name)][:PAGE] for name in names},
        queues={info["name"]: info for info in told("LISTQUEUES")["queues"]},
        counts={name: told("GETJOBCOUNTS", queue=name)["counts"] for name in names},
        keys=dict(model.keys),
        crons=dict(model.crons),
    )
    model.disconnect(client)
    return view


def forget_idle(model: RestartModel, found: View) -> None:
    """A start may forget queues that hold nothing: those that are not there any more need not be."""
    for name in [one for one in model.queues if one not in found.queues and model.is_idle(one)]:
        del model.queues[name]
        assert not any(found.counts.pop(name).values())
        for state in STATES:
            assert found.lists.pop((name, state)) == []
        assert found.dead.pop(name) == []


def forget_evicted(model: RestartModel, found: View) -> None:
    """Completed jobs over the limits go one after another: some may be there still."""
    for job_id in model.evicted:
        if found.states.get(job_id) == "completed":
            found.states[job_id] = "unknown"
            job = found.jobs.pop(job_id, None)
            if job is not None:
                del found.results[job_id], found.logs[job_id]
                found.lists[job["queue"], "completed"].remove(job_id)


def differences(wanted: View, found: View, slack: int = 0) -> list[str]:
    """Where a server is not as it must be; its times may be off by `slack` ms, and tokens of None are not known."""
    told = list(compare("states", wanted.states, found.states))
    for name in ("jobs", "results", "logs", "lists", "dead", "counts", "keys"):
        told += compare(name, getattr(wanted, name), getattr(found, name), slack)
    told += compare("queues", wanted.queues, found.queues)
    for name in {*wanted.crons, *found.crons}:
        cron = {key: one for key, one in found.crons.get(name, {}).items() if key != "next_run"}
        told += compare(f"crons {name}", wanted.crons.get(name, {}), cron)
    return told


def compare(where: str, wanted: Any, found: Any, slack: int = 0) -> Iterator[str]:
    """Each place in which two values differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in {**wanted, **found}:
            if key in UNCERTAIN or (key == "token" and known_alike(wanted, found)):
                continue
            if key in TIMES and near(wanted.get(key), found.get(key), slack):
                continue
            if key not in wanted or key not in found:
                side, value = ("too much", found[key]) if key in found else ("missing", wanted[key])
                yield f"{where}: {key!r} is {side}: {str(value)[:300]}"
                continue
            yield from compare(f"{where} {key}", wanted[key], found[key], slack)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from compare(f"{where}[{number}]", one, other, slack)
    elif wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield f"{where}: {str(found)[:300]!r} and not {str(wanted)[:300]!r}"


def known_alike(wanted: Message, found: Message) -> bool:
    """Whether an active job has a token, where it is not known which."""
    return wanted.get("state") == "active" and wanted["token"] is None and found["token"] is not None


def near(wanted: int | None, found: int | None, slack: int) -> bool:
    if wanted is None or found is None:
        return False
    return wanted == found or (0 not in (wanted, found) and abs(wanted - found) <= slack)
