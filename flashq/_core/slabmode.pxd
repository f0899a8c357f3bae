"""Mirror of include/flashq/slabmode.h: constants, so that the compiler drops the branch not built."""

cdef extern from "flashq/slabmode.h" nogil:
    const bint SLABS_BY_MALLOC "FLASHQ_SLABS_BY_MALLOC"
    const int ARENA_ADVICE "FLASHQ_ARENA_ADVICE"
    int PAGE_ADVICE "FLASHQ_PAGE_ADVICE"
