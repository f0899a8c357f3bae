"""Records of a job's life: delivered, completed, failed, gone; its history and its log."""
from flashq._core.recordfields cimport Cursor
from flashq._core.recovery cimport Recovery
from libc.stdint cimport uint64_t

# OK, NO_MEMORY, UNKNOWN_ID or DAMAGED. `id` is set in any case.
cdef int apply_state(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_taken(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_done(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_attempt(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_losses(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_log(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
# Removes the job; `how` as in GONE.
cdef int apply_gone(Recovery* r, Cursor* c, uint64_t* id, int* how) noexcept nogil
cdef int apply_forget(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
cdef int apply_ids(Recovery* r, Cursor* c) noexcept nogil
