"""Mirror of include/flashq/prefetch.h. Any address will do, NULL too: a prefetch never faults."""

cdef enum:
    CACHE_LINE = 64             # bytes, on every processor this is built for but a few

cdef extern from "flashq/prefetch.h" nogil:
    void prefetch_read "flashq_prefetch_read"(const void* where)
    void prefetch_write "flashq_prefetch_write"(const void* where)
