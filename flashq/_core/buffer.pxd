"""Bytes from and to the wire: the only owners of them in the core."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef struct WriteBuffer:        # all zero is empty
    uint8_t* data               # owned; moves when it grows
    size_t size
    size_t cap
    bint failed                 # an append was refused for want of memory; what follows is dropped

cdef int buffer_grow(WriteBuffer* buffer, size_t more) noexcept nogil   # OK or NO_MEMORY
cdef void buffer_consume(WriteBuffer* buffer, size_t size) noexcept nogil   # drop the first bytes
cdef void buffer_shrink(WriteBuffer* buffer, size_t keep) noexcept nogil  # free it when empty and over `keep`
cdef void buffer_close(WriteBuffer* buffer) noexcept nogil

cdef inline uint8_t* buffer_room(WriteBuffer* buffer, size_t more) noexcept nogil:
    """Where `more` bytes may be written, or NULL; publish them with `buffer_done`."""
    if buffer.cap - buffer.size < more and buffer_grow(buffer, more) != 0:
        return NULL
    return buffer.data + buffer.size

cdef inline void buffer_done(WriteBuffer* buffer, const uint8_t* end) noexcept nogil:
    buffer.size = <size_t>(end - buffer.data)

cdef inline void buffer_put(WriteBuffer* buffer, const void* data, size_t size) noexcept nogil:
    cdef uint8_t* out = buffer_room(buffer, size)
    if out != NULL and size:
        memcpy(out, data, size)
        buffer.size += size

cdef inline void buffer_swap(WriteBuffer* one, WriteBuffer* other) noexcept nogil:
    cdef WriteBuffer held = one[0]
    one[0] = other[0]
    other[0] = held

cdef inline bytes copied(const uint8_t* data, size_t size):
    """The bytes as an object. Raises MemoryError."""
    return PyBytes_FromStringAndSize(<const char*>data, <Py_ssize_t>size)
