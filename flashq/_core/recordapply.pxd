"""What records say put back into a Core that serves nobody yet, one function a kind of record."""
from flashq._core.recordfields cimport Cursor, Text
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef enum Applied:              # what came of a record, beside OK and NO_MEMORY
    UNKNOWN_ID = 1              # it speaks of a job that is not there
    DAMAGED = 2                 # it cannot have been written so; `reason` says why

cdef struct Recovery:           # owner: the Replay; all zero is one that has seen nothing
    Core* core                  # borrowed
    const char* reason          # static
    uint64_t position           # of the frame at hand
    uint64_t counted            # of TOTALS: counts of records up to there are in it
    uint64_t* done              # owned: completed ids in the order in which they were, some of them gone since
    uint64_t done_count
    uint64_t done_cap
    uint64_t jobs               # in memory
    uint32_t generation         # the highest that was met
    bint log                    # the frame at hand is of the log, not of a checkpoint
    bint tied                   # jobs may wait for others

cdef int queue_of(Recovery* r, const Text* name, Queue** out) noexcept nogil       # made when it is not there
cdef int done_note(Recovery* r, uint64_t id) noexcept nogil
cdef void sequence_seen(Core* core, uint64_t id) noexcept nogil
cdef void recovery_close(Recovery* r) noexcept nogil

cdef int apply_job(Recovery* r, Cursor* c) noexcept nogil
cdef int apply_state(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_taken(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_done(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_ties(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_attempt(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_losses(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_log(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
# Removes the job; its outcome, and whether others wait for it.
cdef int apply_gone(Recovery* r, Cursor* c, uint64_t* id, int* how) noexcept nogil
cdef int apply_forget(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_ids(Recovery* r, Cursor* c) noexcept nogil

cdef enum:
    KEY_HELD = 1                # Relations.unique.kind, while it recovers: the key is to be the job's
