"""The one door through which the core asks the system for memory, so that tests can make the n-th request fail."""
from libc.stdint cimport uint64_t

cdef bint raw_refused() noexcept nogil                         # counts a request; true when this one is to fail
cdef void* raw_realloc(void* old, size_t size) noexcept nogil  # NULL when there is no memory: `old` is still valid then
cdef void raw_free(void* block) noexcept nogil
cdef void faults_arm(uint64_t first, uint64_t count) noexcept nogil
# ^ of the requests from now on, number `first` (from 1) and the `count` - 1 after it fail; count 0 disarms
cdef uint64_t raw_blocks() noexcept nogil                      # blocks now held (leak check)
cdef uint64_t faults_requests() noexcept nogil                 # requests since the last faults_arm
