"""How a job fails: its retry policy, and the history of its attempts that ended badly."""
from flashq._core.job cimport Attempt, Ending, Failing, Job
from flashq._core.request cimport RetryPolicy, Slice
from flashq._core.state cimport Core
from libc.stdint cimport uint8_t

cdef int failing_set(Core* core, Job* job, const RetryPolicy* policy) noexcept nogil   # of a new job; OK or NO_MEMORY
# Its attempt ends badly, and its delivery is still there: an entry of its history, which the oldest makes room for.
# Without memory there is none. `error` may be NULL.
cdef void failing_note(Core* core, Job* job, Ending ending, const Slice* error) noexcept nogil
cdef Failing* failing_of(Core* core, Job* job) noexcept nogil          # made when missing; NULL: no memory
# The newest of a history, with the texts that `head` tells the sizes of; NULL without memory.
cdef Attempt* attempt_append(Core* core, Failing* failing, const Attempt* head, const uint8_t* error,
                             const uint8_t* worker) noexcept nogil
cdef void failing_free(Core* core, Failing* failing) noexcept nogil
# The missed heartbeats of an active job no longer count, or, with `all`, its lost workers neither.
cdef void losses_forgive(Core* core, Job* job, bint all) noexcept nogil
cdef const char* ending_name(uint8_t ending) noexcept nogil            # of any Ending but ENDED_WELL

cdef inline const uint8_t* attempt_error(const Attempt* attempt) noexcept nogil:
    return <const uint8_t*>(attempt + 1)

cdef inline const uint8_t* attempt_worker(const Attempt* attempt) noexcept nogil:
    return attempt_error(attempt) + attempt.error_size

cdef inline bint has_policy(const Job* job) noexcept nogil:
    return job.extra != NULL and job.extra.failing != NULL and job.extra.failing.policy.type != 0
