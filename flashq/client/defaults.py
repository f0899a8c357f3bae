"""Numbers of the table of commands: the largest batch, and how long waiting commands wait.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
MAX_BATCH = 1000
# By command, the ms that a missing `timeout` stands for. Their answers come out of turn.
WAIT_MS: dict[str, int] = {
    "PULL": 60000,
    "PULLB": 60000,
    "WAITJOB": 30000,
    "SYNC": 30000,
}
# Options of the jobs that a cron entry pushes, and what each is when it is left out.
CRON_OPTIONS: dict[str, object] = {
    "priority": 0,
    "delay": 0,
    "ttl": None,
    "timeout": None,
    "max_attempts": None,
    "backoff": None,
    "lifo": False,
    "tags": (),
    "job_id": None,
    "stall_timeout": 0,
    "remove_on_complete": False,
    "remove_on_fail": False,
    "unique_key": None,
    "debounce_id": None,
    "debounce_ttl": 5000,
    "depends_on": (),
    "keep_completed_age": 0,
    "keep_completed_count": 0,
    "retry": None,
    "group_id": None,
    "on_duplicate": "error",
    "on_parent_failure": "wait",
    "name": None,
    "version": 0,
}
