"""What takes records from the hub without a Python object: the seam to a store that is an extension."""
from flashq._core.buffer cimport WriteBuffer
from libc.stdint cimport uint64_t

cdef class Sink:
    # Takes all whole frames out of `frames`, which is empty afterwards: a copy, or the buffer itself for an empty one.
    # `position` is that of their last record. Raises when they could not be kept. Nobody need begin with them before
    # `wake` or `write`.
    cdef int put(self, WriteBuffer* frames, uint64_t position) except -1
    cdef int wake(self) except -1                           # what was put is to be on its way now
    # To be called by a loop that has nothing else to do. What was put may be on disk when this returns, and `committed`
    # was told so from within; else it will be.
    cdef int write(self) except -1
    cdef uint64_t pending_bytes(self) noexcept nogil        # put and not yet written
