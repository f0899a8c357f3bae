"""Many jobs of a queue at once: drained, obliterated, purged. They are gone at once; their memory follows in slices."""
from flashq._core.job cimport Job
from flashq._core.ready cimport Ready
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint32_t, uint64_t

# Each sets `count` to the jobs that went. OK, or NO_MEMORY and nothing changed.
cdef int queue_drain(Core* core, Queue* queue, uint64_t* count) noexcept nogil         # waiting and delayed
cdef int queue_obliterate(Core* core, Queue* queue, uint64_t* count) noexcept nogil    # all but completed ones
# The jobs of a line, whose owner has no line then, as gone ones of the queue; False: no memory, and nothing changed.
cdef bint grave_add(Core* core, Queue* queue, const Ready* ready) noexcept nogil
cdef void grave_free(Core* core, Job* job) noexcept nogil                              # a gone job that stands nowhere
cdef uint32_t graves_empty(Core* core, uint32_t budget) noexcept nogil                 # one slice; the budget left
