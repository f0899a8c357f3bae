"""How a job fails: the retry policy of a push, and what FAIL may say in its place."""
from flashq.fields import Field, Kind

RETRY_TYPES = ("fixed", "exponential", "linear")    # in the order of request.pxd's RetryType, from 1
# How an attempt, or a job for good, ended badly; in the order of job.pxd's Ending, from 1.
REASONS = ("failed", "timeout", "stalled", "worker_lost", "discarded", "dependency_failed")
ATTEMPTS_KEPT = 10      # as in job.pxd
ATTEMPT_TEXT = 1024     # likewise

RETRY = Field(
    "retry", Kind.RETRY, "How long a retry waits, in place of `backoff`: `fixed` delay, `exponential` "
    "delay * 2^(attempts - 1), `linear` delay * attempts, where attempts counts the failure before it.",
    items=(
        Field("type", Kind.STR, "How the waits grow.", required=True, choices=RETRY_TYPES),
        Field("delay", Kind.U64, "ms; the first wait.", required=True),
        Field("max", Kind.U64, "ms that no wait is longer than; 0 = any.", default=0),
        Field("jitter", Kind.F64, "Up to this part of a wait, at random, is taken off it; kept to six digits.",
              default=0, least=0, limit=1),
    ),
)
FAIL_OPTIONS = (
    Field("retry", Kind.BOOL, "false: no retry, the job is dead at once.", default=True),
    Field("retry_after", Kind.U64, "ms that this retry waits, in place of `backoff` and the retry policy; the last "
          "attempt stays the last."),
    Field("release", Kind.BOOL, "true: back to the queue at its old place, or after `retry_after`; the attempt is not "
          "counted.", default=False),
)
