"""A retry policy in MessagePack: out of a request, and into a Job."""
from flashq._core.request cimport RetryGiven, RetryPolicy
from libc.stdint cimport uint8_t

cdef enum:
    RETRY_ROOM = 80             # bytes that msgpack_retry_put writes at most

cdef void msgpack_retry(const uint8_t* at, const uint8_t* end, RetryGiven* out) noexcept nogil     # of a valid map
cdef uint8_t* msgpack_retry_put(uint8_t* at, const RetryPolicy* policy) noexcept nogil
