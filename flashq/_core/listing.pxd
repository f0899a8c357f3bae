"""Pages of jobs, newest first: by id within a queue, by creation over several. `wanted` is a State, -1 for any."""
from flashq._core.job cimport Job
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint64_t

cdef uint64_t listing_total(Core* core, const Queue* only, int wanted) noexcept nogil      # only NULL: of all queues
# Up to `most` jobs behind the first `skip`, into `out`; how many.
cdef uint64_t listing_page(Core* core, Queue* only, int wanted, uint64_t skip, uint64_t most, Job** out) noexcept nogil
