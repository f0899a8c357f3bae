"""Retry policies: what a request says in `retry`, part by part, and how long a retry waits."""
from flashq._core.request cimport RetryGiven, RetryPart, RetryPolicy
from flashq._core.state cimport Core
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# The codecs walk over the object: begin, each part that is not null, end. What is wrong stands in `out` afterwards.
cdef void retry_begin(RetryGiven* out) noexcept nogil
cdef RetryPart retry_part(const uint8_t* name, size_t size) noexcept nogil     # RETRY_NO_PART for any other name
# Whether its value is to be read: no part came twice.
cdef bint retry_open(RetryGiven* out, RetryPart part) noexcept nogil
cdef void retry_type(RetryGiven* out, const uint8_t* text, size_t size) noexcept nogil
cdef void retry_ms(RetryGiven* out, RetryPart part, uint64_t value) noexcept nogil
cdef void retry_jitter(RetryGiven* out, double value) noexcept nogil
cdef void retry_wrong(RetryGiven* out, RetryPart part, int status) noexcept nogil
cdef void retry_end(RetryGiven* out) noexcept nogil

cdef const char* retry_part_name(RetryPart part) noexcept nogil     # as error texts name it: `retry.delay`
cdef int retry_part_kind(RetryPart part) noexcept nogil             # Kind
cdef const char* retry_type_name(uint8_t type) noexcept nogil       # of a RetryType other than RETRY_NONE

cdef uint64_t retry_wait(Core* core, const RetryPolicy* policy, uint32_t attempts) noexcept nogil
