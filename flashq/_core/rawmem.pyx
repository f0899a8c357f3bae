"""The one door through which the core asks the system for memory, so that tests can make the n-th request fail."""
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint64_t

cdef struct Faults:
    uint64_t requests           # since armed
    uint64_t first
    uint64_t count              # 0 = none fail

cdef Faults faults              # one per process, as the allocator is; changed by tests only
cdef uint64_t blocks


cdef bint raw_refused() noexcept nogil:
    faults.requests += 1
    # unsigned: a request before the first wraps to a huge number
    return faults.requests - faults.first < faults.count


cdef void* raw_realloc(void* old, size_t size) noexcept nogil:
    if raw_refused():
        return NULL
    cdef void* block = PyMem_RawRealloc(old, size)
    global blocks
    if old == NULL and block != NULL:
        blocks += 1
    return block


cdef void raw_free(void* block) noexcept nogil:
    global blocks
    if block != NULL:
        blocks -= 1
    PyMem_RawFree(block)


cdef uint64_t raw_blocks() noexcept nogil:
    return blocks


cdef void faults_arm(uint64_t first, uint64_t count) noexcept nogil:
    faults.requests = 0
    faults.first = first
    faults.count = count


cdef uint64_t faults_requests() noexcept nogil:
    return faults.requests
