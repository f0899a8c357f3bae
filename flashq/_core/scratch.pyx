"""Room that a scan fills and the next one reuses: arrays of a batch's size, and an arena for unescaped text."""
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.request cimport MAX_BATCH
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    KEPT_TEXT = 1 << 20         # a larger arena is given back before the next scan
    FIRST_TEXT = 4096           # so that small frames share one allocation


cdef int scratch_open(Scratch* scratch) noexcept nogil:
    """Allocate the arrays; on NO_MEMORY what was allocated is still there for `scratch_close`."""
    scratch.ids = <uint64_t*>raw_realloc(NULL, (MAX_BATCH + 1) * sizeof(uint64_t))
    scratch.tokens = <uint64_t*>raw_realloc(NULL, (MAX_BATCH + 1) * sizeof(uint64_t))
    scratch.items = <PushItem*>raw_realloc(NULL, (MAX_BATCH + 1) * sizeof(PushItem))
    if scratch.ids == NULL or scratch.tokens == NULL or scratch.items == NULL:
        return NO_MEMORY
    return OK


cdef uint8_t* scratch_text(Scratch* scratch, size_t frame_size) noexcept nogil:
    """The free end of the arena. Unescaping never lengthens, so room for the frame is room for all of its strings."""
    cdef size_t cap = frame_size if frame_size > FIRST_TEXT else FIRST_TEXT
    if scratch.text_used == 0 and scratch.text_cap < frame_size:
        _text_free(scratch)
        scratch.text = <uint8_t*>raw_realloc(NULL, cap)
        if scratch.text == NULL:
            return NULL
        scratch.text_cap = cap
    return scratch.text + scratch.text_used


cdef void scratch_reset(Scratch* scratch) noexcept nogil:
    scratch.text_used = 0
    if scratch.text_cap > KEPT_TEXT:
        _text_free(scratch)


cdef void scratch_close(Scratch* scratch) noexcept nogil:
    _text_free(scratch)
    raw_free(scratch.ids)
    raw_free(scratch.tokens)
    raw_free(scratch.items)
    scratch.ids = NULL
    scratch.tokens = NULL
    scratch.items = NULL


cdef void _text_free(Scratch* scratch) noexcept nogil:
    raw_free(scratch.text)
    scratch.text = NULL
    scratch.text_used = 0
    scratch.text_cap = 0
