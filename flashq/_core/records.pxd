"""Records: what changed, as idempotent statements of a new state, one frame a command. records.pyx says the format."""
from flashq._core.job cimport Attempt, Job
from flashq._core.state cimport Core, PushKey, Queue
from libc.stdint cimport uint64_t

cdef enum RecordKind:
    RECORD_JOB = 1              # a job with everything it holds: push
    RECORD_STATE = 2            # what a life changes: state, attempts, times, progress, message, result
    RECORD_GONE = 3             # the job is removed
    RECORD_QUEUE = 4            # a queue's settings
    RECORD_CLEAR = 6            # jobs of a queue in line before a generation are gone
    RECORD_FORGET = 5           # a completed id is no longer known
    RECORD_ATTEMPT = 7          # the nth attempt of a job that ended badly; the last ATTEMPTS_KEPT count
    RECORD_LOSSES = 8           # lost workers and missed heartbeats that count against a job
    RECORD_PUSH_KEY = 9         # what a push with a key was answered
    RECORD_TIES = 10            # what ties a job to others

# Each does nothing but count while nobody records. Called after the change; they cannot fail the command:
# running out of memory here sets Core.records.failed, which ends acknowledgement (the store checks it).
cdef void record_job(Core* core, Job* job) noexcept nogil
cdef void record_state(Core* core, Job* job) noexcept nogil
cdef void record_attempt(Core* core, uint64_t id, const Attempt* attempt) noexcept nogil
cdef void record_losses(Core* core, const Job* job) noexcept nogil
# All that record_attempt and record_losses have said of the job: after another record_job.
cdef void record_failing(Core* core, const Job* job) noexcept nogil
cdef void record_ties(Core* core, Job* job) noexcept nogil             # nothing for a job without any
cdef void record_gone(Core* core, uint64_t id) noexcept nogil
cdef void record_forget(Core* core, uint64_t id) noexcept nogil
cdef void record_push_key(Core* core, PushKey* key) noexcept nogil
cdef void record_queue(Core* core, Queue* queue) noexcept nogil
cdef void record_clear(Core* core, Queue* queue) noexcept nogil
cdef void record_frame_end(Core* core) noexcept nogil      # after each command or timer step: closes its frame
