"""The state of a data directory as an SQLite database, for ad-hoc questions."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import flashq
from flashq.cli.journal.state import State
from flashq.storage.base import StorageError
from flashq.storage.journal.reading import Recovered

LARGEST = 2**63 - 1  # integer of SQLite
AT_ONCE = 1000  # jobs
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# Columns of the tables, named as in the Job, CRONLIST and LISTQUEUES. Times are ms since 1970, JSON is text.
JOB_COLUMNS = {
    "id": "INTEGER PRIMARY KEY", "queue": "TEXT", "state": "TEXT", "name": "TEXT", "data": "JSON", "result": "JSON",
    "priority": "INTEGER", "created_at": "INTEGER", "run_at": "INTEGER", "started_at": "INTEGER",
    "completed_at": "INTEGER", "failed_at": "INTEGER", "reason": "TEXT", "attempts": "INTEGER",
    "max_attempts": "INTEGER", "backoff": "INTEGER", "retry": "JSON", "ttl": "INTEGER", "timeout": "INTEGER",
    "stall_timeout": "INTEGER", "stall_count": "INTEGER", "last_heartbeat": "INTEGER", "token": "INTEGER",
    "progress": "INTEGER", "progress_message": "TEXT", "custom_id": "TEXT", "unique_key": "TEXT", "group_id": "TEXT",
    "version": "INTEGER", "tags": "JSON", "lifo": "INTEGER", "parent_id": "INTEGER", "children_ids": "JSON",
    "children_completed": "INTEGER", "depends_on": "JSON", "remove_on_complete": "INTEGER",
    "remove_on_fail": "INTEGER", "keep_completed_age": "INTEGER", "keep_completed_count": "INTEGER",
}
UNSET_AT_ZERO = {"started_at", "completed_at", "failed_at", "last_heartbeat"}  # NULL in the table
TABLES = {
    "info": {"key": "TEXT PRIMARY KEY", "value": "TEXT"},
    "jobs": JOB_COLUMNS,
    "attempts": {"job_id": "INTEGER", "started_at": "INTEGER", "ended_at": "INTEGER", "reason": "TEXT",
                 "error": "TEXT", "worker": "TEXT"},
    "logs": {"job_id": "INTEGER", "timestamp": "INTEGER", "level": "TEXT", "message": "TEXT"},
    "queues": {"name": "TEXT PRIMARY KEY", "paused": "INTEGER", "rate_limit": "INTEGER",
               "concurrency_limit": "INTEGER", "groups": "JSON"},
    "counts": {"queue": "TEXT", "state": "TEXT", "jobs": "INTEGER"},
    "kv": {"key": "TEXT PRIMARY KEY", "value": "JSON", "expires_at": "INTEGER"},
    "cron": {"name": "TEXT PRIMARY KEY", "queue": "TEXT", "schedule": "TEXT", "repeat_every": "INTEGER", "tz": "TEXT",
             "next_run": "INTEGER", "executions": "INTEGER", "skipped": "INTEGER", "limit": "INTEGER",
             "catchup": "TEXT", "overlap": "TEXT", "priority": "INTEGER", "data": "JSON", "options": "JSON"},
}
AFTERWARDS = """
    CREATE INDEX jobs_by_queue ON jobs (queue, state);
    CREATE INDEX attempts_by_job ON attempts (job_id);
    CREATE INDEX logs_by_job ON logs (job_id);
    CREATE VIEW dead_letters AS SELECT id, queue, name, reason, failed_at, attempts, progress_message AS error, data
        FROM jobs WHERE state = 'failed' ORDER BY failed_at, id;
"""


def write_tables(path: Path, state: State, found: Recovered, source: Path,
                 watched: Callable[[Iterator[int]], Iterator[int]]) -> None:
    """Fill the empty file with everything there is. `watched` sees the ids pass. StorageError."""
    try:
        with closing(sqlite3.connect(path)) as database:
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")  # nobody has its name yet
            for name, columns in TABLES.items():
                fields = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
                database.execute(f'CREATE TABLE "{name}" ({fields})')
            _insert_info(database, found, source)
            _insert_jobs(database, state, watched(state.ids()))
            _insert_queues(database, state)
            _insert(database, "kv", ({"key": key, "value": value, "expires_at": until}
                                     for key, until, value in state.stored()))
            _insert(database, "cron", state.crons())
            database.executescript(AFTERWARDS)
            database.commit()
            database.executescript("PRAGMA synchronous = FULL;")
    except sqlite3.Error as error:
        raise StorageError(f"cannot write the database: {error}") from None


def _insert(database: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    columns = TABLES[table]
    places = ", ".join("?" * len(columns))
    database.executemany(f'INSERT INTO "{table}" VALUES ({places})', (
        [_value(row.get(name), kind, name) for name, kind in columns.items()] for row in rows))


def _value(value: Any, kind: str, name: str) -> Any:
    if value is None or (value == 0 and name in UNSET_AT_ZERO):
        return None
    if kind == "JSON":
        return _encode(value)
    return min(value, LARGEST) if isinstance(value, int) else value


def _insert_info(database: sqlite3.Connection, found: Recovered, source: Path) -> None:
    facts = {"position": found.position, "checkpoint": found.checkpoint, "cut_bytes": found.cut_bytes,
             "directory": source.resolve(), "exported_at": int(time.time() * 1000), "flashq": flashq.__version__}
    _insert(database, "info", ({"key": key, "value": None if fact is None else str(fact)}
                               for key, fact in facts.items()))


def _insert_jobs(database: sqlite3.Connection, state: State, ids: Iterator[int]) -> None:
    jobs: list[dict[str, Any]] = []
    for id in ids:
        jobs.append(json.loads(state.job(id)))   # not orjson: it makes floats of large integers
        if len(jobs) == AT_ONCE:
            _insert_some(database, jobs)
            jobs = []
    _insert_some(database, jobs)


def _insert_some(database: sqlite3.Connection, jobs: list[dict[str, Any]]) -> None:
    _insert(database, "jobs", jobs)
    for table, field in (("attempts", "history"), ("logs", "logs")):
        _insert(database, table, ({"job_id": job["id"], **entry} for job in jobs for entry in job.get(field, ())))


def _insert_queues(database: sqlite3.Connection, state: State) -> None:
    _insert(database, "queues", state.core.queues())
    _insert(database, "counts", (
        {"queue": queue, "state": "waiting-children" if name == "blocked" else name, "jobs": jobs}
        for queue, counts in state.counts().items() for name, jobs in counts.items()))
