"""Records: what changed, as idempotent statements of a new state, one frame a command. recordwrite.pyx says how."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Attempt, Job, LogEntry
from flashq._core.request cimport Slice
from flashq._core.state cimport Core, Debounce, PushKey, Queue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum RecordKind:
    RECORD_JOB = 1              # a job with everything a push says
    RECORD_STATE = 2            # what a life changes: state, attempts, times, progress, message, result
    RECORD_GONE = 3             # the job is removed
    RECORD_QUEUE = 4            # a queue's settings
    RECORD_FORGET = 5           # a completed id is no longer known
    RECORD_CLEAR = 6            # jobs of a queue in line before a generation are gone
    RECORD_ATTEMPT = 7          # the nth attempt of a job that ended badly; the last ATTEMPTS_KEPT count
    RECORD_LOSSES = 8           # lost workers and missed heartbeats that count against a job
    RECORD_PUSH_KEY = 9         # what a push with a key was answered
    RECORD_TIES = 10            # what ties a job to others
    RECORD_TAKEN = 11           # a job was delivered
    RECORD_DONE = 12            # a job was completed
    RECORD_LOG = 13             # the nth entry of a job's log
    RECORD_DEBOUNCE = 14        # a window is open
    RECORD_ENTRY = 15           # a value that the server keeps beside the jobs, or that it is gone
    RECORD_COUNTS = 16          # of a queue; in checkpoints only
    RECORD_TOTALS = 17          # of all queues, and where ids go on; the last record of a checkpoint
    RECORD_IDS = 18             # ids known as completed, oldest first; in checkpoints only

cdef enum RecordFlags:          # beside JobFlags in the flags of JOB and STATE
    FLAG_COUNTS = 32            # JOB: it was pushed; STATE: it died
    FLAG_KEY_HELD = 64          # STATE: its unique key is its own

cdef enum JobFields:            # bits of the mask in JOB: what follows
    HAS_PRIORITY = 1
    HAS_RUN_AT = 2              # else it is created_at
    HAS_ATTEMPTS = 4
    HAS_MAX_ATTEMPTS = 8
    HAS_BACKOFF = 16
    HAS_TTL = 32
    HAS_TIMEOUT = 64
    HAS_STALL_TIMEOUT = 128
    HAS_PROGRESS = 256
    HAS_TAGS = 512
    HAS_CUSTOM_ID = 1024
    HAS_RETRY = 2048

cdef enum Gone:                 # bits of `how` in GONE, beside an Outcome
    GONE_OUTCOME = 3
    GONE_AWAITED = 4            # others wait for the id
    GONE_COUNTS = 8             # it counts as completed or failed
    GONE_UNCOUNTS = 16          # and its push no longer does

cdef enum:
    DONE_NUMBERED = 1           # flags of DONE: `number` follows
    RETRY_BYTES = 21            # of a policy in JOB

# Each does nothing but count while nobody records. Called after the change; they cannot fail the command:
# running out of memory here sets Core.records.failed, which ends acknowledgement (the store checks it).
cdef void record_job(Core* core, Job* job, bint counts) noexcept nogil
cdef void record_state(Core* core, Job* job) noexcept nogil
cdef void record_death(Core* core, Job* job) noexcept nogil                # record_state of a job that counts as failed
cdef void record_taken(Core* core, Job* job) noexcept nogil
cdef void record_done(Core* core, Job* job) noexcept nogil
cdef void record_attempt(Core* core, uint64_t id, const Attempt* attempt) noexcept nogil
cdef void record_losses(Core* core, const Job* job) noexcept nogil
# All that record_attempt and record_losses have said of the job: after another record_job.
cdef void record_failing(Core* core, const Job* job) noexcept nogil
cdef void record_ties(Core* core, Job* job) noexcept nogil             # nothing for a job without any
cdef void record_log(Core* core, Job* job, const LogEntry* entry, uint32_t number) noexcept nogil
cdef void record_gone(Core* core, uint64_t id, uint8_t how) noexcept nogil
cdef void record_forget(Core* core, uint64_t id) noexcept nogil
cdef void record_push_key(Core* core, PushKey* key) noexcept nogil
cdef void record_debounce(Core* core, const Debounce* debounce, uint64_t expires) noexcept nogil
cdef void record_queue(Core* core, Queue* queue) noexcept nogil
cdef void record_clear(Core* core, Queue* queue, bint obliterates) noexcept nogil
cdef void record_entry(Core* core, uint8_t space, const Slice* key, const Slice* value) noexcept nogil     # NULL: gone
cdef void record_frame_end(Core* core) noexcept nogil      # after each command or timer step: closes its frame
cdef void record_frames_taken(Core* core) noexcept nogil   # Core.records was emptied by the store

# Frames of a checkpoint, in a buffer of its own
cdef bint frame_begin(WriteBuffer* out) noexcept nogil     # False: no memory
cdef void frame_end(WriteBuffer* out, size_t start, uint64_t position) noexcept nogil
