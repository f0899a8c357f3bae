"""A retry policy in JSON: out of a request, and into a Job."""
from flashq._core.request cimport RetryGiven, RetryPolicy, Slice
from libc.stdint cimport uint8_t

cdef enum:
    RETRY_ROOM = 160            # bytes that json_retry_put writes at most

cdef void json_retry(const Slice* value, RetryGiven* out) noexcept nogil       # of a valid object
cdef uint8_t* json_retry_put(uint8_t* p, const RetryPolicy* policy) noexcept nogil
