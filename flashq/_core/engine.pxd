"""The engine as Python sees it. Owner of the Core and of the scratch that scans fill."""
from flashq._core.scratch cimport Scratch
from flashq._core.state cimport Core, Queue

cdef class Engine:
    cdef Core core
    cdef Scratch scratch
    cdef int open_queue(self, str queue, Queue** out) except? -1000
    cdef Queue* find_queue(self, str queue) except? NULL

cdef void engine_tick(Core* core, unsigned long long wall_ms, unsigned long long mono_ms) noexcept nogil
