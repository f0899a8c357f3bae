"""The commands on queues, schedules, keys and files, on a real server."""

import json
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flashq.cli.events import Tail
from flashq.cli.exits import Failure
from flashq.cli.output import now_ms
from flashq.cli.paging import oldest_first
from flashq.client import FlashQ
from flashq.commands import STATES
from support.cli import Cli, cli_of
from support.server import ServerProcess


@pytest.fixture
def cli(server: ServerProcess) -> Cli:
    return cli_of(server)


# --- looking and steering


def test_queues_and_stats(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n2\n3\n")
    cli("push", queue_name, "4", "--delay", "1h")
    cli("pull", queue_name, "--ack")
    head, *rows = cli("queues").lines
    assert head.split() == ["queue", "waiting", "delayed", "active", "dead", "completed", "limits"]
    (row,) = [line.split() for line in rows if line.startswith(queue_name)]
    assert row[1:6] == ["2", "1", "0", "0", "1"]
    (info,) = [one for one in cli("queues", "--json").objects if one["name"] == queue_name]
    assert (info["pending"], info["delayed"], info["completed"]) == (3, 1, 1)
    stats = cli("stats", "--json").object
    assert stats["queues"][queue_name]["waiting"] == 2 and stats["metrics"]["store"]["health"] == "ok"
    assert not {"ok", "success", "reqId"} & set(stats)
    assert stats["metrics"]["wait_ms"]["count"] >= 1 and stats["metrics"]["processing_ms"]["p99"] >= 0
    assert stats["metrics"]["connections"] >= 1 and stats["metrics"]["workers"] >= 0
    shown = cli("stats").out
    assert "since the start:" in shown and "storage: commit, ok" in shown
    assert "p50, p95, p99 of waiting: " in shown and "of waiting: -" not in shown and "; of work: -" not in shown
    assert "workers " in shown and "waiting pulls 0" in shown


def test_queues_that_hold_nothing_are_listed_on_request(cli: Cli, queue_name: str) -> None:
    names = {kind: f"{queue_name}-{kind}" for kind in ("empty", "paused", "limited", "family", "done")}
    for name in names.values():
        cli("push", name, "1")
        cli("drain", name, "--yes")
    cli("pause", names["paused"])
    cli("limit", names["limited"], "--rate", 5)
    cli("push", names["done"], "1")
    cli("pull", names["done"], "--ack")
    cli("push", names["family"], "1", "--depends-on", cli("push", queue_name, "1").out.strip())

    def listed(*words: str) -> set[str]:
        shown = {line.split()[0] for line in cli("queues", *words).lines}
        assert shown - {"queue"} == {one["name"] for one in cli("queues", "--json", *words).objects}
        return {kind for kind, name in names.items() if name in shown}

    assert listed() == {"paused", "limited", "family", "done"}
    assert listed("--all") == set(names)


def test_pause_and_resume(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "1")
    assert cli("pause", queue_name).out == f"queue {queue_name} is paused\n"
    cli("pull", queue_name, status=5)
    assert cli("resume", queue_name, "--json").object == {"queue": queue_name, "paused": False}
    assert cli("pull", queue_name, "--ack").lines


def test_limits(cli: Cli, queue_name: str) -> None:
    assert cli("limit", queue_name).out == f"queue {queue_name}: no limits\n"
    assert cli("limit", queue_name, "--rate", 5, "--concurrency", 2).out == f"queue {queue_name}: 5/s; 2 at once\n"
    assert cli("limit", queue_name, "--no-rate", "--json").object == {
        "queue": queue_name, "paused": False, "rate_limit": None, "concurrency_limit": 2, "groups": None}
    cli("limit", queue_name, "--fair", "--group-concurrency", 3)
    assert cli("limit", queue_name, "--group-rate", 9, "--json").object["groups"] == {
        "concurrency": 3, "rate": 9, "fair": True}
    assert cli("limit", queue_name, "--group-rate", 0, "--no-fair", "--json").object["groups"] == {
        "concurrency": 3, "rate": None, "fair": False}
    assert "at once" in cli("limit", queue_name, "--rate", 1, "--no-rate", status=2).error


def test_what_destroys_needs_a_yes(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n2\n3\n")
    cli("push", queue_name, "4", "--delay", "1h")
    cli("cron", "add", queue_name, queue_name, "0 0 1 1 *")
    for command, said in (("drain", "4 waiting or delayed jobs"), ("obliterate", "4 jobs")):
        refused = cli(command, queue_name, status=2)
        assert said in refused.error and queue_name in refused.error and "--yes" in refused.error
    assert "1 cron entry" in cli("obliterate", queue_name, status=2).error
    assert cli("drain", queue_name, "--yes").out == f"removed 4 jobs of queue {queue_name}\n"
    cli("push", queue_name, "5")
    assert cli("obliterate", queue_name, "-y", "--json").object == {"queue": queue_name, "removed": 1}
    assert queue_name not in cli("cron", "list").out
    assert cli("drain", "bad name", "--yes", status=1).error.endswith("[INVALID_QUEUE_NAME]")


def test_clean_takes_old_jobs_of_one_state(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n2\n3\n4\n")
    cli("pull", queue_name, "--count", 2, "--ack")
    refused = cli("clean", queue_name, "--state", "waiting", "--older", "1m", "--limit", 1, status=2)
    assert "those of 2 waiting jobs" in refused.error and "older than 1m, at most 1" in refused.error
    assert cli("clean", queue_name, "--state", "waiting", "--older", "1h", "--yes").out == \
        f"removed 0 jobs of queue {queue_name}\n"
    assert cli("clean", queue_name, "-s", "waiting", "--older", "0", "-n", 1, "-y", "--json").object["removed"] == 1
    assert [job["data"] for job in cli("jobs", queue_name, "--json").objects] == [4, 2, 1]
    assert cli("clean", queue_name, "-s", "completed", "--older", "0", "-y", "--json").object["removed"] == 2
    cli("push", queue_name, "5", "--max-attempts", 1, "--priority", 9)
    cli("pull", queue_name, "--fail", "x")
    assert [job["data"] for job in cli("jobs", queue_name, "--state", "dead", "--json").objects] == [5]
    assert [line["state"] for line in cli("export", queue_name, "--state", "dead").objects] == ["failed"]
    assert cli("clean", queue_name, "-s", "dead", "--older", "0", "-y", "--json").object["removed"] == 1
    assert "--state" in cli("clean", queue_name, "--older", "1m", status=2).error
    assert "--state" in cli("clean", queue_name, "--older", "1m", "--state", "active", status=2).error


# --- cron


def test_cron_entries(cli: Cli, queue_name: str) -> None:
    done = cli("cron", "add", queue_name, queue_name, "30 2 * * *", "--tz", "Europe/Berlin", "--data", '{"a": 1}',
               "--limit", 3, "--overlap", "skip", "--catchup", "last", "--priority", 4, "--timeout", "5m",
               "--name", "send_report")
    assert done.out.startswith(f"{queue_name} runs next ")
    (entry,) = [one for one in cli("cron", "list", "--json").objects if one["name"] == queue_name]
    assert (entry["schedule"], entry["tz"], entry["data"]) == ("30 2 * * *", "Europe/Berlin", {"a": 1})
    assert (entry["priority"], entry["options"], entry["overlap"], entry["catchup"]) == (
        4, {"timeout": 300_000, "name": "send_report"}, "skip", "last")
    (line,) = [line for line in cli("cron", "list").lines if line.startswith(queue_name)]
    assert "30 2 * * *" in line and "0 of 3" in line and "send_report" in line
    assert len(cli("cron", "next", queue_name).lines) == 3      # its limit
    assert cli("cron", "rm", queue_name).out == f"{queue_name} is removed\n"
    assert cli("cron", "rm", queue_name, status=1).error.endswith("[CRON_NOT_FOUND]")
    assert cli("cron", "next", queue_name, status=1).error.endswith("[CRON_NOT_FOUND; field name]")


def test_the_next_times_are_those_of_the_server(cli: Cli, queue_name: str) -> None:
    for words in (["15 9 * * mon-fri", "--tz", "America/New_York"], ["*/7"], ["--every", "90s"], ["5 */10 * * * *"]):
        made = cli("cron", "add", queue_name, queue_name, *words, "--json").object
        times = [one["time"] for one in cli("cron", "next", queue_name, "--json").objects]
        assert len(times) == 10 and times[0] == made["next_run"] and times == sorted(set(times))
    cli("cron", "rm", queue_name)


def test_next_of_a_schedule_in_its_zone_when_the_clocks_change() -> None:
    """No server is asked. 02:30 exists twice on one day of the year, and is skipped on another: once a day it is."""
    cli = Cli("flashq://127.0.0.1:1")
    found = cli("cron", "next", "30 2 * * *", "--tz", "Europe/Berlin", "-n", 400, "--json").objects
    assert len({one["local"][:10] for one in found}) == 400
    clock = {one["local"][11:16] for one in found}
    assert clock == {"02:30", "03:00"}
    zone = ZoneInfo("Europe/Berlin")
    for one in found:
        there = datetime.fromisoformat(one["local"])
        assert there.timestamp() * 1000 == one["time"] and there.utcoffset() == there.astimezone(zone).utcoffset()
        assert datetime.fromisoformat(one["utc"]).timestamp() * 1000 == one["time"]
    (line, *others) = cli("cron", "next", "30 2 * * mon", "--tz", "Europe/Berlin").lines
    assert re.fullmatch(r"Mon \d{4}-\d\d-\d\d 02:30:00 \+0[12]:00   \d{4}-\d\d-\d\d 0[01]:30:00 UTC   in .+", line)
    assert len(others) == 9
    assert len(cli("cron", "next", "*/90", "-n", 2).lines) == 2


@pytest.mark.parametrize(("words", "code"), [
    (["bad bad bad bad bad"], "INVALID_SCHEDULE; field schedule"),
    (["0 0 30 2 *"], "INVALID_SCHEDULE; field schedule"),
    (["@daily"], "INVALID_SCHEDULE; field schedule"),
    (["* * * * *", "--tz", "Mars/Base"], "INVALID_TIME_ZONE; field tz"),
])
def test_what_cannot_be_read_is_refused_as_by_the_server(cli: Cli, words: list[str], code: str) -> None:
    assert cli("cron", "next", *words, status=1).error.endswith(f"[{code}]")
    assert cli("cron", "add", "x", "x", *words, status=1).error.endswith(f"[{code.split(';')[0]}]")


def test_the_jobs_of_an_entry_have_its_task(cli: Cli, queue_name: str) -> None:
    cli("cron", "add", queue_name, queue_name, "--every", "50ms", "--limit", 1, "--name", "send_report")
    job = cli("pull", queue_name, "--wait", "10s", "--name", "send_report", "--ack", "--json").object
    assert (job["queue"], job["name"]) == (queue_name, "send_report")


def test_cron_needs_one_rhythm(cli: Cli) -> None:
    assert "--every" in cli("cron", "add", "x", "x", status=2).error
    assert "--every" in cli("cron", "add", "x", "x", "* * * * *", "--every", "5s", status=2).error
    assert "--tz" in cli("cron", "next", "x", "--tz", "UTC", status=2).error


def test_an_entry_whose_name_looks_like_a_schedule(cli: Cli) -> None:
    made = cli("cron", "add", "*/5 * * * *", "odd", "0 0 1 1 *", "--json").object
    assert cli("cron", "next", "*/5 * * * *", "--entry", "-n", 1, "--json").object["time"] == made["next_run"]
    assert cli("cron", "next", "*/5 * * * *", "-n", 1, "--json").object["time"] != made["next_run"]
    cli("cron", "rm", "*/5 * * * *")


# --- keys and values


def test_keys_and_values(cli: Cli, queue_name: str) -> None:
    key = f"{queue_name}:a"
    assert cli("kv", "set", key, '{"max": 5}', "--ttl", "1h").out == f"{key} is set, for 1h\n"
    assert cli("kv", "get", key).out == '{"max":5}\n'
    assert cli("kv", "get", key, "--json").object == {"key": key, "value": {"max": 5}}
    assert cli("kv", "keys", f"{queue_name}:*").lines == [key]
    assert cli("kv", "keys", f"{queue_name}:*", "--json").object == {"key": key}
    cli("kv", "set", key, "null")
    assert cli("kv", "get", key).out == "null\n"
    assert cli("kv", "del", key).out == f"{key} is removed\n"
    for command in ("get", "del"):
        assert cli("kv", command, key, status=1).error == f"there is no key {key}"
    assert "JSON" in cli("kv", "set", key, "{", status=2).error


# --- events


def test_events_as_they_happen(
    server: ServerProcess, cli: Cli, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = threading.Event()
    monkeypatch.setattr(Tail, "next", lambda tail, wait=Tail.next: (listening.set(), wait(tail))[1])
    other = f"{queue_name}-2"

    def work() -> None:
        with server.client() as client:
            assert listening.wait(20)
            for name in (queue_name, other):
                client.ok("PUSH", queue=name, data={"n": 1})
                job = client.ok("PULL", queue=name)["job"]["id"]
                client.ok("FAIL", id=job, error="no \x1b luck", retry=False)

    for words in ([], ["--json"]):
        worker = threading.Thread(target=work)
        worker.start()
        done = cli("events", queue_name, other, "--type", "pushed", "--type", "failed", "--count", 4, *words)
        worker.join()
        listening.clear()
        if words:
            assert [(one["event_type"], one["queue"]) for one in done.objects] == [
                ("pushed", queue_name), ("failed", queue_name), ("pushed", other), ("failed", other)]
        else:
            assert re.match(rf'\d\d:\d\d:\d\d\.\d{{3}} pushed +{queue_name} \d+  {{"n":1}}$', done.lines[0])
            assert done.lines[1].endswith("no \\x1b luck")
        assert f"listening to {queue_name}, {other}" in done.err


# --- export and import


def test_the_round_trip_keeps_what_a_push_says(cli: Cli, queue_name: str, tmp_path: Path) -> None:
    file, copy = tmp_path / "jobs.jsonl", f"{queue_name}-copy"
    options = ["--priority", 7, "--tag", "a", "--timeout", "90s", "--max-attempts", 4, "--retry-type", "fixed",
               "--retry-delay", "1s", "--group-id", "g", "--name", "mail", "--job-version", 2, "--lifo", "--ttl", "2h",
               "--stall-timeout", "5s", "--keep-completed-age", "1m", "--keep-completed-count", 3,
               "--remove-on-complete", "--remove-on-fail", "--backoff", "1s"]
    cli("push", queue_name, '{"n": 1}', *options, "--unique-key", "u")
    cli("push", queue_name, "-", input="".join(f"{n}\n" for n in range(700)))
    cli("push", queue_name, '"later"', "--delay", "1h")
    assert cli("export", queue_name, "-o", file).err == "exported 702 jobs\n"
    assert "--force" in cli("export", queue_name, "-o", file, status=2).error
    cli("export", queue_name, "-o", file, "--force")
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert cli("import", file, "--queue", copy, "--json").object == {
        "pushed": 702, "there_already": 0, "refused": 0, "passed_over": {}}
    before, after = (cli("jobs", name, "--all", "--json").objects for name in (queue_name, copy))
    gone = {"id", "queue", "created_at", "run_at", "custom_id"}
    assert [{k: v for k, v in job.items() if k not in gone} for job in before] == [
        {k: v for k, v in job.items() if k not in gone} for job in after]
    assert abs(before[0]["run_at"] - after[0]["run_at"]) < 2000 and after[0]["state"] == "delayed"
    assert cli("export", copy, "--state", "delayed").object["push"]["data"] == "later"


def test_states_that_would_run_again_are_passed_over(cli: Cli, queue_name: str, tmp_path: Path) -> None:
    cli("push", queue_name, "-", "--max-attempts", 1, input="1\n2\n3\n")
    first = cli("pull", queue_name, "--ack", "--json").object["id"]
    cli("pull", queue_name, "--fail", "x")
    cli("push", queue_name, "4", "--depends-on", cli("push", queue_name, "5", "--job-id", queue_name).out.strip())
    exported = cli("export", queue_name)
    assert {line["state"] for line in exported.objects} == {"completed", "failed", "waiting", "waiting-children"}
    assert exported.objects[0]["id"] == first
    copy = f"{queue_name}-copy"
    done = cli("import", "--queue", copy, input=exported.out)
    assert done.err == ("pushed 1 job, 1 was there already, 1 completed passed over, 1 failed passed over, "
                        "1 waiting-children passed over\n")
    assert [job["data"] for job in cli("jobs", copy, "--json").objects] == [3]
    done = cli("import", "--queue", copy, "--state", "failed", "--json", input=exported.out)
    assert done.object["pushed"] == 1
    assert set(done.object["passed_over"]) == set(STATES) - {"failed", "active", "delayed"}


def test_a_copy_beside_the_old_queue_has_all_jobs(cli: Cli, queue_name: str) -> None:
    for number in range(3):
        cli("push", queue_name, str(number), "--job-id", f"{queue_name}-{number}")
    cli("push", queue_name, "3")
    exported = cli("export", queue_name).out
    done = cli("import", "--queue", f"{queue_name}-a", "--json", input=exported)
    assert done.object == {"pushed": 1, "there_already": 3, "refused": 0, "passed_over": {}}
    done = cli("import", "--queue", f"{queue_name}-b", "--new-ids", input=exported)
    assert done.err == "pushed 4 jobs\n"
    assert [job["data"] for job in cli("jobs", f"{queue_name}-b", "--json").objects] == [3, 2, 1, 0]
    assert "--new-ids" in cli("import", "--help").out and "without the jobs before it" in cli("import", "--help").out


def test_lines_that_share_a_custom_id_are_one_job(cli: Cli, queue_name: str) -> None:
    done = cli("push", queue_name, "-", "--job-id", queue_name, input="1\n2\n3\n")
    assert done.err == "pushed 1 job, 2 were there already\n"
    line = {"queue": queue_name, "state": "waiting", "push": {"data": 1, "job_id": f"{queue_name}-2"}}
    done = cli("import", input=f"{json.dumps(line)}\n" * 2)
    assert done.err == "pushed 1 job, 1 was there already\n"


def test_an_export_that_fails_leaves_no_file_and_the_old_one(cli: Cli, queue_name: str, tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.write_text("kept")
    cli("export", queue_name, "-o", file, "--force", "--url", "flashq://127.0.0.1:1", status=3)
    cli("export", "a", "-o", tmp_path / "no" / "such" / "directory", status=1)
    assert file.read_text() == "kept" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("line", "said"), [
    ('{"data": 1}', "no object `push`"),
    ("7", "no object `push`"),
    ('{"queue": 1, "state": "waiting", "push": {}}', "`queue` is no text"),
    ('{"queue": "q", "state": "asleep", "push": {}}', "`state` is none of"),
    ('{"queue": "q", "state": "delayed", "run_at": "x", "push": {}}', "`run_at`"),
    ('{"queue": "q", "state": "waiting", "push": {"prio": 1}}', "'prio' is no push option"),
])
def test_a_line_that_export_did_not_write(cli: Cli, line: str, said: str) -> None:
    done = cli("import", input=line, status=1)
    assert "line 1: " in done.err and said in done.err


class Busy(FlashQ):
    """Before it asks for a page others push to the queue, take its oldest jobs away, and remove some in the middle."""

    pushed = 30

    def get_jobs(self, queue: str, state: str | None = None, **options: Any) -> Any:  # type: ignore[override]
        if options["limit"] > 1:
            self.push_batch(queue, [{"data": -1}] * self.pushed)
            for job in self.pull_batch(queue, 5, timeout=0):
                self.cancel(job)
            for job in super().get_jobs(queue, "waiting", limit=7, offset=100).jobs:
                self.cancel(job)
        return super().get_jobs(queue, state, **options)


@pytest.mark.parametrize(("size", "pushed"), [(1, 30), (1, 250), (30_000, 3)])
def test_an_export_of_a_queue_that_changes_has_each_job_once(
    cli: Cli, queue_name: str, size: int, pushed: int
) -> None:
    """All that were there all the time are in it, once, and in their order; no end of jobs that came later."""
    cli("push", queue_name, "-", input="".join(f'[{n}, "{"x" * size}"]\n' for n in range(700)))
    with Busy(cli.url) as client:
        client.pushed = pushed
        found = [job.data[0] for job in oldest_first(client, queue_name)]
        assert found == sorted(set(found))
        left = {job.data[0] for job in client.jobs(queue_name) if job.data != -1}
    assert len(left) > 200 and left <= set(found)


def test_a_queue_that_changes_too_fast_is_told(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n" * 600)
    with Busy(cli.url) as client, pytest.raises(Failure, match="pause it"):
        client.pushed = 1000
        list(oldest_first(client, queue_name))


# --- times


def test_a_delayed_job_that_is_due_by_now_is_imported_without_a_delay(cli: Cli, queue_name: str) -> None:
    line = {"queue": queue_name, "state": "delayed", "run_at": now_ms() - 1000, "push": {"data": 1}}
    cli("import", "-", input=json.dumps(line))
    assert cli("jobs", queue_name, "--json").object["state"] == "waiting"
