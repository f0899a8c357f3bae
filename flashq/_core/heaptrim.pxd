"""Mirror of include/flashq/heaptrim.h."""

cdef extern from "flashq/heaptrim.h" nogil:
    void heap_trim "flashq_heap_trim"()     # some milliseconds for a heap of 100 MB
