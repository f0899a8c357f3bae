"""What takes records from the hub without a Python object: the seam to a store that is an extension."""


cdef class Sink:
    """To be derived from; see sink.pxd."""

    cdef int put(self, WriteBuffer* frames, uint64_t position) except -1:
        raise NotImplementedError("a sink must take records")

    cdef int wake(self) except -1:
        raise NotImplementedError("a sink must begin with what it took")

    cdef int write(self) except -1:
        raise NotImplementedError("a sink must write what it took")

    cdef uint64_t pending_bytes(self) noexcept nogil:
        return 0
