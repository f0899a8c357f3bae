"""JOB and TIES: a job out of what its push said."""
from flashq._core.recordfields cimport Cursor
from flashq._core.recovery cimport Recovery
from libc.stdint cimport uint64_t

# OK, NO_MEMORY, UNKNOWN_ID or DAMAGED. `id` is set in any case.
cdef int apply_job(Recovery* r, Cursor* c) noexcept nogil
cdef int apply_ties(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil
