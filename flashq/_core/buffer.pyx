"""Bytes from and to the wire: the only owners of them in the core."""
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport SIZE_MAX, uint8_t
from libc.string cimport memmove

cdef enum:
    FIRST_CAP = 4096


cdef int buffer_grow(WriteBuffer* buffer, size_t more) noexcept nogil:
    cdef size_t cap = max(buffer.cap, <size_t>FIRST_CAP)
    cdef void* data = NULL
    if not buffer.failed and more <= SIZE_MAX // 4 and buffer.size <= SIZE_MAX // 4:
        while cap - buffer.size < more:
            cap *= 2
        data = raw_realloc(buffer.data, cap)
    if data == NULL:
        buffer.failed = True
        buffer.cap = buffer.size       # no room left, so that a smaller append after this one is dropped as well
        return NO_MEMORY
    buffer.data, buffer.cap = <uint8_t*>data, cap
    return OK


cdef void buffer_consume(WriteBuffer* buffer, size_t size) noexcept nogil:
    if size >= buffer.size:
        buffer.size = 0
    elif size:
        buffer.size -= size
        memmove(buffer.data, buffer.data + size, buffer.size)


cdef void buffer_shrink(WriteBuffer* buffer, size_t keep) noexcept nogil:
    if buffer.size == 0 and buffer.cap > keep:
        raw_free(buffer.data)
        buffer.data, buffer.cap = NULL, 0


cdef void buffer_close(WriteBuffer* buffer) noexcept nogil:
    raw_free(buffer.data)
    buffer.data, buffer.size, buffer.cap, buffer.failed = NULL, 0, 0, False
