"""`flashq journal`: what operators see of a data directory, whole, damaged or in use."""

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgpack
import pytest

from conftest import StartServer
from flashq._core.recordforms import decode
from flashq._core.recordtally import RecordTally
from flashq._core.replay import DamagedRecord
from flashq.cli.journal.readable import payload, readable
from flashq.storage.journal.format import GROUP_HEAD
from support.commandline import flashq
from support.journal import Opened, flip, frame, groups, segment
from support.server import ServerProcess
from support.wire import JSON, MSGPACK

COMMIT = ("--durability", "commit", "--segment-size", "64KB", "--disconnect-grace", "10m", "--lease", "10m")


def a_bit_of_everything(server: ServerProcess) -> dict[str, Any]:
    """Jobs in all states, a key, a cron entry; what the server shows of the jobs, by id."""
    ids = []
    with server.client(JSON) as client, server.client(MSGPACK) as other:
        done = client.ok("PUSH", queue="mail", data={"to": "a@b.c", "large": 2**70}, tags=["x"], job_id="mine")["id"]
        client.ok("PULL", queue="mail")
        client.ok("LOG", id=done, message="on its way")
        client.ok("ACK", id=done, result={"sent": True})
        dead = other.ok("PUSH", queue="mail", data={"n": 1}, max_attempts=1)["id"]
        client.ok("PULL", queue="mail")
        client.ok("FAIL", id=dead, error="no such host")
        blocked = client.ok("PUSH", queue="mail", data=None, depends_on=[dead])["id"]
        delayed = client.ok("PUSH", queue="mail", data=[1, 2], delay=3_600_000)["id"]
        waiting = client.ok("PUSH", queue="other", data="text", priority=3, unique_key="only")["id"]
        active = client.ok("PUSH", queue="third", data=1.5)["id"]
        client.ok("HELLO", session="worker-1")
        client.ok("PULL", queue="third")
        client.ok("KVSET", key="colour", value={"is": "red"})
        client.ok("CRON", name="nightly", queue="mail", schedule="0 0 3 * * *", data={})
        client.ok("RATELIMIT", queue="mail", limit=7)
        ids = [done, dead, blocked, delayed, waiting, active]
        return {str(id): client.ok("GETJOB", id=id)["job"] for id in ids}


