"""The loop's end of the thread that writes the log. Owner: the journal, which is one."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.sink cimport Sink
from flashq.storage.journal.logthread cimport Log
from libc.stdint cimport uint64_t

cdef class LogWriter(Sink):
    cdef Log log
    cdef WriteBuffer given      # of `append`
    cdef bint running           # the thread was started and not yet joined
    cdef int put(self, WriteBuffer* frames, uint64_t position) except -1
    cdef int wake(self) except -1
    cdef int write(self) except -1
    cdef uint64_t pending_bytes(self) noexcept nogil
    cdef int join(self) except -1
