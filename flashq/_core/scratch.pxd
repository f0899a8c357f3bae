"""Room that a scan fills and the next scan of the same engine reuses. Owner: the Engine."""
from flashq._core.request cimport Failure, PushItem
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    SHAPE_BYTES = 192           # of a frame before its payload; longer ones are not learnt

cdef struct Shape:              # all zero: none learnt; see json_shape
    uint8_t[SHAPE_BYTES] prefix
    uint32_t size
    uint32_t queue_at
    uint32_t queue_size
    uint32_t cmd_at
    uint32_t cmd_size

cdef struct Scratch:            # all zero is empty; the arrays are allocated by scratch_open
    uint64_t* ids               # owned, MAX_BATCH + 1: the last place takes whatever is past the limit
    uint64_t* tokens            # owned, MAX_BATCH + 1
    PushItem* items             # owned, MAX_BATCH + 1
    uint8_t* text               # owned: unescaped strings; never moves during a scan
    size_t text_used
    size_t text_cap
    Shape shape

cdef int scratch_open(Scratch* scratch) noexcept nogil         # OK or NO_MEMORY
cdef uint8_t* scratch_text(Scratch* scratch, size_t frame_size) noexcept nogil
# ^ the free end of the arena, allocated on first use for everything a frame of this size can unescape to; or NULL
cdef void scratch_reset(Scratch* scratch) noexcept nogil       # before a scan; gives back an arena over 1 MiB
cdef void scratch_close(Scratch* scratch) noexcept nogil
