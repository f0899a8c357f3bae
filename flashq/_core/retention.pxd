"""What is kept of completed jobs: the newest whole, more of them as ids alone, the oldest forgotten."""
from flashq._core.job cimport Job
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    TRIM_STEP = 4               # a completion adds one: what is over a limit is worked off faster than it comes

cdef int retention_open(Core* core) noexcept nogil                 # the ring of ids, for core.limits; OK or NO_MEMORY
cdef void done_add(Core* core, Job* job) noexcept nogil            # a job just completed
# While the engine recovers: an id known as completed, and its job if that is kept whole, as the newest.
cdef void done_restore(Core* core, uint64_t id, Job* job) noexcept nogil
cdef bint kept_restore(Core* core, Job* job) noexcept nogil        # whether its push asked for longer, and still does
cdef void kept_end(Core* core, Job* job) noexcept nogil            # its own time is over: on as any other
cdef void done_trim(Core* core, uint32_t budget) noexcept nogil    # work off what is over the limits
# Remove up to `most` kept jobs of a queue that completed at `before` or earlier, oldest first; how many.
cdef uint64_t done_clean(Core* core, Queue* queue, uint64_t before, uint64_t most) noexcept nogil
cdef void retention_close(Core* core) noexcept nogil
