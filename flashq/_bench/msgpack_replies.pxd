"""Reading a MessagePack reply."""
from flashq._bench.replies cimport Bytes, JobShape, Reply

# One whole reply without its length. FINE, or the Fault; `reply.ids` stays as given.
cdef int msgpack_reply(Bytes frame, size_t size, const JobShape* shape, Reply* reply) noexcept nogil