def shown(server: ServerProcess, id: str) -> Any:
    with server.client() as client:
        return client.ok("GETJOB", id=int(id))["job"]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a server had its data directory; it has stopped. Nobody may change it."""
    directory = tmp_path_factory.mktemp("stopped")
    server = ServerProcess(directory, *COMMIT)
    try:
        a_bit_of_everything(server)
        server.stop()
    finally:
        server.kill()
    return directory


def image(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


# --- a running server ------------------------------------------------------------------------------------------------


def test_a_running_server_can_be_looked_at(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(*COMMIT)
    jobs = a_bit_of_everything(server)
    data = tmp_path / "flashq-data"
    before = sorted(path.name for path in data.iterdir())
    found = json.loads(flashq(tmp_path, "journal", "inspect", "--json").stdout)
    assert (found["ok"], found["running"], found["damages"]) == (True, str(server.pid), [])
    assert found["position"] >= found["durable_stated"] > 0
    assert found["records"]["log"]["job"] >= 6
    assert found["records"]["log"]["entry"] >= 2
    for command in ("inspect", "verify"):
        text = flashq(tmp_path, "journal", command).stdout
        assert f"in use by process {server.pid}: the end of the log may move" in text
    export = flashq(tmp_path, "journal", "export")
    assert f"in use by process {server.pid}" in export.stderr
    told = {str(job.pop("id")): job for job in lines(export.stdout)}
    assert told.keys() == jobs.keys()
    for id, job in told.items():
        now = shown(server, id)
        assert (job["state"], job["data"]) == (now["state"], now["data"])
    refused = flashq(tmp_path, "journal", "compact", status=1)
    assert f"in use by another flashq, process {server.pid}" in refused.stderr
    assert sorted(path.name for path in data.iterdir()) == before


# --- a stopped one ---------------------------------------------------------------------------------------------------


def test_reading_changes_nothing(stopped: Path, tmp_path: Path) -> None:
    before = image(stopped / "flashq-data")
    flashq(stopped, "journal", "inspect")
    flashq(stopped, "journal", "verify", "--deep")
    flashq(stopped, "journal", "dump")
    flashq(stopped, "journal", "export", "-o", tmp_path / "jobs")
    assert image(stopped / "flashq-data") == before


@pytest.mark.parametrize("way", ["argument", "flag", "environment", "default"])
def test_the_directory_is_named_as_everywhere(stopped: Path, tmp_path: Path, way: str) -> None:
    data = str(stopped / "flashq-data")
    env = {"FLASHQ_DATA_DIR": data} if way == "environment" else None
    words = {"argument": (data,), "flag": ("--data-dir", data)}.get(way, ())
    where = stopped if way == "default" else tmp_path
    assert "OK: 0 checkpoints" in flashq(where, "journal", "verify", *words, env=env).stdout


@pytest.mark.parametrize("command", ["inspect", "verify", "dump", "export", "compact"])
def test_wrong_directories(tmp_path: Path, command: str) -> None:
    assert "there is no directory nowhere" in flashq(tmp_path, "journal", command, "nowhere", status=1).stderr
    (tmp_path / "empty").mkdir()
    assert "there is no journal in empty" in flashq(tmp_path, "journal", command, "empty", status=1).stderr
    assert list((tmp_path / "empty").iterdir()) == []
    words = ("empty", "--data-dir", "empty")
    assert "given twice" in flashq(tmp_path, "journal", command, *words, status=2).stderr


def test_verify_counts_what_it_read(stopped: Path) -> None:
    found = json.loads(flashq(stopped, "journal", "verify", "--deep", "--json").stdout)
    assert (found["ok"], found["running"], found["torn_bytes"]) == (True, None, 0)
    assert found["jobs"]["dlq"] == 1
    assert found["position"] == found["durable_stated"] == found["segments"][-1]["last"]
    text = flashq(stopped, "journal", "verify", "--deep").stdout
    assert "1 dlq" in text and "OK: 0 checkpoints, " in text


def test_dump_shows_records_with_their_places(stopped: Path) -> None:
    data = stopped / "flashq-data"
    records = lines(flashq(stopped, "journal", "dump").stdout)
    assert [one["position"] for one in records] == sorted(one["position"] for one in records)
    for one in records:
        content = (data / one["file"]).read_bytes()
        assert int.from_bytes(content[one["offset"] + 4 : one["offset"] + 12], "little") == one["position"]
    jobs = [one for one in records if one["kind"] == "job"]
    assert jobs[0]["data"] == {"to": "a@b.c", "large": 2**70}
    assert (jobs[0]["tags"], jobs[0]["state"]) == (["x"], "waiting")
    assert jobs[1]["data"] == {"n": 1}      # MessagePack
    (done,) = (one for one in records if one["kind"] == "done")
    assert done["result"] == {"sent": True}
    assert {one["reason"] for one in records if one["kind"] == "attempt"} == {"failed"}
    assert [one["key"] for one in records if one["kind"] == "entry"][-2:] == ["colour", "nightly"]


def test_dump_filters(stopped: Path) -> None:
    everything = lines(flashq(stopped, "journal", "dump").stdout)
    last = everything[-1]["position"]

    def some(*words: Any) -> list[dict[str, Any]]:
        return lines(flashq(stopped, "journal", "dump", *words).stdout)

    assert some("--from", 3, "--to", last - 2) == [one for one in everything if 3 <= one["position"] <= last - 2]
    assert some("--kind", "job", "--kind", "done") == [one for one in everything if one["kind"] in ("job", "done")]
    dead = next(one["id"] for one in everything if one["kind"] == "attempt")
    assert some("--id", dead) == [one for one in everything if one.get("id") == dead]
    mail = {one["id"] for one in everything if one.get("queue") == "mail"}
    assert some("--queue", "mail") == [
        one for one in everything if one.get("id") in mail or (one["kind"], one.get("name")) == ("queue", "mail")]
    assert some("--queue", "nobody") == []
    assert some("--only", "checkpoint") == []
    assert some("--only", "log") == everything


def test_what_cannot_be_shown_as_text_is_base64() -> None:
    assert payload(b"\xff\xfe", False) == {"base64": base64.b64encode(b"\xff\xfe").decode()}
    assert payload(b"\xc1", True) == {"base64": "wQ=="}
    assert payload(msgpack.packb({1: "x"}), True) == {1: "x"}
    assert readable({"kind": "entry", "key": b"\xff", "value": b"a"})["key"] == {"base64": "/w=="}


def test_export_writes_what_getjob_shows(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, *COMMIT)
    try:
        jobs = a_bit_of_everything(server)
        server.stop()
    finally:
        server.kill()
    flashq(tmp_path, "journal", "export", "-o", "jobs.jsonl")
    assert (tmp_path / "jobs.jsonl").stat().st_mode & 0o777 == 0o600
    told = {str(job["id"]): job for job in lines((tmp_path / "jobs.jsonl").read_text())}
    done = next(job for job in told.values() if job["state"] == "completed")
    assert done.pop("result") == {"sent": True}
    assert [entry["message"] for entry in done.pop("logs")] == ["on its way"]
    for id, job in jobs.items():        # all but what the records do not say
        assert {**told[id], "last_heartbeat": None} == {**job, "last_heartbeat": None}
    assert told.keys() == jobs.keys()


def test_export_to_sqlite(stopped: Path, tmp_path: Path) -> None:
    file = tmp_path / "jobs.db"
    flashq(stopped, "journal", "export", "--sqlite", file)
    assert file.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(file) as database:
        def ask(question: str) -> list[tuple[Any, ...]]:
            return database.execute(question).fetchall()

        assert dict(ask("SELECT state, count(*) FROM jobs GROUP BY 1")) == {
            "completed": 1, "failed": 1, "waiting-children": 1, "delayed": 1, "waiting": 1, "active": 1}
        assert ask("SELECT json_extract(data, '$.to'), json_extract(result, '$.sent'), tags FROM jobs "
                   "WHERE custom_id = 'mine'") == [("a@b.c", 1, '["x"]')]
        assert ask("SELECT queue, reason, error, data FROM dead_letters") == [
            ("mail", "failed", "no such host", '{"n":1}')]
        assert ask("SELECT error, typeof(ended_at) FROM attempts JOIN jobs ON jobs.id = job_id") == [
            ("no such host", "integer")]
        assert ask("SELECT message FROM logs") == [("on its way",)]
        assert ask("SELECT name, rate_limit FROM queues WHERE rate_limit IS NOT NULL") == [("mail", 7)]
        assert ask("SELECT key, value, expires_at FROM kv") == [("colour", '{"is":"red"}', None)]
        assert ask("SELECT name, queue, schedule FROM cron") == [("nightly", "mail", "0 0 3 * * *")]
        assert ask("SELECT sum(jobs) FROM counts WHERE state = 'delayed'") == [(1,)]
        assert ask("SELECT count(*) FROM jobs WHERE completed_at IS NULL") == [(5,)]
        assert int(dict(ask("SELECT * FROM info"))["position"]) > 10
    before = file.read_bytes()
    assert "is there already" in flashq(stopped, "journal", "export", "--sqlite", file, status=2).stderr
    assert file.read_bytes() == before
    flashq(stopped, "journal", "export", "--sqlite", file, "--force")
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.db"]


def test_an_export_that_fails_leaves_nothing_and_takes_nothing(stopped: Path, tmp_path: Path) -> None:
    done = flashq(stopped, "journal", "export", "-o", tmp_path / "nowhere" / "jobs", status=1)
    assert "cannot write" in done.stderr
    words = ("-o", tmp_path / "a", "--sqlite", tmp_path / "b")
    assert "exclude each other" in flashq(stopped, "journal", "export", *words, status=2).stderr


def test_compact_leaves_a_checkpoint_and_the_same_jobs(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(*COMMIT)
    jobs = a_bit_of_everything(server)
    with server.client() as client:
        for _ in range(20):
            client.ok("PUSHB", queue="passing", jobs=[{"data": "x" * 200}] * 50)
            client.ok("ACKB", ids=[job["id"] for job in client.ok("PULLB", queue="passing", count=50)["jobs"]])
        after = client.ok("PUSH", queue="passing", data=1)["id"]
    server.stop()
    before = flashq(tmp_path, "journal", "export").stdout
    told = json.loads(flashq(tmp_path, "journal", "compact", "--json").stdout)
    assert told["after"] < told["before"]
    names = sorted(path.name for path in (tmp_path / "flashq-data").iterdir())
    assert [name.partition("-")[0] for name in names] == ["checkpoint", "lock", "segment"]
    assert flashq(tmp_path, "journal", "export").stdout == before
    flashq(tmp_path, "journal", "compact")
    assert flashq(tmp_path, "journal", "export").stdout == before
    flashq(tmp_path, "journal", "verify", "--deep")
    again = start_server(*COMMIT)
    assert {id: shown(again, id)["state"] for id in jobs} == {id: job["state"] for id, job in jobs.items()}
    with again.client() as client:
        assert client.ok("PUSH", queue="passing", data=1)["id"] > after
        assert client.ok("KVGET", key="colour")["value"] == {"is": "red"}
        assert [cron["name"] for cron in client.ok("CRONLIST")["crons"]] == ["nightly"]


def test_compact_forgets_nothing_by_itself(start_server: StartServer, tmp_path: Path) -> None:
    """The server may keep more than this process would by default."""
    server = start_server(*COMMIT, "--keep-results", "20000")
    with server.client() as client:
        for _ in range(6):
            client.ok("PUSHB", queue="q", jobs=[{"data": 1}] * 1000)
            client.ok("ACKB", ids=[job["id"] for job in client.ok("PULLB", queue="q", count=1000)["jobs"]])
    server.stop()
    flashq(tmp_path, "journal", "compact")
    assert flashq(tmp_path, "journal", "export").stdout.count('"state":"completed"') == 6000


# --- damaged ones ----------------------------------------------------------------------------------------------------


def killed(directory: Path, counts: list[int]) -> Path:
    """A directory of groups of so many frames that hold no real records, of a server that was killed."""
    with Opened(directory / "running") as opened:
        for count in counts:
            opened.committed(count, b"\x05" + bytes(8))     # FORGET
        return opened.killed(directory / "flashq-data")


def verified(directory: Path, status: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(flashq(directory, "journal", "verify", "--json", status=status).stdout)
    return found


def test_each_damage_is_listed_with_its_place_and_what_it_costs(tmp_path: Path) -> None:
    data = killed(tmp_path, [2, 3, 4, 5, 6])
    all_of_them = groups(segment(data, 1))
    flip(segment(data, 1), all_of_them[1].offset + GROUP_HEAD.size + 3)
    flip(segment(data, 1), all_of_them[3].offset + 5)
    found = verified(tmp_path, status=1)
    assert not found["ok"]
    assert [(one["file"], one["offset"], one["record"], one["lost"]) for one in found["damages"]] == [
        ("segment-000000000001.log", all_of_them[1].offset, 2, f"records 3 to 5, {all_of_them[1].size} bytes"),
        ("segment-000000000001.log", all_of_them[3].offset, 6, f"records 10 to 14, {all_of_them[3].size} bytes"),
    ]
    assert "the checksum of a group does not match" in found["damages"][0]["reason"]
    assert "is damaged at byte" in found["start_refused"]
    text = flashq(tmp_path, "journal", "inspect", status=1).stdout
    assert f"damaged segment-000000000001.log at byte {all_of_them[1].offset}, after 2 good records" in text
    assert "a start is refused" in text
    dumped = flashq(tmp_path, "journal", "dump", status=1)
    assert [one["position"] for one in lines(dumped.stdout)] == [1, 2, 6, 7, 8, 9, 15, 16, 17, 18, 19, 20]
    assert dumped.stderr.count("damaged segment") == 2
    told = json.loads(flashq(tmp_path, "journal", "dump", "--json", status=1).stderr)
    assert told == {"running": None, "gone": 0, "damages": found["damages"]}
    for command in ("export", "compact"):
        refused = flashq(tmp_path, "journal", command, status=1)
        assert f"is damaged at byte {all_of_them[1].offset}" in refused.stderr


def test_a_torn_tail_is_no_damage(tmp_path: Path) -> None:
    data = killed(tmp_path, [2, 3])
    last = groups(segment(data, 1))[-1]
    flip(segment(data, 1), last.offset + last.size - 1)
    found = verified(tmp_path, status=0)
    assert (found["ok"], found["position"], found["torn_bytes"]) == (True, 2, last.size)
    assert (found["torn_file"], found["torn_at"]) == ("segment-000000000001.log", last.offset)
    text = flashq(tmp_path, "journal", "inspect").stdout
    assert f"tail: {last.size} bytes at byte {last.offset} of segment-000000000001.log are not whole" in text
    assert "is cut by the next start" in text


@pytest.mark.parametrize("at", [9, 20, 62])
def test_a_damaged_header_costs_the_segment(tmp_path: Path, at: int) -> None:
    data = killed(tmp_path, [2, 3])
    flip(segment(data, 1), at)
    (damage,) = verified(tmp_path, status=1)["damages"]
    assert (damage["file"], damage["offset"]) == ("segment-000000000001.log", 0)
    assert damage["lost"] == "all records of the segment"


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        while len(opened.files()) < 5:
            opened.committed(20, b"\x05" + bytes(8) + b"\x05" + bytes(8))
        gone = groups(segment(opened.directory, 2))
    segment(tmp_path / "flashq-data", 2).unlink()
    damages = verified(tmp_path, status=1)["damages"]
    assert damages[0]["file"] == "segment-000000000003.log"
    assert damages[0]["lost"] == f"records {gone[0].base + 1} to {gone[-1].last}"
    assert "are missing" in damages[0]["reason"]


def test_what_only_a_start_would_miss_is_damage_too(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        while len(opened.files()) < 4:
            opened.committed(20, b"\x05" + bytes(8) + b"\x05" + bytes(8))
    segment(tmp_path / "flashq-data", 1).unlink()
    (damage,) = verified(tmp_path, status=1)["damages"]
    assert damage["file"] == "segment-000000000001.log"
    assert "it is missing, and the log is needed from record 1 on" in damage["reason"]


def test_a_damaged_checkpoint_is_told_block_by_block(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        opened.committed(1, b"\x05" + bytes(8))
        assert opened.checkpoint(frame(1, b"\x05" + bytes(8))) is None
    (path,) = (tmp_path / "flashq-data").glob("*.ckpt")
    flip(path, 80)
    (damage,) = verified(tmp_path, status=1)["damages"]
    assert (damage["file"], damage["offset"], damage["record"]) == (path.name, 64, 0)
    assert "the checksum of a block does not match" in damage["reason"]


def test_records_that_have_no_form_are_damage(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        opened.committed(2, b"\x05" + bytes(8))
        opened.committed(1, b"\x3f")
        opened.committed(1, b"\x05" + bytes(8))
    (damage,) = verified(tmp_path, status=1)["damages"]
    assert (damage["record"], damage["reason"]) == (2, "the record is of no known kind")
    assert damage["lost"] == "what the frame that ends with record 3 says"
    dumped = flashq(tmp_path, "journal", "dump", status=1)
    assert [one["position"] for one in lines(dumped.stdout)] == [1, 2, 4]


def test_records_that_make_no_sense_together_are_found_by_deep(tmp_path: Path) -> None:
    with Opened(tmp_path / "flashq-data") as opened:
        taken = b"\x0b" + (97).to_bytes(8, "little") + bytes(16) + bytes(2)
        opened.committed(1, taken)      # of a job that nobody pushed
    assert verified(tmp_path, status=0)["ok"]
    found = json.loads(flashq(tmp_path, "journal", "verify", "--deep", "--json", status=1).stdout)
    assert "job 97 was changed at position 1, and nothing says what it was" in found["start_refused"]


def test_the_tally_sees_what_decode_sees(stopped: Path) -> None:
    tally, counted = RecordTally(), {}
    for group in groups(segment(stopped / "flashq-data", 1)):
        tally.add(group.frames)
        for _position, records in decode(group.frames):
            for record in records:
                counted[record["kind"]] = counted.get(record["kind"], 0) + 1
    assert tally.counts == counted and len(counted) > 5
    whole = b"".join(group.frames for group in groups(segment(stopped / "flashq-data", 1)))
    size = 4 + int.from_bytes(whole[:4], "little")
    for cut in range(1, size - 12):     # the frame's own length says less: its last record is cut off
        shorter = (size - 4 - cut).to_bytes(4, "little") + whole[4 : size - cut]
        try:
            RecordTally().add(shorter)
        except DamagedRecord:
            with pytest.raises(ValueError, match=r"cut off|unknown"):
                decode(shorter)
        else:
            decode(shorter)
