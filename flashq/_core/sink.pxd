"""What takes records from the hub without a Python object: the seam to a store that is an extension."""
from flashq._core.buffer cimport WriteBuffer
from libc.stdint cimport uint64_t

cdef class Sink:
    # Takes all whole frames out of `frames`, which is empty afterwards: a copy, or the buffer itself for an empty one.
    # `position` is that of their last record. Raises when they could not be kept.
    cdef int put(self, WriteBuffer* frames, uint64_t position) except -1
    cdef uint64_t pending_bytes(self) noexcept nogil        # put and not yet written
