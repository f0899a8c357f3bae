"""Reading a JSON reply."""
from flashq._bench.replies cimport Bytes, JobShape, Reply

# One whole reply without its LF, which must be readable. FINE, or the Fault; `reply.ids` stays as given.
cdef int json_reply(Bytes frame, size_t size, const JobShape* shape, Reply* reply) noexcept nogil
