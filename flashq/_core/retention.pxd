"""What is kept of completed jobs: the newest whole, more of them as ids alone, the oldest forgotten."""
from flashq._core.job cimport Job
from flashq._core.state cimport Core
from libc.stdint cimport uint32_t

cdef enum:
    TRIM_STEP = 4               # a completion adds one: what is over a limit is worked off faster than it comes

cdef int retention_open(Core* core) noexcept nogil                 # the ring of ids, for core.limits; OK or NO_MEMORY
cdef void done_add(Core* core, Job* job) noexcept nogil            # a job just completed
cdef void done_trim(Core* core, uint32_t budget) noexcept nogil    # work off what is over the limits
cdef void retention_close(Core* core) noexcept nogil
