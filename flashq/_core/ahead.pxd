"""Hints for the processor: what the next requests of a pipelining client are about to touch."""
from flashq._core.request cimport BIT_JOB_ID, BIT_UNIQUE_KEY, Format, PushItem
from flashq._core.state cimport Core, Queue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    ITEMS_AHEAD = 16            # of a batch, looked at together

# The frames of `data` from `at` on are taken to have their id where the last one had it, `offset` bytes from its
# start; the memory of the jobs so named is asked for. A wrong guess costs some nanoseconds and changes nothing.
# Returns where the first frame begins that was not looked at; `at` when there was none.
cdef size_t ids_ahead(Core* core, Format format, const uint8_t* data, size_t at, size_t size,
                      size_t offset) noexcept nogil

cdef inline uint64_t named_bits() noexcept nogil:
    """Options that give a job a name by which it is looked up."""
    return <uint64_t>1 << BIT_JOB_ID | <uint64_t>1 << BIT_UNIQUE_KEY

# Hashes the names of items that are about to be pushed to the queue, and asks for the memory where they will stand.
cdef void names_ahead(Core* core, const Queue* queue, PushItem* items, uint32_t count) noexcept nogil

cdef inline uint32_t items_ahead(Core* core, const Queue* queue, PushItem* items, uint32_t first,
                                 uint32_t count) noexcept nogil:
    """names_ahead for some of a batch, those from `first` on, if that one has a name; the first one behind them."""
    cdef uint32_t behind = min(first + <uint32_t>ITEMS_AHEAD, count)
    if items[first].seen & named_bits():
        names_ahead(core, queue, &items[first], behind - first)
    return behind
