"""Retry policies: read from a request, and turned into waits."""
from flashq._core.chance cimport chance_below
from flashq._core.request cimport (
    KIND_STR, KIND_U64, MILLION, RETRY_DELAY, RETRY_EXPONENTIAL, RETRY_FIXED, RETRY_JITTER, RETRY_LINEAR,
    RETRY_MAX, RETRY_NO_PART, RETRY_TYPE,
)
from flashq._core.status cimport BAD_TYPE, DUPLICATE_FIELD, MISSING_FIELD, OUT_OF_RANGE
from libc.stdint cimport INT64_MAX
from libc.string cimport memcmp, memset, strlen

cdef enum:
    LONGEST = 0x1FFFFFFFFFFFFF  # ms; times end where JavaScript's integers do, at 2^53 - 1


# -- reading ----------------------------------------------------------------------------------------------------

cdef inline bint is_name(const uint8_t* text, size_t size, const char* name) noexcept nogil:
    return size == strlen(name) and memcmp(text, name, size) == 0


cdef void retry_begin(RetryGiven* out) noexcept nogil:
    memset(out, 0, sizeof(RetryGiven))


cdef RetryPart retry_part(const uint8_t* name, size_t size) noexcept nogil:
    if is_name(name, size, "type"):
        return RETRY_TYPE
    if is_name(name, size, "delay"):
        return RETRY_DELAY
    if is_name(name, size, "max"):
        return RETRY_MAX
    return RETRY_JITTER if is_name(name, size, "jitter") else RETRY_NO_PART


cdef bint retry_open(RetryGiven* out, RetryPart part) noexcept nogil:
    if out.given >> part & 1:
        retry_wrong(out, part, DUPLICATE_FIELD)
        return False
    out.given |= <uint8_t>(1 << part)
    return True


cdef void retry_wrong(RetryGiven* out, RetryPart part, int status) noexcept nogil:
    if out.wrong == RETRY_NO_PART:
        out.wrong, out.status = <uint8_t>part, status


cdef void retry_type(RetryGiven* out, const uint8_t* text, size_t size) noexcept nogil:
    cdef uint8_t type
    for type in range(RETRY_FIXED, RETRY_LINEAR + 1):
        if is_name(text, size, retry_type_name(type)):
            out.policy.type = type
            return
    retry_wrong(out, RETRY_TYPE, BAD_TYPE)


cdef void retry_ms(RetryGiven* out, RetryPart part, uint64_t value) noexcept nogil:
    if value > <uint64_t>INT64_MAX:
        retry_wrong(out, part, OUT_OF_RANGE)
    elif part == RETRY_DELAY:
        out.policy.delay = value
    else:
        out.policy.max = value


cdef void retry_jitter(RetryGiven* out, double value) noexcept nogil:
    if not 0.0 <= value <= 1.0:                     # NaN fails as well
        retry_wrong(out, RETRY_JITTER, OUT_OF_RANGE)
    else:
        out.policy.jitter = <uint32_t>(value * MILLION + 0.5)


cdef void retry_end(RetryGiven* out) noexcept nogil:
    if not out.given >> <int>RETRY_TYPE & 1:
        retry_wrong(out, RETRY_TYPE, MISSING_FIELD)
    elif not out.given >> <int>RETRY_DELAY & 1:
        retry_wrong(out, RETRY_DELAY, MISSING_FIELD)


cdef const char* retry_part_name(RetryPart part) noexcept nogil:
    if part == RETRY_TYPE:
        return "retry.type"
    if part == RETRY_DELAY:
        return "retry.delay"
    return "retry.max" if part == RETRY_MAX else "retry.jitter"


cdef int retry_part_kind(RetryPart part) noexcept nogil:
    return KIND_STR if part == RETRY_TYPE else KIND_U64


cdef const char* retry_type_name(uint8_t type) noexcept nogil:
    if type == RETRY_FIXED:
        return "fixed"
    return "exponential" if type == RETRY_EXPONENTIAL else "linear"


# -- waiting ----------------------------------------------------------------------------------------------------

cdef inline uint64_t product(uint64_t delay, uint64_t factor) noexcept nogil:
    """It, or LONGEST when that is less. `factor` is not 0."""
    return LONGEST if delay > LONGEST // factor else delay * factor


cdef uint64_t retry_wait(Core* core, const RetryPolicy* policy, uint32_t attempts) noexcept nogil:
    """ms that the retry after the `attempts`-th failure (from 1) waits, at most 2^53 - 1.

    wait = delay                          fixed
         = delay * 2^(attempts - 1)       exponential
         = delay * attempts               linear
    at most `max`, less a uniformly random part of it: from 0 up to jitter * wait.

    Source: exponential backoff, capped and with jitter, as in M. Brooker, "Exponential Backoff And Jitter", AWS
    Architecture Blog (2015): jitter 0 is its plain form, 0.5 "equal jitter", 1 "full jitter".
    """
    cdef uint64_t wait = policy.delay if policy.delay < LONGEST else LONGEST
    cdef uint64_t span
    if policy.type == RETRY_EXPONENTIAL:
        wait = product(wait, <uint64_t>1 << (attempts - 1 if attempts < 54 else 53))
    elif policy.type == RETRY_LINEAR:
        wait = product(wait, attempts)
    if policy.max and wait > policy.max:
        wait = policy.max
    if policy.jitter == 0:
        return wait
    span = wait // MILLION * policy.jitter + wait % MILLION * policy.jitter // MILLION
    return wait - chance_below(core, span + 1)
