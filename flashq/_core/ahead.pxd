"""Hints for the processor: what the next requests of a pipelining client are about to touch."""
from flashq._core.request cimport Format
from flashq._core.state cimport Core
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# The frames of `data` from `at` on are taken to have their id where the last one had it, `offset` bytes from its
# start; the memory of the jobs so named is asked for. A wrong guess costs some nanoseconds and changes nothing.
# Returns where the first frame begins that was not looked at; `at` when there was none.
cdef size_t ids_ahead(Core* core, Format format, const uint8_t* data, size_t at, size_t size,
                      size_t offset) noexcept nogil
