"""A stored value into the other wire format, by orjson and msgpack: when producer and worker speak different ones."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.request cimport Format
from libc.stdint cimport uint8_t

# Appends the value of `size` bytes, stored as `source`, in the other format. OK or NO_MEMORY.
# Integers past 64 bits become floats, as does what the other format cannot hold exactly.
cdef int transcode(WriteBuffer* out, const uint8_t* value, size_t size, Format source) noexcept with gil
