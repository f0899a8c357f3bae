"""The engine as Python sees it. Owner of the Core and of the scratch that scans fill."""
from flashq._core.job cimport Job
from flashq._core.request cimport Format
from flashq._core.scratch cimport Scratch
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint8_t, uint64_t

cdef class Engine:
    cdef Core core
    cdef Scratch scratch
    cdef int open_queue(self, str queue, Queue** out) except? -1000
    cdef Queue* find_queue(self, str queue) except? NULL

cdef Format format_of(bint msgpack) noexcept nogil
cdef object limit_of(uint64_t limit)
# The whole Job in that format, if wanted with the history of its failures. Raises MemoryError.
cdef bytes job_bytes(Core* core, const Job* job, bint msgpack, bint history=*)
cdef void engine_done(Core* core) noexcept nogil                       # ends a command: pulls served, frame closed
cdef void engine_tick(Core* core, unsigned long long wall_ms, unsigned long long mono_ms) noexcept nogil
