"""The commands on jobs, on a real server: what they print, in both forms, and how they are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flashq.cli.push import FIELDS
from flashq.cli.push_options import taken
from flashq.commands import PUSH_OPTIONS
from flashq.fields import Kind
from support.cli import Cli, cli_of
from support.server import ServerProcess

# --- push


@pytest.fixture
def cli(server: ServerProcess) -> Cli:
    return cli_of(server)


def test_a_push_prints_the_id(cli: Cli, queue_name: str) -> None:
    id = int(cli("push", queue_name, '{"to": "a@b.c"}').out)
    job = cli("job", id, "--json").object["job"]
    assert (job["id"], job["queue"], job["data"]) == (id, queue_name, {"to": "a@b.c"})
    assert cli("push", queue_name, "1", "--json").object["id"] > id


def test_data_is_json_or_a_text_on_request(cli: Cli, queue_name: str) -> None:
    assert "--text" in cli("push", queue_name, "hello", status=2).error
    assert "NaN" in cli("push", queue_name, "NaN", status=2).error
    assert "64 bits" in cli("push", queue_name, str(2**70), status=2).error
    id = cli("push", queue_name, "hello", "--text").out.strip()
    nothing = cli("push", queue_name).out.strip()
    assert [cli("job", one, "--json").object["job"]["data"] for one in (id, nothing)] == ["hello", None]


# A value for each option of a push, and how the job shows it; None: it does not.
OPTIONS: dict[str, tuple[list[str], Any]] = {
    "priority": (["--priority", "7"], 7),
    "delay": (["--delay", "1h"], None),
    "ttl": (["--ttl", "2h"], 7_200_000),
    "timeout": (["--timeout", "90s"], 90_000),
    "max_attempts": (["--max-attempts", "4"], 4),
    "backoff": (["--backoff", "250ms"], 250),
    "lifo": (["--lifo"], True),
    "tags": (["--tag", "a", "--tag", "b,c"], ["a", "b,c"]),
    "job_id": (["--job-id", "welcome-1"], None),
    "stall_timeout": (["--stall-timeout", "5s"], 5000),
    "remove_on_complete": (["--remove-on-complete"], True),
    "remove_on_fail": (["--remove-on-fail"], True),
    "unique_key": (["--unique-key", "u1"], "u1"),
    "debounce_id": (["--debounce-id", "d1"], None),
    "debounce_ttl": (["--debounce-ttl", "1s"], None),
    "depends_on": (["--depends-on", "32"], [32]),
    "keep_completed_age": (["--keep-completed-age", "1m"], 60_000),
    "keep_completed_count": (["--keep-completed-count", "3"], 3),
    "retry": (["--retry-type", "exponential", "--retry-delay", "1s", "--retry-max", "1m", "--retry-jitter", "0.5"],
              {"type": "exponential", "delay": 1000, "max": 60_000, "jitter": 0.5}),
    "group_id": (["--group-id", "g1"], "g1"),
    "on_duplicate": (["--on-duplicate", "existing"], None),
    "on_parent_failure": (["--on-parent-failure", "run"], None),
    "name": (["--name", "mail"], "mail"),
    "version": (["--job-version", "3"], 3),
    "push_key": (["--push-key", "k1"], None),
    "durability": (["--durability", "commit"], None),
}


def test_every_option_of_a_push_is_a_flag(cli: Cli, queue_name: str) -> None:
    assert set(OPTIONS) == {field.name for field in FIELDS} - {"data"}
    words = [word for flags, _ in OPTIONS.values() for word in flags]
    id = cli("push", queue_name, "1", *words).out.strip()
    job = cli("job", id, "--json").object["job"]
    for name, (_, shown) in OPTIONS.items():
        assert shown is None or job[name] == shown, name
    assert (job["custom_id"], job["id"]) == ("welcome-1", int(id))
    assert 3_590_000 < job["run_at"] - job["created_at"] <= 3_600_000


def test_times_are_those_that_the_table_says(cli: Cli, queue_name: str) -> None:
    times = {field.name for field in PUSH_OPTIONS if field.is_time}
    assert times == {"delay", "ttl", "timeout", "backoff", "stall_timeout", "debounce_ttl", "keep_completed_age"}
    assert "500ms, 30s or 5m" in cli("push", queue_name, "1", "--delay", "5000", status=2).error


@pytest.mark.parametrize(("words", "said"), [
    (["--priority", "x"], "--priority"),
    (["--retry-delay", "1s"], "--retry-type"),
    (["--retry-jitter", "2", "--retry-type", "fixed", "--retry-delay", "1s"], "--retry-jitter"),
    (["--on-duplicate", "maybe"], "--on-duplicate"),
    (["--with-options"], "--with-options"),
    (["--file", "/dev/null"], "--file"),
])
def test_wrong_options_push_nothing(cli: Cli, queue_name: str, words: list[str], said: str) -> None:
    assert said in cli("push", queue_name, "1", *words, status=2).error
    assert cli("jobs", queue_name, "--json").out == ""


def test_a_refused_push_names_code_and_field(cli: Cli, queue_name: str) -> None:
    assert cli("push", "bad name", "1", status=1).error.endswith("[INVALID_QUEUE_NAME]")
    cli("push", queue_name, "1", "--unique-key", "k")
    assert cli("push", queue_name, "1", "--unique-key", "k", status=1).error == \
        "Duplicate job with key: k [DUPLICATE_KEY]"
    done = cli("push", queue_name, "1", "--unique-key", "k", "--json", status=1)
    assert done.out == ""
    assert json.loads(done.err) == {"error": "Duplicate job with key: k", "code": "DUPLICATE_KEY", "field": None,
                                    "status": 1}
    long = cli("push", queue_name, "1", "--job-id", "x" * 1025, "--json", status=1)
    assert json.loads(long.err)["field"] == "job_id"


def test_taken_leaves_out_what_was_not_given() -> None:
    parameters: dict[str, Any] = {"priority": 0, "tags": (), "lifo": None, "retry_type": "fixed", "retry_delay": 5}
    assert taken(PUSH_OPTIONS, parameters) == {"priority": 0, "retry": {"type": "fixed", "delay": 5}}
    assert parameters == {}
    assert {field.name for field in PUSH_OPTIONS if field.kind is Kind.RETRY} == {"retry"}


# --- push of lines


def test_lines_of_stdin_are_jobs(cli: Cli, queue_name: str) -> None:
    done = cli("push", queue_name, "-", "--priority", "3", input='1\n\n  \n{"a": [true, null]}\n"last"')
    assert (done.out, done.err) == ("", "pushed 3 jobs\n")
    jobs = cli("jobs", queue_name, "--json").objects
    assert [job["data"] for job in jobs] == ["last", {"a": [True, None]}, 1]
    assert {job["priority"] for job in jobs} == {3}


def test_lines_as_texts(cli: Cli, queue_name: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{no json\r\n"x"\n')
    cli("push", queue_name, "--file", tmp_path / "log", "--text")
    assert [job["data"] for job in cli("jobs", queue_name, "--json").objects] == ['"x"', "{no json"]


BAD_LINES = {
    "2": '{"a": }', "4": "NaN", "5": "123456789012345678901234567890", "6": '"\\ud800"', "7": "[" * 126 + "]" * 126,
    "9": '"' + "x" * 1_100_000 + '"', "10": "1e999",
}


def test_refused_lines_are_named_and_the_others_pushed(cli: Cli, queue_name: str) -> None:
    lines = {number: BAD_LINES.get(str(number), str(number)) for number in range(1, 13)}
    deep = "[" * 125 + "]" * 125
    done = cli("push", queue_name, "-", input="\n".join([*lines.values(), deep]), status=1)
    for number in BAD_LINES:
        assert f"line {number}: " in done.err, number
    assert "pushed 6 jobs, 7 refused" in done.err and "[DATA_TOO_LARGE]" in done.err
    assert done.error == "7 lines refused"
    data = [job["data"] for job in cli("jobs", queue_name, "--json").objects]
    assert data == [json.loads(deep), 12, 11, 8, 3, 1]


def test_lines_of_other_encodings(cli: Cli, queue_name: str) -> None:
    done = cli("push", queue_name, "-", input=b'\xef\xbb\xbf1\r\n"\xff"\n"\xc3\xa9"\n', status=1)
    assert "line 2: it is no UTF-8" in done.err
    assert [job["data"] for job in cli("jobs", queue_name, "--json").objects] == ["é", 1]
    assert "no UTF-8" in cli("push", queue_name, "-", "--text", input=b"\xff\n", status=1).err


def test_the_same_in_json(cli: Cli, queue_name: str) -> None:
    done = cli("push", queue_name, "-", "--json", input="1\nx\n2\n", status=1)
    refused, total = done.objects
    assert (refused["line"], refused["code"]) == (2, None) and "JSON" in refused["error"]
    assert total == {"pushed": 2, "there_already": 0, "refused": 1, "passed_over": {}}


def test_lines_with_options_of_their_own(cli: Cli, queue_name: str) -> None:
    lines = [{"data": 1, "priority": 9}, {"data": 2}, {"data": 3, "priority": "high"}, {"data": 4, "prio": 2}, [5],
             {"data": 6, "maxAttempts": 2}, {"data": 7, "retry": {"type": "fixed"}}]
    text = "\n".join(map(json.dumps, lines))
    done = cli("push", queue_name, "-", "--with-options", "--priority", "1", input=text, status=1)
    assert "pushed 3 jobs, 4 refused" in done.err
    assert "line 3: Invalid: field 'priority' must be" in done.err and "[INVALID_FIELD]" in done.err
    assert "line 4: 'prio' is no push option" in done.err
    assert "line 5: it is no object of push options" in done.err
    assert "line 7: " in done.err and "retry.delay" in done.err
    found = {job["data"]: job for job in cli("jobs", queue_name, "--json").objects}
    assert {data: job["priority"] for data, job in found.items()} == {1: 9, 2: 1, 6: 1}
    assert found[6]["max_attempts"] == 2


def test_many_lines(cli: Cli, queue_name: str, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("".join(f"{number}\n" for number in range(5000)))
    assert cli("push", queue_name, "--file", file, "--json").object["pushed"] == 5000
    assert len(cli("jobs", queue_name, "--all", "--json").lines) == 5000


def test_a_bad_line_holds_up_none_of_many(cli: Cli, queue_name: str) -> None:
    """Of their batches some are under way when one is refused as a whole, and others are not yet."""
    lines = [f'{{"data":{number}}}' for number in range(20_000)]
    lines[5] = lines[1500] = lines[19_999] = '{"data":0,"priority":"high"}'
    done = cli("push", queue_name, "-", "--with-options", "--json", input="\n".join(lines), status=1)
    assert [one["line"] for one in done.objects[:-1]] == [6, 1501, 20_000]
    assert done.objects[-1] == {"pushed": 19_997, "there_already": 0, "refused": 3, "passed_over": {}}
    found = {job["data"] for job in cli("jobs", queue_name, "--all", "--json").objects}
    assert found == set(range(20_000)) - {5, 1500, 19_999}


def test_a_refusal_of_all_lines_stops_at_once(cli: Cli) -> None:
    done = cli("push", "bad name", "-", input="1\n2\n", status=1)
    assert done.error == ("line 1: Queue name must contain only alphanumeric characters, underscores, hyphens, or dots "
                          "(0 jobs pushed by then) [INVALID_QUEUE_NAME]")


# --- pull


def test_a_pull_without_an_end_gives_the_job_back(cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, '{"n": 1}', "--name", "mail").out.strip()
    for _ in range(4):      # more than a job may lose workers
        done = cli("pull", queue_name)
        assert done.out == f'{id} mail {{"n":1}}\n' and "given back" in done.err
    job = cli("job", id, "--json").object["job"]
    assert (job["state"], job["attempts"], job["stall_count"]) == ("waiting", 0, 0)


def test_pull_and_acknowledge(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="1\n2\n3\n")
    jobs = cli("pull", queue_name, "--count", 2, "--ack", "--result", '{"done": true}', "--json").objects
    assert [job["data"] for job in jobs] == [1, 2]
    shown = cli("job", jobs[0]["id"], "--json").object
    assert (shown["state"], shown["result"]) == ("completed", {"done": True})
    assert re.search(r'^result +{"done":true}', cli("job", jobs[0]["id"]).out, re.MULTILINE)


def test_pull_and_fail(cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, "1", "--max-attempts", 1).out.strip()
    cli("pull", queue_name, "--fail", "mailbox \x1b[31mfull")
    shown = cli("job", id)
    assert "is failed" in shown.out and "mailbox \\x1b[31mfull" in shown.out and "\x1b" not in shown.out
    (attempt,) = cli("job", id, "--json").object["job"]["history"]
    assert attempt["error"] == "mailbox \x1b[31mfull"


def test_nothing_to_pull_has_a_status_of_its_own(cli: Cli, queue_name: str) -> None:
    assert cli("pull", queue_name, "--wait", "50ms", status=5).error == f"no job is ready in queue {queue_name}"
    cli("pull", queue_name, "--ack", "--fail", "x", status=2)
    cli("pull", queue_name, "--result", "1", status=2)


def test_pull_by_name(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "1", "--name", "mail")
    cli("pull", queue_name, "--name", "sms", status=5)
    assert cli("pull", queue_name, "--name", "sms", "--name", "mail", "--ack").lines


# --- job and jobs


def test_a_job_is_shown_with_all_that_is_known(server: ServerProcess, cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, '{"to": "a"}', "--job-id", f"{queue_name}-1", "--retry-type", "fixed", "--retry-delay",
             "1h", "--tag", "x").out.strip()
    with server.client() as client:
        client.ok("PULL", queue=queue_name, timeout=0)
        client.ok("PROGRESS", id=int(id), progress=40, message="page 4")
        client.ok("LOG", id=int(id), message="half \x07way", level="debug")
        assert "is active, 40 %: page 4" in cli("job", id).out
        client.ok("FAIL", id=int(id), error="jammed")
    shown = cli("job", f"{queue_name}-1").out
    for text in (f"job {id} is delayed", "jammed", "half \\x07way", "it is delayed until", "failed attempts",
                 "attempts", '{"to":"a"}', '["x"]'):
        assert text in shown, text
    whole = cli("job", id, "--json").object
    assert set(whole) == {"id", "state", "job", "reasons", "result", "logs"}
    assert whole["reasons"][0]["reason"] == "delayed" and whole["logs"][0]["message"] == "half \x07way"


def test_why_a_job_does_not_run(cli: Cli, queue_name: str) -> None:
    first = cli("push", queue_name, "1").out.strip()
    second = cli("push", queue_name, "2", "--depends-on", first).out.strip()
    cli("pause", queue_name)
    cli("limit", queue_name, "--concurrency", 0, "--rate", 0)
    shown = cli("job", first).out
    assert "its queue is paused" in shown and "of 0 allowed" in shown
    assert f"it waits for 1 other job: {first}" in cli("job", second).out


def test_workers_that_wait_for_other_jobs_are_told_apart(server: ServerProcess, cli: Cli, queue_name: str) -> None:
    """Somebody who pulls there must not read that nobody does: what lacks is the task, or its version."""
    named = cli("push", queue_name, "1", "--name", "x").out.strip()
    newer = cli("push", queue_name, "2", "--name", "y", "--job-version", 3).out.strip()
    assert "no worker is waiting for jobs of its queue" in cli("job", named).out
    with server.client() as worker:
        worker.send("PULL", queue=queue_name, names=["y"], versions=[2], timeout=60_000, reqId="parked")
        worker.ok("PING")
        assert "1 pull waits for jobs of its queue, but none for those named 'x'\n" in cli("job", named).out
        assert "1 pull waits for jobs of its queue, but none for those named 'y' in version 3" in cli("job", newer).out


def test_a_job_that_was_done_after_all_is_not_headed_by_an_error(
    server: ServerProcess, cli: Cli, queue_name: str
) -> None:
    long = "x" * 3000
    for error in ("ConnectionError: no route", long):
        id = cli("push", queue_name, "1", "--max-attempts", 3).out.strip()
        cli("pull", queue_name, "--fail", error)
        assert cli("job", id).lines[0] == f"job {id} is waiting"
        with server.client() as client:
            client.ok("PULL", queue=queue_name, timeout=0)
            assert cli("job", id).lines[0] == f"job {id} is active"
            client.ok("ACK", id=int(id))
        head, *facts = cli("job", id).lines
        assert head == f"job {id} is completed"
        attempts = facts[facts.index("failed attempts") + 1:]
        assert len(attempts) == 1 and error[:1000] in attempts[0]
        assert not any(line.startswith("progress") for line in facts)


def test_what_a_worker_told_last_is_shown_as_progress(server: ServerProcess, cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, "1", "--max-attempts", 2).out.strip()
    cli("pull", queue_name, "--fail", "first try")
    with server.client() as client:
        client.ok("PULL", queue=queue_name, timeout=0)
        client.ok("PROGRESS", id=int(id), progress=90, message="page 9")
        client.ok("ACK", id=int(id))
    shown = cli("job", id)
    assert shown.lines[0] == f"job {id} is completed"
    assert re.search(r"^progress +90 %: page 9 *$", shown.out, re.MULTILINE) and "first try" in shown.out


TRACEBACK = 'KeyError: \x1b[31m"a"\r\n  File "tasks.py", line 3\n    return mail["a"]\x0b\n'


def test_a_traceback_keeps_its_lines(cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, "1", "--max-attempts", 1).out.strip()
    cli("pull", queue_name, "--fail", TRACEBACK)
    head, *rest = cli("job", id).lines
    assert head == f'job {id} is failed: KeyError: \\x1b[31m"a" …'
    at = rest.index("failed attempts")
    assert re.fullmatch(r'  .+ UTC failed after .+: KeyError: \\x1b\[31m"a"', rest[at + 1])
    assert rest[at + 2:] == ['        File "tasks.py", line 3', '          return mail["a"]\\x0b']
    _head, row = cli("dlq", "list", queue_name).lines
    assert 'KeyError: \\x1b[31m"a" …' in row and "\\x0a" not in row and "tasks.py" not in row


def test_a_log_keeps_its_lines(server: ServerProcess, cli: Cli, queue_name: str) -> None:
    id = cli("push", queue_name, "1").out.strip()
    with server.client() as client:
        client.ok("PULL", queue=queue_name, timeout=0)
        client.ok("LOG", id=int(id), message="two\nlines")
        *_facts, first, second = cli("job", id).lines
    assert first.endswith("info: two") and second == "      lines"


def test_a_job_by_custom_id_that_looks_like_a_number(cli: Cli, queue_name: str) -> None:
    id = int(cli("push", queue_name, "1").out)
    other = int(cli("push", queue_name, "2", "--job-id", str(id)).out)
    assert cli("job", id, "--json").object["id"] == id
    assert cli("job", id, "--custom", "--json").object["id"] == other


@pytest.mark.parametrize("id", ["no-such-job", str(2**60), str(2**70)])
def test_an_unknown_job(cli: Cli, id: str) -> None:
    assert cli("job", id, status=1).error == f"there is no job {id}, or its data is no longer kept [JOB_NOT_FOUND]"


def test_jobs_by_page_and_state(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="\n".join(map(str, range(5))))
    cli("push", queue_name, "5", "--delay", "1h")
    done = cli("jobs", queue_name, "--state", "waiting", "--limit", 2, "--page", 2)
    assert [line.split()[-1] for line in done.lines] == ["data", "2", "1"]
    assert done.err == "page 2 of 3, 5 jobs\n"
    assert [job["data"] for job in cli("jobs", queue_name, "--json", "--all", "--state", "delayed").objects] == [5]
    assert "--state" in cli("jobs", queue_name, "--state", "asleep", status=2).error


def test_a_page_is_whole_though_its_jobs_are_large(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", input="".join(f'"{str(n) * 900_000}"\n' for n in range(9)))
    listed = cli("jobs", queue_name, "--limit", 8)
    assert [line.split()[-1][1] for line in listed.lines[1:]] == list("87654321")
    assert listed.err == "page 1 of 2, 9 jobs\n"


def test_a_large_integer_is_shown_as_it_is(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, str(2**64 - 1))
    assert str(2**64 - 1) in cli("jobs", queue_name).out
    assert cli("jobs", queue_name, "--json").object["data"] == 2**64 - 1


# --- single jobs


def test_cancel_promote_retry(cli: Cli, queue_name: str) -> None:
    waiting = cli("push", queue_name, "1", "--job-id", queue_name).out.strip()
    delayed = cli("push", queue_name, "2", "--delay", "1h").out.strip()
    assert cli("promote", delayed, "--json").object == {"id": int(delayed), "done": "ready"}
    assert cli("job", delayed, "--json").object["state"] == "waiting"
    assert cli("cancel", queue_name).out == f"job {waiting} is cancelled\n"
    assert cli("promote", delayed, status=1).error.endswith("[NOT_DELAYED]")
    cli("push", queue_name, "3", "--max-attempts", 1, "--priority", 9)
    dead = cli("pull", queue_name, "--fail", "x", "--json").object["id"]
    assert cli("retry", dead).out == f"job {dead} is waiting again\n"
    assert cli("retry", dead, status=1).error == f"job {dead} is waiting, and no dead letter"


def test_several_at_once_go_on_after_a_refusal(cli: Cli, queue_name: str) -> None:
    ids = [cli("push", queue_name, "1").out.strip() for _ in range(2)]
    done = cli("cancel", ids[0], "nobody", ids[1], status=1)
    assert done.lines == [f"job {id} is cancelled" for id in ids]
    assert "there is no job nobody" in done.error


# --- dead letters


def test_dead_letters(cli: Cli, queue_name: str) -> None:
    cli("push", queue_name, "-", "--max-attempts", 1, input="1\n2\n3\n")
    ids = [job["id"] for job in cli("pull", queue_name, "--count", 3, "--fail", "no luck", "--json").objects]
    listed = cli("dlq", "list", queue_name, "--count", 2)
    assert [line.split()[0] for line in listed.lines] == ["id", str(ids[0]), str(ids[1])]
    assert "no luck" in listed.out and listed.err == "2 of 3 dead letters\n"
    assert [job["reason"] for job in cli("dlq", "list", queue_name, "--json").objects] == ["failed"] * 3
    assert cli("dlq", "retry", queue_name, ids[0]).out == f"let 1 job of queue {queue_name} run again\n"
    assert str(ids[0]) in cli("dlq", "retry", queue_name, ids[0], ids[1], status=1).error
    listed = cli("dlq", "list")
    assert [line.split()[1] for line in listed.lines if line.startswith(f"{queue_name} ")] == ["1"]
    assert re.search(r"dead letters? in \d+ queues?$", listed.err)
    assert {"queue": queue_name, "dead": 1} in cli("dlq", "list", "--json").objects
    assert "say --yes" in cli("dlq", "purge", queue_name, status=2).error
    assert cli("dlq", "purge", queue_name, "--yes", "--json").object == {"queue": queue_name, "removed": 1}
    assert cli("dlq", "retry", queue_name, "--json").object["retried"] == 0
