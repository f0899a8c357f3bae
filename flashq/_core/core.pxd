"""The Core as a whole. Its owner is the Engine; a Core that is all zero may be closed too."""
from flashq._core.state cimport Core
from libc.stdint cimport uint64_t

cdef void core_init(Core* core, uint64_t seed, uint64_t epoch) noexcept nogil   # from all zero; nothing is allocated
cdef void core_close(Core* core) noexcept nogil                                # frees everything, jobs and queues too
