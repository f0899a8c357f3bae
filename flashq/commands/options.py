"""The options of a push: fields of PUSH, of each item of PUSHB, and of what pushes later."""
from flashq.commands.retry import RETRY
from flashq.fields import Field, Kind

MAX_DEPENDS_ON = 1000       # as in flashq/_core/relations.pxd
MAX_NAME = 256              # bytes; as in flashq/_core/lanes.pxd
ON_DUPLICATE = ("error", "existing", "replace")     # in the order of request.pxd's OnDuplicate
ON_PARENT_FAILURE = ("wait", "fail", "run")         # in the order of request.pxd's OnParentFailure

PUSH_OPTIONS = (
    Field("data", Kind.RAW, "The payload, any value; at most `max_job_size` bytes."),
    Field("priority", Kind.I32, "Greater runs sooner.", default=0),
    Field("delay", Kind.U64, "ms from now until the job may run.", default=0),
    Field("ttl", Kind.U64, "ms after which a job nobody has taken is dropped; 0 = never. Unset: `--default-ttl`, or "
          "0.", default=None),
    Field("timeout", Kind.U64, "ms a worker may take; then the attempt has failed. 0 = no limit. Unset: "
          "`--default-timeout`, or 0.", default=None),
    Field("max_attempts", Kind.U32, "Failures until the job is dead; 0 = retried for ever. Unset: "
          "`--default-max-attempts`, or 0.", default=None, aliases=("attempts", "maxAttempts")),
    Field("backoff", Kind.U64, "ms; a retry waits backoff * 2^min(attempts, 10). 0 = no wait. Unset: "
          "`--default-backoff`, or 0.", default=None),
    Field("lifo", Kind.BOOL, "Newest first among jobs of the same priority, before those that are not; among several "
          "groups, the one first whose turn came last.", default=False),
    Field("tags", Kind.TAGS, "Free labels.", default=()),
    Field("job_id", Kind.STR, "A custom id: while that job exists, a push only answers with its id.", limit=1024,
          aliases=("jobId",)),
    Field("stall_timeout", Kind.U64, "ms between heartbeats; a missed one takes the job back. 0 = `lease`, which "
          "counts only once the worker's connection is lost.", default=0),
    Field("remove_on_complete", Kind.BOOL, "Keep neither job nor result when it is acknowledged.", default=False),
    Field("remove_on_fail", Kind.BOOL, "Remove the job instead of keeping it as a dead letter.", default=False),
    Field("unique_key", Kind.STR, "Refused while another job of the queue holds this key: from its push until it is "
          "done, dead or removed.", limit=1024),
    Field("debounce_id", Kind.STR, "Refused while the window of an earlier push to the queue with this id is open.",
          limit=1024),
    Field("debounce_ttl", Kind.U64, "ms of the window that this push opens with `debounce_id`; 0 = none.",
          default=5000),
    Field("depends_on", Kind.ID_LIST, "Ids of jobs, up to 1000: it waits until all of them are completed. What one "
          "that is dead or removed means for it, `on_parent_failure` says; one removed before this push counts as "
          "completed.", default=(), limit=MAX_DEPENDS_ON,
          rule=f"a list of at most {MAX_DEPENDS_ON} non-negative integers"),
    Field("keep_completed_age", Kind.U64, "ms for which the completed job and its result are kept, whatever else is "
          "completed, then as the server's limits say; 0 = as they say at once. At most `keep_completed` jobs are kept "
          "so.", default=0, aliases=("keepCompletedAge",)),
    Field("keep_completed_count", Kind.U64, "The same while it is among the newest so many completed jobs of its "
          "queue; with both, until either ends.", default=0, aliases=("keepCompletedCount",)),
    RETRY,
    Field("group_id", Kind.STR, "Of the jobs of a queue with the same group one is active at a time, in the order of "
          "the queue; SETGROUPS may say otherwise.", limit=1024),
    Field("on_duplicate", Kind.CHOICE, "When another job holds `unique_key`: refuse (`error`), answer with that job's "
          "id (`existing`), or do so and give it this payload, but refuse while it is active (`replace`).",
          default="error", choices=ON_DUPLICATE),
    Field("on_parent_failure", Kind.CHOICE, "When a job of `depends_on` is dead or removed: `wait` on, `fail` as well "
          "(as `dependency_failed`; retrying that job does not bring this one back), or `run` as if it were completed.",
          default="wait", choices=ON_PARENT_FAILURE),
    Field("name", Kind.STR, "What kind of job it is, for workers whose pulls say `names`.", limit=MAX_NAME),
    Field("version", Kind.U32, "Of that kind: goes only to workers that can run it, or a higher one.", default=0),
)
